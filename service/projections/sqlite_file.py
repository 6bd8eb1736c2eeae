"""A SQLite file as it is opened, written in one transaction, and refused."""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any
from urllib.parse import quote
from weakref import finalize

import sqlalchemy as sa
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.exc import DatabaseError, IntegrityError
from sqlalchemy.util import LRUCache

from domain.errors import NotReady
from service.log_sqlite import is_damage
from service.projections.store import Damaged


class Dialect(SQLiteDialect_pysqlite):
    """SQLite's, of which any two are the same one: what a statement compiles to for one file is
    kept for all, so also for the one that a rebuild puts in the place of another."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self)

    def __hash__(self) -> int:
        return hash(type(self))


registry.register("sqlite.ledger", __name__, "Dialect")
_COMPILED: Any = LRUCache(2000)
# Device and inode: no two files have both while the first is open. None: there is no file.
Identity = tuple[int, int] | None


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
        f"sqlite+ledger:///file:{quote(str(path))}?mode={mode}&uri=true",
        isolation_level="AUTOCOMMIT",
        # What stands in rows is not to stand in errors, which are logged.
        hide_parameters=True,
        execution_options={"compiled_cache": _COMPILED},
        connect_args={"timeout": lock_timeout, "check_same_thread": False},
    )


def _prepare(pragmas: Sequence[str], connection: Any, _record: Any) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")


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
        return Damaged("{why}.", why=why)
    return NotReady("The database cannot be used just now: {why}.", why=why)
