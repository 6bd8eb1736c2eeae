"""Lists of leads: chosen, sorted, and paged so that no row is skipped or doubled.

A cursor remembers the log position of the first page. Later pages show every lead as it was
then: leads that came since are left out, and a lead that changed since is shown, chosen and
sorted by what it was, folded again from its events.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from domain.errors import Invalid
from service.projections.choosing import FILTERS, Selection
from service.projections.leads import leads
from service.projections.store import Prepared

# Beyond so many leads changed between two pages, the reader is asked to begin again.
MOST_CHANGED = 400

# sort → the column; `number` breaks every tie. A lead without an amount sorts below all others.
SORTS: dict[str, Callable[[Any], sa.ColumnElement[Any]]] = {
    "recorded": lambda rows: rows.c.number,
    "occurred": lambda rows: rows.c.tip_on,
    "amount": lambda rows: sa.func.coalesce(rows.c.fen, -1),
    "activity": lambda rows: rows.c.activity_on,
}
_COLUMNS = [column for column in leads.columns if column.name != "private"]


@dataclass(frozen=True)
class Question:
    """What to list. ``after`` is the (key, number) of the last row seen, at log ``position``."""

    selection: Selection = field(default_factory=Selection)
    sort: str = "recorded"
    descending: bool = False
    limit: int = 50
    position: int | None = None
    after: tuple[Any, int] | None = None


@dataclass(frozen=True)
class Page:
    """``bodies``: each lead's JSON; ``last``: the (key, number) to go on after, None at the end."""

    bodies: list[bytes]
    last: tuple[Any, int] | None


def changed_since(connection: sa.Connection, position: int) -> list[str]:
    """The leads known at ``position`` that changed afterwards; Invalid when they are too many."""
    statement = sa.select(leads.c.id).where(leads.c.position > position, leads.c.number <= position)
    ids = list(connection.execute(statement.limit(MOST_CHANGED + 1)).scalars())
    if len(ids) > MOST_CHANGED:
        raise Invalid(
            {"cursor": [f"Over {MOST_CHANGED} leads changed since its first page; begin again."]}
        )
    return ids


def page(connection: sa.Connection, question: Question, then: Sequence[tuple[Any, ...]]) -> Page:
    """One page. ``then`` are the rows, as they were, of the leads that changed since."""
    values = {**question.selection.values(), "limit": question.limit + 1}
    if question.after is not None:
        values["key"], values["number"] = question.after
    shape = (tuple(values), question.sort, question.descending)
    if then:
        rows = _as_they_were(then)
        values["position"] = question.position
        found = connection.execute(_statement(rows, *shape), values).all()
    else:
        # Nothing changed since the first page: what stands now, without what came since.
        if question.position is not None:
            values["position"] = question.position
        found = _prepared(tuple(values), *shape[1:]).all(connection, *values.values())
    shown = found[: question.limit]
    more = len(found) > question.limit
    return Page([row[0] for row in shown], (shown[-1][1], shown[-1][2]) if more else None)


@lru_cache(maxsize=512)
def _prepared(names: tuple[str, ...], sort: str, descending: bool) -> Prepared:
    """The statement of a question's shape: ``names`` are the values it binds."""
    return Prepared(lambda _insert: _statement(leads, names, sort, descending), names)


def _statement(
    rows: sa.FromClause, names: Sequence[str], sort: str, descending: bool
) -> sa.Select[Any]:
    key = SORTS[sort](rows)
    chosen = [FILTERS[name](rows) for name in names if name in FILTERS]
    if "position" in names:
        chosen.append(rows.c.number <= sa.bindparam("position"))
    if "key" in names:
        place = sa.tuple_(key, rows.c.number)
        last = sa.tuple_(sa.bindparam("key"), sa.bindparam("number"))
        chosen.append(place < last if descending else place > last)
    order = [c.desc() if descending else c.asc() for c in (key, rows.c.number)]
    columns = sa.select(rows.c.body, key, rows.c.number)
    return columns.where(*chosen).order_by(*order).limit(sa.bindparam("limit"))


def _as_they_were(then: Sequence[tuple[Any, ...]]) -> sa.FromClause:
    """All leads known at ``position``, which is bound: those unchanged since, and ``then``."""
    same = sa.select(*_COLUMNS).where(leads.c.position <= sa.bindparam("position"))
    old = [
        sa.select(
            *[sa.literal(v, c.type).label(c.name) for c, v in zip(_COLUMNS, row, strict=False)]
        )
        for row in then
    ]
    return sa.union_all(same, *old).subquery()
