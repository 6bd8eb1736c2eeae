"""A schema made beside the live one, to take its place in one step.

It is filled by one connection of its own, some ten thousand events in each transaction, and gets
the live one's name in one step. What a rebuild that was killed has left the next one goes on with,
if it is of the same code and of this log, and drops otherwise. Whoever reads one statement goes on
with the tables that it found. Whoever reads several in a snapshot keeps the names from being
changed (see `PostgresStore.snapshot`), so that all of them are of one schema.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from domain.errors import NotReady
from service.projections.by_code import code
from service.projections.postgres_pool import SCHEMAS, Connections, driver_of, transaction
from service.projections.store import Both, Shadow, builds

# So many events are taken in together: what is lost of a rebuild that is killed.
TOGETHER = 20_000
# For how long readers of snapshots are waited for in all, and at once: so long new ones wait, too.
_PATIENCE, _AT_ONCE = 60.0, 0.2


def number_of(name: str) -> int:
    """The number by which the database knows an advisory lock."""
    digest = blake2b(f"leadledger {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def made_in(schema: str, tables: sa.MetaData) -> sa.MetaData:
    """The tables as they are made there: texts of any length, which sort by their bytes (those of
    UTF-8 sort as the characters do) as they do in SQLite."""
    made = sa.MetaData(schema=schema)
    for table in tables.sorted_tables:
        copy = table.to_metadata(made, schema=schema)
        for column in copy.columns:
            if isinstance(column.type, sa.String):
                column.type = sa.Text(collation="C")
        # The schema is in no index's name: it is another one later.
        names = {tuple(index.columns.keys()): index.name for index in table.indexes}
        for index in copy.indexes:
            index.name = names[tuple(index.columns.keys())]
    return made


class SchemaShadow(Shadow):
    """The new schema, and what is done with it."""

    def __init__(
        self, connections: Connections, connection: sa.Connection, live: str, tables: sa.MetaData
    ) -> None:
        self.connection = connection
        self.together = TOGETHER
        self._connections = connections
        self._live, self._anew = live, _beside(live)
        self._made = made_in(self._anew, tables)
        self._indexes = []
        for table in self._made.sorted_tables:
            self._indexes += sorted(table.indexes, key=lambda index: f"{index.name}")
            table.indexes.clear()
        path = ", ".join([self._anew, *(name for name in SCHEMAS if name != live)])
        connection.exec_driver_sql(f"SET search_path = {path}")
        self.resumed = _noted(driver_of(connection), self._anew) == code()
        if not self.resumed:
            self.begin_again()

    def begin_again(self) -> None:
        """Empty tables, and a note by which code they are filled."""
        with self.transaction() as connection:
            connection.exec_driver_sql(f"DROP SCHEMA IF EXISTS {self._anew} CASCADE")
            connection.exec_driver_sql(f"CREATE SCHEMA {self._anew}")
            self._made.create_all(connection)
            connection.exec_driver_sql(f"COMMENT ON SCHEMA {self._anew} IS '{code()}'")
        self.resumed = False

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Everything that is written within, or nothing."""
        with transaction(driver_of(self.connection), "BEGIN; SET LOCAL synchronous_commit = off"):
            yield self.connection

    def finish(self) -> None:
        """The indexes, which cost less of rows that are there already, and what the planner should
        know of these."""
        for index in self._indexes:
            self.connection.execute(CreateIndex(index, if_not_exists=True))
        for table in self._made.sorted_tables:
            self.connection.exec_driver_sql(f"ANALYZE {self._anew}.{table.name}")

    def put_in_place(self) -> None:
        """Give it the live one's name, which that one loses."""
        until = time.monotonic() + _PATIENCE
        rename = (
            f"BEGIN; SET LOCAL lock_timeout = {_AT_ONCE * 1000:.0f}; "
            f"LOCK TABLE {self._live}.{builds.name} IN ACCESS EXCLUSIVE MODE; "
            f"ALTER SCHEMA {self._live} RENAME TO {_replaced(self._live)}; "
            f"ALTER SCHEMA {self._anew} RENAME TO {self._live}; "
            f"COMMENT ON SCHEMA {self._live} IS NULL"
        )
        while True:
            try:
                with (
                    self._connections.unavailable(),
                    transaction(driver_of(self.connection), rename),
                ):
                    return
            except NotReady:
                if time.monotonic() > until or self.connection.closed:
                    raise

    @contextmanager
    def beside(self) -> Iterator[Both]:
        """The new tables and the live ones, as they are now until it ends."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        with transaction(driver_of(self.connection), begin):
            for schema in (self._live, self._anew):
                there = builds.to_metadata(sa.MetaData(), schema=schema)
                self.connection.execute(sa.select(there)).all()
            yield Both(self.connection, self._live, self._anew)


@contextmanager
def shadow_of(connections: Connections, live: str, tables: sa.MetaData) -> Iterator[SchemaShadow]:
    """A shadow of a schema, by the only one who makes one; then what it replaced, or the shadow if
    it did not come to that, is dropped. Who is only stopped leaves it for the next."""
    with connections.own() as connection:
        # It ends with the connection, however that ends.
        driver = driver_of(connection)
        held = f"SELECT pg_advisory_lock({number_of(live + ' rebuild')})"
        wait = f"SET lock_timeout = {max(1, round(connections.patience * 1000))}"
        driver.execute(f"{wait}; {held}; RESET lock_timeout", prepare=False)
        _drop(driver, _replaced(live))
        try:
            yield SchemaShadow(connections, connection, live, tables)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException:
            if not driver.closed:
                _drop(driver, _beside(live))
            raise
        _drop(driver, _beside(live), _replaced(live))


def _drop(driver: Any, *schemas: str) -> None:
    for schema in schemas:
        driver.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE", prepare=False)


def _noted(driver: Any, schema: str) -> str | None:
    """By which code a schema was filled; None of none."""
    asked = "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')"
    found: str | None = driver.execute(asked, [schema]).fetchone()[0]
    return found


def _beside(live: str) -> str:
    return f"{live}_anew"


def _replaced(live: str) -> str:
    return f"{live}_replaced"
