"""How far the projections are behind the log, before anybody brings them up."""

from datetime import datetime
from typing import NamedTuple

from domain.sentences import Sentence
from service.reads import Reads


class Lag(NamedTuple):
    """Positions of the log that a projection has yet to take in, and how long the first of them has
    been there."""

    events: int
    seconds: float

    @property
    def sentence(self) -> Sentence:
        """The same in words."""
        return Sentence(
            "The projections are {events} events and {seconds} s behind the log.",
            events=self.events,
            seconds=f"{self.seconds:.0f}",
        )


def lag_of(reads: Reads, moment: datetime) -> Lag:
    """Of the projection that is furthest behind."""
    events, since = reads.behind()
    seconds = (moment - since).total_seconds() if since else 0.0
    return Lag(events, max(seconds, 0.0))
