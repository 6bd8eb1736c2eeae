"""Every projection made anew from the log, in tables that then take the live ones' place, or that
those are compared with."""

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from domain.errors import NotReady
from service.log_recorder import LedgerRecorder
from service.projections.comparing import Difference, compare
from service.projections.feed import Feed
from service.projections.shadow import FileShadow
from service.projections.shares import Progress, take_in_shares
from service.projections.store import Gathers, Shadow, Store, builds

# Each process has a memory of its own, some 80 MB.
MOST_PROCESSES = 2
# How often live tables that others write are caught up with, to compare them.
MOST_TRIES = 50
# While another process starts, one takes in so many events.
WORTH_A_PROCESS = 50_000


def rebuild(
    feed: Feed, recorder: LedgerRecorder, store: Store, progress: Progress, processes: int | None
) -> int:
    """Fill the store anew; the position reached. Until the new tables take the place of the old
    ones, readers see the old rows."""
    making = _made_anew(feed, recorder, store, progress, processes)
    with making as (shadow, rest), store.alone():
        with shadow.transaction() as connection:
            reached = rest.rest(connection, progress)
        shadow.put_in_place()
    return reached


def differences(
    feed: Feed,
    recorder: LedgerRecorder,
    store: Store,
    progress: Progress,
    catch_up: Callable[[], object],
) -> list[Difference]:
    """In which tables the store is otherwise than the log makes it; nothing of it is changed.

    ``catch_up`` brings it to the log's end. NotReady while others write without a pause.
    """
    making = _made_anew(feed, recorder, store, progress, None)
    with making as (shadow, rest), ExitStack() as until:
        for _ in range(MOST_TRIES):
            catch_up()
            with store.alone():
                with shadow.transaction() as connection:
                    reached = rest.rest(connection, progress)
                with store.reading() as live:
                    same = {position for position, _ in feed.bookmarks(live).values()} == {reached}
                if same:
                    # From here on others may write again.
                    both = until.enter_context(shadow.beside())
                    break
        else:
            raise NotReady("Others write without a pause; compare when they do not.")
        return compare(both, store.tables)


@contextmanager
def _made_anew(
    feed: Feed, recorder: LedgerRecorder, store: Store, progress: Progress, processes: int | None
) -> Iterator[tuple[Shadow, Feed]]:
    """A shadow with everything up to some moment of its making, and the feed for the rest."""
    anew = [p.gathering() if isinstance(p, Gathers) else p for p in feed.projections]
    feed = Feed(recorder, feed.mapper, anew)
    with store.shadow() as shadow:
        _begin(feed, shadow, progress)
        if isinstance(shadow, FileShadow):
            with shadow.transaction() as connection:
                last = recorder.max_notification_id() or 0
                of = processes or (worth(last) if recorder.divides else 1)
                take_in_shares(feed, recorder, shadow, progress, of)
                feed.rest(connection, progress)
        else:
            _fill(feed, shadow, progress)
        shadow.finish()
        yield shadow, feed


def _begin(feed: Feed, shadow: Shadow, progress: Progress) -> None:
    """Tables for a new build, or those that a killed one has left, if they are of this log."""
    if shadow.resumed:
        with shadow.transaction() as connection:
            reached = min(position for position, _ in feed.bookmarks(connection).values())
            ours = feed.knows(connection)
        if ours:
            progress(reached)
            return
        shadow.begin_again()
    with shadow.transaction() as connection:
        # Whoever keeps something of the old rows in memory sees that they are gone.
        connection.execute(sa.insert(builds), {"id": secrets.token_hex(16)})


def _fill(feed: Feed, shadow: Shadow, progress: Progress) -> None:
    """The log, in one transaction after the other."""
    before = -1
    while True:
        with shadow.transaction() as connection:
            reached = feed.rest(connection, progress, shadow.together)
        if reached == before:
            return
        before = reached


def worth(events: int) -> int:
    """By how many processes so many events are taken in soonest."""
    return min(MOST_PROCESSES, os.cpu_count() or 1, 1 + events // WORTH_A_PROCESS)
