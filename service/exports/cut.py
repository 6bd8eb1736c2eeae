"""The cut that an export is made at: a business date, as known at a log position.

What is exported of a date is everything that had happened by the end of that day and had been
recorded by its cut-off, which is in the night after it. So a night that was missed is made up for
as it would have been, and the same date and position tell the same for ever.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from domain.actor import CHINA

_DAY = timedelta(days=1)
# A command is dated when it comes in, and recorded a moment later: by then all that was dated
# before the cut-off stands in the log.
SETTLED = timedelta(minutes=1)


@dataclass(frozen=True)
class Cut:
    """``day``, as known at ``position``."""

    day: date
    position: int

    def __str__(self) -> str:
        return f"{self.day}/{self.position}"


def cut_off(day: date, at: time) -> datetime:
    """When a date's export is due, and up to when what was recorded is in it."""
    return datetime.combine(day + _DAY, at, CHINA)


def last_over(moment: datetime, at: time) -> date:
    """The last date whose cut-off has come, and all that belongs before it has been recorded."""
    china = (moment - SETTLED).astimezone(CHINA)
    return china.date() - _DAY * (1 if china.time() >= at else 2)
