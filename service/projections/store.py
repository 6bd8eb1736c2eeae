"""Where tables are kept: a file, its connections, and one bookmark per projection."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Lock, RLock
from typing import Any, NamedTuple, Protocol, runtime_checkable
from urllib.parse import quote
from weakref import finalize

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DatabaseError, IntegrityError

from domain.errors import NotReady
from service.locks import FileLock
from service.log import has_tables, is_damage

metadata = sa.MetaData()

# What a table's ``info`` says of rows that several processes have made: not theirs but all the
# SAME ones, or that those of one key become one, some of whose columns are ADDED up. And of rows
# that need not be there, or be the same, whenever the log is taken in: that they stand ASIDE.
SAME, ADDED, ASIDE = "same", "added", "aside"

bookmarks = sa.Table(
    "bookmarks",
    metadata,
    sa.Column("projection", sa.String(40), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    # The event at that position, "<id>/<version>": by it a log that is another one is known.
    sa.Column("event", sa.String(60), nullable=False),
    info={SAME: True},
)

# One row once the projections were made anew: a name that no other build has.
builds = sa.Table(
    "builds",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    info={SAME: True, ASIDE: True},
)


# Device and inode: no two files have both while the first is open. None: there is no file.
Identity = tuple[int, int] | None

# A position, or a day, that none reaches: until then holds what has not ended.
FOREVER, LAST_DAY = 2**62, "9999-12-31"


class Damaged(NotReady):
    """A file is no database, or has parts that are none. ``told``: its name is in the text."""

    def __init__(self, detail: str, *, told: bool = False) -> None:
        super().__init__(detail, retry_after=1)
        self.told = told


class Happened(NamedTuple):
    """An event at its log position. ``lead`` is its lead's number, which is the position of the
    lead's first event; 0 for what happened to no lead. ``past(event)`` gives the lead's whole
    stream up to the event, for what a correction or a late fact makes to be told anew."""

    position: int
    lead: int
    event: Any
    past: Callable[[Any], Sequence[Any]]


class Projection(Protocol):
    """What answers one question. ``tables`` are its own; nobody else writes them."""

    name: str
    tables: Sequence[sa.Table]

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Take in what happened, in order, within the caller's transaction."""


@runtime_checkable
class Gathers(Protocol):
    """A projection that can put off some of its rows while everything is made anew."""

    def gathering(self) -> Projection:
        """Another one, which does; it ``Writes``."""


@runtime_checkable
class Writes(Protocol):
    """A projection that has put off rows."""

    def write(self, connection: sa.Connection) -> None:
        """Write them, within the caller's transaction."""


class Store:
    """The tables of ``metadata`` in one SQLite file.

    ``durable``: a commit waits for the disk. Projections need not: what a crash takes away
    the log gives again, for the bookmark goes with the rows. Another file may be put in the
    place of this one (see `shadow.py`): ``follow()`` notices. ``forgets``: of what is deleted
    nothing stays in the file, which only its owner may read.

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
        mend: "Callable[[Store, Identity], str] | None" = None,
    ) -> None:
        self.path = path
        self.tables = tables
        self.lock_timeout = lock_timeout
        self.lock = FileLock(path.with_name(path.name + ".lock"), lock_timeout)
        # Another number whenever another file is read: what was kept of the last one is void.
        self.generation = 0
        self._durable = durable
        self._forgets = forgets
        self._mend = mend
        self._synchronous = "FULL" if durable else "NORMAL"
        self._opened: Opened | None = None
        # The file that was opened last, or was to be.
        self._tried: Identity = None
        self._opening = Lock()

    def create_tables(self) -> None:
        """Make what is missing, once, under the lock; and projections' tables of another shape, as
        another version made them, anew: bookmarks and all, so that the log fills them again.
        Durable tables keep their rows and get the columns that came later, null there."""
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
                self.tables.create_all(connection)

    def _outgrown(self) -> bool:
        with self.reading() as connection:
            return _other_shapes(connection, self.tables)

    def follow(self) -> int:
        """Go over to the file that was put in the place of the one read so far, if any was; the
        generation. Asked once before each answer, it costs a stat."""
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

    def truncate(self) -> bool:
        """Empty the write-ahead log, which may hold what the file has no more; whether nobody who
        reads kept it from being emptied."""
        with self._usable(), self.lock.held(), self._open().engine.connect() as connection:
            busy, _, _ = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
        return not busy

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection for one statement; it sees what is committed by then."""
        with self._usable():
            opened = self._current()
            yield opened.single

    def first(self, prepared: "Prepared", *values: Any) -> Any:
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
            told = f"The file {self.path} is damaged: {why} {self._mended(before or self._tried)}"
            raise Damaged(told.rstrip(), told=True) from why

    def _mended(self, damaged: Identity) -> str:
        """A sentence on what was done of a damaged file, or should be."""
        if self._mend is None:
            return ""
        try:
            told = self._mend(self, damaged)
            # Not before the next writer, as it would be, but for the next reader.
            self._open()
        except (NotReady, OSError) as why:
            return f"It is made from the log and could not be made anew just now: {why}"
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
                pragmas = [f"synchronous = {self._synchronous}"]
                pragmas += ["secure_delete = ON"] if self._forgets else []
                return Opened(self.path, identity, self.lock_timeout, pragmas)
            except DatabaseError:
                # Unless it was replaced, and removed, this very moment.
                if identity_of(self.path) == identity:
                    raise


class Opened:
    """A file that is read: its connections, which are closed once nobody uses them any more."""

    def __init__(
        self, path: Path, identity: Identity, lock_timeout: float, pragmas: Sequence[str]
    ) -> None:
        # Taken before: had another file come between, the next look would notice that.
        self.identity = identity
        self.engine = engine_of(os.path.realpath(path), lock_timeout, "rw")
        sa.event.listen(self.engine, "connect", partial(_prepare, pragmas))
        # One for single statements; one for snapshots, which takes turns.
        self.single = self.engine.connect()
        self.shared = self.engine.connect()
        self.turn = RLock()
        self.close = finalize(self, _close, self.engine, self.single, self.shared)


def identity_of(path: Path) -> Identity:
    """Which file stands there now; None for none."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def engine_of(path: str | Path, lock_timeout: float, mode: str) -> sa.Engine:
    """An engine on a file; ``mode`` "rw" never makes it, "rwc" does."""
    return sa.create_engine(
        f"sqlite:///file:{quote(str(path))}?mode={mode}&uri=true",
        isolation_level="AUTOCOMMIT",
        # What stands in rows is not to stand in errors, which are logged.
        hide_parameters=True,
        connect_args={"timeout": lock_timeout, "check_same_thread": False},
    )


def _prepare(pragmas: Sequence[str], connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("PRAGMA cache_size = -65536")


def _other_shapes(connection: sa.Connection, tables: sa.MetaData) -> bool:
    """Whether a table that is there has other columns than it should."""
    inspector = sa.inspect(connection)
    there = set(inspector.get_table_names())
    return any(
        {column["name"] for column in inspector.get_columns(table.name)} != set(table.c.keys())
        for table in tables.sorted_tables
        if table.name in there
    )


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


def _close(engine: sa.Engine, *connections: sa.Connection) -> None:
    for connection in connections:
        connection.close()
    engine.dispose()


@contextmanager
def transaction(connection: sa.Connection) -> Iterator[None]:
    """All that is written within is kept, or none."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        # Some faults, like a full disk, have rolled back already.
        driver: Any = connection.connection.dbapi_connection
        if driver.in_transaction:
            connection.exec_driver_sql("ROLLBACK")
        raise


@contextmanager
def unavailable() -> Iterator[None]:
    """Whatever the database refuses within is NotReady."""
    try:
        yield
    except IntegrityError:
        raise
    except DatabaseError as why:
        raise refusal(why.orig) from why
    except sqlite3.DatabaseError as why:
        raise refusal(why) from why


def refusal(why: BaseException | None) -> NotReady:
    """What to say when SQLite's driver raised ``why``."""
    if is_damage(why):
        return Damaged(f"{why}.")
    return NotReady(f"The database cannot be used just now: {why}.")


def inserting(table: sa.Table) -> "Prepared":
    """``table``'s insert, for rows in the order of its columns."""
    return Prepared(lambda _insert: sa.insert(table), [column.name for column in table.columns])


def upserting(table: sa.Table, adding: Sequence[str] = ()) -> "Prepared":
    """``table``'s insert that replaces a row of the same primary key, or adds to some columns."""
    names = [column.name for column in table.columns]
    return Prepared(lambda insert: _or_update(insert(table), table, adding), names)


def taking_over(table: sa.Table, schema: str) -> sa.Insert | None:
    """The insert of the rows that ``table`` has in another SQLite file, attached as ``schema``;
    None if it has none but the same."""
    theirs = table.to_metadata(sa.MetaData(), schema=schema)
    names = [column.name for column in table.columns]
    # SQLite wants a WHERE between a SELECT and an ON CONFLICT.
    rows = sa.select(theirs).where(sa.true())
    if ADDED in table.info:
        return _or_update(sqlite.insert(table).from_select(names, rows), table, table.info[ADDED])
    # Nothing is kept by which a single statement could be taken back.
    insert = sa.insert(table).prefix_with("OR ROLLBACK")
    return None if SAME in table.info else insert.from_select(names, rows)


def _or_update(statement: sqlite.Insert, table: sa.Table, adding: Sequence[str]) -> sa.Insert:
    """``statement``, an insert, with what is to be done where there is a row of its key."""
    key = [column.name for column in table.primary_key]
    new = statement.excluded
    changes = {
        c.name: c + new[c.name] if c.name in adding else new[c.name]
        for c in table.columns
        if c.name not in key
    }
    return statement.on_conflict_do_update(index_elements=key, set_=changes)


def insert_for(dialect: sa.Dialect) -> Any:
    """The ``insert`` that knows ON CONFLICT, of this database."""
    return sqlite.insert if dialect.name == "sqlite" else postgresql.insert


def rows_of(
    connection: sa.Connection,
    statement: sa.Select[Any],
    column: sa.Column[Any],
    keys: Sequence[Any],
) -> Iterator[Any]:
    """The rows whose ``column`` is one of ``keys``, asked for a few hundred keys at a time."""
    for start in range(0, len(keys), 500):
        yield from connection.execute(statement.where(column.in_(keys[start : start + 500])))


class _Compiled(NamedTuple):
    """SQL, the order of its parameters (None: by name), and those that the statement fixes."""

    sql: str
    order: tuple[str, ...] | None
    constants: Mapping[str, Any]


class Prepared:
    """A statement compiled once, for the places where the cost of building it again is felt.

    ``rows`` in ``many`` are tuples in the order of ``names``.
    """

    def __init__(self, build: Callable[[Any], Any], names: Sequence[str]) -> None:
        """``build`` gets the database's own ``insert`` and gives the statement."""
        self._build = build
        self._names = tuple(names)
        self._compiled: dict[str, _Compiled] = {}

    def one(self, connection: sa.Connection, *values: Any) -> Any:
        """The first row, as the driver gives it, or None."""
        compiled = self._for(connection)
        driver: Any = connection.connection.dbapi_connection
        return driver.execute(compiled.sql, self._parameters(values, compiled)).fetchone()

    def all(self, connection: sa.Connection, *values: Any) -> list[Any]:
        """Every row, as the driver gives it."""
        compiled = self._for(connection)
        driver: Any = connection.connection.dbapi_connection
        parameters = self._parameters(values, compiled)
        found: list[Any] = driver.execute(compiled.sql, parameters).fetchall()
        return found

    def many(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Carry it out for every row."""
        if rows:
            compiled = self._for(connection)
            if compiled.order != self._names:
                rows = [self._parameters(row, compiled) for row in rows]
            connection.exec_driver_sql(compiled.sql, list(rows))

    def _for(self, connection: sa.Connection) -> _Compiled:
        name = connection.dialect.name
        if name not in self._compiled:
            statement = self._build(insert_for(connection.dialect))
            keys = list(self._names) if isinstance(statement, sa.Insert) else None
            compiled = statement.compile(dialect=connection.dialect, column_keys=keys)
            order = tuple(compiled.positiontup) if compiled.positional else None
            constants = {k: v for k, v in compiled.params.items() if k not in self._names}
            self._compiled[name] = _Compiled(str(compiled), order, constants)
        return self._compiled[name]

    def _parameters(self, values: tuple[Any, ...], compiled: _Compiled) -> Any:
        if compiled.order == self._names:
            return values
        named = {**compiled.constants, **dict(zip(self._names, values, strict=True))}
        return named if compiled.order is None else tuple(named[name] for name in compiled.order)
