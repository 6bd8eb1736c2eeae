"""Days in China as the moments that access records are written with."""

from datetime import UTC, date, datetime, time, timedelta

from domain.actor import CHINA
from service.log import moment_text

_LAST = date.max - timedelta(1)


def since(day: date) -> str:
    """The moment at which ``day`` begins."""
    return moment_text(datetime.combine(day, time(), CHINA).astimezone(UTC))


def upto(day: date) -> str:
    """The moment at which ``day`` is over."""
    return since(min(day, _LAST) + timedelta(1))
