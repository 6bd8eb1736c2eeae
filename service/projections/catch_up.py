"""Feeds the projections what they have not seen, in batches: rows and bookmark together."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from eventsourcing.persistence import ApplicationRecorder, Mapper

from domain.errors import NotReady
from service.projections.leads import lead_numbers
from service.projections.store import Happened, Projection, Store, bookmarks, upserting

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

    def to(self, position: int) -> None:
        """Return once every projection reflects the log up to ``position``."""
        while self._reached < position:
            with self._store.writing() as connection:
                self._advance(connection, BATCH)

    def rebuild(self, progress: Any = None) -> int:
        """Make every projection anew from the log, in one transaction; the position reached.

        Until it commits, readers see the old rows. ``progress`` is called with each batch's
        number of events.
        """
        with self._store.writing() as connection:
            for projection in self._projections:
                for table in projection.tables:
                    connection.execute(sa.delete(table))
            connection.execute(sa.delete(bookmarks))
            reached = 0
            while True:
                seen = self._advance(connection, REBUILD_BATCH, remember=False)
                if seen == reached:
                    return seen
                if progress is not None:
                    progress(seen - reached)
                reached = seen

    def status(self) -> dict[str, int]:
        """The bookmark of each projection; 0 for one that has seen nothing."""
        with self._store.reading() as connection:
            return self._bookmarks(connection)

    def _bookmarks(self, connection: sa.Connection) -> dict[str, int]:
        kept = {row.projection: row.position for row in connection.execute(sa.select(bookmarks))}
        return {p.name: kept.get(p.name, 0) for p in self._projections}

    def _advance(self, connection: sa.Connection, limit: int, *, remember: bool = True) -> int:
        """One batch for whichever projections are furthest behind; the position they reach."""
        at = self._bookmarks(connection)
        start = min(at.values())
        behind = [p for p in self._projections if at[p.name] == start]
        ahead = [position for position in at.values() if position > start]
        stop = min(ahead) if ahead else None
        notifications = self._recorder.select_notifications(
            start, limit, stop, inclusive_of_start=False
        )
        if notifications:
            last = notifications[-1].id
            self._feed(connection, behind, notifications)
        else:
            last = stop or start
        _MARK.many(connection, [(projection.name, last) for projection in behind])
        if remember:
            self._reached = min([last, *ahead])
        return last

    def _feed(
        self, connection: sa.Connection, projections: Sequence[Projection], notifications: Any
    ) -> None:
        connection.exec_driver_sql("SAVEPOINT batch")
        try:
            self._project(connection, projections, notifications)
        except Exception as why:
            connection.exec_driver_sql("ROLLBACK TO batch")
            raise self._stopped(connection, projections, notifications, why) from why

    def _project(
        self, connection: sa.Connection, projections: Sequence[Projection], notifications: Any
    ) -> None:
        decode = self._mapper.to_domain_event
        events = [(notification.id, decode(notification)) for notification in notifications]
        numbers = lead_numbers(connection, events)
        batch = [Happened(at, numbers.get(e.originator_id, 0), e) for at, e in events]
        for projection in projections:
            projection.project(connection, batch)

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
            except Exception as cause:
                return ProjectionStopped(
                    f"The projections stopped at position {one.id}, event "
                    f"{one.originator_version} of {one.originator_id} ({one.topic}): {cause!r}."
                )
        positions = f"{notifications[0].id} to {notifications[-1].id}"
        return ProjectionStopped(f"The projections stopped at positions {positions}: {why!r}.")
