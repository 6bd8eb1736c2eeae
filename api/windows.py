"""The words that several reads share: which leads, which window, as known when."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from api.endpoint import ledger
from domain.actor import today_in_china
from domain.errors import Invalid
from service.projections.choosing import EVERYTHING, Selection

_CHOOSING = frozenset({"district", "industry", "sector", "member", "min_cny"})


def selection(query: Mapping[str, Any], member: str | None = None, **more: Any) -> Selection:
    """Which leads count; ``member`` limits them to one member's, whatever is asked."""
    if member and query.get("member", member) != member:
        raise Invalid({"member": ["This token sees the leads of its own member only."]})
    if not (member or more or _CHOOSING & query.keys()):
        return EVERYTHING
    return Selection(
        district=query.get("district"),
        industry=query.get("industry"),
        sector=query.get("sector"),
        member=member or query.get("member"),
        least_fen=query["min_cny"] * 100 if "min_cny" in query else None,
        **more,
    )


def as_of(query: Mapping[str, Any]) -> date | None:
    """The business date that ``as_of`` names; None without it."""
    return date.fromisoformat(query["as_of"]) if "as_of" in query else None


def window(query: Mapping[str, Any]) -> tuple[date, date]:
    """From and to, both included; by default the year of ``to``, and today in China.

    With ``as_of`` nothing later counts: the window ends there at the latest.
    """
    last = as_of(query)
    end = date.fromisoformat(query["end"]) if "end" in query else last
    end = end or today_in_china()
    end = min(end, last or end)
    start = date.fromisoformat(query["start"]) if "start" in query else end.replace(month=1, day=1)
    if start > end and end == last:
        late = f"{start} is after {last}, which as_of names: nothing later counts."
        raise Invalid({"from": [late], "as_of": [f"{last} is before {start}, which from names."]})
    if start > end:
        raise Invalid({"from": [f"{start} is after {end}, where the window ends."]})
    return start, end


def known_at(query: Mapping[str, Any]) -> int | None:
    """The log position that ``known_at`` names, as such or as a moment; None without it."""
    text = query.get("known_at")
    return None if text is None else ledger().reads.position_named(text)
