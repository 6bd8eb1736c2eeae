"""What the log has of a lead, a member or a report, as clients are shown it."""

from collections.abc import Sequence
from typing import Any, cast
from uuid import UUID

from eventsourcing.application import Application

from domain.errors import none_such
from domain.lead import Lead
from domain.report import Report
from service.commands.events import BEGINNINGS
from service.log import LedgerMapper
from service.log_recorder import LedgerRecorder, Stream
from service.personal import erasures
from service.personal.erasures import Erased
from service.personal.personal import Personal
from service.projections import members as member_rows
from service.projections.sealed import shown as sealed_report
from service.projections.view import people_in, view_of


class Showing(Application[UUID]):
    """Reads the log, and nothing else."""

    mapper: LedgerMapper
    personal: Personal
    # Names by member id, as far as they were asked for.
    _names: dict[str, str]

    @property
    def log_recorder(self) -> LedgerRecorder:
        """The recorder, as what it is."""
        return cast(LedgerRecorder, self.recorder)

    def _stream(self, cls: type[Any], subject: UUID, ahead: Stream | None = None) -> list[Any]:
        """All events of ``subject``; NotFound unless it is a ``cls``."""
        events = self._events(subject, ahead=ahead)
        if not events or BEGINNINGS.get(events[0].TOPIC) is not cls:
            raise none_such(cls.__name__.lower(), subject)
        return events

    def _events(
        self, subject: UUID, upto: int | None = None, ahead: Stream | None = None
    ) -> list[Any]:
        """``ahead``: the stream, where it was read already."""
        stored = self.recorder.select_events(subject, lte=upto) if ahead is None else ahead
        return list(map(self.mapper.to_domain_event, stored))

    def _show(self, stream: list[Any]) -> dict[str, Any]:
        """A lead or member as the API shows it after ``stream``."""
        if stream[0].TOPIC == Erased.TOPIC:
            return erasures.shown(stream[-1])
        begun = BEGINNINGS[stream[0].TOPIC]
        if begun is Report:
            return sealed_report(stream[0])
        if begun is Lead:
            view = view_of(stream, self.names_of(people_in(stream)), alone=True)
            return self.personal.shown(view.lead)
        row: dict[str, Any] = {}
        for event in stream:
            member_rows.fold(row, event)
        return row

    def names_of(self, ids: Sequence[str]) -> dict[str, str]:
        """Names by member id. A name never changes, so it is asked for once in a process."""
        for member_id in ids:
            if member_id not in self._names:
                (registered,) = self.recorder.select_events(UUID(member_id), limit=1)
                member: Any = self.mapper.to_domain_event(registered)
                self._names[member_id] = member.name
        return {member_id: self._names[member_id] for member_id in ids}
