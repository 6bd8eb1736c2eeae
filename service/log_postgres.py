"""The event log in PostgreSQL: reading it, and what became of a command whose answer was lost.

A position is one more than the last one, taken by the database's own function (`log_schema.py`)
under a lock that ends with the transaction. So positions have no gaps, and what has a lower one is
never seen later. Commands that wait for the disk at the same moment wait for it together
(`log_queue.py`).
"""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import chain, islice
from threading import Lock
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from eventsourcing.persistence import IntegrityError, Notification, StoredEvent

from domain.errors import NotReady, Refused
from domain.sentences import Sentence
from service import log_schema
from service.log_queue import Events, Taken, WriteQueue
from service.log_recorder import (
    LARGE_COMMAND,
    LedgerRecorder,
    Row,
    Streams,
    Version,
    name_at,
    notifications_of,
)
from service.log_schema import driver_of
from service.projections.postgres_pool import Connections, Lost

# What is more than a command: so many events go to the database at once.
_CHUNK = 2_000
_LOG = "ledger.stored_events"
_ROW = (
    "SELECT position, convert_to(encode(uuid_send(originator_id), 'hex'), 'UTF8'), "
    f"originator_version, convert_to(topic, 'UTF8'), state FROM {_LOG}"
)
_VERSION = (
    f"SELECT (SELECT number FROM ledger.changes), coalesce((SELECT max(position) FROM {_LOG}), 0)"
)
_VERSION_BESIDE = (
    f"SELECT v.*, s.originator_id, s.originator_version, s.topic, s.state FROM ({_VERSION}) AS v "
    f"LEFT JOIN {_LOG} AS s ON s.originator_id IN ({{}}) ORDER BY s.originator_version"
)
# How often a command is sent, or a read asked, while the connection gets lost.
_TRIES = 2
_UNKNOWN = Sentence(
    "The connection to the database was lost, and whether the command was "
    "recorded is not known yet. Send it again with the same Idempotency-Key: "
    "it is never recorded twice."
)


class Unanswered(Lost):
    """The connection was lost after a command was sent: it may have been recorded."""


class PostgresRecorder(LedgerRecorder):
    """Keeps the log in the table ``ledger.stored_events``, by a pool of connections."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._using, self._beginning = False, Lock()
        self.queue = WriteQueue(self._append, connections.patience)

    def exists(self) -> bool:
        """Whether the table is there."""
        found = self._rows(f"SELECT to_regclass('{_LOG}') IS NOT NULL")
        return bool(found[0][0])

    def create_table(self) -> None:
        """Bring the schema to the present version; where it is that, nothing is locked."""
        with self._one() as connection:
            log_schema.migrate(connection, self._connections.patience)

    def check_served(self) -> None:
        """Refused until all of it is here."""
        for (origin,) in self._rows("SELECT origin FROM ledger.moved WHERE finished_at IS NULL"):
            raise Refused(
                "The ledger of {origin} is being moved here, and that was not finished: "
                "run 'leadledger migrate' again. Nothing is served before.",
                origin=origin,
            )

    def heed(self, tables: Iterable[str]) -> None:
        """Have the database note each change of these tables."""
        with self._one() as connection:
            log_schema.heed(connection, tables, self._connections.patience)

    def version(self) -> Version:
        """Both numbers in one question."""
        return Version(*self._rows(_VERSION)[0])

    def version_beside(self, ids: Sequence[UUID]) -> tuple[Version, Streams]:
        """All in one question: a server that is far away is asked once."""
        if not ids:
            return self.version(), {}
        rows = self._rows(_VERSION_BESIDE.format(", ".join(["%s"] * len(ids))), *ids)
        streams: dict[UUID, list[StoredEvent]] = {id: [] for id in ids}
        for *_, id, version, topic, state in rows:
            if id is not None:
                streams[id].append(StoredEvent(id, version, topic, state))
        return Version(*rows[0][:2]), {**streams}

    def last_position(self, version: Version) -> int:
        """It is part of the version."""
        return version.log

    def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Sequence[int]:
        """Append all or none; their positions. IntegrityError when one's version is taken.

        When the answer is lost, what is recorded is found out, or NotReady says that it is not
        known.
        """
        events = iter(stored_events)
        first = list(islice(events, _CHUNK))
        if not first:
            return []
        more = next(events, None)
        if more is not None:
            return self._import(chain(first, [more], events))
        last = self.queue.put(first)
        return list(range(last - len(first) + 1, last + 1))

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
        rows = self._rows(
            f"SELECT originator_version, topic, state FROM {_LOG} WHERE originator_id = %s "
            "AND originator_version > %s AND originator_version <= %s "
            f"ORDER BY originator_version {'DESC' if desc else 'ASC'} LIMIT %s",
            _id(originator_id),
            -1 if gt is None else gt,
            2**62 if lte is None else lte,
            2**62 if limit is None else limit,
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
        chosen = "AND topic = ANY(%s) " if topics else ""
        rows = self._rows(
            f"SELECT position, originator_id, originator_version, topic, state FROM {_LOG} "
            f"WHERE position >= %s AND position <= %s {chosen}ORDER BY position LIMIT %s",
            lowest,
            2**62 if stop is None else stop,
            *([list(topics)] if topics else []),
            limit,
        )
        return notifications_of(rows)

    def max_notification_id(self) -> int | None:
        """The position of the last event; None while there is none."""
        position: int | None = self._rows(f"SELECT max(position) FROM {_LOG}")[0][0]
        return position

    def first_positions(self, originator_ids: Iterable[UUID | str]) -> dict[int, int]:
        """Where each of these streams begins."""
        ids = [_id(originator_id) for originator_id in originator_ids]
        rows = self._rows(
            f"SELECT originator_id, position FROM {_LOG} "
            "WHERE originator_version = 1 AND originator_id = ANY(%s)",
            ids,
        )
        return {originator_id.int: position for originator_id, position in rows}

    def stored_rows(self, after: int, limit: int, stop: int = 2**62) -> list[Row]:
        """The log after a position; nothing is decoded."""
        wanted = "WHERE position > %s AND position <= %s ORDER BY position LIMIT %s"
        return self._rows(f"{_ROW} {wanted}", after, stop, limit)

    def stored_rows_of(self, originator_id: UUID) -> list[Row]:
        """One stream in the same form, by version."""
        wanted = "WHERE originator_id = %s ORDER BY originator_version"
        return self._rows(f"{_ROW} {wanted}", _id(originator_id))

    def count_upto(self, position: int) -> int:
        """How many events stand at positions up to this one."""
        counted = f"SELECT count(*) FROM {_LOG} WHERE position <= %s"
        count: int = self._rows(counted, position)[0][0]
        return count

    def named_at(self, positions: Sequence[int]) -> dict[int, str]:
        """What stands at each of these positions, as position/version/name."""
        asked = f"SELECT position, originator_version, topic FROM {_LOG} WHERE position = ANY(%s)"
        return {row[0]: name_at(*row) for row in self._rows(asked, list(positions))}

    def try_write(self) -> None:
        """Write durably as much as a large command, where nobody reads it, and take it back."""
        self._rows(log_schema.TRY, self._patience, bytes(LARGE_COMMAND))

    def close(self) -> None:
        """Let go of the connections, once nobody here uses them."""
        with self._beginning:
            if self._using:
                self._connections.end()
            self._using = False

    def _one(self) -> AbstractContextManager[sa.Connection]:
        if not self._using:
            with self._beginning:
                if not self._using:
                    self._connections.begin()
                    self._using = True
        return self._connections.one()

    @property
    def _patience(self) -> int:
        """In milliseconds."""
        return max(1, round(self._connections.patience * 1000))

    def _rows(self, statement: str, *values: Any) -> list[Any]:
        """The answer to what can be asked twice; asked again where the connection was lost."""
        for _ in range(_TRIES - 1):
            with suppress(Lost):
                return self._rows_once(statement, values)
        return self._rows_once(statement, values)

    def _rows_once(self, statement: str, values: Sequence[Any]) -> list[Any]:
        with self._one() as connection:
            cursor = driver_of(connection).cursor(binary=True)
            found: list[Any] = cursor.execute(statement, values, prepare=True).fetchall()
            return found

    # Writing

    def _append(self, commands: Sequence[Events]) -> Sequence[Taken]:
        """Record each command, all of it or nothing; the last position of each.

        What was lost on its way is sent once more: of two tries only one can take the versions, and
        if it was the first, its very bytes stand there.
        """
        in_doubt, lost = False, NotReady(_UNKNOWN)
        for _ in range(_TRIES):
            try:
                taken = self._append_once(commands)
                if not in_doubt:
                    return taken
                pairs = zip(commands, taken, strict=True)
                return [position or self._ours(events) for events, position in pairs]
            except Unanswered:
                in_doubt = True
            except Lost as why:
                lost = why
            except NotReady as why:
                lost = why
                break
        if in_doubt:
            raise NotReady(_UNKNOWN) from lost
        raise lost

    def _append_once(self, commands: Sequence[Events]) -> Sequence[Taken]:
        told = [self._patience, [len(events) for events in commands], *_columns(chain(*commands))]
        begun = False
        try:
            with self._one() as connection:
                cursor = driver_of(connection).cursor(binary=True)
                begun = True
                try:
                    cursor.execute(log_schema.APPEND, told, prepare=True)
                except psycopg.errors.UniqueViolation:
                    # The function itself tells of several which are taken.
                    return [None]
                found: list[Taken] = cursor.fetchall()[0][0]
                return found
        except Lost as why:
            # A server that only reads has said so, and recorded nothing.
            if begun and not isinstance(why.__cause__, psycopg.errors.ReadOnlySqlTransaction):
                raise Unanswered(str(why)) from why
            raise

    def _ours(self, events: Events) -> Taken:
        """The last position of these very events where they stand in the log: then an earlier try
        was recorded, for no two requests write the same bytes."""
        first, last = events[0], events[-1]
        asked = (
            f"SELECT (SELECT state FROM {_LOG} WHERE originator_id = %s AND originator_version = "
            f"%s), (SELECT position FROM {_LOG} WHERE originator_id = %s AND originator_version = "
            "%s AND state = %s)"
        )
        ((state, position),) = self._rows(
            asked,
            _id(first.originator_id),
            first.originator_version,
            _id(last.originator_id),
            last.originator_version,
            last.state,
        )
        return position if state == first.state else None

    def _import(self, events: Iterable[StoredEvent]) -> list[int]:
        """More than a command's events, in one transaction."""
        positions: list[int] = []
        with self._connections.transaction("BEGIN") as connection:
            driver = driver_of(connection)
            while some := list(islice(events, _CHUNK)):
                told = [self._patience, [len(some)], *_columns(some)]
                try:
                    ((last,),) = driver.execute(log_schema.APPEND, told).fetchone()
                except psycopg.errors.UniqueViolation as why:
                    raise IntegrityError(why) from why
                positions += range(last - len(some) + 1, last + 1)
        return positions


def _id(originator_id: UUID | str) -> UUID:
    return originator_id if isinstance(originator_id, UUID) else UUID(originator_id)


def _columns(stored: Iterable[StoredEvent]) -> list[list[Any]]:
    events = list(stored)
    return [
        [_id(event.originator_id) for event in events],
        [event.originator_version for event in events],
        [event.topic for event in events],
        [event.state for event in events],
    ]
