"""Where tables are kept, whatever the database, and one bookmark per projection.

`sqlite_store.py` keeps them in a file, `postgres_store.py` in a schema; `service.stores` says which
store there is of what.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol, runtime_checkable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from domain.errors import NotReady

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


# A position, or a day, that none reaches: until then holds what has not ended.
FOREVER, LAST_DAY = 2**62, "9999-12-31"


class Damaged(NotReady):
    """What keeps the tables has parts that are none. ``told``: its name is in the text."""

    def __init__(self, pattern: str, /, *, told: bool = False, **places: Any) -> None:
        super().__init__(pattern, **places)
        self.told = told


class Happened(NamedTuple):
    """An event at its log position. ``lead`` is its lead's number, which is the position of the
    lead's first event; 0 for what happened to no lead. ``past(event)`` gives the lead's whole
    stream up to the event, for what a correction or a late fact makes to be told anew."""

    position: int
    lead: int
    event: Any
    past: Callable[[Any], Sequence[Any]]


def begun_before(batch: Sequence[Happened], numbers: Iterable[int]) -> list[int]:
    """Which of these leads had begun before the batch, in order: of the others no projection has
    rows yet."""
    first = batch[0].position
    return sorted([number for number in numbers if number < first])


class Projection(Protocol):
    """What answers one question. ``tables`` are its own; nobody else writes them."""

    name: str
    tables: Sequence[sa.Table]

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Take in what happened, in order, within the caller's transaction."""


@runtime_checkable
class Gathers(Protocol):
    """A projection that can put off some of its rows, or asks less often for what it asked for
    before, while everything is made anew."""

    def gathering(self) -> Projection:
        """Another one, which does; if it puts off rows, it ``Writes``."""


@runtime_checkable
class Writes(Protocol):
    """A projection that has put off rows."""

    def write(self, connection: sa.Connection) -> None:
        """Write them, within the caller's transaction."""


class Both(NamedTuple):
    """Live tables, and the same made anew, of one moment: the schemas in which a connection finds
    them."""

    connection: sa.Connection
    live: str
    anew: str


class Shadow(ABC):
    """Tables made beside the live ones by the only one who makes any, and what is done with them,
    in this order: a ``transaction`` that fills them, ``finish``, and, while nobody writes the live
    ones, the rest and ``put_in_place``, or ``beside`` to compare.

    ``together``: how many events a transaction takes in (None: all), for where there are several
    whoever is killed leaves what was taken in, and the next one goes on from there (``resumed``).
    """

    connection: sa.Connection
    together: int | None = None
    resumed = False

    def begin_again(self) -> None:
        """What was left is not of this log: go on from nothing."""
        self.resumed = False

    @abstractmethod
    def transaction(self) -> AbstractContextManager[sa.Connection]:
        """Everything that is written within, or nothing."""

    @abstractmethod
    def finish(self) -> None:
        """The indexes, which cost less of rows that are there already; and all of it on disk."""

    @abstractmethod
    def put_in_place(self) -> None:
        """Have readers find these tables from now on, whole and on disk."""

    @abstractmethod
    def beside(self) -> AbstractContextManager[Both]:
        """These tables, which are written no more, and the live ones as they are now."""


class Store(ABC):
    """The tables of ``tables``, and one writer of them at a time.

    Whoever is refused by the database meets NotReady. Others may put other tables in the place of
    these: ``follow()`` notices, and ``generation`` is another number whenever others are read:
    what was kept of the last ones is void.
    """

    tables: sa.MetaData
    generation: int
    # For so many seconds at most a lock is waited for.
    lock_timeout: float

    @property
    @abstractmethod
    def place(self) -> str:
        """Where they are, for whoever is to look after them."""

    @abstractmethod
    def create_tables(self) -> None:
        """Make what is missing, once, under the lock; and projections' tables of another shape, or
        without one of them, as another version made them, anew: bookmarks and all, so that the log
        fills them again.
        Durable tables keep their rows and get the columns that came later, null there."""

    @abstractmethod
    def follow(self) -> int:
        """Go over to the tables that took the place of those read so far, if any did; the
        generation. Asked once before each answer."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[sa.Connection]:
        """One transaction of the only writer: all of it is kept, or none."""

    @abstractmethod
    def alone(self) -> AbstractContextManager[None]:
        """Within, nobody writes, the caller neither."""

    @abstractmethod
    def leading(self) -> AbstractContextManager[bool]:
        """Whether the caller is the one, within, to do what many would do at once; those who are
        not wait for it elsewhere than in ``writing()``."""

    @abstractmethod
    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A connection for one statement; it sees what is committed by then."""

    @abstractmethod
    def first(self, prepared: "Prepared", *values: Any) -> Any:
        """The first row that ``prepared`` gives for ``values``, or None."""

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[sa.Connection]:
        """A connection for several statements that all see the same moment."""

    @abstractmethod
    def wipe(self) -> None:
        """Leave nothing of what was deleted in the tables' files; NotReady where somebody reads so
        long that it cannot be made sure of."""

    @abstractmethod
    def shadow(self) -> AbstractContextManager[Shadow]:
        """Tables to be made anew; what they replaced in the end, or they themselves if it did not
        come to that, is removed."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the database."""


def inserting(table: sa.Table) -> "Prepared":
    """``table``'s insert, for rows in the order of its columns."""
    return Inserting(table)


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


class Inserting(Prepared):
    """A table's insert; PostgreSQL is sent many rows as one stream."""

    # From so many on that costs less.
    _MANY = 20

    def __init__(self, table: sa.Table) -> None:
        names = [column.name for column in table.columns]
        super().__init__(lambda _insert: sa.insert(table), names)
        columns = ", ".join(f'"{name}"' for name in names)
        self._copy = f'COPY "{table.name}" ({columns}) FROM STDIN'

    def many(self, connection: sa.Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert every row."""
        if len(rows) < self._MANY or connection.dialect.name != "postgresql":
            super().many(connection, rows)
            return
        driver: Any = connection.connection.dbapi_connection
        with driver.cursor() as cursor, cursor.copy(self._copy) as copy:
            for row in rows:
                copy.write_row(row)
