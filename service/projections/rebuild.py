"""Every projection made anew from the log, in a file that then takes the live one's place."""

import os
import secrets

import sqlalchemy as sa

from service.log import LedgerRecorder
from service.projections.feed import Feed
from service.projections.shadow import shadow_of
from service.projections.shares import Progress, take_in_shares
from service.projections.store import Gathers, Store, builds

# Each process has a memory of its own, some 80 MB.
MOST_PROCESSES = 2
# While another process starts, one takes in so many events.
WORTH_A_PROCESS = 50_000


def rebuild(
    feed: Feed, recorder: LedgerRecorder, store: Store, progress: Progress, processes: int | None
) -> int:
    """Fill the store anew; the position reached. Until the new file takes the place of the old
    one, readers see the old rows."""
    anew = [p.gathering() if isinstance(p, Gathers) else p for p in feed.projections]
    feed = Feed(recorder, feed.mapper, anew)
    with shadow_of(store) as shadow:
        with shadow.transaction() as connection:
            # Whoever keeps something of the old rows in memory sees that they are gone.
            connection.execute(sa.insert(builds), {"id": secrets.token_hex(16)})
            of = processes or worth(recorder.max_notification_id() or 0)
            take_in_shares(feed, recorder, shadow, progress, of)
            feed.rest(connection, progress)
        shadow.finish()
        with store.lock.held():
            with shadow.transaction() as connection:
                reached = feed.rest(connection, progress)
            shadow.put_in_place()
    return reached


def worth(events: int) -> int:
    """By how many processes so many events are taken in soonest."""
    return min(MOST_PROCESSES, os.cpu_count() or 1, 1 + events // WORTH_A_PROCESS)
