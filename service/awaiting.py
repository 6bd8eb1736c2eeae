"""Waiting until reads reflect what a client knows of: ``If-Ledger-Position``."""

import time

from domain.errors import Invalid, NotReady
from service.reads import Reads

HEADER = "If-Ledger-Position"
# Short enough that a client hardly waits longer than it must, long enough not to spin.
_PAUSE = 0.005


def position_in(text: str) -> int:
    """The log position that the header names; Invalid when that is none."""
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        reason = f"'{text[:40]}' is no log position, as Ledger-Position names it."
        raise Invalid({HEADER: [reason]})
    return int(text)


def await_position(reads: Reads, wanted: int, patience: float) -> int:
    """The position that reads reflect, once it is ``wanted`` or a later one.

    NotReady when it is not within ``patience`` seconds; Invalid at once where the log is read that
    is written, for what it does not have nobody was ever answered.
    """
    deadline = time.monotonic() + patience
    while (position := reads.position()) < wanted:
        if not reads.follows:
            reason = f"{wanted} is past the last log position, {position}."
            raise Invalid({HEADER: [reason]})
        if time.monotonic() >= deadline:
            raise NotReady(
                f"What is read here has come to log position {position} and, after {patience:g} s, "
                f"not to {wanted} yet."
            )
        time.sleep(_PAUSE)
    return position
