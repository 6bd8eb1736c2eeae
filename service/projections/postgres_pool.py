"""A process's connections to PostgreSQL: a bounded pool for all of a ledger's stores.

psycopg waits as gevent wants where its patches came before it was first imported: so this module
is imported by who needs it, and not before (`service.stores`). Nothing is opened before it is
asked for, nor taken over by a process that was forked.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore, Lock, local
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper, IntLoader
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from domain.errors import NotReady
from domain.sentences import Sentence
from service.postgres import Postgres
from service.projections.postgres_waiting import Waiting

# How many may use a connection at once; whoever has one already may have another besides.
MOST = 8
# Where a table is looked for by its name alone: no two of these have one of the same name.
SCHEMAS = ("ledger", "ledger_projections", "ledger_access", "ledger_keys", "ledger_tree")
# A connection that nobody used for so many seconds is tried before it is used again; so long it may
# take to answer.
_IDLE, _TRIED_WITHIN = 1.0, 5.0
# A statement takes no more seconds than that: then the server gives it up, or, if nothing is heard
# of it for some more, we the server.
LONGEST, MORE = 30.0, 5.0
# By these SQLSTATEs the server ends a connection, or is none to write to any more.
_ENDED = ("08", "57P", "25006")
_BUSY = "55P03"


class Lost(NotReady):
    """The connection is gone, and nothing is known of what was under way. Another one may be had
    at once."""


class Missing(NotReady):
    """A table, or the schema of one, is not there."""


class Connections:
    """The connections of this process to one database."""

    def __init__(
        self, postgres: Postgres, patience: float, longest: float = LONGEST, more: float = MORE
    ) -> None:
        """``patience``: for so many seconds at most a connection is waited for; ``longest``: so
        many a statement takes besides; ``more``: and so many until we give the server up."""
        self.postgres = postgres
        self.patience = patience
        self._longest, self._more = longest + patience, more
        self._gate = BoundedSemaphore(MOST)
        self._mine = local()
        self._void = 0.0
        self._engine: sa.Engine | None = None
        self._process = 0
        self._making = Lock()
        self._users = 0

    def begin(self) -> None:
        """One more store uses it."""
        with self._making:
            self._users += 1

    def end(self) -> None:
        """One less does; with the last one every connection is closed."""
        with self._making:
            self._users -= 1
            engine = self._engine
            if self._users <= 0 and engine is not None:
                self._engine = None
                if self._process == os.getpid():
                    engine.pool.dispose()
                else:
                    engine.dispose(close=False)

    def void(self) -> None:
        """None of the connections that there are is used again."""
        self._void = time.monotonic()

    @contextmanager
    def one(self) -> Iterator[sa.Connection]:
        """A connection that commits each statement by itself; whatever the database refuses within
        is NotReady."""
        with self.unavailable(), self._admitted():
            engine = self._engine_here()
            try:
                with engine.connect() as connection:
                    driver = driver_of(connection)
                    try:
                        yield connection
                    finally:
                        if driver.closed:
                            # The pool need not find out.
                            connection.invalidate()
            finally:
                if engine is not self._engine:
                    # The last user went meanwhile, and this one came back to nobody.
                    engine.pool.dispose()

    @contextmanager
    def own(self) -> Iterator[sa.Connection]:
        """The same, outside of the pool, for work that may take long: it is closed at the end."""
        engine = _engine(self._opened, sa.NullPool)
        with self.unavailable(), engine.connect() as connection:
            yield connection

    @contextmanager
    def transaction(self, begin: str) -> Iterator[sa.Connection]:
        """A transaction that begins with these statements: all of it is kept, or none."""
        with self.one() as connection, transaction(driver_of(connection), begin):
            yield connection

    def opened(self) -> Waiting:
        """A new connection, on which no statement takes for ever."""
        connection = self._opened(f"SET statement_timeout = {self._longest * 1000:.0f}")
        connection.answered_within = self._longest + self._more
        return connection

    def _opened(self, more: str = "") -> Waiting:
        connection: Waiting = self.postgres.connect(Waiting)
        adapters = connection.adapters
        # PostgreSQL sums integers to numerics; nothing here is one.
        adapters.register_loader("numeric", IntLoader)
        # By its size an integer would be of one of three types, and each statement of as many.
        adapters.register_dumper(int, Int8Dumper)
        try:
            with connection.waiting(_TRIED_WITHIN):
                connection.execute(f"SET search_path = {', '.join(SCHEMAS)}; {more}")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def unavailable(self) -> Iterator[None]:
        """Whatever the database refuses within is NotReady."""
        try:
            yield
        except IntegrityError:
            raise
        except DBAPIError as why:
            raise self._refusal(why.orig) from why
        except psycopg.Error as why:
            raise self._refusal(why) from why
        except PoolTimeout as why:
            raise NotReady(
                "Waited {patience} s for a connection to the database.", patience=self.patience
            ) from why

    def _refusal(self, why: BaseException | None) -> NotReady:
        state = getattr(why, "sqlstate", None)
        said = _said(why)
        if state == _BUSY:
            return NotReady(
                "Waited {patience} s to write; another process is still busy.",
                patience=self.patience,
            )
        if state in ("42P01", "3F000"):
            return Missing("The database lacks something: {said}.", said=said)
        told = Sentence("The database cannot be used just now: {said}.", said=said)
        broken = isinstance(why, psycopg.OperationalError | psycopg.InterfaceError)
        if state.startswith(_ENDED) if state else broken:
            # Whatever ended this one has ended those that were opened before, or will.
            self.void()
            return Lost(told)
        return NotReady(told)

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        """Within, the caller is one of the few. Who is one already is not asked to wait, for all
        of them might."""
        mine = self._mine
        depth = getattr(mine, "depth", 0)
        if depth == 0 and not self._gate.acquire(timeout=self.patience):
            raise NotReady(
                "Waited {patience} s for a connection to the database.", patience=self.patience
            )
        mine.depth = depth + 1
        try:
            yield
        finally:
            mine.depth -= 1
            if depth == 0:
                self._gate.release()

    def _engine_here(self) -> sa.Engine:
        engine = self._engine
        if engine is not None and self._process == os.getpid():
            return engine
        with self._making:
            if self._engine is None or self._process != os.getpid():
                if self._engine is not None:
                    # The one that forked this process goes on using them.
                    self._engine.dispose(close=False)
                self._engine = engine = _engine(
                    self.opened, sa.QueuePool, pool_size=MOST, max_overflow=-1, pool_use_lifo=True
                )
                self._process = os.getpid()
                sa.event.listen(engine, "connect", self._note_made)
                sa.event.listen(engine, "checkin", _note_used)
                sa.event.listen(engine, "checkout", self._try)
            return self._engine

    def _note_made(self, _connection: Any, record: Any) -> None:
        record.info["made"] = record.info["used"] = time.monotonic()

    def _try(self, connection: Any, record: Any, _proxy: Any) -> None:
        """Have the pool take another one in the place of one that has ended."""
        if connection.closed or record.info["made"] < self._void:
            raise DisconnectionError
        if time.monotonic() - record.info["used"] > _IDLE:
            try:
                with connection.waiting(_TRIED_WITHIN):
                    connection.execute("", prepare=False)
            except psycopg.Error:
                raise DisconnectionError from None


def _note_used(_connection: Any, record: Any) -> None:
    record.info["used"] = time.monotonic()


def _engine(creator: Any, pool: type[sa.Pool], **options: Any) -> sa.Engine:
    return sa.create_engine(
        "postgresql+psycopg://",
        creator=creator,
        poolclass=pool,
        isolation_level="AUTOCOMMIT",
        # What stands in rows is not to stand in errors, which are logged.
        hide_parameters=True,
        use_native_hstore=False,
        **options,
    )


def driver_of(connection: sa.Connection) -> Any:
    """psycopg's own connection."""
    return connection.connection.dbapi_connection


@contextmanager
def transaction(driver: Any, begin: str = "BEGIN") -> Iterator[None]:
    """All that is written within by psycopg's connection ``driver`` is kept, or none; ``begin`` may
    have more than one statement."""
    try:
        driver.execute(begin, prepare=False)
        yield
        if driver.execute("COMMIT", prepare=False).statusmessage != "COMMIT":
            raise NotReady("The database gave the transaction up; nothing of it was kept.")
    except BaseException:
        if not driver.closed and driver.info.transaction_status != TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                driver.execute("ROLLBACK", prepare=False)
        raise


@contextmanager
def unhurried(driver: Waiting) -> Iterator[None]:
    """In a transaction: its statements take as long as they take."""
    driver.execute("SET LOCAL statement_timeout = 0", prepare=False)
    with driver.waiting(None):
        yield


def _said(why: BaseException | None) -> str:
    """What the server said, without its details: these may show rows."""
    if isinstance(why, psycopg.Error) and why.diag.message_primary:
        return why.diag.message_primary
    return f"{why}".strip().partition("\n")[0].rstrip(".")


# By the database's address and the process: all of its stores share one.
_known: dict[tuple[Postgres, float], Connections] = {}
_knowing = Lock()


def connections_to(postgres: Postgres, patience: float) -> Connections:
    """This process's connections to a database; each of its users calls ``begin()`` and
    ``end()``."""
    with _knowing:
        key = (postgres, patience)
        if key not in _known:
            _known[key] = Connections(postgres, patience)
        return _known[key]
