"""The log as one of several sees it, who divide the streams of events between them."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from service.log import LedgerRecorder

# How many events are looked at to divide a log.
_SAMPLE = 1_000


class LedgerShare(LedgerRecorder):
    """Gives the events up to a position of the streams that begin at some positions, and those of
    every member. A stream without a beginning counts as begun at 0. It can be sent to another
    process."""

    # The log is read once, from its beginning to its end.
    cache = 2_048

    def __init__(self, path: Path, lock_timeout: float, begins: tuple[int, int], upto: int) -> None:
        """``begins``: the first and the last of those positions."""
        super().__init__(path, lock_timeout)
        self._share = begins, upto
        low, high = begins
        first = (
            f"coalesce((SELECT first.rowid FROM {self.events_table_name} AS first WHERE "
            f"first.originator_id = {self.events_table_name}.originator_id "
            "AND first.originator_version = 1), 0)"
        )
        # What begins within the first share, and stands there, need not be looked up.
        mine = f"({low} = 0 AND rowid <= {high} OR {first} BETWEEN {low} AND {high})"
        self.given = f"rowid <= {upto} AND (topic GLOB 'member.*' OR rowid >= {low} AND {mine})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.lock_timeout, *self._share)


def shares(recorder: LedgerRecorder, upto: int, of: int) -> list[LedgerShare]:
    """The log up to ``upto`` in so many shares of about as many events each."""
    begins = _begins(recorder, upto)
    cuts = [-1, *(begins[len(begins) * number // of] for number in range(1, of)), upto]
    return [
        LedgerShare(recorder.path, recorder.lock_timeout, (low + 1, high), upto)
        for low, high in pairwise(cuts)
    ]


def _begins(recorder: LedgerRecorder, upto: int) -> list[int]:
    """Where the streams begin of events from all over the log, in order."""
    sample = range(1, upto + 1, max(upto // _SAMPLE, 1))
    events = [event for at in sample for event in recorder.select_notifications(at, 1, upto)]
    return sorted(recorder.first_positions(event.originator_id for event in events).values()) or [
        upto
    ]
