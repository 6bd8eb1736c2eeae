"""Feeds the projections what they have not seen, in batches: rows and bookmark together."""

import gc
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from eventsourcing.persistence import ApplicationRecorder, Mapper, StoredEvent
from sqlalchemy.exc import DatabaseError

from domain.errors import NotReady
from service.projections.leads import lead_numbers
from service.projections.shadow import shadow_of
from service.projections.store import (
    Gathers,
    Happened,
    Projection,
    Store,
    Writes,
    bookmarks,
    builds,
    upserting,
)

BATCH = 2_000
# A rebuild sees every lead many times; larger batches write each of them fewer times.
REBUILD_BATCH = 5_000

_MARK = upserting(bookmarks)


class ProjectionStopped(NotReady):
    """An event cannot be taken in: no number is served until that is mended."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, retry_after=60)


class CatchUp:
    """Brings every projection to a position of the log.

    Whoever reads first does the work, the others wait for the lock and find it done. An event
    that a projection cannot take in stops it: from then on NotReady is raised, naming the
    event, rather than old numbers served.
    """

    def __init__(
        self,
        recorder: ApplicationRecorder,
        mapper: Mapper[Any],
        store: Store,
        projections: Sequence[Projection],
    ) -> None:
        self._recorder = recorder
        self._mapper = mapper
        self._store = store
        self._projections = projections
        self._reached = 0
        # The store's, when that was reached.
        self._generation = 0

    def to(self, position: int) -> None:
        """Return once every projection reflects the log up to ``position``."""
        if self._store.follow() != self._generation:
            self._begin()
        if self._reached < position:
            self._reached = max(self._reached, min(self.status().values()))
        while self._reached < position:
            with self._store.writing() as connection:
                reached = self._advance(connection, BATCH)
            # Only now that it is committed.
            self._reached = max(self._reached, reached)

    def rebuild(self, progress: Callable[[int], object] = lambda _events: None) -> int:
        """Make every projection anew from the log, in a file of its own; the position reached.

        Until that takes the place of the old one, readers see the old rows. ``progress`` is
        called with each batch's number of events.
        """
        projections = [p.gathering() if isinstance(p, Gathers) else p for p in self._projections]
        anew = CatchUp(self._recorder, self._mapper, self._store, projections)
        with shadow_of(self._store) as shadow, _no_search_for_cycles():
            with shadow.transaction() as connection:
                # Whoever keeps something of the old rows in memory sees that they are gone.
                connection.execute(sa.insert(builds), {"id": secrets.token_hex(16)})
                anew._take_in(connection, progress)
            shadow.finish()
            with self._store.lock.held():
                with shadow.transaction() as connection:
                    reached = anew._take_in(connection, progress)
                shadow.put_in_place()
        return reached

    def _take_in(self, connection: sa.Connection, progress: Callable[[int], object]) -> int:
        """The rest of the log, in one transaction of the caller's; the position reached."""
        reached = min(position for position, _ in self._bookmarks(connection).values())
        while (seen := self._advance(connection, REBUILD_BATCH)) > reached:
            progress(seen - reached)
            reached = seen
        for projection in self._projections:
            if isinstance(projection, Writes):
                projection.write(connection)
        return reached

    def status(self) -> dict[str, int]:
        """The bookmark of each projection; 0 for one that has seen nothing."""
        self._store.follow()
        with self._store.reading() as connection:
            return {name: position for name, (position, _) in self._bookmarks(connection).items()}

    def _bookmarks(self, connection: sa.Connection) -> dict[str, tuple[int, str]]:
        rows = connection.execute(sa.select(bookmarks))
        kept = {name: (position, event) for name, position, event in rows}
        return {p.name: kept.get(p.name, (0, "")) for p in self._projections}

    def _begin(self) -> None:
        """Go on with another file than before, which may hold less."""
        generation = self._store.generation
        self._check_log()
        self._reached, self._generation = 0, generation

    def _check_log(self) -> None:
        """Refuse projections of another log, such as an older copy that was restored since."""
        with self._store.reading() as connection:
            marks = set(self._bookmarks(connection).values())
        for position, event in marks - {(0, "")}:
            found = self._recorder.select_notifications(position, 1, position)
            if [_identity(notification) for notification in found] != [event]:
                raise ProjectionStopped(
                    f"The projections were made from a log whose position {position} is event "
                    f"{event}, and this log's is not: was another copy of it put here? If this "
                    "log is the right one, run 'leadledger projections rebuild'."
                )

    def _advance(self, connection: sa.Connection, limit: int) -> int:
        """One batch for whichever projections are furthest behind; the position all have then."""
        marks = self._bookmarks(connection)
        start = min(position for position, _ in marks.values())
        behind = [p for p in self._projections if marks[p.name][0] == start]
        ahead = [mark for mark in marks.values() if mark[0] > start]
        stop = min(ahead)[0] if ahead else None
        notifications = self._recorder.select_notifications(
            start, limit, stop, inclusive_of_start=False
        )
        if not notifications:
            return start
        self._feed(connection, behind, notifications)
        last = notifications[-1].id
        event = _identity(notifications[-1])
        _MARK.many(connection, [(projection.name, last, event) for projection in behind])
        return last

    def _feed(
        self, connection: sa.Connection, projections: Sequence[Projection], notifications: Any
    ) -> None:
        connection.exec_driver_sql("SAVEPOINT batch")
        try:
            self._project(connection, projections, notifications)
            connection.exec_driver_sql("RELEASE batch")
        except DatabaseError:
            # The disk or the lock, not the events.
            raise
        except Exception as why:
            connection.exec_driver_sql("ROLLBACK TO batch")
            raise self._stopped(connection, projections, notifications, why) from why

    def _project(
        self, connection: sa.Connection, projections: Sequence[Projection], notifications: Any
    ) -> None:
        decode, past = self._mapper.to_domain_event, self._past
        events: list[tuple[int, Any]] = [(n.id, decode(n)) for n in notifications]
        numbers = lead_numbers(connection, events)
        batch = [Happened(at, numbers[e.originator_id.int], e, past) for at, e in events]
        for projection in projections:
            projection.project(connection, batch)

    def _past(self, event: Any) -> list[Any]:
        stored = self._recorder.select_events(event.originator_id, lte=event.originator_version)
        return [self._mapper.to_domain_event(before) for before in stored]

    def _stopped(
        self,
        connection: sa.Connection,
        projections: Sequence[Projection],
        notifications: Any,
        why: Exception,
    ) -> ProjectionStopped:
        """Find the event that cannot be taken in, one at a time. The caller rolls all back."""
        for one in notifications:
            try:
                self._project(connection, projections, [one])
            except Exception as cause:  # noqa: BLE001
                return ProjectionStopped(
                    f"The projections stopped at position {one.id}, event "
                    f"{one.originator_version} of {one.originator_id} ({one.topic}): {cause!r}."
                )
        positions = f"{notifications[0].id} to {notifications[-1].id}"
        return ProjectionStopped(f"The projections stopped at positions {positions}: {why!r}.")


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


def _identity(stored: StoredEvent) -> str:
    return f"{stored.originator_id}/{stored.originator_version}"
