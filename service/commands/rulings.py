"""Commands that may rule a lead a duplicate of another, or undo that: its members join the one that
survives, or leave it, in the same transaction."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from domain.errors import Forbidden, NotFound
from domain.lead import Lead, Ruling
from service.commands.carrying import Answer, Carrying, aggregate_of
from service.requests import Call
from service.scope import Scope


class Rulings(Carrying):
    """What follows for other leads from what is ruled on one."""

    def _rule(
        self, lead_id: UUID, call: Call, decide: Callable[[Lead], None], day: str | None = None
    ) -> Answer:
        """A command that may rule the lead a duplicate, or undo that (``day``: when; by default it
        never was): members join or leave the lead that survives, in the same transaction."""
        before: list[Ruling | None] = []

        def decide_and_note(lead: Lead) -> None:
            call.scope.check_district(lead.district)
            before[:] = [lead.ruling]
            decide(lead)

        def follow(lead: Lead) -> list[Any]:
            return self._follow(call.scope, lead, before[0], day)

        return self._change(Lead, lead_id, call, decide_and_note, follow)

    def _follow(
        self, scope: Scope, lead: Lead, before: Ruling | None, day: str | None
    ) -> list[Any]:
        """The events of other leads that follow from what became of a lead's ruling."""
        others: dict[str, Lead] = {}
        changed = [(lead, before)]
        while changed:
            duplicate, was = changed.pop()
            now, name = duplicate.ruling, f"{duplicate.id}"
            if now == was:
                continue
            for survivor_id in dict.fromkeys(ruling.of for ruling in (was, now) if ruling):
                if survivor_id not in others:
                    others[survivor_id] = self._survivor(scope, UUID(survivor_id))
                survivor = others[survivor_id]
                changed.append((survivor, survivor.ruling))
                if was and was.of == survivor_id:
                    survivor.part_members(name, day or was.day)
                if now and now.of == survivor_id:
                    if was is None or was.of != survivor_id:
                        survivor.check_survives()
                    survivor.join_members(name, now)
        return [event for other in others.values() for event in other.collect_events()]

    def _survivor(self, scope: Scope, lead_id: UUID) -> Any:
        """The lead of which another is, or was, ruled a duplicate; Forbidden outside of scope."""
        try:
            return aggregate_of(self._seen(Lead, lead_id, scope))
        except NotFound:
            raise Forbidden(
                "It is ruled a duplicate of {lead_id}, whose members would change with "
                "it; that lead is outside of district {district}, to which this token is "
                "limited.",
                lead_id=lead_id,
                district=scope.district,
            ) from None
