"""Projections compared row by row: the live tables, and those just made from the log."""

from typing import Any, NamedTuple

import sqlalchemy as sa

from service.projections.store import ASIDE, Both

# How many rows are shown of each table and side.
SHOWN = 3


class Difference(NamedTuple):
    """How a table is otherwise than the log makes it: how many rows only the live one has, how
    many only the log gives, and the first of each, by their columns."""

    table: str
    extra: int
    missing: int
    rows: tuple[tuple[str, dict[str, Any]], ...]

    def __str__(self) -> str:
        shown = "".join(f"\n  {side}: {_told(row)}" for side, row in self.rows)
        return f"{self.table}: {self.extra} rows too many, {self.missing} missing{shown}"


def compare(both: Both, tables: sa.MetaData) -> list[Difference]:
    """The tables that are not the same; those that stand aside are anyone's own."""
    told = [table for table in tables.sorted_tables if ASIDE not in table.info]
    found = (_difference(both, table) for table in told)
    return [difference for difference in found if difference]


def _difference(both: Both, table: sa.Table) -> Difference | None:
    connection, live, anew = both[0], _in(table, both.live), _in(table, both.anew)
    counts, rows = [], []
    for side, one, other in (("only here", live, anew), ("only by the log", anew, live)):
        only = sa.except_(sa.select(one), sa.select(other)).subquery()
        (count,) = connection.execute(sa.select(sa.func.count()).select_from(only)).one()
        counts.append(count)
        if count:
            some = connection.execute(sa.select(only).limit(SHOWN))
            rows += [(side, dict(row)) for row in some.mappings()]
    extra, missing = counts
    return Difference(table.name, extra, missing, tuple(rows)) if extra or missing else None


def _in(table: sa.Table, schema: str) -> sa.Table:
    return table.to_metadata(sa.MetaData(), schema=schema)


def _told(row: dict[str, Any]) -> str:
    cells = (f"{name}={value!r:.60}" for name, value in row.items() if value is not None)
    return ", ".join(cells)
