"""The event log in one SQLite file.

Against the library's own SQLite recorder: one connection, writing under an flock, instead of a
pool (no lock that a failed connection leaves behind, no sleeping back-off), BEGIN IMMEDIATE,
synchronous FULL, commands that wait for the disk together (`log_queue.py`), and reading that builds
its objects faster.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from time import sleep
from typing import Any
from urllib.parse import quote
from uuid import UUID

from eventsourcing.persistence import (
    DatabaseError,
    IntegrityError,
    Notification,
    OperationalError,
    StoredEvent,
)
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from domain.errors import NotReady
from service.locks import FileLock
from service.log_queue import Events, Taken, WriteQueue
from service.log_recorder import (
    LARGE_COMMAND,
    Insert,
    LedgerRecorder,
    Row,
    Version,
    key_of,
    name_at,
    notifications_of,
)

# How much of a file a connection keeps in memory, in KiB: what the commands of a day come back to.
CACHE = 65_536
# What has more events than this is no command: it goes alone.
_COMMAND = 100
# SQLite's primary result codes for a damaged file.
_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def has_tables(path: Path, names: Iterable[str]) -> bool:
    """Whether the SQLite file has these tables, found out without a lock or a change to it."""
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=0)
    except sqlite3.Error:
        return False
    try:
        made = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    except sqlite3.Error:
        # Somebody is making it this moment, or it is no database: the lock will tell.
        return False
    finally:
        connection.close()
    return set(names) <= made


def is_damage(why: BaseException | None) -> bool:
    """Whether SQLite says that the file is no database, or has parts that are none."""
    return getattr(why, "sqlite_errorcode", 0) & 0xFF in _DAMAGE


class SQLiteRecorder(LedgerRecorder, SQLiteApplicationRecorder):
    """Keeps the log in one SQLite file; a position is the row id, which only grows.

    One connection reads and writes, so that what it wrote it need not read from the file again.
    Whoever reads while another thread is in the middle of a write is given a second one, which
    sees what is committed.
    """

    divides = True
    # Which events of the log, as it is read in order, are given, as SQL.
    given = "TRUE"

    def __init__(
        self, path: Path, lock_timeout: float, cache: int = CACHE, moved: Path | None = None
    ) -> None:
        """``cache``: in KiB, as `CACHE`. ``moved``: where the note stands that the ledger was moved
        to a database, if it was: nothing is recorded here after that."""
        super().__init__(SQLiteDatastore(str(path)))
        self.path = path
        self.lock_timeout = lock_timeout
        self._cache = cache
        self._moved = moved
        self._lock = FileLock(path.with_name(path.name + ".lock"), lock_timeout)
        self._turn, self._turn_beside = Lock(), Lock()
        self._connection: sqlite3.Connection | None = None
        self._beside: sqlite3.Connection | None = None
        self.queue = WriteQueue(self._append, lock_timeout, self._turn_to_write)
        # How many transactions this recorder committed: `data_version()` does not count them.
        self.commits = 0

    def exists(self) -> bool:
        """Whether there is a file."""
        return self.path.exists()

    def create_table(self) -> None:
        """Make the file and its tables once, under the lock, whoever starts first.

        Where they stand already nothing is locked: a worker starts while another one writes.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if has_tables(self.path, {self.events_table_name, "readiness"}):
            return
        with self.writing() as connection:
            for statement in self.create_table_statements:
                connection.execute(statement)

    def construct_create_table_statements(self) -> list[str]:
        """The library's table, and the one line that readiness writes."""
        return [
            *super().construct_create_table_statements(),
            "CREATE TABLE IF NOT EXISTS readiness (id INTEGER PRIMARY KEY, room BLOB)",
        ]

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction of the one writer; committed durably at the end, or nothing is."""
        with self._lock.held(), self._transaction() as connection:
            yield connection

    @contextmanager
    def _turn_to_write(self, since: float) -> Iterator[None]:
        """Within, nobody else writes. A commit blocks the whole process, so whoever of it was about
        to write comes along."""
        sleep(0)
        with self._lock.held(since):
            yield

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            try:
                connection = self._connection = self._connection or self._connect()
                connection.execute("BEGIN IMMEDIATE")
                if self._moved is not None and self._moved.exists():
                    raise NotReady(
                        "The ledger was moved and goes on elsewhere; nothing is recorded here."
                    )
                yield connection
                connection.execute("COMMIT")
            except BaseException as why:
                if self._connection is not None and self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                if isinstance(why, sqlite3.Error):
                    raise _as_library_error(self.path, why) from why
                raise
            self.commits += 1

    def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Sequence[int]:
        """Append all or none, in one transaction; their positions.

        IntegrityError when one's version is taken. Takes any iterable, so that an import of
        a million events needs no list of them.
        """
        events = iter(stored_events)
        first = list(islice(events, _COMMAND))
        more = list(islice(events, 1))
        if first and not more:
            last = self.queue.put(first)
            return list(range(last - len(first) + 1, last + 1))
        with self.writing() as connection:
            return self._inserted(connection, chain(first, more, events))

    @contextmanager
    def alone(self) -> Iterator[Insert]:
        """Under the lock of all writers."""
        with self._lock.held():
            yield self._appended

    def _appended(self, events: Events) -> Sequence[int]:
        with self._transaction() as connection:
            return self._inserted(connection, events)

    def _append(self, commands: Sequence[Events]) -> Sequence[Taken]:
        """Record each command, all of it or nothing, in one transaction; the last position of
        each."""
        if len(commands) == 1:
            return self._appended(commands[0])[-1:]
        with self._transaction() as connection:
            return [self._taken(connection, events) for events in commands]

    def _taken(self, connection: sqlite3.Connection, events: Events) -> Taken:
        """One of several commands in a transaction."""
        connection.execute("SAVEPOINT command")
        try:
            return self._inserted(connection, events)[-1]
        except sqlite3.IntegrityError:
            connection.execute("ROLLBACK TO command")
            return None
        finally:
            # A fault like a full disk has ended the whole transaction.
            if connection.in_transaction:
                connection.execute("RELEASE command")

    def _inserted(
        self, connection: sqlite3.Connection, events: Iterable[StoredEvent]
    ) -> Sequence[int]:
        insert = self.insert_events_statement
        return [
            connection.execute(
                insert, (key_of(s.originator_id), s.originator_version, s.topic, s.state)
            ).lastrowid
            or 0
            for s in events
        ]

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> list[StoredEvent]:
        """One stream, by version."""
        order = "DESC" if desc else "ASC"
        rows = self._rows(
            f"SELECT originator_version, topic, state FROM {self.events_table_name} "
            "WHERE originator_id = ? AND originator_version > ? AND originator_version <= ? "
            f"ORDER BY originator_version {order} LIMIT ?",
            (
                key_of(originator_id),
                -1 if gt is None else gt,
                2**62 if lte is None else lte,
                -1 if limit is None else limit,
            ),
        )
        return [StoredEvent(originator_id, *row) for row in rows]

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> list[Notification]:
        """The log in order of position."""
        lowest = (start or 0) if inclusive_of_start else (start or 0) + 1
        chosen = f"AND topic IN ({','.join('?' * len(topics))}) " if topics else ""
        rows = self._rows(
            f"SELECT rowid, originator_id, originator_version, topic, state "
            f"FROM {self.events_table_name} "
            f"WHERE rowid >= ? AND rowid <= ? AND {self.given} {chosen}ORDER BY rowid LIMIT ?",
            (lowest, 2**62 if stop is None else stop, *topics, limit),
        )
        return notifications_of(rows)

    def first_positions(self, originator_ids: Iterable[UUID | str]) -> dict[int, int]:
        """Where each of these streams begins, by its id as an integer (a UUID's own hash and
        comparison cost more than the rest of this); nothing of one that has not begun."""
        keys = sorted({key_of(originator_id) for originator_id in originator_ids})
        rows: list[Any] = []
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            rows += self._rows(
                f"SELECT originator_id, rowid FROM {self.events_table_name} WHERE "
                f"originator_version = 1 AND originator_id IN ({','.join('?' * len(some))})",
                tuple(some),
            )
        return {int(key, 16): position for key, position in rows}

    def stored_rows(self, after: int, limit: int, stop: int = 2**62) -> list[Row]:
        """The log after a position, as (position, originator id, version, topic, state).

        Nothing is decoded: these are the bytes that proofs are about.
        """
        return self._rows(
            f"SELECT rowid, CAST(originator_id AS BLOB), originator_version, CAST(topic AS BLOB), "
            f"CAST(state AS BLOB) FROM {self.events_table_name} "
            f"WHERE rowid > ? AND rowid <= ? AND {self.given} ORDER BY rowid LIMIT ?",
            (after, stop, limit),
        )

    def stored_rows_of(self, originator_id: UUID) -> list[Row]:
        """One stream in the same form, by version."""
        return self._rows(
            f"SELECT rowid, CAST(originator_id AS BLOB), originator_version, CAST(topic AS BLOB), "
            f"CAST(state AS BLOB) FROM {self.events_table_name} "
            "WHERE originator_id = ? ORDER BY originator_version",
            (key_of(originator_id),),
        )

    def count_upto(self, position: int) -> int:
        """How many events stand at positions up to this one."""
        counted = f"SELECT count(*) FROM {self.events_table_name} WHERE rowid <= ?"
        count: int = self._rows(counted, (position,))[0][0]
        return count

    def named_at(self, positions: Sequence[int]) -> dict[int, str]:
        """What stands at each of these positions, as position/version/name."""
        named: dict[int, str] = {}
        for start in range(0, len(positions), 500):
            some = tuple(positions[start : start + 500])
            rows = self._rows(
                f"SELECT rowid, originator_version, topic FROM {self.events_table_name} "
                f"WHERE rowid IN ({','.join('?' * len(some))})",
                some,
            )
            for position, version, topic in rows:
                named[position] = name_at(position, version, topic)
        return named

    def max_notification_id(self) -> int | None:  # type: ignore[override]
        """The position of the last event; None while there is none."""
        position: int | None = self._rows(self.select_max_notification_id_statement, ())[0][0]
        return position

    def version(self) -> Version:
        """What others committed to the file, and what this recorder did."""
        return Version(self.data_version(), self.commits)

    def data_version(self) -> int:
        """A number that changes whenever anybody but this recorder committed to the file."""
        connection = self._connection
        if connection is None:
            version: int = self._rows("PRAGMA data_version", ())[0][0]
            return version
        # Asked by every request, so without taking turns: while a write is under way here, nobody
        # else commits.
        try:
            version = connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as why:
            raise _as_library_error(self.path, why) from why
        return version

    def try_write(self) -> None:
        """Write durably as much as a large command, and take it back. For readiness.

        Raises what a command would meet: a lock that is held, a disk with no room left.
        """
        with self.writing() as connection:
            connection.execute(
                "INSERT INTO readiness (room) VALUES (zeroblob(?))", (LARGE_COMMAND,)
            )
        with self.writing() as connection:
            connection.execute("DELETE FROM readiness")

    def share(self, begins: tuple[int, int], upto: int) -> "SQLiteShare":
        """A recorder of its own on the file."""
        return SQLiteShare(self.path, self.lock_timeout, begins, upto)

    def close(self) -> None:
        """Let go of the file, once nobody is in the middle of reading or writing it here."""
        with self._turn, self._turn_beside:
            for connection in (self._connection, self._beside):
                if connection is not None:
                    connection.close()
            self._connection = self._beside = None
        self._lock.close()

    def _rows(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        try:
            if not self._turn.acquire(blocking=False):
                return self._rows_beside(statement, parameters)
            try:
                connection = self._connection = self._connection or self._connect()
                return connection.execute(statement, parameters).fetchall()
            finally:
                self._turn.release()
        except sqlite3.Error as why:
            raise _as_library_error(self.path, why) from why

    def _rows_beside(self, statement: str, parameters: tuple[Any, ...]) -> list[Any]:
        with self._turn_beside:
            connection = self._beside = self._beside or self._connect()
            return connection.execute(statement, parameters).fetchall()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=self.lock_timeout, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            # A reply is given only after the disk has the event.
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute(f"PRAGMA cache_size = -{self._cache}")
        except BaseException:
            connection.close()
            raise
        return connection


class SQLiteShare(SQLiteRecorder):
    """Gives what `share()` says. It can be sent to another process."""

    def __init__(self, path: Path, lock_timeout: float, begins: tuple[int, int], upto: int) -> None:
        """``begins``: the first and the last of those positions."""
        # The log is read once, from its beginning to its end.
        super().__init__(path, lock_timeout, cache=2_048)
        self._share = begins, upto
        low, high = begins
        first = (
            f"coalesce((SELECT first.rowid FROM {self.events_table_name} AS first WHERE "
            f"first.originator_id = {self.events_table_name}.originator_id "
            "AND first.originator_version = 1), 0)"
        )
        # What begins within the first share, and stands there, need not be looked up.
        mine = f"({low} = 0 AND rowid <= {high} OR {first} BETWEEN {low} AND {high})"
        self.given = f"rowid <= {upto} AND (topic GLOB 'member.*' OR rowid >= {low} AND {mine})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.lock_timeout, *self._share)


def _as_library_error(path: Path, why: sqlite3.Error) -> DatabaseError:
    """The library's name for an error of sqlite3: those names the service knows."""
    if is_damage(why):
        return DatabaseError(f"The file {path} is damaged: {why}")
    if isinstance(why, sqlite3.IntegrityError):
        return IntegrityError(why)
    return (
        OperationalError(why) if isinstance(why, sqlite3.OperationalError) else DatabaseError(why)
    )
