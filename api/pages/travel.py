"""As of which day, and as known at which moment, a page shows the ledger: it stands in the address,
so that a view can be sent to a colleague."""

import re
from datetime import date, datetime, timedelta, timezone
from typing import Any, NamedTuple
from urllib.parse import urlencode

from marshmallow import fields

from api.endpoint import ledger
from api.schemas import Day, Request
from domain.actor import today_in_china

_CHINA = timezone(timedelta(hours=8))
# What a browser's field for day and time gives; it is meant on China's clocks.
_LOCAL = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?", re.ASCII)


class TravelQuery(Request):
    """The two; without them it is as of today, as known now."""

    as_of = Day()
    known_at = fields.String()


class Travel(NamedTuple):
    """``day`` as asked (None: today), ``known_at`` as asked (None: now), and the ``position`` in
    the log that this is."""

    day: date | None
    known_at: str | None
    position: int | None

    @property
    def end(self) -> date:
        """The last day that counts."""
        return self.day or today_in_china()

    @property
    def local(self) -> str:
        """The moment as a field for day and time shows it; '' where it is now, or a position."""
        if self.known_at is None or self.known_at.isdigit():
            return ""
        there = datetime.fromisoformat(self.known_at).astimezone(_CHINA)
        return f"{there:%Y-%m-%dT%H:%M}"

    @property
    def words(self) -> dict[str, str]:
        """The same as the words of a query."""
        asked = {"as_of": f"{self.day}" if self.day else None, "known_at": self.known_at}
        return {name: value for name, value in asked.items() if value is not None}

    def to(self, path: str, **more: str) -> str:
        """The address of a page that is to show the same day and moment."""
        words = {**self.words, **more}
        return f"{path}?{urlencode(words)}" if words else path


def travel(query: dict[str, Any]) -> Travel:
    """What the query asks for; Invalid for a moment that is none, or to come."""
    day = date.fromisoformat(query["as_of"]) if "as_of" in query else None
    moment = query.get("known_at")
    if moment is None:
        return Travel(day, None, None)
    if _LOCAL.fullmatch(moment):
        moment = f"{moment}+08:00"
    return Travel(day, moment, ledger().reads.position_named(moment))
