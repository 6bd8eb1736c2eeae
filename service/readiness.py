"""Whether the ledger can be used: written, and read as it stands now."""

from datetime import datetime
from typing import NamedTuple

from domain.errors import NotReady
from service.application import Ledger
from service.exports.failing import what_is_wrong
from service.lag import Lag, lag_of
from service.proof.rounds import what_is_late


class Ready(NamedTuple):
    """It can. ``lag``: how far the projections were behind when that was asked; ``detail``: what
    somebody should see to all the same."""

    lag: Lag
    detail: str


def check_ready(ledger: Ledger, moment: datetime) -> Ready:
    """NotReady says what is wrong; of projections that cannot be brought up also by how much they
    are behind."""
    ledger.log_recorder.try_write()
    lag = lag_of(ledger.reads, moment)
    try:
        ledger.reads.position()
    except NotReady as why:
        raise NotReady(f"{why} {lag}" if lag.events else f"{why}", why.retry_after) from why
    ledger.published.check_quiet(ledger.reads.data_version())
    if not ledger.reads.whole_book_balances():
        raise NotReady("The trial balance is not zero: the book must not be trusted.", 60)
    wrong = what_is_wrong(ledger.settings, ledger.reads, moment)
    late = what_is_late(ledger.settings, moment)
    return Ready(lag, " ".join(filter(None, (wrong, late))))
