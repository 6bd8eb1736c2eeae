"""What is due and overdue, the oldest first."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, NamedTuple

from domain.sentences import Sentence
from service.projections.choosing import Selection
from service.projections.clocks import INSTEAD, RULES, DueRule
from service.projections.due import Due, Span, Spans, Waits, told
from service.projections.kept_days import mark_within
from service.reads import Reads
from service.working_days import KNOWN_UNTIL, after_working_days, working_days_before

_DAY = timedelta(days=1)
_NUMBER = {rule.name: number for number, rule in enumerate(RULES)}
# Before all days.
_EVER = ""


class Place(NamedTuple):
    """An item's place in the list: the day it is due, its rule, its lead's number."""

    due_on: str
    rule: int
    number: int


class Item(NamedTuple):
    """One item."""

    place: Place
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
        spans = self._due_by(day)
        wanted = spans if rule is None else {_NUMBER[rule]: spans[_NUMBER[rule]]}
        with self._reads.store.snapshot() as connection:
            position = mark_within(connection).position
            due = Due(connection, chosen)
            counts = due.counts(spans)
            found = sorted(self._next(due, wanted, after, limit + 1))
            shown = found[:limit]
            leads = told(connection, {item.place.number for item in shown})
        last = shown[-1].place if len(found) > limit else None
        by_rule = {RULES[number].name: count for number, count in counts.items()}
        items = [_shown(item, *leads[item.place.number], day) for item in shown]
        return Page(items, last, position, _warning(shown, day), by_rule)

    def _due_by(self, day: date) -> Spans:
        """Of each rule's clock, the days on which it began where something is due by ``day``."""
        upto = {rule.name: self._begun(rule, day) for rule in RULES}
        return {
            number: Span(upto.get(INSTEAD.get(rule.name, ""), _EVER), upto[rule.name])
            for number, rule in enumerate(RULES)
        }

    def _next(self, due: Due, spans: Spans, after: Place | None, most: int) -> Iterator[Item]:
        """Of each rule at least the next ``most`` items after a place, if there are so many."""
        if after is not None:
            if after.rule in spans:
                yield from self._due_on(due, spans, after, most)
            spans = {number: self._later(number, span, after) for number, span in spans.items()}
        for number, rows in due.first(spans, most).items():
            items = self._items(number, rows)
            if len(items) == most and RULES[number].unit == "working":
                # What is due on one day began on several: by their leads the next may be others.
                day = items[-1].place.due_on
                items = [item for item in items if item.place.due_on < day]
                yield from self._due_on(due, spans, Place(day, number, 0), most)
            yield from items

    def _later(self, number: int, span: Span, after: Place) -> Span:
        """What is due on a later day than that of a place; or on that, by a rule after its."""
        day = date.fromisoformat(after.due_on)
        passed = self._begun(RULES[number], _before(day) if number > after.rule else day)
        return Span(max(span.after, passed), span.upto)

    def _due_on(self, due: Due, spans: Spans, after: Place, most: int) -> Sequence[Item]:
        """The next items after a place that are due on the same day, by the same rule."""
        rule, day = RULES[after.rule], date.fromisoformat(after.due_on)
        span = spans[after.rule]
        on_day = Span(
            max(span.after, self._begun(rule, _before(day))),
            min(span.upto, self._begun(rule, day)),
        )
        return self._items(after.rule, due.by_lead(after.rule, on_day, after.number, most))

    def _items(self, number: int, rows: Sequence[Waits]) -> list[Item]:
        rule = RULES[number]
        return [
            Item(Place(self._due_after(rule, since), number, lead), since) for lead, since in rows
        ]

    def _due_after(self, rule: DueRule, since: str) -> str:
        """The day on which it is due that the rule's clock began on a day."""
        begun, days = date.fromisoformat(since), self._days.get(rule.name, 0)
        if rule.unit == "working":
            return f"{after_working_days(begun, days)}"
        return f"{begun + timedelta(days)}"

    def _begun(self, rule: DueRule, day: date) -> str:
        """The last day of which that is ``day`` or an earlier one."""
        days = self._days.get(rule.name, 0)
        if rule.unit == "working":
            return f"{working_days_before(day, days)}"
        return f"{day - min(timedelta(days), day - date.min)}"


def _before(day: date) -> date:
    """The day before, if there is one."""
    return max(day, date.min + _DAY) - _DAY


def _shown(
    item: Item, lead: Mapping[str, Any], clocks: Mapping[str, Any], day: date
) -> dict[str, Any]:
    rule = RULES[item.place.rule]
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
        "slips": clocks.get("slips", 0),
    }
    return {**told, "sentence": _sentence(rule, told)}


def _sentence(rule: DueRule, told: Mapping[str, Any]) -> str:
    since, title, overdue = told["since"], told["lead"]["title"], told["days_overdue"]
    late = f"已逾期{overdue}天" if overdue else "今日到期"
    times = f"（已推迟{told['slips']}次）" if rule.name == "slipped" and told["slips"] else ""
    return f"《{title}》{since}{rule.what}{times}，{late}。"


def _warning(shown: list[Item], day: date) -> str | None:
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
