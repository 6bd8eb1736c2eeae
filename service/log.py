"""The event log in SQLite, behind the library's recorder interface, and its stored format.

Against the library's own SQLite recorder: one connection, writing under an flock, instead of a
pool (no lock that a failed connection leaves behind, no sleeping back-off), BEGIN IMMEDIATE,
synchronous FULL, and reading that builds its objects faster.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
from eventsourcing.domain import DomainEventProtocol
from eventsourcing.persistence import (
    DatabaseError,
    IntegrityError,
    Mapper,
    Notification,
    OperationalError,
    StoredEvent,
    Transcoder,
)
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from service.locks import FileLock

# In bytes: what the longest texts of one request come to, with room to spare.
_LARGE_COMMAND = 64 * 1024


class UnreadableEvent(Exception):
    """A stored event that this version does not know; nothing is guessed about it."""


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


# A command writes the moment it was given several times.
@lru_cache(maxsize=16)
def moment_text(moment: datetime) -> str:
    """RFC 3339 of a moment in UTC, ending in Z, always with microseconds: it sorts as text."""
    return moment.isoformat(timespec="microseconds")[:26] + "Z"


def _check_plain(value: Any) -> None:
    kind = type(value)
    if kind is dict:
        for name, inner in value.items():
            if type(name) is not str:
                raise TypeError(f"{name!r} is no name; an event's facts are named by texts.")
            _check_plain(inner)
    elif kind is list:
        for inner in value:
            _check_plain(inner)
    elif value is not None and kind not in (str, int, bool):
        raise TypeError(f"{value!r} is of {kind.__name__}; events keep texts, integers, yes or no.")


class OrjsonTranscoder(Transcoder):
    """Plain JSON of plain types. No type tags, so no user's dictionary can pose as one."""

    def encode(self, obj: Any) -> bytes:
        """``obj`` as JSON in UTF-8; TypeError for what would not come back as it went."""
        _check_plain(obj)
        return orjson.dumps(obj)

    def decode(self, data: bytes) -> Any:
        """The JSON value, with everything as it was written."""
        return orjson.loads(data)


class LedgerMapper(Mapper[UUID]):
    """Between events and their stored form: a short topic from a closed list, and the facts.

    ``aggregates`` maps the topic of each first event to the class it begins. A topic that is
    not in ``classes``, or a version newer than the class knows, is an UnreadableEvent.
    """

    def __init__(self, classes: Iterable[type[Any]], aggregates: Mapping[str, type[Any]]) -> None:
        super().__init__(OrjsonTranscoder())
        self._classes = {
            cls.TOPIC: (cls, getattr(cls, "class_version", 1), _facts_of(cls)) for cls in classes
        }
        self._origins = {
            topic: f"{cls.__module__}:{cls.__qualname__}" for topic, cls in aggregates.items()
        }

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """The event as it is kept for ever."""
        state = dict(vars(domain_event))
        topic: str = type(domain_event).TOPIC  # type: ignore[attr-defined]
        cls, version, _ = self._classes[topic]
        if cls is not type(domain_event):
            raise UnreadableEvent(f"Topic {topic} belongs to {cls}, not {type(domain_event)}.")
        state.pop("originator_topic", None)
        state.pop("recorded_at", None)
        originator_id = state.pop("originator_id")
        originator_version = state.pop("originator_version")
        state["timestamp"] = moment_text(state["timestamp"])
        if version > 1:
            state["class_version"] = version
        return StoredEvent(originator_id, originator_version, topic, self.transcoder.encode(state))

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The event again, upcast to what its class is now."""
        topic = stored_event.topic
        known = self._classes.get(topic)
        if known is None:
            raise UnreadableEvent(f"{_named(stored_event)} has a topic unknown here.")
        cls, newest, facts = known
        try:
            state = orjson.loads(stored_event.state)
            # Kept as text as well: whoever shows it need not write it anew.
            state["recorded_at"] = state["timestamp"]
            state["timestamp"] = datetime.fromisoformat(state["timestamp"])
        except (ValueError, KeyError, TypeError) as why:
            raise UnreadableEvent(f"{_named(stored_event)} is damaged: {why!r}.") from why
        version = state.pop("class_version", 1)
        if type(version) is not int or not 1 <= version <= newest:
            raise UnreadableEvent(
                f"{_named(stored_event)} is of a version unknown here, {version!r}."
            )
        for step in range(version, newest):
            getattr(cls, f"upcast_v{step}_v{step + 1}")(state)
        if not facts <= state.keys():
            lacking = ", ".join(sorted(facts - state.keys()))
            raise UnreadableEvent(f"{_named(stored_event)} is damaged: it lacks {lacking}.")
        state["originator_id"] = stored_event.originator_id
        state["originator_version"] = stored_event.originator_version
        if topic in self._origins:
            state["originator_topic"] = self._origins[topic]
        event = object.__new__(cls)
        object.__setattr__(event, "__dict__", state)
        return event


def _facts_of(cls: type[Any]) -> frozenset[str]:
    """The fields that an event's stored state holds."""
    elsewhere = {"originator_id", "originator_version", "originator_topic"}
    return frozenset(getattr(cls, "__dataclass_fields__", ())) - elsewhere


def _named(stored: StoredEvent) -> str:
    at = f" at position {stored.id}" if isinstance(stored, Notification) else ""
    return f"Event {stored.originator_version} of {stored.originator_id} ({stored.topic}){at}"


class LedgerRecorder(SQLiteApplicationRecorder):
    """Keeps the log in one SQLite file; a position is the row id, which only grows.

    One connection reads and writes, so that what it wrote it need not read from the file again.
    Whoever reads while another thread is in the middle of a write is given a second one, which
    sees what is committed.
    """

    # Which events `select_notifications` gives, as SQL.
    given = "TRUE"
    # How much of the file is kept in memory, in KiB: what the commands of a day come back to.
    cache = 65_536

    def __init__(self, path: Path, lock_timeout: float) -> None:
        super().__init__(SQLiteDatastore(str(path)))
        self.path = path
        self.lock_timeout = lock_timeout
        self._lock = FileLock(path.with_name(path.name + ".lock"), lock_timeout)
        self._turn, self._turn_beside = Lock(), Lock()
        self._connection: sqlite3.Connection | None = None
        self._beside: sqlite3.Connection | None = None
        # How many transactions this recorder committed: `data_version()` does not count them.
        self.commits = 0

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
        with self._lock.held(), self._turn:
            try:
                connection = self._connection = self._connection or self._connect()
                connection.execute("BEGIN IMMEDIATE")
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
        with self.writing() as connection:
            insert = self.insert_events_statement
            return [
                connection.execute(
                    insert, (_key(s.originator_id), s.originator_version, s.topic, s.state)
                ).lastrowid
                or 0
                for s in stored_events
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
                _key(originator_id),
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
        return _notifications(rows)

    def first_positions(self, originator_ids: Iterable[UUID | str]) -> dict[int, int]:
        """Where each of these streams begins, by its id as an integer (a UUID's own hash and
        comparison cost more than the rest of this); nothing of one that has not begun."""
        keys = sorted({_key(originator_id) for originator_id in originator_ids})
        rows: list[Any] = []
        for start in range(0, len(keys), 500):
            some = keys[start : start + 500]
            rows += self._rows(
                f"SELECT originator_id, rowid FROM {self.events_table_name} WHERE "
                f"originator_version = 1 AND originator_id IN ({','.join('?' * len(some))})",
                tuple(some),
            )
        return {int(key, 16): position for key, position in rows}

    def stored_rows(
        self, after: int, limit: int, stop: int = 2**62
    ) -> list[tuple[int, bytes, int, bytes, bytes]]:
        """The log after a position, as (position, originator id, version, topic, state).

        Nothing is decoded: these are the bytes that proofs are about.
        """
        return self._rows(
            f"SELECT rowid, CAST(originator_id AS BLOB), originator_version, CAST(topic AS BLOB), "
            f"CAST(state AS BLOB) FROM {self.events_table_name} "
            "WHERE rowid > ? AND rowid <= ? ORDER BY rowid LIMIT ?",
            (after, stop, limit),
        )

    def stored_rows_of(self, originator_id: UUID) -> list[tuple[int, bytes, int, bytes, bytes]]:
        """One stream in the same form, by version."""
        return self._rows(
            f"SELECT rowid, CAST(originator_id AS BLOB), originator_version, CAST(topic AS BLOB), "
            f"CAST(state AS BLOB) FROM {self.events_table_name} "
            "WHERE originator_id = ? ORDER BY originator_version",
            (_key(originator_id),),
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
                named[position] = f"{position}/{version}/{topic.partition('.')[2]}"
        return named

    def max_notification_id(self) -> int | None:  # type: ignore[override]
        """The position of the last event; None while there is none."""
        position: int | None = self._rows(self.select_max_notification_id_statement, ())[0][0]
        return position

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
                "INSERT INTO readiness (room) VALUES (zeroblob(?))", (_LARGE_COMMAND,)
            )
        with self.writing() as connection:
            connection.execute("DELETE FROM readiness")

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
            connection.execute(f"PRAGMA cache_size = -{self.cache}")
        except BaseException:
            connection.close()
            raise
        return connection


def _key(originator_id: UUID | str) -> str:
    return originator_id.hex if isinstance(originator_id, UUID) else originator_id


def _notifications(rows: list[Any]) -> list[Notification]:
    """Rows as notifications, without the checks that a frozen dataclass makes for each field."""
    new, put = object.__new__, object.__setattr__
    found = []
    for position, originator_id, version, topic, state in rows:
        notification = new(Notification)
        fields = {
            "originator_id": UUID(originator_id),
            "originator_version": version,
            "topic": topic,
            "state": state,
            "id": position,
        }
        put(notification, "__dict__", fields)
        found.append(notification)
    return found


def _as_library_error(path: Path, why: sqlite3.Error) -> DatabaseError:
    """The library's name for an error of sqlite3: those names the service knows."""
    if is_damage(why):
        return DatabaseError(f"The file {path} is damaged: {why}")
    if isinstance(why, sqlite3.IntegrityError):
        return IntegrityError(why)
    return (
        OperationalError(why) if isinstance(why, sqlite3.OperationalError) else DatabaseError(why)
    )
