"""Where tables are kept: a file, its connections, and one bookmark per projection."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import OperationalError

from domain.errors import NotReady
from service.locks import FileLock

metadata = sa.MetaData()

bookmarks = sa.Table(
    "bookmarks",
    metadata,
    sa.Column("projection", sa.String(40), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
)


class Projection(Protocol):
    """What answers one question. ``tables`` are its own; nobody else writes them."""

    name: str
    tables: Sequence[sa.Table]

    def project(self, connection: sa.Connection, batch: Sequence[tuple[int, Any]]) -> None:
        """Take in (position, event) pairs, in order, within the caller's transaction."""


class Store:
    """The tables of ``metadata`` in one SQLite file.

    ``durable``: a commit waits for the disk. Projections need not: what a crash takes away
    the log gives again, for the bookmark goes with the rows.
    """

    def __init__(
        self, path: Path, lock_timeout: float, tables: sa.MetaData, *, durable: bool
    ) -> None:
        self.path = path
        self._tables = tables
        self._synchronous = "FULL" if durable else "NORMAL"
        self._lock = FileLock(path.with_suffix(".lock"), lock_timeout)
        self._reading = RLock()
        self._held: sa.Connection | None = None
        self.engine = sa.create_engine(
            f"sqlite:///{path}",
            isolation_level="AUTOCOMMIT",
            connect_args={"timeout": lock_timeout, "check_same_thread": False},
        )
        sa.event.listen(self.engine, "connect", self._prepare)

    def create_tables(self) -> None:
        """Make what is missing, once, under the lock."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.writing() as connection:
            self._tables.create_all(connection)

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction of the only writer: all of it is kept, or none."""
        with self._lock.held(), _unavailable(), self.engine.connect() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                # Some faults, like a full disk, have rolled back already.
                driver: Any = connection.connection.dbapi_connection
                if driver.in_transaction:
                    connection.exec_driver_sql("ROLLBACK")
                raise

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for one statement; it sees what is committed by then."""
        with self._reading, _unavailable():
            if self._held is None:
                self._held = self.engine.connect()
            yield self._held

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection for several statements that all see the same moment."""
        with self.reading() as connection:
            connection.exec_driver_sql("BEGIN")
            try:
                yield connection
            finally:
                connection.exec_driver_sql("COMMIT")

    def close(self) -> None:
        """Let go of the file."""
        if self._held is not None:
            self._held.close()
            self._held = None
        self.engine.dispose()

    def _prepare(self, connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {self._synchronous}")


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except OperationalError as why:
        raise NotReady(f"The database cannot be used just now: {why.orig}.") from why


def upsert(connection: sa.Connection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert ``rows``, replacing those that are there (known by the table's primary key)."""
    if not rows:
        return
    statement = insert_for(connection)(table)
    key = [column.name for column in table.primary_key]
    rest = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=key, set_=rest), list(rows))


def insert_for(connection: sa.Connection) -> Any:
    """The ``insert`` that knows ON CONFLICT, of this database."""
    return sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert


def rows_of(
    connection: sa.Connection,
    statement: sa.Select[Any],
    column: sa.Column[Any],
    keys: Sequence[Any],
) -> Iterator[sa.Row[Any]]:
    """The rows whose ``column`` is one of ``keys``, asked for a few hundred keys at a time."""
    for start in range(0, len(keys), 500):
        yield from connection.execute(statement.where(column.in_(keys[start : start + 500])))
