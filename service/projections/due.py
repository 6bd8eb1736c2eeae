"""What is due, of the rows of `waiting.py`: how many things of each rule, and which come next."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from service.projections.choosing import FILTERS, Selection
from service.projections.clocks import INSTEAD, RULES
from service.projections.leads import lead_members, leads
from service.projections.moment import NOW
from service.projections.store import FOREVER, Prepared, rows_of
from service.projections.waiting import waiting

_w = waiting.c


class Span(NamedTuple):
    """What began to wait after a day, and by a day (ISO text)."""

    after: str
    upto: str


# rule's number → what of it is asked for
Spans = Mapping[int, Span]


class Waits(NamedTuple):
    """A lead, by its number, and since when it waits."""

    lead: int
    since: str


def _of_district(name: str) -> sa.ColumnElement[bool]:
    """Also what a district is asked to answer."""
    prefix: sa.BindParameter[str] = sa.bindparam(name)
    return sa.or_(_w.district.like(prefix), _w.asked.like(prefix))


def _of_sector() -> sa.ColumnElement[bool]:
    """Looked up for each thing that is due, for a sector's leads may be many."""
    reported = lead_members.c
    return sa.exists().where(
        reported.lead == _w.lead,
        reported.until == FOREVER,
        reported.sector == sa.bindparam("sector"),
    )


# The filters that are asked of these rows alone; others are of their leads.
_OWN: Mapping[str, Callable[[], sa.ColumnElement[bool]]] = {
    "within": lambda: _of_district("within"),
    "district": lambda: _of_district("district"),
    "sector": _of_sector,
}


class Due:
    """What waits, of the leads chosen, in the snapshot that a connection sees."""

    def __init__(self, connection: sa.Connection, chosen: Selection) -> None:
        self._connection = connection
        self._values = {**chosen.values(), **NOW}
        self._names = tuple(self._values)

    def counts(self, spans: Spans) -> dict[int, int]:
        """Rule → how many things."""
        found = self._asked(_counts, spans)
        return {rule: count for rule, count in found if count}

    def first(self, spans: Spans, most: int) -> dict[int, list[Waits]]:
        """Rule → the first things, at most so many, by the day since when they wait, and lead."""
        found: dict[int, list[Waits]] = {rule: [] for rule in spans}
        for rule, since, lead in self._asked(_first, spans, most=most):
            found[rule].append(Waits(lead, since))
        return found

    def by_lead(self, rule: int, span: Span, after: int, most: int) -> list[Waits]:
        """The first things of a rule by their leads' numbers, of those after this one."""
        found = self._asked(_by_lead, {rule: span}, most=most, number=after)
        return [Waits(lead, since) for _, since, lead in found]

    def _asked(
        self, build: Callable[..., sa.ClauseElement], spans: Spans, **more: int
    ) -> list[Any]:
        values = {**self._values, **more}
        for rule, (after, upto) in spans.items():
            values |= {f"after_{rule}": after, f"upto_{rule}": upto}
        if not spans:
            return []
        names = tuple(name for name in self._names if name not in NOW)
        return _prepared(build, names, tuple(spans), tuple(values)).all(
            self._connection, *values.values()
        )


@lru_cache(maxsize=256)
def _prepared(
    build: Callable[..., sa.ClauseElement],
    chosen: tuple[str, ...],
    rules: tuple[int, ...],
    names: tuple[str, ...],
) -> Prepared:
    return Prepared(lambda _insert: build(chosen, rules), names)


def _part(chosen: Sequence[str], rule: int, *columns: Any) -> sa.Select[Any]:
    """``columns`` of what is asked for of one rule, under the rule's number."""
    name = RULES[rule].name
    rows: sa.FromClause = waiting
    if any(name not in _OWN for name in chosen):
        rows = waiting.join(leads, leads.c.number == _w.lead)
    return (
        sa.select(sa.literal_column(f"{rule}").label("number"), *columns)
        .select_from(rows)
        .where(
            _w.rule == sa.literal_column(f"'{INSTEAD.get(name, name)}'"),
            _w.since > sa.bindparam(f"after_{rule}"),
            _w.since <= sa.bindparam(f"upto_{rule}"),
            *(_OWN[one]() if one in _OWN else FILTERS[one](leads) for one in chosen),
        )
    )


def _counts(chosen: Sequence[str], rules: Sequence[int]) -> sa.ClauseElement:
    return sa.union_all(*(_part(chosen, rule, sa.func.count()) for rule in rules))


def _first(chosen: Sequence[str], rules: Sequence[int]) -> sa.ClauseElement:
    parts = [
        _part(chosen, rule, _w.since, _w.lead)
        .order_by(_w.since, _w.lead)
        .limit(sa.bindparam("most"))
        .subquery()
        for rule in rules
    ]
    return sa.union_all(*map(sa.select, parts))


def _by_lead(chosen: Sequence[str], rules: Sequence[int]) -> sa.ClauseElement:
    part = _part(chosen, rules[0], _w.since, _w.lead)
    part = part.where(_w.lead > sa.bindparam("number"))
    return part.order_by(_w.lead).limit(sa.bindparam("most"))


def told(
    connection: sa.Connection, numbers: Collection[int]
) -> dict[int, tuple[dict[str, Any], dict[str, Any]]]:
    """Leads by their numbers: what the API shows of each, and what else is known of it."""
    columns = sa.select(leads.c.number, leads.c.body, leads.c.state)
    rows = rows_of(connection, columns, leads.c.number, sorted(numbers))
    return {number: (orjson.loads(body), orjson.loads(state)) for number, body, state in rows}
