"""What is due and overdue, the oldest first."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from domain.sentences import Sentence
from domain.stage import NEGOTIATING, SIGNED, TIP
from service.projections.choosing import FILTERS, Selection
from service.projections.clocks import ANSWERED_ELSEWHERE, INSTEAD, RULES, DueRule
from service.projections.kept_days import mark_within
from service.projections.leads import leads
from service.projections.moment import NOW
from service.reads import Reads
from service.working_days import KNOWN_UNTIL, after_working_days

# Leads in these stages can have something due; others only if a member waits to be told, or for a
# ruling on its share.
_OPEN = (TIP, NEGOTIATING, SIGNED)


class Place(NamedTuple):
    """An item's place in the list: the day it is due, its rule, its lead's number."""

    due_on: str
    rule: int
    number: int


class Due(NamedTuple):
    """One item."""

    place: Place
    lead: Mapping[str, Any]
    clocks: Mapping[str, Any]
    since: str


class Page(NamedTuple):
    """``items`` as they are shown; ``last``: where to go on, None at the end; ``warning``: what
    does not hold of them; ``by_rule``: how many there are in all, of each rule."""

    items: list[dict[str, Any]]
    last: Place | None
    position: int
    warning: str | None
    by_rule: Mapping[str, int] = {}


class Worklist:
    """Answers: what should the office do today?"""

    def __init__(self, reads: Reads, days: Mapping[str, int]) -> None:
        """``days``: after how many each rule's thing is due, by name."""
        self._reads = reads
        self._days = days

    def page(
        self,
        chosen: Selection,
        day: date,
        *,
        rule: str | None = None,
        after: Place | None = None,
        limit: int = 50,
    ) -> Page:
        """What is due by ``day``, of leads as they stand now, after the place ``after``."""
        self._reads.position()
        with self._reads.store.snapshot() as connection:
            position = mark_within(connection).position
            rows = connection.execute(_candidates(chosen), {**chosen.values(), **NOW}).all()
        due = [item for row in rows for item in self._due(row, f"{day}", chosen.book)]
        wanted = sorted(
            item
            for item in due
            if (rule is None or RULES[item.place.rule].name == rule)
            and (after is None or item.place > after)
        )
        shown = wanted[:limit]
        last = shown[-1].place if len(wanted) > limit else None
        by_rule = Counter(RULES[item.place.rule].name for item in due)
        items = [_shown(item, day) for item in shown]
        return Page(items, last, position, _warning(shown, day), by_rule)

    def _due(self, row: Any, day: str, book: str | None) -> Iterator[Due]:
        lead, clocks = orjson.loads(row.body), orjson.loads(row.state)
        found: dict[str, Due] = {}
        here = lead["district"].startswith(book or "")
        for number, rule in enumerate(RULES):
            if not here and rule.name != ANSWERED_ELSEWHERE:
                continue
            since = rule.since(lead, clocks)
            if since is not None:
                place = Place(f"{self._due_on(rule, since)}", number, row.number)
                if place.due_on <= day:
                    found[rule.name] = Due(place, lead, clocks, since)
        yield from (item for name, item in found.items() if INSTEAD.get(name) not in found)

    def _due_on(self, rule: DueRule, since: str) -> date:
        begun = date.fromisoformat(since)
        if rule.unit == "working":
            return after_working_days(begun, self._days[rule.name])
        return begun + timedelta(self._days[rule.name] if rule.unit else 0)


def _candidates(chosen: Selection) -> sa.Select[Any]:
    filters = [_or_proposed(name) for name in chosen.values()]
    either = sa.or_(leads.c.stage.in_(_OPEN), leads.c.untold_on.is_not(None), leads.c.unruled)
    return sa.select(leads.c.number, leads.c.body, leads.c.state).where(either, *filters)


def _or_proposed(name: str) -> sa.ColumnElement[bool]:
    """A filter; of districts also the leads that are proposed to them, which are to answer."""
    chosen = FILTERS[name](leads)
    if name not in ("district", "within"):
        return chosen
    return sa.or_(chosen, leads.c.transfer_to.like(sa.bindparam(name)))


def _shown(item: Due, day: date) -> dict[str, Any]:
    rule, lead = RULES[item.place.rule], item.lead
    overdue = (day - date.fromisoformat(item.place.due_on)).days
    told = {
        "rule": rule.name,
        "label": rule.label,
        "lead": {
            name: lead[name]
            for name in ("id", "title", "district", "stage", "responsible_unit", "manager")
        },
        "since": item.since,
        "due_on": item.place.due_on,
        "days_overdue": overdue,
        "slips": item.clocks.get("slips", 0),
    }
    return {**told, "sentence": _sentence(rule, told)}


def _sentence(rule: DueRule, told: Mapping[str, Any]) -> str:
    since, title, overdue = told["since"], told["lead"]["title"], told["days_overdue"]
    late = f"已逾期{overdue}天" if overdue else "今日到期"
    times = f"（已推迟{told['slips']}次）" if rule.name == "slipped" and told["slips"] else ""
    return f"《{title}》{since}{rule.what}{times}，{late}。"


def _warning(shown: list[Due], day: date) -> str | None:
    beyond = [
        item
        for item in shown
        if RULES[item.place.rule].unit == "working" and item.place.due_on > f"{KNOWN_UNTIL}"
    ]
    if beyond or day > KNOWN_UNTIL:
        return Sentence(
            "Holidays are known until {known_until}; beyond, every Monday to Friday "
            "counts as a working day. Install a newer release of chinesecalendar.",
            known_until=KNOWN_UNTIL,
        )
    return None
