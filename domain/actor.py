"""Who is acting, and at what moment: one context variable, set once per request or command."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8), "CST")


@dataclass(frozen=True)
class Actor:
    """One who acts: ``name`` is written into every event they cause.

    ``moment`` is the one clock reading of the whole command (aware, UTC), ``request`` names
    the request so that an event can be traced to it, and ``may_waive`` says whether this
    actor may override a required fact.
    """

    name: str
    moment: datetime
    request: str
    may_waive: bool = False

    @property
    def today(self) -> date:
        """The calendar day of ``moment`` in China, where the office works."""
        return china_day(self.moment)


_acting: ContextVar[Actor] = ContextVar("acting")


def current_actor() -> Actor:
    """The actor of this request; LookupError when nobody was named, so nothing is anonymous."""
    return _acting.get()


@contextmanager
def acting(actor: Actor) -> Iterator[Actor]:
    """Everything within acts for ``actor``."""
    token = _acting.set(actor)
    try:
        yield actor
    finally:
        _acting.reset(token)


def today() -> str:
    """The day of whoever is acting, in China, as text (ISO)."""
    return f"{current_actor().today}"


def now() -> datetime:
    """The server's clock, in UTC: the only place that reads it."""
    return datetime.now(UTC)


def china_day(moment: datetime) -> date:
    """The calendar day of a moment in China."""
    return moment.astimezone(CHINA).date()


def today_in_china() -> date:
    """The calendar day by the server's clock, for whoever only asks."""
    return china_day(now())
