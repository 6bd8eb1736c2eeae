"""The log in PostgreSQL keeps every promise of the library's, and the order of its commits."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from threading import Thread
from threading import enumerate as enumerate_threads
from typing import Any
from unittest import TestCase
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.tests import persistence as suites

from domain.errors import NotReady
from service.log_postgres import PostgresRecorder
from service.log_sqlite import SQLiteRecorder
from service.postgres import Postgres
from service.projections.postgres_pool import Connections
from tests.faults.serving import until
from tests.postgres import database_of, drop_databases_in, rows
from tests.service.helpers import processes


def recorder_on(postgres: Postgres, patience: float = 30.0) -> PostgresRecorder:
    """A recorder with connections of its own."""
    return PostgresRecorder(Connections(postgres, patience))


@pytest.fixture
def recorder(postgres: Postgres) -> Iterator[PostgresRecorder]:
    """One on an empty database."""
    found = recorder_on(postgres)
    found.create_table()
    yield found
    found.close()


def join_all_but(before: Iterable[Thread]) -> None:
    """Wait for threads that the library's suite leaves running when a test of it ends."""
    for thread in set(enumerate_threads()) - set(before):
        thread.join()


class OnADatabase(TestCase):
    """A recorder on a new database for each test."""

    recorder_class = PostgresRecorder

    def create_recorder(self) -> PostgresRecorder:
        folder = Path(mkdtemp())
        self.addCleanup(folder.rmdir)
        self.addCleanup(drop_databases_in, folder)
        recorder = self.recorder_class(Connections(database_of(folder), 30.0))
        self.addCleanup(recorder.close)
        recorder.create_table()
        before = enumerate_threads()
        self.addCleanup(join_all_but, before)
        return recorder


class QuietRecorder(PostgresRecorder):
    """Ours, but returning no positions: so the suite for recorders that have none can run."""

    def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Any:
        super().insert_events(stored_events)


class TestAggregateRecorder(OnADatabase, suites.AggregateRecorderTestCase):
    """The library's suite; it forbids positions, which `TestApplicationRecorder` demands."""

    recorder_class = QuietRecorder


class TestApplicationRecorder(OnADatabase, suites.ApplicationRecorderTestCase[PostgresRecorder]):
    """The library's suite for a recorder of an application."""


class TestNonInterleavingPositions(OnADatabase, suites.NonInterleavingNotificationIDsBaseCase):
    """The library's suite: two big saves at once do not mix."""


def events(count: int = 1, stream: UUID | None = None, first: int = 1) -> list[StoredEvent]:
    """Events that nobody else writes."""
    stream, said = stream or uuid4(), uuid4().hex.encode()
    return [StoredEvent(stream, first + n, "lead.tipped", said) for n in range(count)]


def test_the_bytes_that_proofs_are_about_are_those_of_sqlite(
    recorder: PostgresRecorder, tmp_path: Path
) -> None:
    beside = SQLiteRecorder(tmp_path / "ledger.sqlite", 5)
    beside.create_table()
    state = '{"title":"晶圆 \\u0000 😀"}'.encode() + bytes(range(256))
    some = [StoredEvent(uuid4(), n, "lead.tipped", state) for n in (1, 2, 2**40)]
    for kept in (recorder, beside):
        assert list(kept.insert_events(some)) == [1, 2, 3]
        assert list(kept.insert_events(events())) == [4]
    lead = some[0].originator_id
    assert isinstance(lead, UUID)
    for ask in (
        lambda kept: kept.stored_rows(0, 3),
        lambda kept: kept.stored_rows(1, 10, 2),
        lambda kept: kept.stored_rows_of(lead),
        lambda kept: kept.first_positions([lead, lead.hex, uuid4()]),
        lambda kept: kept.named_at([3, 1, 99]),
        lambda kept: kept.count_upto(2),
        lambda kept: kept.select_events(lead, gt=1, desc=True),
        lambda kept: kept.select_notifications(None, 3, topics=["lead.tipped"]),
        lambda kept: kept.max_notification_id(),
    ):
        asked: Callable[[Any], Any] = ask
        assert asked(recorder) == asked(beside)
    beside.close()


def test_positions_have_no_gaps_whatever_was_refused_or_broke_off(
    recorder: PostgresRecorder,
) -> None:
    first = events(2)
    assert list(recorder.insert_events(first)) == [1, 2]
    with pytest.raises(IntegrityError):
        recorder.insert_events([*events(), first[1]])
    with pytest.raises(IntegrityError):
        recorder.insert_events([*events(3000), first[1]])
    assert list(recorder.insert_events(events())) == [3]
    assert list(recorder.insert_events(iter(events(4001)))) == list(range(4, 4005))
    assert list(recorder.insert_events([])) == []


def test_an_import_that_breaks_off_leaves_nothing(recorder: PostgresRecorder) -> None:
    def broken() -> Iterable[StoredEvent]:
        yield from events(5000)
        raise RuntimeError("the file ended early")

    with pytest.raises(RuntimeError, match="ended early"):
        recorder.insert_events(broken())
    assert recorder.max_notification_id() is None
    assert list(recorder.insert_events(events())) == [1]


class Counting(PostgresRecorder):
    """Tells how many commands went together in each transaction."""

    def __init__(self, connections: Connections) -> None:
        super().__init__(connections)
        self.transactions: list[int] = []

    def _append_once(self, commands: Any) -> Any:
        self.transactions.append(len(commands))
        return super()._append_once(commands)


def test_commands_that_wait_at_the_same_moment_are_recorded_each_by_itself(
    postgres: Postgres,
) -> None:
    """While somebody holds the lock twenty come; two of them want a version that is taken."""
    recorder = Counting(Connections(postgres, 30))
    recorder.create_table()
    taken = events()
    recorder.insert_events(taken)
    commands = [events(2) for _ in range(18)] + [[*events(), taken[0]], [taken[0]]]
    found: dict[int, Any] = {}

    def put(number: int) -> None:
        try:
            found[number] = list(recorder.insert_events(commands[number]))
        except IntegrityError as why:
            found[number] = why

    with postgres.connect(autocommit=False) as other:
        other.execute("SELECT pg_advisory_xact_lock(7104201)")
        threads = [Thread(target=put, args=[number]) for number in range(20)]
        for thread in threads:
            thread.start()
        until(lambda: len(recorder.queue) == 19, "the first to wait for the others")
    for thread in threads:
        thread.join()
    assert [type(found[number]) for number in range(20)] == [list] * 18 + [IntegrityError] * 2
    assert sorted(p for number in range(18) for p in found[number]) == list(range(2, 38))
    assert recorder.max_notification_id() == 37
    assert recorder.transactions == [1, 1, 19]
    recorder.close()


def test_who_waits_too_long_is_told_and_nothing_of_it_is_recorded(
    postgres: Postgres, recorder: PostgresRecorder
) -> None:
    hasty = recorder_on(postgres, patience=0.2)
    with postgres.connect(autocommit=False) as other:
        other.execute("SELECT pg_advisory_xact_lock(7104201)")
        with pytest.raises(NotReady, match=r"Waited 0\.2 s"):
            hasty.insert_events(events())
        with pytest.raises(NotReady, match=r"Waited 0\.2 s"):
            hasty.try_write()
    hasty.try_write()
    assert list(hasty.insert_events(events())) == [1]
    hasty.close()


def test_the_version_tells_what_went_on_whoever_did_it(
    recorder: PostgresRecorder, postgres: Postgres
) -> None:
    rows(postgres, "CREATE TABLE ledger.tokens (id int)")
    recorder.heed(["tokens"])
    recorder.heed(["tokens"])
    other = recorder_on(postgres)
    first = recorder.version()
    other.insert_events(events())
    second = recorder.version()
    assert second.beside == first.beside and recorder.last_position(second) == 1
    with postgres.connect(autocommit=False) as open_still:
        open_still.execute("INSERT INTO ledger.tokens VALUES (1)")
        assert recorder.version() == second
    third = recorder.version()
    assert third.beside != second.beside and third.log == second.log
    rows(postgres, "TRUNCATE ledger.tokens")
    assert recorder.version().beside != third.beside
    other.close()


def test_streams_come_whole_with_the_version(recorder: PostgresRecorder) -> None:
    assert recorder.version_beside([uuid4()])[0] == recorder.version()
    one, two, none = uuid4(), uuid4(), uuid4()
    for written in (events(3, one), events(1, two), events(2), events(2, one, 4)):
        recorder.insert_events(written)
    version, streams = recorder.version_beside([none, one, two])
    assert version == recorder.version()
    assert streams == {id: recorder.select_events(id) for id in (none, one, two)}
    assert [len(streams[id]) for id in (none, one, two)] == [0, 5, 1]
    assert recorder.version_beside([]) == (version, {})


WRITERS = 16


def write_or_tail(barrier: Any, where: Postgres, saves: int, number: int) -> Any:
    """The last process follows the log, the others write: saves of one to five events."""
    recorder, total = recorder_on(where), WRITERS * events_of(saves)
    barrier.wait()
    seen: list[Any] = []
    if number < WRITERS:
        for save in range(saves):
            some = events(1 + save % 5)
            seen += [(position, some[0].state) for position in recorder.insert_events(some)]
    else:
        while len(seen) < total:
            new = recorder.stored_rows(seen[-1][0] if seen else 0, 50)
            seen += [(row[0], row[4]) for row in new]
            # Who misses one would wait for ever: the last one ends it.
            if not new and seen and seen[-1][0] == total:
                break
    recorder.close()
    return seen


def events_of(saves: int) -> int:
    """How many events so many saves have."""
    return sum(1 + save % 5 for save in range(saves))


@pytest.mark.parametrize("saves", [40, pytest.param(400, marks=pytest.mark.fault)])
def test_who_follows_the_log_misses_no_event_of_sixteen_writers(
    recorder: PostgresRecorder, postgres: Postgres, saves: int
) -> None:
    each = [(postgres, saves, number) for number in range(WRITERS + 1)]
    *written, followed = processes(write_or_tail, *each)
    assert [at for at, _ in followed] == list(range(1, WRITERS * events_of(saves) + 1))
    assert sorted(one for writer in written for one in writer) == followed
    assert recorder.max_notification_id() == len(followed)
