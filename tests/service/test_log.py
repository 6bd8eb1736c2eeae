"""The recorder keeps every promise of the library's, and the stored format some of its own."""

import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from typing import Any
from unittest import TestCase
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, Notification, StoredEvent, Transcoder
from eventsourcing.tests import persistence as suites

from domain.actor import acting
from domain.errors import NotReady
from service.commands.carrying import POLITE
from service.commands.events import BEGINNINGS, EVENTS
from service.locks import FileLock
from service.log import LedgerMapper, OrjsonTranscoder, UnreadableEvent
from service.log_sqlite import SQLiteRecorder
from service.settings import HOME
from tests.faults.serving import until
from tests.service.helpers import (
    a_lead,
    call,
    follow,
    journeys,
    ledger_in,
    processes,
    register,
    somebody,
    sqlite_log,
    tip,
    whole_log,
)


class QuietRecorder(SQLiteRecorder):
    """Ours, but returning no positions: so the suite for recorders that have none can run."""

    def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Any:
        super().insert_events(stored_events)


class OnAFile(TestCase):
    """A recorder on a new file for each test."""

    recorder_class = SQLiteRecorder

    def create_recorder(self) -> SQLiteRecorder:
        # A reader that a suite leaves running may open the file once more while it is removed.
        folder = TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        recorder = self.recorder_class(Path(folder.name) / "ledger.sqlite", lock_timeout=30)
        self.addCleanup(recorder.close)
        recorder.create_table()
        return recorder


class TestAggregateRecorder(OnAFile, suites.AggregateRecorderTestCase):
    """The library's suite; it forbids positions, which `TestApplicationRecorder` demands."""

    recorder_class = QuietRecorder


class TestApplicationRecorder(OnAFile, suites.ApplicationRecorderTestCase[SQLiteRecorder]):
    """The library's suite for a recorder of an application."""


class TestNonInterleavingPositions(OnAFile, suites.NonInterleavingNotificationIDsBaseCase):
    """The library's suite: two big saves at once do not mix."""


class TestTranscoder(suites.TranscoderTestCase):
    """The library's suite, as far as it asks for JSON.

    The rest asks for type tags, which ours lacks by design: whoever can write a dictionary could
    otherwise pose as any registered type. What would need a tag is no plain type, and events
    hold plain types only.
    """

    def construct_transcoder(self) -> Transcoder:
        return OrjsonTranscoder()

    def _needs_tags(self) -> None:
        self.skipTest("It wants a type tag in the JSON; ours has none, by design.")

    test_dict_subclass = _needs_tags
    test_list_subclass = _needs_tags
    test_str_subclass = _needs_tags
    test_int_subclass = _needs_tags
    test_tuple = _needs_tags
    test_mixed = _needs_tags
    test_custom_type_in_dict = _needs_tags
    test_nested_custom_type = _needs_tags

    def test_custom_type_error(self) -> None:
        """The library's wording names its transcodings; what counts is the TypeError."""
        for poisoned in (suites.MyClass(), {"a": suites.MyClass()}):
            with self.assertRaises(TypeError):
                self.transcoder.encode(poisoned)
        tagged = b'{"_type_":"custom_type3_as_dict","_data_":""}'
        self.assertEqual(
            self.transcoder.decode(tagged), {"_type_": "custom_type3_as_dict", "_data_": ""}
        )


class Colour(Enum):
    """An enumeration."""

    RED = "red"


@dataclass
class Point:
    """A class of data."""

    x: int


@pytest.mark.parametrize(
    "value",
    [
        math.nan,
        math.inf,
        "\ud800",
        {1: "a key that is no text"},
        {1, 2},
        b"bytes",
        Decimal("1.5"),
        date(2025, 1, 1),
        UUID(int=1),
        Colour.RED,
        Point(1),
        (1, 2),
    ],
    ids=lambda value: type(value).__name__ + ascii(value)[:12],
)
def test_what_json_would_give_back_as_something_else_cannot_be_stored(value: Any) -> None:
    try:
        stored = OrjsonTranscoder().encode({"fact": value})
    except (TypeError, ValueError):
        return
    pytest.fail(f"{value!r} was stored as {stored.decode()}, without a word")


def mapper() -> LedgerMapper:
    """The ledger's own."""
    return LedgerMapper(EVENTS, BEGINNINGS)


def stored(topic: str = "lead.followed_up", state: bytes = b"{}") -> Notification:
    """An event as it could stand in the log at position 7."""
    return Notification(UUID(int=5), 3, topic, state, 7)


PLACE = "Event 3 of 00000000-0000-0000-0000-000000000005"


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{",
        b'{"timestamp": "2025-01-01T00:00:00Z"',
        b"\xff\xfe",
        b"[]",
        b"3",
        b"null",
        b"{}",
        b'{"timestamp": null}',
        b'{"timestamp": "yesterday"}',
        b'{"timestamp": NaN}',
        b'{"timestamp": "2025-01-01T00:00:00Z", "class_version": "2"}',
        b'{"timestamp": "2025-01-01T00:00:00Z", "class_version": null}',
        b'{"timestamp": "2025-01-01T00:00:00Z", "class_version": 0}',
    ],
)
def test_a_damaged_state_is_refused_and_named_with_its_position(state: bytes) -> None:
    with pytest.raises(UnreadableEvent) as refused:
        mapper().to_domain_event(stored(state=state))
    assert str(refused.value).startswith(f"{PLACE} (lead.followed_up) at position 7 ")


def test_rows_of_the_log_are_the_events_that_the_recorder_notifies_of(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        rows = ledger.log_recorder.stored_rows(0, 2**31)
        found = dict(ledger.mapper.events_in(rows))
        told = {one.id: ledger.mapper.to_domain_event(one) for one in whole_log(ledger)}
        assert {at: vars(event) for at, event in found.items()} == {
            at: vars(event) for at, event in told.items()
        }
        assert [type(event) for event in found.values()] == [type(e) for e in told.values()]


def test_a_damaged_row_is_refused_and_named_by_whoever_reads_the_log() -> None:
    whole = b'{"timestamp": "2025-01-01T00:00:00Z"}'
    row = (7, UUID(int=5).hex.encode(), 3, b"lead.followed_up", whole)
    with pytest.raises(UnreadableEvent) as refused:
        list(mapper().events_in([row]))
    assert str(refused.value).startswith(f"{PLACE} (lead.followed_up) at position 7 is damaged: it")
    with pytest.raises(
        UnreadableEvent, match=r"\(lead\.\ufffd\) at position 7 has a topic unknown"
    ):
        list(mapper().events_in([(*row[:3], b"lead.\xff", whole)]))


def test_an_event_version_newer_than_known_is_refused() -> None:
    state = b'{"timestamp": "2025-01-01T00:00:00Z", "class_version": 2}'
    with pytest.raises(UnreadableEvent, match=r"position 7 is of a version unknown here, 2\."):
        mapper().to_domain_event(stored(state=state))


class Remarked:
    """An event whose third version is the present one."""

    TOPIC = "test.remarked"
    class_version = 3

    @staticmethod
    def upcast_v1_v2(state: dict[str, Any]) -> None:
        """The second version brought the unit."""
        state["unit"] = "元"

    @staticmethod
    def upcast_v2_v3(state: dict[str, Any]) -> None:
        """The third one joined amount and unit."""
        state["money"] = f"{state.pop('amount')} {state.pop('unit')}"


@pytest.mark.parametrize(
    ("state", "money"),
    [
        (b'{"timestamp":"2025-01-01T00:00:00Z","amount":"3"}', "3 元"),
        (
            '{"timestamp":"2025-01-01T00:00:00Z","amount":"3","unit":"亿元",'
            '"class_version":2}'.encode(),
            "3 亿元",
        ),
        (
            '{"timestamp":"2025-01-01T00:00:00Z","money":"4 亿元","class_version":3}'.encode(),
            "4 亿元",
        ),
    ],
)
def test_an_old_event_version_is_brought_to_the_present_one(state: bytes, money: str) -> None:
    versioned = LedgerMapper([Remarked], {})
    event = versioned.to_domain_event(stored("test.remarked", state))
    assert event.money == money
    assert not vars(event).keys() & {"amount", "unit", "class_version"}
    again = versioned.to_stored_event(event)
    assert versioned.to_domain_event(again).money == money
    assert b'"class_version":3' in again.state


def test_an_event_of_no_known_class_is_not_stored() -> None:
    class FollowedUp:
        TOPIC = "lead.followed_up"

    class Unheard:
        TOPIC = "lead.unheard"

    with pytest.raises(UnreadableEvent, match=r"lead\.followed_up belongs to"):
        mapper().to_stored_event(FollowedUp())  # type: ignore[arg-type]
    with pytest.raises((UnreadableEvent, KeyError), match=r"lead\.unheard"):
        mapper().to_stored_event(Unheard())  # type: ignore[arg-type]


def test_a_moment_comes_back_as_the_same_moment_in_utc(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        register(ledger)
        event: Any = ledger.mapper.to_domain_event(whole_log(ledger)[0])
    assert event.timestamp.utcoffset() == timedelta(0)
    assert datetime.now(UTC) - event.timestamp < timedelta(minutes=1)


def test_the_stored_state_names_neither_module_nor_class(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        tip(ledger, register(ledger).subject)
        for event in whole_log(ledger):
            for word in (b"domain.", b"service.", b"Lead", b"Member", b"originator", b"topic"):
                assert word not in event.state


def test_a_save_of_an_iterator_that_fails_midway_records_nothing(tmp_path: Path) -> None:
    def broken() -> Iterable[StoredEvent]:
        yield StoredEvent(uuid4(), 1, "t", b"{}")
        yield StoredEvent(uuid4(), 1, "t", b"{}")
        raise RuntimeError("the file to import ended early")

    with ledger_in(tmp_path) as ledger:
        with pytest.raises(RuntimeError, match="ended early"):
            ledger.record_all(broken())
        assert whole_log(ledger) == []
        assert ledger.record_all([StoredEvent(uuid4(), 1, "t", b"{}")]) == 1
        assert [event.id for event in whole_log(ledger)] == [1]


@pytest.mark.sqlite_alone("the file's connections; test_log_postgres.py has PostgreSQL's")
def test_a_save_shows_in_the_commits_here_and_in_the_data_version_elsewhere(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        recorder = sqlite_log(ledger)
        seen, commits = recorder.data_version(), recorder.commits
        whole_log(ledger)
        register(ledger, "1")
        assert (recorder.data_version(), recorder.commits) == (seen, commits + 1)
        register(other, "2")
        later = recorder.data_version()
        assert later != seen and recorder.commits == commits + 1
        # The other's save is not hidden by a save of our own between it and the question.
        register(other, "3")
        register(ledger, "4")
        assert recorder.data_version() != later


@pytest.mark.sqlite_alone("the file's connections; test_log_postgres.py has PostgreSQL's")
def test_what_is_read_in_the_midst_of_a_write_is_what_was_committed(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        register(ledger)
        committed = whole_log(ledger)
        with sqlite_log(ledger).writing() as writer:
            writer.execute("DELETE FROM stored_events")
            assert whole_log(ledger) == committed
            writer.execute("ROLLBACK")
            writer.execute("BEGIN")
        assert whole_log(ledger) == committed


STREAMS = 4
SAVES = 100
AT_ONCE = 3


def write_many(barrier: Any, path: Path, writer: int) -> list[list[int]]:
    """Saves of several events each; the positions that each save was given."""
    recorder = SQLiteRecorder(path, lock_timeout=30)
    barrier.wait()
    positions = []
    for save in range(SAVES):
        events = [
            StoredEvent(UUID(int=writer + 1), save * AT_ONCE + at + 1, "t", b"%d" % writer)
            for at in range(AT_ONCE)
        ]
        positions.append(list(recorder.insert_events(events)))
    recorder.close()
    return positions


def tail(barrier: Any, path: Path, _writer: int) -> list[tuple[int, UUID, int]]:
    """Follow the log from its beginning until every save has come."""
    recorder = SQLiteRecorder(path, lock_timeout=30)
    barrier.wait()
    seen: list[tuple[int, UUID, int]] = []
    while len(seen) < STREAMS * SAVES * AT_ONCE:
        last = seen[-1][0] if seen else 0
        new = recorder.select_notifications(last, 50, inclusive_of_start=False)
        # A reader that misses one would wait for ever: whoever comes last ends it.
        if not new and recorder.max_notification_id() == STREAMS * SAVES * AT_ONCE == last:
            break
        seen += [(n.id, UUID(str(n.originator_id)), n.originator_version) for n in new]
    recorder.close()
    return seen


def test_commands_that_wait_for_another_process_are_one_transaction(tmp_path: Path) -> None:
    """Each is recorded whole or not at all, by itself."""
    path = tmp_path / "ledger.sqlite"
    recorder = SQLiteRecorder(path, lock_timeout=30)
    recorder.create_table()
    recorder.insert_events([StoredEvent(UUID(int=1), 1, "t", b"")])
    commits, taken = recorder.commits, StoredEvent(UUID(int=1), 1, "t", b"other")
    commands = [[StoredEvent(uuid4(), 1, "t", b""), *more] for more in ([], [taken], [])]
    with ThreadPoolExecutor(3) as pool:
        with FileLock(path.with_name(path.name + ".lock"), 30).held():
            found = [pool.submit(recorder.insert_events, command) for command in commands]
            until(lambda: len(recorder.queue) == len(commands), "all to wait")
        kept = [one.result() for one in found if one.exception() is None]
    refused = [one.exception() for one in found if one.exception() is not None]
    assert [type(why) for why in refused] == [IntegrityError]
    assert sorted(map(list, kept)) == [[2], [3]]
    assert recorder.commits == commits + 1
    assert [(n.id, n.state) for n in recorder.select_notifications(None, 10)] == [
        (position, b"") for position in (1, 2, 3)
    ]
    recorder.close()


def test_workers_commands_that_are_about_to_be_written_go_together(tmp_path: Path) -> None:
    """Nobody of a worker gets on while its commit waits for the disk."""
    code = """
from gevent import monkey
monkey.patch_all()
import sys
from pathlib import Path
from uuid import uuid4
import gevent
from eventsourcing.persistence import StoredEvent
from service.log_sqlite import SQLiteRecorder
recorder = SQLiteRecorder(Path(sys.argv[1]), 30)
recorder.create_table()
before = recorder.commits
def put():
    return recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"")])
clients = [gevent.spawn(put) for _ in range(16)]
gevent.joinall(clients, raise_error=True)
assert sorted(client.value for client in clients) == [[n] for n in range(1, 17)]
assert recorder.commits == before + 1, recorder.commits
recorder.close()
"""
    command = [sys.executable, "-c", code, str(tmp_path / "ledger.sqlite")]
    subprocess.run(command, check=True, cwd=HOME, timeout=60)


def test_a_recorder_lets_go_of_its_file_beside_threads_that_read_and_write(tmp_path: Path) -> None:
    """SQLite's own connections would be pulled from under them, and the process would die."""
    recorder = SQLiteRecorder(tmp_path / "ledger.sqlite", lock_timeout=30)
    recorder.create_table()
    stopped = Event()

    def go_on(_worker: int) -> int:
        rounds = 0
        while not stopped.is_set():
            recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"s")])
            rounds += len(recorder.select_notifications(None, 20)) > 0
        return rounds

    with ThreadPoolExecutor(3) as pool:
        going = [pool.submit(go_on, worker) for worker in range(3)]
        for _ in range(200):
            recorder.close()
        stopped.set()
        assert sum(work.result() for work in going) > 0
    recorder.close()


def write_or_tail(barrier: Any, path: Path, writer: int) -> Any:
    """The last process reads, the others write."""
    return (tail if writer == STREAMS else write_many)(barrier, path, writer)


def test_processes_that_write_at_once_lose_nothing_and_a_tailing_reader_misses_nothing(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ledger.sqlite"
    recorder = SQLiteRecorder(path, lock_timeout=30)
    recorder.create_table()
    *written, tailed = processes(write_or_tail, *[(path, n) for n in range(STREAMS + 1)])
    log = recorder.select_notifications(None, 2**31)
    recorder.close()
    assert [n.id for n in log] == list(range(1, STREAMS * SAVES * AT_ONCE + 1))
    assert tailed == [(n.id, n.originator_id, n.originator_version) for n in log]
    by_position = {n.id: n for n in log}
    for writer, saves in enumerate(written):
        told = [position for save in saves for position in save]
        events = [by_position[position] for position in told]
        assert [e.originator_version for e in events] == list(range(1, SAVES * AT_ONCE + 1))
        assert {e.originator_id for e in events} == {UUID(int=writer + 1)}
        for save in saves:
            assert save == list(range(save[0], save[0] + AT_ONCE)), "a save was torn"


def clash(barrier: Any, path: Path, _number: int) -> int:
    """Try to take the same versions as everybody else; how many were had."""
    recorder = SQLiteRecorder(path, lock_timeout=30)
    barrier.wait()
    had = 0
    for version in range(1, 101):
        try:
            recorder.insert_events([StoredEvent(UUID(int=1), version, "t", b"{}")])
            had += 1
        except IntegrityError:
            continue
    recorder.close()
    return had


def test_of_processes_that_take_the_same_version_exactly_one_gets_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    recorder = SQLiteRecorder(path, lock_timeout=30)
    recorder.create_table()
    assert sum(processes(clash, *[(path, n) for n in range(4)])) == 100
    assert recorder.max_notification_id() == 100
    recorder.close()


class Overtaken(Mapping[str, Any]):
    """Facts; whenever they are looked at, somebody else is about to record something first."""

    def __init__(self, rival: Callable[[], Any], **facts: Any) -> None:
        self.facts, self.rival, self.times = facts, rival, 0

    def __getitem__(self, name: str) -> Any:
        return self.facts[name]

    def __len__(self) -> int:
        return len(self.facts)

    def __iter__(self) -> Iterator[str]:
        with suppress(NotReady):
            self.rival()
            self.times += 1
        return iter(self.facts)


@pytest.mark.sqlite_alone("PostgreSQL gives its lock in the order in which it was asked for")
def test_who_was_overtaken_again_and_again_is_alone_for_once(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path, lock_timeout=0.05) as other:
        lead = a_lead(ledger)
        facts = Overtaken(
            lambda: follow(other, lead), form="visit", result="终于", occurred_on="2025-04-01"
        )
        with acting(somebody()):
            answer = ledger.follow_up(lead, call(), facts)
        assert (facts.times, answer.version) == (POLITE, POLITE + 2)
        follow(other, lead)
        followed = [event for event in whole_log(ledger) if event.topic == "lead.followed_up"]
        assert len(followed) == POLITE + 2
