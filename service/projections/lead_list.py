"""Lists of leads: chosen, sorted, and paged so that no row is skipped or doubled.

A cursor remembers the log position of the first page. Later pages show every lead as it was
known then: leads that came since are left out, and a lead that changed since is shown, chosen and
sorted by what it was.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from service.projections.choosing import FILTERS, Selection, column_of
from service.projections.leads import amount_of, leads
from service.projections.moment import NOW, rows_at, rows_on
from service.projections.store import FOREVER, LAST_DAY, Prepared

# sort → the column; `number` breaks every tie.
SORTS: dict[str, Callable[[Any], sa.ColumnElement[Any]]] = {
    "recorded": lambda rows: rows.c.number,
    "occurred": lambda rows: rows.c.tip_on,
    "amount": amount_of,
    "activity": lambda rows: rows.c.activity_on,
}
# sort → the column of that name where it is another one
_COLUMN = {"occurred": "tip_on", "amount": "fen", "activity": "activity_on"}


@dataclass(frozen=True)
class Question:
    """What to list, as of the end of the day ``as_of`` (ISO), as known at a log position.

    ``after`` is the (key, number) of the last row seen.
    """

    selection: Selection = field(default_factory=Selection)
    sort: str = "recorded"
    descending: bool = False
    limit: int = 50
    as_of: str = LAST_DAY
    known_at: int = FOREVER - 1
    after: tuple[Any, int] | None = None


@dataclass(frozen=True)
class Page:
    """``rows``: each lead's (id, JSON), without JSON where the lead has changed since.

    ``last``: the (key, number) to go on after, None at the end.
    """

    rows: list[tuple[str, bytes | None]]
    last: tuple[Any, int] | None


def page(connection: sa.Connection, question: Question) -> Page:
    """One page."""
    values = {**question.selection.values(), "limit": question.limit + 1}
    if question.after is not None:
        values["key"], values["number"] = question.after
    values |= {"as_of": question.as_of, "known_at": question.known_at}
    then = tuple(name for name, present in NOW.items() if values[name] != present)
    statement = _prepared(tuple(values), question.sort, question.descending, then)
    found = statement.all(connection, *values.values())
    shown = found[: question.limit]
    more = len(found) > question.limit
    rows = [(row[0], row[1]) for row in shown]
    return Page(rows, (shown[-1][2], shown[-1][3]) if more else None)


@lru_cache(maxsize=512)
def _prepared(
    names: tuple[str, ...], sort: str, descending: bool, then: tuple[str, ...]
) -> Prepared:
    """The statement of a question's shape: ``names`` are the values it binds, and ``then`` those of
    them by which it is about the past."""
    columns = {*map(column_of, names), _COLUMN.get(sort, "number")}
    if not then:
        rows: sa.FromClause = leads
    elif then == ("as_of",):
        rows = rows_on(columns)
    else:
        rows = rows_at(columns)
    return Prepared(lambda _insert: _statement(rows, names, sort, descending), names)


def _statement(
    rows: sa.FromClause, names: Sequence[str], sort: str, descending: bool
) -> sa.Select[Any]:
    key = SORTS[sort](rows)
    chosen = [FILTERS[name](rows) for name in names if name in FILTERS]
    if "key" in names:
        place = sa.tuple_(key, rows.c.number)
        last = sa.tuple_(sa.bindparam("key"), sa.bindparam("number"))
        chosen.append(place < last if descending else place > last)
    keys = [key] if key is rows.c.number else [key, rows.c.number]
    order = [c.desc() if descending else c.asc() for c in keys]
    columns = sa.select(rows.c.id, rows.c.body, key, rows.c.number)
    return columns.where(*chosen).order_by(*order).limit(sa.bindparam("limit"))
