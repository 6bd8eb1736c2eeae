"""How fast commands are appended on PostgreSQL, by the ways in which their order can be kept.

Beside raw inserts, which keep none: a reader that follows them misses events. Each command is two
events (a fact, and its idempotency key) and waits for the disk. The ways take turns within a round,
on one server, each on a table of its own kind, so that what else the machine does meets them alike.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from threading import Barrier, Thread, local
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from eventsourcing.persistence import StoredEvent

from service import log_schema
from service.log_postgres import PostgresRecorder
from service.postgres import Postgres
from service.projections.postgres_pool import Connections
from tests.bench.harness import Report
from tests.postgres import running

pytestmark = pytest.mark.bench

ROUNDS, SECONDS = 9, 0.4
STATE = b'{"timestamp":"2025-01-01T00:00:00.000000Z","actor":"%s"}' % (b"x" * 250)
# As the library has it: the same columns, numbered by the database.
TABLE = """
CREATE TABLE {0} (
    position bigserial PRIMARY KEY, originator_id uuid NOT NULL, originator_version bigint NOT NULL,
    topic text NOT NULL, state bytea NOT NULL, UNIQUE (originator_id, originator_version)
)"""
INSERT = (
    "INSERT INTO {0} (originator_id, originator_version, topic, state) SELECT * FROM "
    "unnest(%s::uuid[], %s::bigint[], %s::text[], %s::bytea[]) RETURNING position"
)
Way = Callable[[], object]


def command() -> tuple[list[Any], list[int], list[str], list[bytes]]:
    """Two events."""
    return [uuid4(), uuid4()], [1, 1], ["lead.tipped", "request.answered"], [STATE, STATE]


class Each:
    """A connection for each thread."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self._mine = local()
        self._all: list[psycopg.Connection[Any]] = []

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """This thread's."""
        if not hasattr(self._mine, "connection"):
            self._mine.connection = self._postgres.connect()
            self._all.append(self._mine.connection)
        found: psycopg.Connection[Any] = self._mine.connection
        return found

    def close(self) -> None:
        """All of them."""
        for connection in self._all:
            connection.close()
        self._all.clear()
        self._mine = local()


def ways(each: Each, recorder: PostgresRecorder) -> dict[str, Way]:
    """What is measured, raw inserts first."""
    insert_raw, insert_locked = INSERT.format("bare"), INSERT.format("locked")

    def raw() -> None:
        each.connection.execute(insert_raw, command(), prepare=True).fetchall()

    def table_lock() -> None:
        connection = each.connection
        with connection.pipeline(), connection.transaction():
            connection.execute("SET LOCAL lock_timeout = '5s'", prepare=True)
            connection.execute("LOCK TABLE locked IN EXCLUSIVE MODE", prepare=True)
            connection.execute(insert_locked, command(), prepare=True).fetchall()

    def function() -> None:
        told = [5000, [2], *command()]
        each.connection.execute(log_schema.APPEND, told, prepare=True).fetchall()

    def together() -> None:
        recorder.insert_events(list(map(StoredEvent, *command())))

    return {
        "raw inserts": raw,
        "the library's table lock": table_lock,
        "a function under an advisory lock": function,
        "the same, waiting commands together": together,
    }


def rate(way: Way, threads: int, release: Callable[[], None]) -> float:
    """Commands a second by so many threads."""
    start, counts = Barrier(threads), [0] * threads

    def work(number: int) -> None:
        way()
        start.wait()
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            way()
            counts[number] += 1

    working = [Thread(target=work, args=[number]) for number in range(threads)]
    for thread in working:
        thread.start()
    for thread in working:
        thread.join()
    release()
    return sum(counts) / SECONDS


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    """A server as it comes: commits wait for the disk."""
    with running({}) as server:
        yield server.make_database("bench")


@pytest.mark.parametrize("threads", [1, 4, 16])
def test_appending_in_order(postgres: Postgres, report: Report, threads: int) -> None:
    each = Each(postgres)
    with closing(PostgresRecorder(Connections(postgres, 30))) as recorder:
        recorder.create_table()
        with postgres.connect() as connection:
            for name in ("bare", "locked"):
                connection.execute(f"DROP TABLE IF EXISTS {name}")
                connection.execute(TABLE.format(name))
        found = ways(each, recorder)
        rates: dict[str, list[float]] = {name: [] for name in found}
        for _ in range(ROUNDS):
            for name, way in found.items():
                rates[name].append(rate(way, threads, each.close))
    bare = rates.pop("raw inserts")
    for name, measured in rates.items():
        report.add(
            f"appending on PostgreSQL by {threads} at once, {name}, beside raw inserts",
            [one / other for one, other in zip(measured, bare, strict=True)],
            detail=f"{statistics.median(measured):.0f}/s beside {statistics.median(bare):.0f}/s",
        )
