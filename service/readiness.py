"""Whether the ledger can be used: written, and read as it stands now."""

import time
from datetime import datetime
from threading import Lock
from typing import NamedTuple

from domain.errors import NotReady
from domain.sentences import together
from service.application import Ledger
from service.exports.failing import what_is_wrong
from service.lag import Lag, lag_of
from service.proof.rounds import what_is_late


class Ready(NamedTuple):
    """It can. ``lag``: how far the projections were behind when that was asked; ``detail``: what
    somebody should see to all the same."""

    lag: Lag
    detail: str


class Readiness:
    """Finds it out once for all who asked before that began: it waits for the disk, and strangers
    may ask as often as they like."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._turn = Lock()
        # When what was found last was begun, by a clock that is never set.
        self._began = float("-inf")
        self._found: Ready | None = None

    def check(self, moment: datetime, asked: float | None = None) -> Ready:
        """What is so at some time after ``asked`` (of ``time.monotonic()``; None: now); NotReady as
        of ``check_ready``, by whoever finds it out."""
        asked = time.monotonic() if asked is None else asked
        with self._turn:
            if self._found is None or self._began <= asked:
                self._found, began = None, time.monotonic()
                self._found, self._began = check_ready(self._ledger, moment), began
            return self._found


def check_ready(ledger: Ledger, moment: datetime) -> Ready:
    """NotReady says what is wrong; of projections that cannot be brought up also by how much they
    are behind."""
    ledger.log_recorder.try_write()
    lag = lag_of(ledger.reads, moment)
    try:
        ledger.reads.position()
    except NotReady as why:
        told = together([why.sentence, lag.sentence]) if lag.events else why.sentence
        raise NotReady(told, retry_after=why.retry_after) from why
    ledger.published.check_quiet(ledger.reads.data_version())
    if not ledger.reads.whole_book_balances():
        raise NotReady(
            "The trial balance is not zero: the book must not be trusted.", retry_after=60
        )
    wrong = what_is_wrong(ledger.settings, ledger.reads, moment)
    late = what_is_late(ledger.settings, moment)
    copy = ledger.replica.complaint() if ledger.replica else ""
    return Ready(lag, " ".join(filter(None, (wrong, late, copy))))
