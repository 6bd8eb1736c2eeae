"""The hazards of our libraries that were measured (facts.md), each with what we do about it."""

import os
import resource
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    OperationalError,
    PersistenceError,
    StoredEvent,
)

from domain.errors import LedgerError, NotReady
from service.application import Ledger
from service.log import UnreadableEvent
from service.log_sqlite import SQLiteRecorder
from tests.service.helpers import (
    CONTEXT,
    PATIENCE,
    a_lead,
    call,
    check_projections,
    follow,
    journeys,
    ledger_at,
    ledger_in,
    opened,
    processes,
    raw,
    register,
    result_of,
    settings_in,
    sqlite_log,
    started,
    tip,
    whole_log,
)

TAGGED = {"_type_": "uuid_hex", "_data_": "b2723fe2c01a40d2875ea3aac6a09ff5"}
STATE = b'{"timestamp":"2025-01-01T00:00:00Z"}'


# "The JSON transcoder turns a user's dict with exactly the keys _type_ and _data_ into an
# unreadable aggregate. …"


def test_a_dictionary_that_poses_as_a_type_comes_back_as_it_was(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        lead = tip(ledger, member, source=TAGGED)
        follow(ledger, lead.subject)
        found = ledger.reads.lead_at(lead.subject, version=1)
        assert b'"source":{"_type_":"uuid_hex","_data_":"b2723f' in found.body
        assert lead.body["source"] == TAGGED
        assert ledger.reads.history(lead.subject)[0]["facts"]["source"] == TAGGED
        check_projections(ledger)


@pytest.mark.parametrize(
    "facts",
    [{"investor": {}}, {"investor": TAGGED}, {"investor": {"name": None}}],
    ids=["empty", "tagged", "nameless"],
)
def test_what_a_command_accepts_the_projections_can_take_in(
    tmp_path: Path, facts: dict[str, Any]
) -> None:
    """One event that they cannot take in stops every read of the whole ledger, for ever."""
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        try:
            lead = tip(ledger, member, **facts).subject
        except LedgerError:
            assert len(whole_log(ledger)) == 1, "refused, so nothing may be recorded"
        else:
            assert ledger.reads.lead(lead).version == 1


def test_a_lone_surrogate_is_refused_and_nothing_of_it_is_recorded(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        before = len(whole_log(ledger))
        with pytest.raises(TypeError, match="surrogates"):
            follow(ledger, lead, "\ud83d")
        assert len(whole_log(ledger)) == before
        assert follow(ledger, lead, "🐈").version == 2


# "A topic is imported as a module path by whoever can write the row."


@pytest.mark.parametrize(
    "topic", ["antigravity:x", "os:system", "domain.lead:Lead.Signed", "Lead.Signed", "", "lead."]
)
def test_an_unknown_topic_fails_closed_and_imports_nothing(tmp_path: Path, topic: str) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        ledger.record_all([StoredEvent(lead, 2, topic, STATE)])
        before = set(sys.modules)
        with pytest.raises(UnreadableEvent, match="has a topic unknown here"):
            follow(ledger, lead)
        with pytest.raises(NotReady, match="position 3.*unknown here"):  # noqa: RUF043
            ledger.reads.lead(lead)
        assert set(sys.modules) == before
        assert len(whole_log(ledger)) == 3


# "old code reads newer events silently (refuse versions newer than known)"


def test_a_newer_event_stops_commands_and_reads_of_that_lead(tmp_path: Path) -> None:
    newer = b'{"timestamp":"2025-01-01T00:00:00Z","class_version":2}'
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        ledger.record_all([StoredEvent(lead, 2, "lead.followed_up", newer)])
        with pytest.raises(UnreadableEvent, match="of a version unknown here, 2"):
            follow(ledger, lead)
        with pytest.raises(NotReady, match="position 3.*version unknown here, 2"):  # noqa: RUF043
            ledger.reads.lead(lead)


# "save() empties the aggregate's pending events before it writes: after a failed save a second
# save stores nothing and says nothing."


@contextmanager
def locked(ledger: Ledger) -> Iterator[None]:
    """Another program has the database for itself."""
    other = raw(ledger.settings.database)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def full(ledger: Ledger) -> Iterator[None]:
    """The file cannot grow: SQLite says what it says on a full disk."""
    with sqlite_log(ledger).writing() as writer:
        (pages,) = writer.execute("PRAGMA page_count").fetchone()
        writer.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        with sqlite_log(ledger).writing() as writer:
            writer.execute("PRAGMA max_page_count = 4294967294")


@contextmanager
def read_only(ledger: Ledger) -> Iterator[None]:
    """SQLite takes the file for one that it may only read."""
    with sqlite_log(ledger).writing() as writer:
        writer.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        writer.execute("PRAGMA query_only = OFF")


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
@pytest.mark.parametrize(
    ("trouble", "says"),
    [(locked, "locked"), (full, "full"), (read_only, "readonly")],
    ids=["locked", "full", "read_only"],
)
def test_a_failed_save_loses_nothing_and_the_next_one_stores_the_right_events(
    tmp_path: Path, trouble: Any, says: str
) -> None:
    with ledger_in(tmp_path, lock_timeout=0.2) as ledger:
        lead = a_lead(ledger)
        long = "长" * 4000
        before = whole_log(ledger)
        with trouble(ledger):
            for _ in range(2):
                with pytest.raises(OperationalError, match=says):
                    follow(ledger, lead, long, call("k"))
            assert whole_log(ledger) == before, "reading goes on"
        answer = follow(ledger, lead, long, call("k"))
        assert (answer.version, answer.replayed) == (2, False)
        assert answer.body == follow(ledger, lead, long, call("k")).body
        topics = [event.topic for event in whole_log(ledger)[len(before) :]]
        assert topics == ["lead.followed_up", "request.answered"]
        check_projections(ledger)


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_a_save_that_is_interrupted_between_its_events_leaves_none_of_them(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        with pytest.raises(KeyboardInterrupt), sqlite_log(ledger).writing() as writer:  # noqa: PT012
            writer.execute("INSERT INTO stored_events VALUES ('x', 1, 't', x'00')")
            raise KeyboardInterrupt
        assert follow(ledger, lead).position == 3


# "A failed connection open (descriptors exhausted) leaks the writer lock: every later save in
# that process fails after 5 s, for ever, while reads work. Readiness must try a write."


def save_without_descriptors(folder: Path, free: int) -> tuple[str, list[str]]:
    """Save with ``free`` descriptors left, then with enough again: the failure, the log after."""
    settings = settings_in(folder, lock_timeout=0.5)
    with ledger_at(settings) as first:
        lead = a_lead(first)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    held = []
    failure = ""
    ledger = Ledger(settings)
    try:
        while True:
            held.append(os.open(os.devnull, os.O_RDONLY))
    except OSError:
        for _ in range(free):
            os.close(held.pop())
    try:
        ledger.log_recorder.try_write()
    except (NotReady, PersistenceError) as why:
        failure = str(why)
    except OSError as why:
        failure = f"a bare {why!r}"
    for handle in held:
        os.close(handle)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for number in range(3):
        follow(ledger, lead, f"第{number}次")
    log = [event.topic for event in whole_log(ledger)]
    ledger.close()
    return failure, log


AFTER = ["member.registered", "lead.tipped", *["lead.followed_up"] * 3]


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
@pytest.mark.parametrize("free", [0, 1, 2, 3])
def test_a_writer_that_ran_out_of_descriptors_leaves_no_lock_behind(
    tmp_path: Path, free: int
) -> None:
    failure, log = result_of(*started(save_without_descriptors, tmp_path, free))
    assert log == AFTER
    assert failure, "there were descriptors enough: the test shows nothing"


def test_a_writer_without_descriptors_says_not_ready_rather_than_break(tmp_path: Path) -> None:
    failure, _ = result_of(*started(save_without_descriptors, tmp_path, 0))
    assert "bare OSError" not in failure


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_a_database_that_cannot_be_opened_leaves_no_lock_behind(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, lock_timeout=0.5)
    settings.database.mkdir()
    ledger = Ledger(settings)
    for _ in range(2):
        with pytest.raises(OperationalError, match="unable to open"):
            ledger.log_recorder.try_write()
    settings.database.rmdir()
    with opened(ledger):
        a_lead(ledger)
        assert len(whole_log(ledger)) == 2


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_readiness_tries_a_write_and_meets_what_a_command_would(tmp_path: Path) -> None:
    with ledger_in(tmp_path, lock_timeout=0.1) as ledger, ledger_in(tmp_path) as other:
        ledger.log_recorder.try_write()
        with locked(ledger), pytest.raises(OperationalError, match="locked"):
            ledger.log_recorder.try_write()
        with read_only(ledger), pytest.raises(OperationalError, match="readonly"):
            ledger.log_recorder.try_write()
        with sqlite_log(other).writing(), pytest.raises(NotReady, match="still busy"):
            ledger.log_recorder.try_write()
        ledger.log_recorder.try_write()
        assert whole_log(ledger) == [], "readiness is no event"


# "Without PERSISTENCE_MODULE it stores in memory, silently." "AGGREGATE_CACHE_MAXSIZE with
# threads: torn aggregates and errors." And every other variable of the library.


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_the_librarys_environment_variables_have_no_influence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = {
        "PERSISTENCE_MODULE": "eventsourcing.popo",
        "INFRASTRUCTURE_FACTORY": "eventsourcing.popo:Factory",
        "AGGREGATE_CACHE_MAXSIZE": "10",
        "AGGREGATE_CACHE_FASTFORWARD": "n",
        "IS_SNAPSHOTTING_ENABLED": "y",
        "CIPHER_TOPIC": "eventsourcing.cipher:AESCipher",
        "CIPHER_KEY": "bm90IGEga2V5",
        "COMPRESSOR_TOPIC": "zlib",
        "TRANSCODER_TOPIC": "eventsourcing.persistence:JSONTranscoder",
        "MAPPER_TOPIC": "eventsourcing.persistence:Mapper",
        "APPLICATION_RECORDER_TOPIC": "eventsourcing.popo:POPOApplicationRecorder",
        "SQLITE_DBNAME": str(tmp_path / "elsewhere.sqlite"),
        "SQLITE_LOCK_TIMEOUT": "nonsense",
        "ORIGINATOR_ID_TYPE": "text",
        "CREATE_TABLE": "nonsense",
        "POSTGRES_ENABLE_DB_FUNCTIONS": "y",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
        monkeypatch.setenv(f"LEDGER_{name}", value)
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        assert ledger.repository.cache is None
        assert ledger.snapshots is None
        assert type(ledger.recorder) is SQLiteRecorder
        for event in whole_log(ledger):
            assert event.state.startswith(b"{") and b'"timestamp":"20' in event.state
            assert isinstance(event.originator_id, UUID)
    files = {path.name.partition("-")[0] for path in tmp_path.iterdir()}
    assert files == {
        "ledger.sqlite",
        "ledger.sqlite.access",
        "ledger.sqlite.access.lock",
        "ledger.sqlite.lock",
        "ledger.sqlite.projections",
        "ledger.sqlite.projections.lock",
        "ledger.sqlite.secret",
        "ledger.sqlite.subjects",
        "ledger.sqlite.subjects.lock",
    }


# "Eight processes starting on one fresh SQLite file: 9 of 240 died with 'database is locked'"

FRESH = 10


def start_fresh(barrier: Any, folder: Path, number: int) -> int:
    """Start on one fresh ledger after another, together with everybody else."""
    for turn in range(FRESH):
        barrier.wait()
        with ledger_at(settings_in(folder / str(turn), lock_timeout=30)) as ledger:
            member = register(ledger, f"{number}").subject
            ledger.reads.member(member)
            ledger.tokens.issue("officer", f"{number}")
    return number


def test_eight_processes_that_start_at_once_on_a_fresh_file_all_succeed(tmp_path: Path) -> None:
    assert processes(start_fresh, *[(tmp_path, n) for n in range(8)]) == list(range(8))
    for turn in range(FRESH):
        with ledger_in(tmp_path / str(turn)) as ledger:
            log = whole_log(ledger)
            assert [event.id for event in log] == list(range(1, 9))
            assert len({event.originator_id for event in log}) == 8
            check_projections(ledger)


# "When the reply to COMMIT is lost, the library's retry raises IntegrityError although the event
# is stored; reload-and-retry then stores it twice."


class ForgetfulRecorder(SQLiteRecorder):
    """Stores the first save that it is told to forget, and says that it did not."""

    forget = False

    def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Sequence[int]:
        positions = super().insert_events(stored_events)
        if self.forget:
            self.forget = False
            raise IntegrityError("UNIQUE constraint failed: stored on the try before")
        return positions


class ForgetfulLedger(Ledger):
    """A ledger that loses the reply to its next save."""

    def construct_recorder(self) -> ApplicationRecorder:
        return ForgetfulRecorder(self.settings.database, self.settings.lock_timeout)

    def lose_the_next_reply(self) -> None:
        assert isinstance(self.recorder, ForgetfulRecorder)
        self.recorder.forget = True


@pytest.mark.parametrize("key", [None, "key-1"])
def test_a_command_whose_reply_was_lost_is_answered_and_recorded_once(
    tmp_path: Path, key: str | None
) -> None:
    with opened(ForgetfulLedger(settings_in(tmp_path))) as ledger:
        ledger.lose_the_next_reply()
        member = register(ledger, by=call(key and key + "m"))
        assert (member.status, member.version) == (201, 1)
        ledger.lose_the_next_reply()
        first = tip(ledger, member.subject, by=call(key and key + "t"))
        assert (first.status, first.version, first.body["stage"]) == (201, 1, "tip")
        ledger.lose_the_next_reply()
        again = follow(ledger, first.subject, by=call(key and key + "f"))
        assert (again.status, again.version) == (200, 2)
        assert again.body["last_activity_on"] == "2025-04-01"
        topics = [e.topic for e in whole_log(ledger) if e.topic != "request.answered"]
        assert topics == ["member.registered", "lead.tipped", "lead.followed_up"]
        check_projections(ledger)


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_a_lost_reply_is_answered_with_the_version_of_its_own_event(tmp_path: Path) -> None:
    """Although somebody else wrote on the lead before the retry."""

    class Overtaken(ForgetfulRecorder):
        def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Sequence[int]:
            try:
                return super().insert_events(stored_events)
            except IntegrityError:
                with ledger_in(tmp_path) as other:
                    follow(other, lead, "别人的")
                raise

    class OvertakenLedger(ForgetfulLedger):
        def construct_recorder(self) -> ApplicationRecorder:
            return Overtaken(self.settings.database, self.settings.lock_timeout)

    with opened(OvertakenLedger(settings_in(tmp_path))) as ledger:
        lead = a_lead(ledger)
        ledger.lose_the_next_reply()
        assert follow(ledger, lead, "我的").version == 2
        facts = [event["facts"].get("result") for event in ledger.reads.history(lead)]
        assert facts == [None, "我的", "别人的"]


def test_a_lost_reply_is_not_taken_for_a_replay_of_an_earlier_request(tmp_path: Path) -> None:
    """The client asked once: its answer is the first one, and has the position it stands at."""
    with opened(ForgetfulLedger(settings_in(tmp_path))) as ledger:
        lead = a_lead(ledger)
        ledger.lose_the_next_reply()
        assert not follow(ledger, lead, by=call("k")).replayed


# "Order of fsync and the reply: synchronous FULL 100 of 100 replies after the fsync." "Never set
# mmap_size."


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_a_reply_is_given_only_after_the_disk_has_the_event(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        with sqlite_log(ledger).writing() as writer:
            for pragma, wanted in (("synchronous", 2), ("journal_mode", "wal"), ("mmap_size", 0)):
                assert writer.execute(f"PRAGMA {pragma}").fetchone() == (wanted,), pragma
        with ledger.tokens.store.writing() as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
            assert connection.exec_driver_sql("PRAGMA mmap_size").scalar_one() == 0
        with ledger.reads.store.writing() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
            assert connection.exec_driver_sql("PRAGMA mmap_size").scalar_one() == 0


# "67 kill -9 …: no acknowledged write lost"

KILLS = 20


def write_and_tell(folder: Path, lead: UUID, turn: int, pipe: Any) -> None:
    """Follow up for ever, with a key each, and tell each one after it is answered."""
    with ledger_at(settings_in(folder)) as ledger:
        number = 0
        while True:
            text = f"{turn}/{number}"
            answer = follow(ledger, lead, text, call(text))
            pipe.send((text, answer.version))
            number += 1


def test_kill_9_of_a_writer_loses_no_acknowledged_event_and_doubles_none(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
    told: dict[str, int] = {}
    for turn in range(KILLS):
        ours, theirs = CONTEXT.Pipe(duplex=False)
        writer = CONTEXT.Process(target=write_and_tell, args=(tmp_path, lead, turn, theirs))
        writer.start()
        theirs.close()
        for _ in range(1 + turn % 4):
            assert ours.poll(PATIENCE)
            text, version = ours.recv()
            told[text] = version
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        assert writer.exitcode == -signal.SIGKILL
        told.update(rest_of(ours))
        writer.close()
        ours.close()
    with ledger_in(tmp_path) as ledger:
        history = ledger.reads.history(lead)[1:]
        recorded = {event["facts"]["result"]: event["version"] for event in history}
        assert len(recorded) == len(history), "one was recorded twice"
        assert told.items() <= recorded.items()
        # Of each turn at most the one that was not yet told may stand there besides.
        assert len(recorded) <= len(told) + KILLS
        assert [event["version"] for event in history] == list(range(2, len(history) + 2))
        for text, version in recorded.items():
            again = follow(ledger, lead, text, call(text))
            assert (again.replayed, again.version) == (True, version)
        check_projections(ledger)


def rest_of(pipe: Any) -> Iterator[tuple[str, int]]:
    """What the dead process had still told."""
    try:
        while pipe.poll(0):
            yield pipe.recv()
    except EOFError:
        return


def hold_and_tell(barrier: Any, folder: Path, pipe: Any) -> None:
    """Stand in the middle of a save."""
    del barrier
    with ledger_at(settings_in(folder)) as ledger, sqlite_log(ledger).writing() as writer:
        writer.execute("INSERT INTO stored_events VALUES ('x', 1, 't', x'00')")
        pipe.send("in the middle")
        signal.pause()


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_a_process_killed_within_a_save_leaves_neither_lock_nor_half_a_save(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path, lock_timeout=0.3) as ledger:
        lead = a_lead(ledger)
        ours, theirs = CONTEXT.Pipe(duplex=False)
        writer = CONTEXT.Process(target=hold_and_tell, args=(None, tmp_path, theirs))
        writer.start()
        theirs.close()
        assert ours.poll(PATIENCE) and ours.recv() == "in the middle"
        with pytest.raises(NotReady, match="another process is still busy"):
            follow(ledger, lead)
        assert len(ledger.reads.history(lead)) == 1, "reading goes on"
        writer.kill()
        writer.join()
        writer.close()
        ours.close()
        assert follow(ledger, lead).position == 3


# "A rule in an @event body runs again on replay."


def test_history_that_todays_rules_would_refuse_still_loads(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        state = (
            '{"timestamp":"2025-01-01T00:00:00Z","actor":"旧","request":"r","note":null,'
            '"occurred_on":"2999-01-01","number":"","investment":null,"document_sha256":null,'
            '"waived":[]}'
        )
        # Signed straight from a tip, in the future, without an amount: none of it is allowed now.
        ledger.record_all([StoredEvent(lead, 2, "lead.signed", state.encode())])
        assert b'"stage":"signed"' in ledger.reads.lead(lead).body
        check_projections(ledger)
