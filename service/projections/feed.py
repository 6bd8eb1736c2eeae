"""Feeds projections from the log, in batches: rows and bookmark together."""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DatabaseError

from domain.errors import NotReady
from service.log import LedgerMapper
from service.log_recorder import LedgerRecorder, Row, uuid_of
from service.projections.store import (
    FOREVER,
    Happened,
    Projection,
    Writes,
    bookmarks,
    upserting,
)

# What so many events are made into stays in a processor's own memory until they are written.
BATCH = 500

_MARK = upserting(bookmarks)


class ProjectionStopped(NotReady):
    """An event cannot be taken in: no number is served until that is mended."""

    def __init__(self, pattern: str, /, **places: Any) -> None:
        super().__init__(pattern, retry_after=60, **places)


class Feed:
    """A log, and the projections that take it in."""

    def __init__(
        self, recorder: LedgerRecorder, mapper: LedgerMapper, projections: Sequence[Projection]
    ) -> None:
        self.recorder = recorder
        self.mapper = mapper
        self.projections = projections

    def of(self, recorder: LedgerRecorder) -> "Feed":
        """The same projections, fed from another recorder."""
        return Feed(recorder, self.mapper, self.projections)

    def bookmarks(self, connection: sa.Connection) -> dict[str, tuple[int, str]]:
        """Of each projection the last position that it has seen, and the event there."""
        rows = connection.execute(sa.select(bookmarks))
        kept = {name: (position, event) for name, position, event in rows}
        return {p.name: kept.get(p.name, (0, "")) for p in self.projections}

    def mark(self, connection: sa.Connection, projections: Sequence[Projection], last: Row) -> None:
        """Note that these projections have seen the log up to its row ``last``."""
        event = identity_of_row(last)
        _MARK.many(connection, [(projection.name, last[0], event) for projection in projections])

    def knows(self, connection: sa.Connection) -> bool:
        """Whether every bookmark is of this log."""
        marks = set(self.bookmarks(connection).values()) - {(0, "")}
        return all(
            [identity_of_row(row) for row in self.recorder.stored_rows(at - 1, 1, at)] == [event]
            for at, event in marks
        )

    def rest(
        self,
        connection: sa.Connection,
        progress: Callable[[int], object],
        most: int | None = None,
    ) -> int:
        """The log's rest, or as much of it as is about ``most`` events, in the caller's
        transaction; the position reached.

        ``progress`` is called with each batch's number of positions.
        """
        reached = min(position for position, _ in self.bookmarks(connection).values())
        end = None if most is None else reached + most
        with _no_search_for_cycles():
            while (end is None or reached < end) and (seen := self.advance(connection)) > reached:
                progress(seen - reached)
                reached = seen
                # What a batch leaves behind is little.
                gc.collect(0)
        for projection in self.projections:
            if isinstance(projection, Writes):
                projection.write(connection)
        return reached

    def advance(self, connection: sa.Connection) -> int:
        """One batch for whichever projections are furthest behind; the position all have then."""
        marks = self.bookmarks(connection)
        start = min(position for position, _ in marks.values())
        behind = [p for p in self.projections if marks[p.name][0] == start]
        ahead = [mark for mark in marks.values() if mark[0] > start]
        stop = min(ahead)[0] if ahead else FOREVER
        rows = self.recorder.stored_rows(start, BATCH, stop)
        if not rows:
            return start
        self._feed(connection, behind, rows)
        self.mark(connection, behind, rows[-1])
        return rows[-1][0]

    def _feed(
        self, connection: sa.Connection, projections: Sequence[Projection], rows: Sequence[Row]
    ) -> None:
        connection.exec_driver_sql("SAVEPOINT batch")
        try:
            self._project(connection, projections, rows)
            connection.exec_driver_sql("RELEASE batch")
        except DatabaseError:
            # The disk or the lock, not the events.
            raise
        except Exception as why:
            connection.exec_driver_sql("ROLLBACK TO batch")
            raise self._stopped(connection, projections, rows, why) from why

    def _project(
        self, connection: sa.Connection, projections: Sequence[Projection], rows: Sequence[Row]
    ) -> None:
        past = self._past
        events = list(self.mapper.events_in(rows))
        numbers = self._numbers(events)
        batch = [Happened(at, numbers[e.originator_id.int], e, past) for at, e in events]
        for projection in projections:
            projection.project(connection, batch)

    def _numbers(self, events: Sequence[tuple[int, Any]]) -> dict[int, int]:
        """The number of every lead that (position, event) pairs are about, by its id as an
        integer; 0 for what is no lead."""
        numbers: dict[int, int] = {}
        unknown: dict[int, UUID] = {}
        for position, event in events:
            topic, lead = event.TOPIC, event.originator_id.int
            if topic == "lead.tipped":
                numbers[lead] = position
            elif lead not in numbers:
                if topic.startswith("lead."):
                    unknown[lead] = event.originator_id
                else:
                    numbers[lead] = 0
        return numbers | self.recorder.first_positions(unknown.values())

    def _past(self, event: Any) -> list[Any]:
        stored = self.recorder.select_events(event.originator_id, lte=event.originator_version)
        return [self.mapper.to_domain_event(before) for before in stored]

    def _stopped(
        self,
        connection: sa.Connection,
        projections: Sequence[Projection],
        rows: Sequence[Row],
        why: Exception,
    ) -> ProjectionStopped:
        """Find the event that cannot be taken in, one at a time. The caller rolls all back."""
        for row in rows:
            try:
                self._project(connection, projections, [row])
            except Exception as cause:  # noqa: BLE001
                at, key, version, topic, _ = row
                return ProjectionStopped(
                    "The projections stopped at position {position}, event {version} of {id} "
                    "({topic}): {cause}.",
                    position=at,
                    version=version,
                    id=uuid_of(key),
                    topic=topic.decode(),
                    cause=f"{cause!r}",
                )
        return ProjectionStopped(
            "The projections stopped at positions {positions}: {why}.",
            positions=f"{rows[0][0]} to {rows[-1][0]}",
            why=f"{why!r}",
        )


def identity_of_row(row: Row) -> str:
    """By what the event of a row is known in a bookmark."""
    return f"{uuid_of(row[1])}/{row[2]}"


@contextmanager
def _no_search_for_cycles() -> Iterator[None]:
    """Events and rows hold no cycles; looking for them takes a fifth of a rebuild's time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()
