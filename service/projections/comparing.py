"""Two files of projections compared row by row: the live one, and one just made from the log."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.projections.store import ASIDE, builds, engine_of, unavailable

# How many rows are shown of each table and side.
SHOWN = 3
_PATIENCE = 30.0
# What SQLite calls the two files.
_LIVE, _ANEW = "main", "anew"


class Difference(NamedTuple):
    """How a table is otherwise than the log makes it: how many rows only the live file has, how
    many only the log gives, and the first of each, by their columns."""

    table: str
    extra: int
    missing: int
    rows: tuple[tuple[str, dict[str, Any]], ...]

    def __str__(self) -> str:
        shown = "".join(f"\n  {side}: {_told(row)}" for side, row in self.rows)
        return f"{self.table}: {self.extra} rows too many, {self.missing} missing{shown}"


@contextmanager
def snapshot_of(live: Path, anew: Path) -> Iterator[sa.Connection]:
    """A connection to the live file, with the other attached as ``anew``: both as they are now."""
    engine = engine_of(live.resolve(), _PATIENCE, "rw")
    with unavailable(), engine.connect() as connection:
        connection.execute(sa.text(f"ATTACH DATABASE :path AS {_ANEW}"), {"path": f"{anew}"})
        connection.exec_driver_sql("BEGIN")
        for schema in (_LIVE, _ANEW):
            connection.execute(sa.select(_in(builds, schema))).fetchall()
        yield connection
        connection.exec_driver_sql("ROLLBACK")
    engine.dispose()


def compare(both: sa.Connection, tables: sa.MetaData) -> list[Difference]:
    """The tables that are not the same, of a snapshot; those that stand aside are anyone's own."""
    with unavailable():
        told = [table for table in tables.sorted_tables if ASIDE not in table.info]
        found = (_difference(both, table) for table in told)
        return [difference for difference in found if difference]


def _difference(both: sa.Connection, table: sa.Table) -> Difference | None:
    live, anew = _in(table, _LIVE), _in(table, _ANEW)
    counts, rows = [], []
    for side, one, other in (("only here", live, anew), ("only by the log", anew, live)):
        only = sa.except_(sa.select(one), sa.select(other)).subquery()
        (count,) = both.execute(sa.select(sa.func.count()).select_from(only)).one()
        counts.append(count)
        if count:
            some = both.execute(sa.select(only).limit(SHOWN))
            rows += [(side, dict(row)) for row in some.mappings()]
    extra, missing = counts
    return Difference(table.name, extra, missing, tuple(rows)) if extra or missing else None


def _in(table: sa.Table, schema: str) -> sa.Table:
    return table.to_metadata(sa.MetaData(), schema=schema)


def _told(row: dict[str, Any]) -> str:
    cells = (f"{name}={value!r:.60}" for name, value in row.items() if value is not None)
    return ", ".join(cells)
