"""What was erased: an event each, in a stream of their own, which is the truth of it.

The log says it first, then the key is destroyed; whoever is killed between leaves a key that nobody
uses any more, and that the next start, or the next erasure, destroys. A copy of the keys that is
older than an erasure does not bring the person back.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from eventsourcing.domain import DomainEvent
from eventsourcing.persistence import Mapper

from service.log_recorder import LedgerRecorder
from service.projections.view import recorded_at

# What the access record calls an export in which contacts are not masked.
UNMASKED = "export contacts unmasked"
ERASURES = UUID("5e1a5ed0-9a53-5a3f-8f0e-51a1c7a0d9e4")


@dataclass(frozen=True)
class Erased(DomainEvent):
    """The key of ``subject`` was destroyed, for ``reason``. ``exports``: the dates of the exports
    on the shelf that told of the person, with the contact masked. ``unmasked``: the moments at
    which all contacts were exported as they are, since the person was known; the access record
    has more of each."""

    TOPIC = "subject.erased"
    class_version = 2
    actor: str
    request: str
    subject: str
    reason: str
    exports: list[str]
    unmasked: list[str]

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        """Nobody asked for these then: the access record alone has them."""
        state["unmasked"] = []


def shown(event: Any) -> dict[str, Any]:
    """What is told of an erasure."""
    return {
        "subject": event.subject,
        "erased_at": recorded_at(event),
        "actor": event.actor,
        "reason": event.reason,
        "exports": event.exports,
        "unmasked_exports": event.unmasked,
    }


class Erasures:
    """The ids of those who were erased, read again only where the log has gone on."""

    def __init__(self, recorder: LedgerRecorder, mapper: Mapper[Any]) -> None:
        self._recorder, self._mapper = recorder, mapper
        self._version = 0
        self._subjects: set[str] = set()

    def look(self, on_more: Callable[[], object] = lambda: None) -> set[str]:
        """All that were erased by now; ``on_more`` is called first where there are more."""
        more = self._recorder.select_events(ERASURES, gt=self._version)
        if more:
            on_more()
            for stored in more:
                erased: Any = self._mapper.to_domain_event(stored)
                self._subjects.add(erased.subject)
                self._version = stored.originator_version
        return self._subjects
