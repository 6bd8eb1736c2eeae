"""How far the projections are behind the log, before anybody brings them up."""

from datetime import datetime
from typing import NamedTuple

from service.reads import Reads


class Lag(NamedTuple):
    """Positions of the log that a projection has yet to take in, and how long the first of them has
    been there."""

    events: int
    seconds: float

    def __str__(self) -> str:
        return f"The projections are {self.events} events and {self.seconds:.0f} s behind the log."


def lag_of(reads: Reads, moment: datetime) -> Lag:
    """Of the projection that is furthest behind."""
    events, since = reads.behind()
    seconds = (moment - since).total_seconds() if since else 0.0
    return Lag(events, max(seconds, 0.0))
