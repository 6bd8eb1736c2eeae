"""A store's tables in one schema of a PostgreSQL database.

The only writer of a store is whoever holds an advisory lock, which ends with the transaction.
Whoever reads several statements in one snapshot keeps others from putting new tables in the place
of those it reads; until it has ended these wait (see `postgres_shadow.py`).
"""

import secrets
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from domain.errors import NotReady
from service.kept_schemas import Kept
from service.migrating import Place, migrate
from service.projections.postgres_pool import (
    Connections,
    Lost,
    Missing,
    driver_of,
    unhurried,
)
from service.projections.postgres_shadow import SchemaShadow, made_in, number_of, shadow_of
from service.projections.store import Prepared, Store, builds

_BUILD = Prepared(lambda _insert: sa.select(builds.c.id), [])
# Whoever holds the lock and stops is ended by the server, in seconds.
_LONGEST_PAUSE = 60
_COLUMNS = sa.text(
    "SELECT t.relname, c.attname FROM pg_catalog.pg_namespace n "
    "JOIN pg_catalog.pg_class t ON t.relnamespace = n.oid AND t.relkind = 'r' "
    "JOIN pg_catalog.pg_attribute c ON c.attrelid = t.oid AND c.attnum > 0 "
    "AND NOT c.attisdropped WHERE n.nspname = :schema"
)

_INDEXES = sa.text("SELECT indexname FROM pg_catalog.pg_indexes WHERE schemaname = :schema")


class PostgresStore(Store):
    """The tables in one schema.

    ``kept``: how tables come about that no log can give again, of which a commit waits for the
    disk; None of projections, which need not: what a crash takes away the log gives again. Of what
    is deleted of a table that is wiped nothing stays in its file.
    """

    def __init__(
        self, connections: Connections, schema: str, tables: sa.MetaData, kept: Kept | None = None
    ) -> None:
        self.connections = connections
        self.schema = schema
        self.tables = tables
        self.generation = 0
        self.lock_timeout = connections.patience
        self.durable = kept is not None
        self._kept = kept
        self._build: Any = self
        self._using = False
        self._opening = Lock()
        # Only projections may be replaced by others.
        self._replaced = builds.name in tables.tables

    @property
    def place(self) -> str:
        """The schema, as it is named in SQL."""
        return f"schema {self.schema} of database {self.connections.postgres.name}"

    def create_tables(self) -> None:
        """Make what is missing; nothing is locked where nothing is."""
        with self._one() as connection:
            if self._kept:
                place = Place(self.schema, f"{self._kept.name}_migrations")
                steps, patience = self._kept.steps, self.connections.patience
                migrate(driver_of(connection), place, steps, patience)
                return
            if not self._lacking(connection):
                return
        with self._one() as connection:
            self._make_schema(connection)
        with self.writing() as connection:
            if self._lacking(connection):
                self._make(connection)

    def _lacking(self, connection: sa.Connection) -> bool:
        """Whether a table or index is missing, or a table has other columns than it should."""
        there = self._columns(connection)
        indexes = set(connection.execute(_INDEXES, {"schema": self.schema}).scalars())
        if any(index.name not in indexes for index in _indexes_of(self.tables)):
            return True
        wanted = self.tables.tables.items()
        return any(set(table.c.keys()) != there.get(name) for name, table in wanted)

    def _columns(self, connection: sa.Connection) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for table, column in connection.execute(_COLUMNS, {"schema": self.schema}):
            found.setdefault(table, set()).add(column)
        return found

    def _make_schema(self, connection: sa.Connection) -> None:
        there = sa.text("SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = :schema")
        if connection.execute(there, {"schema": self.schema}).first():
            return
        # Two that do so at once may meet in the catalogue, whatever IF NOT EXISTS says.
        lock = f"SELECT pg_advisory_xact_lock({number_of('schemas')})"
        make = f"CREATE SCHEMA IF NOT EXISTS {self.schema}"
        driver_of(connection).execute(f"BEGIN; {lock}; {make}; COMMIT", prepare=False)

    def _make(self, connection: sa.Connection) -> None:
        there = self._columns(connection)
        wanted = self.tables.tables.items()
        if there and any(set(table.c.keys()) != there.get(name) for name, table in wanted):
            # As another version made them: the log fills them again, bookmarks and all. One that
            # is made among them would be empty, whatever the bookmarks say.
            for name in there:
                connection.exec_driver_sql(f'DROP TABLE {self.schema}."{name}"')
            there = {}
        made = made_in(self.schema, self.tables)
        made.create_all(connection, [t for t in made.sorted_tables if t.name not in there])
        for index in _indexes_of(made):
            connection.execute(CreateIndex(index, if_not_exists=True))
        if self._replaced:
            connection.execute(sa.delete(builds))
            connection.execute(sa.insert(builds), {"id": secrets.token_hex(16)})

    def follow(self) -> int:
        """Notice that other tables stand where those stood that were read so far: it costs a
        question."""
        if self._replaced:
            build = self.first(_BUILD)
            if build != self._build:
                self._build = build
                self.generation += 1
        return self.generation

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction of the only writer: all of it is kept, or none."""
        begin = self._begin_alone(_LONGEST_PAUSE)
        with self._mended(), self._transaction(begin) as connection:
            yield connection

    def _begin_alone(self, longest_pause: int) -> str:
        begin = [
            "BEGIN",
            f"SET LOCAL lock_timeout = {max(1, round(self.connections.patience * 1000))}",
            f"SET LOCAL idle_in_transaction_session_timeout = '{longest_pause}s'",
            f"SELECT pg_advisory_xact_lock({number_of(self.schema)})",
        ]
        if not self.durable:
            begin.insert(1, "SET LOCAL synchronous_commit = off")
        return "; ".join(begin)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within, nobody writes; a connection of its own holds the lock."""
        with self._transaction(self._begin_alone(0)):
            yield

    @contextmanager
    def leading(self) -> Iterator[bool]:
        """Whether nobody else leads just now. The first statement of each transaction sees what is
        committed by then, so whoever comes next does not do again what was done."""
        with self._transaction("BEGIN") as connection:
            asked = f"SELECT pg_try_advisory_xact_lock({number_of(self.schema + ' leading')})"
            yield bool(connection.exec_driver_sql(asked).scalar_one())

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for one statement; it sees what is committed by then."""
        with self._mended(), self._one() as connection:
            yield connection

    def first(self, prepared: Prepared, *values: Any) -> Any:
        """The first row that ``prepared`` gives for ``values``, or None; asked again where the
        connection was lost."""
        try:
            with self.reading() as connection:
                return prepared.one(connection, *values)
        except Lost:
            with self.reading() as connection:
                return prepared.one(connection, *values)

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection for several statements that all see the same moment."""
        begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        if self._replaced:
            # Before the moment is taken: else new tables would be seen as they were then, empty.
            begin += f"; LOCK TABLE {self.schema}.{builds.name} IN ACCESS SHARE MODE"
        with self._mended(), self._transaction(begin) as connection:
            yield connection

    def wipe(self) -> None:
        """Write what is left into new files: the old ones go with the commit. Whoever reads the
        tables as they were before keeps them from going, and is waited for a while."""
        with self.writing() as connection, unhurried(driver_of(connection)):
            for table in made_in(self.schema, self.tables).sorted_tables:
                name, names = f"{self.schema}.{table.name}", [c.name for c in table.columns]
                connection.exec_driver_sql(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
                connection.exec_driver_sql(f"CREATE TEMP TABLE kept (LIKE {name}) ON COMMIT DROP")
                kept = sa.table("kept", *(sa.column(c.name, c.type) for c in table.columns))
                connection.execute(sa.insert(kept).from_select(names, sa.select(table)))
                connection.exec_driver_sql(f"TRUNCATE {name}")
                connection.execute(sa.insert(table).from_select(names, sa.select(kept)))
                connection.exec_driver_sql("DROP TABLE kept")

    def shadow(self) -> AbstractContextManager[SchemaShadow]:
        """A schema to take the place of this one (see `postgres_shadow.py`)."""
        return shadow_of(self.connections, self.schema, self.tables)

    def close(self) -> None:
        """Let go of the connections, once nobody here uses them."""
        with self._opening:
            if self._using:
                self.connections.end()
            self._using = False

    def _use(self) -> None:
        if not self._using:
            with self._opening:
                if not self._using:
                    self.connections.begin()
                    self._using = True

    def _one(self) -> AbstractContextManager[sa.Connection]:
        self._use()
        return self.connections.one()

    def _transaction(self, begin: str) -> AbstractContextManager[sa.Connection]:
        self._use()
        return self.connections.transaction(begin)

    @contextmanager
    def _mended(self) -> Iterator[None]:
        """Make tables that are missing, if the log can fill them; whoever met that asks again."""
        try:
            yield
        except Missing as why:
            if self.durable:
                raise
            self.create_tables()
            raise NotReady(
                "{why} It was made anew, empty, and the log fills it again.", why=why.sentence
            ) from why


def _indexes_of(tables: sa.MetaData) -> list[sa.Index]:
    return [index for table in tables.sorted_tables for index in table.indexes]
