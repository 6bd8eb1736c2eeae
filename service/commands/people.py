"""Personal data in commands: sealed with the person's key, which an erasure destroys."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from domain.actor import current_actor
from domain.errors import Invalid, none_such
from domain.lead import Lead
from domain.values import NOTE, check_text
from service.access.record import Access
from service.access.scrub import without_secrets
from service.commands.carrying import Answer, Carrying, Facts
from service.exports.cut import SETTLED
from service.exports.shelf import Shelf
from service.personal import erasures
from service.personal.erasures import ERASURES, Erased
from service.requests import Call
from service.settings import Settings


class PersonalCommands(Carrying):
    """Whose contact a lead has, and that it is forgotten."""

    settings: Settings
    access: Access

    def erase(self, subject: UUID, call: Call, facts: Facts) -> Answer:
        """A person's key is destroyed, and with it what was sealed; NotFound, and Invalid for a
        reason with a telephone number in it, which the log would keep. Whoever asks again is told
        of the first time."""
        reason = check_text("reason", facts["reason"], NOTE, lines=True)
        if without_secrets(reason) != reason:
            raise Invalid.of(
                "reason", "It has a telephone number, which would be kept for ever: leave it out."
            )
        since = self.personal.keys.made_at(f"{subject}")
        self.access.note("personal-data", "erase a person", subject=f"{subject}", reason=reason)

        def attempt() -> tuple[list[Any], list[Any]]:
            before = self._events(ERASURES)
            for version, event in enumerate(before, 1):
                if event.subject == f"{subject}":
                    return before[:version], []
            if since is None:
                raise none_such("subject", subject)
            actor = current_actor()
            erased = Erased(
                ERASURES,
                len(before) + 1,
                actor.moment,
                actor=actor.name,
                request=actor.request,
                subject=f"{subject}",
                reason=reason,
                exports=self._exports_since(since),
                unmasked=self._unmasked_since(since),
            )
            return before, [erased]

        answer = self._carry_out(call, 200, attempt)
        self.personal.destroy_erased()
        return answer

    def _unmasked_since(self, moment: str) -> list[str]:
        """When contacts were exported unmasked since then, from the first to the last."""
        found: list[str] = []
        before: int | None = None
        while True:
            some, before = self.access.listed(200, before, "personal-data", moment)
            found += [one["at"] for one in some if one["action"] == erasures.UNMASKED]
            if before is None:
                return found[::-1]

    def _exports_since(self, since: str) -> list[str]:
        """The dates of the exports on the shelf that were made since then."""
        shelf = Shelf(self.settings.exports)
        # The event that the key was made for is dated before it.
        position = self.reads.position_known_at(datetime.fromisoformat(since) - SETTLED)
        days = sorted(shelf.days())
        return [f"{day}" for day in days if shelf.may_hold(day, position)]

    def _sealed(self, lead_id: UUID, call: Call, facts: Facts) -> tuple[Call, dict[str, Any]]:
        """Facts with the contact in them sealed, if there is one. A digest of a request that names
        a contact could be tried out on every telephone number: it is told with the person's key."""
        contact = facts.get("contact")
        if not contact:
            return call, {**facts}
        # Who was erased has another key from then on.
        self.reads.data_version()
        person = self.personal.person(contact, lead_id)
        sealed = self.personal.sealed(contact, person)
        return replace(call, digest=person.blinded(call.digest)), {**facts, "contact": sealed}

    def _as_before(self, lead: Lead, facts: Facts) -> dict[str, Any]:
        """Facts whose contact, if the lead knows it, is as it was sealed the first time."""
        if not facts.get("contact"):
            return {**facts}
        return {**facts, "contact": self.personal.as_before(facts["contact"], lead.past)}
