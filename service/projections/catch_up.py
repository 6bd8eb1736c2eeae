"""Brings the projections to a position of the log before they are read, or makes them anew."""

import time
from collections.abc import Callable, Sequence

from domain.errors import NotReady
from service.log import LedgerMapper
from service.log_recorder import LedgerRecorder
from service.projections.comparing import Difference
from service.projections.feed import Feed, ProjectionStopped, identity_of_row
from service.projections.rebuild import differences, rebuild
from service.projections.store import Projection, Store

# How soon whoever waits for another process looks again, in seconds.
_PAUSE = 0.005


class CatchUp:
    """Brings every projection to a position of the log.

    Whoever reads first does the work, the others wait and find it done. An event
    that a projection cannot take in stops it: from then on NotReady is raised, naming the
    event, rather than old numbers served.
    """

    def __init__(
        self,
        recorder: LedgerRecorder,
        mapper: LedgerMapper,
        store: Store,
        projections: Sequence[Projection],
    ) -> None:
        self._recorder = recorder
        self._feed = Feed(recorder, mapper, projections)
        self._store = store
        self._reached = 0
        # The store's, when that was reached.
        self._generation = 0

    def to(self, position: int) -> None:
        """Return once every projection reflects the log up to ``position``."""
        if self._store.follow() != self._generation:
            self._begin()
        if self._reached < position:
            self._reached = max(self._reached, min(self.status().values()))
        if self._reached < position:
            self._go_on(position)

    def _go_on(self, position: int) -> None:
        """Take in what is missing, or wait for whoever is at it already."""
        until = time.monotonic() + self._store.lock_timeout
        while self._reached < position:
            with self._store.leading() as leads:
                if leads:
                    self._take_in(position)
                    return
            if time.monotonic() > until:
                raise NotReady(
                    "Waited {lock_timeout} s for another process to take in what was "
                    "recorded up to {position}; it has come to {reached}.",
                    lock_timeout=self._store.lock_timeout,
                    position=position,
                    reached=self._reached,
                )
            time.sleep(_PAUSE)
            self._reached = max(self._reached, min(self.status().values()))

    def _take_in(self, position: int) -> None:
        while self._reached < position:
            with self._store.writing() as connection:
                reached = self._feed.advance(connection)
            # Only now that it is committed.
            self._reached = max(self._reached, reached)

    def rebuild(
        self, progress: Callable[[int], object] = lambda _events: None, processes: int | None = None
    ) -> int:
        """Make every projection anew from the log (see `rebuild.py`); the position reached.

        ``progress`` is called with each batch's number of events. ``processes``: as many as it is
        worth, unless the caller says so.
        """
        return rebuild(self._feed, self._recorder, self._store, progress, processes)

    def differences(
        self, progress: Callable[[int], object] = lambda _events: None
    ) -> list[Difference]:
        """In which tables the live rows are otherwise than the log makes them: nowhere, unless
        somebody touched them."""

        def catch_up() -> None:
            self.to(self._recorder.max_notification_id() or 0)

        return differences(self._feed, self._recorder, self._store, progress, catch_up)

    def status(self) -> dict[str, int]:
        """The bookmark of each projection; 0 for one that has seen nothing."""
        self._store.follow()
        with self._store.reading() as connection:
            marks = self._feed.bookmarks(connection)
        return {name: position for name, (position, _) in marks.items()}

    def _begin(self) -> None:
        """Go on with another file than before, which may hold less."""
        generation = self._store.generation
        self._check_log()
        self._reached, self._generation = 0, generation

    def _check_log(self) -> None:
        """Refuse projections of another log, such as an older copy that was restored since."""
        with self._store.reading() as connection:
            marks = set(self._feed.bookmarks(connection).values())
        for position, event in marks - {(0, "")}:
            found = self._recorder.stored_rows(position - 1, 1, position)
            if [identity_of_row(row) for row in found] != [event]:
                raise ProjectionStopped(
                    "The projections were made from a log whose position {position} is event "
                    "{event}, and this log's is not: was another copy of it put here? If "
                    "this log is the right one, run 'leadledger projections rebuild'.",
                    position=position,
                    event=event,
                )
