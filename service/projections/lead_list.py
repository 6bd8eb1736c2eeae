"""Lists of leads: chosen, sorted, and paged so that no row is skipped or doubled.

A cursor remembers the log position of the first page. Later pages show every lead as it was
then: leads that came since are left out, and a lead that changed since is shown, chosen and
sorted by what it was, folded again from its events.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from domain.errors import Invalid
from service.projections.leads import leads
from service.projections.pipeline import Selection, selection_conditions

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
    stage: str | None = None
    about_to_sign: bool | None = None
    suspended: bool | None = None
    most_fen: int | None = None
    tip_from: str | None = None
    tip_to: str | None = None
    words: str | None = None
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
    rows = _rows(question.position, then)
    key = SORTS[question.sort](rows)
    statement = sa.select(rows.c.body, key, rows.c.number).where(*_conditions(question, rows))
    if question.after is not None:
        place = sa.tuple_(key, rows.c.number)
        last = sa.tuple_(*map(sa.literal, question.after))
        statement = statement.where(place < last if question.descending else place > last)
    order = [c.desc() if question.descending else c.asc() for c in (key, rows.c.number)]
    found = connection.execute(statement.order_by(*order).limit(question.limit + 1)).all()
    shown = found[: question.limit]
    more = len(found) > question.limit
    return Page([row[0] for row in shown], (shown[-1][1], shown[-1][2]) if more else None)


def _rows(position: int | None, then: Sequence[tuple[Any, ...]]) -> sa.FromClause:
    """All leads as they were at ``position``."""
    if position is None:
        return leads
    same = sa.select(*_COLUMNS).where(leads.c.position <= position)
    old = [
        sa.select(
            *[sa.literal(v, c.type).label(c.name) for c, v in zip(_COLUMNS, row, strict=False)]
        )
        for row in then
    ]
    return sa.union_all(same, *old).subquery()


def _conditions(question: Question, rows: sa.FromClause) -> list[sa.ColumnElement[bool]]:
    found = selection_conditions(question.selection, rows)
    if question.stage is not None:
        found.append(rows.c.stage == question.stage)
    if question.about_to_sign is not None:
        found.append(rows.c.about_to_sign == question.about_to_sign)
    if question.suspended is not None:
        found.append(rows.c.suspended == question.suspended)
    if question.most_fen is not None:
        found.append(rows.c.fen <= question.most_fen)
    if question.tip_from is not None:
        found.append(rows.c.tip_on >= question.tip_from)
    if question.tip_to is not None:
        found.append(rows.c.tip_on <= question.tip_to)
    if question.words:
        found.append(rows.c.words.contains(question.words.lower(), autoescape=True))
    return found
