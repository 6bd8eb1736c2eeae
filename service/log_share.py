"""The log divided between several who take it in at once, by streams."""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from eventsourcing.persistence import Notification, StoredEvent

from service.log_recorder import LedgerRecorder, key_of

# How many events are looked at to divide a log.
_SAMPLE = 1_000


class SharedOut(LedgerRecorder):
    """A share of any log, chosen here and not in the database."""

    def __init__(self, whole: LedgerRecorder, begins: tuple[int, int], upto: int) -> None:
        self._whole = whole
        self._begins = begins
        self._upto = upto

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log in order of position, up to the share's end and its own only."""
        found: list[Notification] = []
        stop = self._upto if stop is None else min(stop, self._upto)
        select = self._whole.select_notifications
        while len(found) < limit:
            batch = select(start, limit, stop, topics, inclusive_of_start=inclusive_of_start)
            if not batch:
                break
            start, inclusive_of_start = batch[-1].id, False
            found += self._mine(batch)
        return found[:limit]

    def _mine(self, batch: Sequence[Notification]) -> Sequence[Notification]:
        low, high = self._begins
        first = self._whole.first_positions({at.originator_id for at in batch})
        return [
            at
            for at in batch
            if at.topic.startswith("member.")
            or low <= first.get(int(key_of(at.originator_id), 16), 0) <= high
        ]

    def select_events(self, originator_id: UUID | str, **within: Any) -> Sequence[StoredEvent]:
        """One stream, whosever it is."""
        return self._whole.select_events(originator_id, **within)

    def max_notification_id(self) -> int | None:
        """The position of the log's last event."""
        return self._whole.max_notification_id()

    def first_positions(self, originator_ids: Iterable[UUID | str]) -> dict[int, int]:
        """As the whole log has it."""
        return self._whole.first_positions(originator_ids)

    def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Sequence[int]:
        """Nothing is written to a share."""
        raise NotImplementedError


def shares(recorder: LedgerRecorder, upto: int, of: int) -> list[LedgerRecorder]:
    """The log up to ``upto`` in so many shares of about as many events each."""
    begins = _begins(recorder, upto)
    cuts = [-1, *(begins[len(begins) * number // of] for number in range(1, of)), upto]
    return [recorder.share((low + 1, high), upto) for low, high in pairwise(cuts)]


def _begins(recorder: LedgerRecorder, upto: int) -> list[int]:
    """Where the streams begin of events from all over the log, in order."""
    sample = range(1, upto + 1, max(upto // _SAMPLE, 1))
    events = [event for at in sample for event in recorder.select_notifications(at, 1, upto)]
    return sorted(recorder.first_positions(event.originator_id for event in events).values()) or [
        upto
    ]
