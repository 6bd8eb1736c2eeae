"""Commands on what is published of the ledger: reports, and the proof that nothing changed."""

from collections.abc import Iterable
from typing import Any

from eventsourcing.persistence import StoredEvent

from domain.actor import current_actor, today
from domain.errors import Refused
from domain.report import Report
from domain.values import check_text
from service.commands.carrying import Answer, Carrying
from service.proof.events import AUDIT, AccessesNoted, KeyRotated, Ruled
from service.reports.asked import Asked, Reports
from service.requests import Call


class KeepingCommands(Carrying):
    """Reports are sealed, keys rotate, alarms are ruled on, imports are recorded."""

    reports: Reports

    def seal(self, call: Call, asked: Asked, note: str | None = None) -> Answer:
        """The annual report as it is now, sealed; it follows the last one of its year."""

        def attempt() -> tuple[list[Any], list[Any]]:
            told = self.reports.to_seal(asked)
            return [], list(Report.seal(**told, occurred_on=today(), note=note).collect_events())

        return self._carry_out(call, 201, attempt)

    def record_all(self, stored: Iterable[StoredEvent]) -> int:
        """Append an import's events, all or none; how many. IntegrityError if one is there."""
        self.published.check_quiet(self.reads.data_version())
        return len(self.log_recorder.insert_events(stored))

    def rotate_key(self, old: str, new: str, old_until: str) -> None:
        """From now on ``new`` signs; ``old`` beside it until then."""
        self._keep(KeyRotated, old=old, new=new, old_until=old_until)

    def rule(self, reason: str) -> None:
        """Whoever acts has looked into the alarms that stand; Refused when none does."""
        alarms = [f"{alarm}" for alarm in self.published.standing()]
        if not alarms:
            raise Refused("No alarm stands, so there is nothing to rule on.")
        last = self.published.latest()
        note = last.note if last else None
        self._keep(Ruled, reason=check_text("reason", reason, 2000), alarms=alarms, checkpoint=note)
        actor = current_actor()
        self.published.rule(reason, actor.name, actor.moment)

    def note_accesses(self, head: str) -> None:
        """The keeper saw this head of the access record: the next checkpoint covers it."""
        self._keep(AccessesNoted, head=head)

    def accesses_noted(self) -> list[str]:
        """Every head of the access record that the log has."""
        kept = map(self.mapper.to_domain_event, self.recorder.select_events(AUDIT))
        return [event.head for event in kept if isinstance(event, AccessesNoted)]

    def _keep(self, event: type[Any], **facts: Any) -> None:
        """Record it, alarm or no alarm."""
        actor = current_actor()
        last = self.recorder.select_events(AUDIT, desc=True, limit=1)
        version = last[0].originator_version + 1 if last else 1
        told = {"timestamp": actor.moment, "actor": actor.name, "request": actor.request}
        self.events.put([event(AUDIT, version, **told, **facts)])
