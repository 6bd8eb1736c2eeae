"""The words that several reads share: which leads, which window, as known when."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

from api.auth import scope
from api.endpoint import ledger
from api.replica import reading, reflected
from api.schemas import id_of
from domain.actor import today_in_china
from domain.errors import Invalid, NotFound
from domain.sentences import Sentence
from service.projections.choosing import EVERYTHING, Selection
from service.scope import ALL

_CHOOSING = frozenset({"district", "industry", "sector", "member", "min_cny"})


def selection(query: Mapping[str, Any], **more: Any) -> Selection:
    """Which leads count of those that the request may see: by default those of its district."""
    seen = scope()
    if seen.member and query.get("member", seen.member) != seen.member:
        raise Invalid.of("member", "This token sees the leads of its own member only.")
    if seen == ALL and not (more or _CHOOSING & query.keys()):
        return EVERYTHING
    return replace(
        seen.seen,
        district=query.get("district", seen.district),
        industry=query.get("industry"),
        sector=query.get("sector"),
        member=seen.member or query.get("member"),
        least_fen=query["min_cny"] * 100 if "min_cny" in query else None,
        **more,
    )


def lead_seen(lead_id: str) -> UUID:
    """The lead's id; NotFound, as for one that does not exist, when the request may not see it."""
    wanted, seen = id_of(lead_id, "lead"), scope()
    if seen != ALL:
        reading().reads.lead_seen(wanted, seen, proposed=True)
    return wanted


def report_of(query: Mapping[str, Any]) -> str | None:
    """The district that a report is asked of: by default the request's own (None: all).

    NotFound for one outside of that: a part of a district's report is no report of it.
    """
    own = scope().district
    district: str | None = query.get("district", own)
    if own is not None and not (district or "").startswith(own):
        raise NotFound(
            "There is no report of district {district} within {own}.", district=district, own=own
        )
    return district


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
        late = Sentence(
            "{start} is after {last}, which as_of names: nothing later counts.",
            start=start,
            last=last,
        )
        raise Invalid(
            {
                "from": [late],
                "as_of": [
                    Sentence("{last} is before {start}, which from names.", last=last, start=start)
                ],
            }
        )
    if start > end:
        raise Invalid.of(
            "from", "{start} is after {end}, where the window ends.", start=start, end=end
        )
    return start, end


def known_at(query: Mapping[str, Any]) -> int | None:
    """The log position that ``known_at`` names, as such or as a moment; None without it."""
    text = query.get("known_at")
    # Only where it is written is it known what was recorded by a moment.
    return None if text is None else reflected(ledger().reads.position_named(text))
