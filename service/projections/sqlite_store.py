"""A store's tables in one SQLite file."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DatabaseError
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from domain.errors import NotReady
from domain.sentences import Sentence, together
from service.locks import FileLock
from service.log_sqlite import CACHE, has_tables
from service.projections.shadow import FileShadow, Place, shadow_of
from service.projections.sqlite_file import (
    Identity,
    Opened,
    identity_of,
    refusal,
    transaction,
    unavailable,
)
from service.projections.store import Damaged, Prepared, Store

_INDEXES = "SELECT name FROM sqlite_master WHERE type = 'index'"


class SQLiteStore(Store):
    """The tables in one SQLite file.

    ``durable``: a commit waits for the disk. Projections need not: what a crash takes away
    the log gives again, for the bookmark goes with the rows. Another file may be put in the
    place of this one (see `shadow.py`): ``follow()`` notices. ``forgets``: of what is deleted
    nothing stays in the file, which only its owner may read. ``cache``: see `CACHE`.

    ``mend`` (see `mending.py`) puts an empty file in the place of one that is damaged, if that is
    still the one of an identity, and gives a sentence on it.
    """

    def __init__(
        self,
        path: Path,
        lock_timeout: float,
        tables: sa.MetaData,
        *,
        durable: bool,
        forgets: bool = False,
        cache: int = CACHE,
        mend: "Callable[[SQLiteStore, Identity], str] | None" = None,
    ) -> None:
        self.path = path
        self.tables = tables
        self.lock_timeout = lock_timeout
        self.lock = FileLock(path.with_name(path.name + ".lock"), lock_timeout)
        # Another number whenever another file is read: what was kept of the last one is void.
        self.generation = 0
        self._durable = durable
        self._forgets = forgets
        self._cache = cache
        self._mend = mend
        self._synchronous = "FULL" if durable else "NORMAL"
        self._opened: Opened | None = None
        # The file that was opened last, or was to be.
        self._tried: Identity = None
        self._opening = Lock()

    @property
    def place(self) -> str:
        """The file's path."""
        return f"{self.path}"

    def create_tables(self) -> None:
        """Make what is missing; nothing is locked where nothing is."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._create_tables()
        except Damaged:
            # Once more: unless it could not be mended.
            self._create_tables()

    def _create_tables(self) -> None:
        if has_tables(self.path, self.tables.tables) and not self._outgrown():
            # Nothing is locked: a worker starts while another one writes.
            return
        with self._usable(), self.lock.held():
            if not self.path.exists():
                mode = 0o600 if self._forgets else 0o644
                os.close(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, mode))
            with self._transaction() as connection:
                if self._durable:
                    _add_columns(connection, self.tables)
                elif _other_shapes(connection, self.tables):
                    self.tables.drop_all(connection)
                for statement in _making(self.tables):
                    connection.exec_driver_sql(statement)

    def _outgrown(self) -> bool:
        with self.reading() as connection:
            return _other_shapes(connection, self.tables) or any(
                _lacking_indexes(connection, self.tables)
            )

    def follow(self) -> int:
        """Go over to the file that was put in the place of the one read so far, if any was; it
        costs a stat."""
        opened = self._opened
        if opened is None or opened.identity != identity_of(self.path):
            with self._usable():
                self._open()
        return self.generation

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """One transaction of the only writer: all of it is kept, or none."""
        with self._usable(), self.lock.held(), self._transaction() as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[sa.Connection]:
        """The caller holds the lock, so nobody puts another file in this one's place."""
        with self._open().engine.connect() as connection, transaction(connection):
            yield connection

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within, nobody writes, nor puts another file in the place of this one."""
        with self.lock.held():
            yield

    @contextmanager
    def leading(self) -> Iterator[bool]:
        """Always: whoever waits for the lock goes on where the one before it left off."""
        yield True

    def wipe(self) -> None:
        """Empty the write-ahead log, which may hold what the file has no more."""
        with self._usable(), self.lock.held(), self._open().engine.connect() as connection:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        if busy:
            raise NotReady(
                "What was destroyed may still stand in {path}-wal, which somebody is "
                "reading. Ask again.",
                path=self.path,
            )

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for one statement; it sees what is committed by then."""
        with self._usable():
            opened = self._current()
            yield opened.single

    def first(self, prepared: Prepared, *values: Any) -> Any:
        """The first row that ``prepared`` gives for ``values``, or None."""
        if self._opened is None:
            self.follow()
        opened = self._current()
        try:
            return prepared.one(opened.single, *values)
        except sqlite3.DatabaseError as why:
            with self._usable():
                raise refusal(why) from why

    @contextmanager
    def snapshot(self) -> Iterator[sa.Connection]:
        """A connection for several statements that all see the same moment."""
        with self._usable():
            opened = self._current()
            with opened.turn:
                driver: Any = opened.shared.connection.dbapi_connection
                driver.execute("BEGIN")
                try:
                    yield opened.shared
                finally:
                    driver.execute("COMMIT")

    def shadow(self) -> AbstractContextManager[FileShadow]:
        """A file to take the place of this one (see `shadow.py`)."""
        return shadow_of(Place(self.path, self.tables, self.lock_timeout))

    def close(self) -> None:
        """Let go of the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self.lock.close()

    def _current(self) -> "Opened":
        return self._opened or self._open()

    @contextmanager
    def _usable(self) -> Iterator[None]:
        """Whatever the database refuses within is NotReady; a damaged file is mended, if it can
        be, and named. Entered before any lock is taken."""
        before = self._tried
        try:
            with unavailable():
                yield
        except Damaged as why:
            if why.told:
                raise
            told = Sentence("The file {path} is damaged: {why}", path=self.path, why=why.sentence)
            mended = self._mended(before or self._tried)
            raise Damaged(together([told, mended] if mended else [told]), told=True) from why

    def _mended(self, damaged: Identity) -> str:
        """A sentence on what was done of a damaged file, or should be."""
        if self._mend is None:
            return ""
        try:
            told = self._mend(self, damaged)
            # Not before the next writer, as it would be, but for the next reader.
            self._open()
        except (NotReady, OSError) as why:
            return Sentence(
                "It is made from the log and could not be made anew just now: {why}", why=why
            )
        return told

    def _open(self) -> "Opened":
        with unavailable(), self._opening:
            opened = self._opened
            if opened is None or opened.identity != identity_of(self.path):
                # Whoever still reads the last one keeps it open until then.
                opened = self._opened = self._found()
                self.generation += 1
            return opened

    def _found(self) -> "Opened":
        while True:
            identity = self._tried = identity_of(self.path)
            try:
                pragmas = [f"synchronous = {self._synchronous}", f"cache_size = -{self._cache}"]
                pragmas += ["secure_delete = ON"] if self._forgets else []
                return Opened(self.path, identity, self.lock_timeout, pragmas)
            except DatabaseError:
                # Unless it was replaced, and removed, this very moment.
                if identity_of(self.path) == identity:
                    raise


@cache
def _making(tables: sa.MetaData) -> list[str]:
    """The statements that make what is missing of these tables and their indexes. Putting them into
    words takes longer than carrying them out."""
    made: list[ExecutableDDLElement] = []
    for table in tables.sorted_tables:
        made.append(CreateTable(table, if_not_exists=True))
        indexes = sorted(table.indexes, key=lambda index: f"{index.name}")
        made += [CreateIndex(index, if_not_exists=True) for index in indexes]
    dialect = sqlite.dialect()
    return [f"{statement.compile(dialect=dialect)}" for statement in made]


def _other_shapes(connection: sa.Connection, tables: sa.MetaData) -> bool:
    """Whether a table that is there has other columns than it should, or one is missing among them:
    made now it would be empty, whatever the bookmarks say."""
    inspector = sa.inspect(connection)
    there = tables.tables.keys() & set(inspector.get_table_names())
    return bool(there) and any(
        name not in there
        or {column["name"] for column in inspector.get_columns(name)} != set(table.c.keys())
        for name, table in tables.tables.items()
    )


def _lacking_indexes(connection: sa.Connection, tables: sa.MetaData) -> list[sa.Index]:
    """The indexes that a file of an earlier version has not."""
    there = set(connection.exec_driver_sql(_INDEXES).scalars())
    every = [index for table in tables.sorted_tables for index in table.indexes]
    return [index for index in every if index.name not in there]


def _add_columns(connection: sa.Connection, tables: sa.MetaData) -> None:
    """Add the columns that tables of an earlier version have not."""
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    for table in tables.sorted_tables:
        if table.name in there:
            known = {column["name"] for column in inspector.get_columns(table.name)}
            for column in table.c:
                if column.name not in known:
                    kind = column.type.compile(connection.dialect)
                    adding = f"ALTER TABLE {table.name} ADD COLUMN {column.name} {kind}"
                    connection.exec_driver_sql(adding)
