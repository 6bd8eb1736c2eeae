"""Projections on PostgreSQL: taken in by one process of many, made anew beside those who read."""

import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from domain.errors import NotReady
from service.application import Ledger
from service.projections import postgres_shadow
from service.projections.catch_up import CatchUp
from service.projections.feed import BATCH
from service.projections.members import Members
from service.projections.store import Happened
from tests.databases import put_on_postgresql
from tests.postgres import database_of, rows
from tests.service.helpers import (
    PATIENCE,
    a_lead,
    check_projections,
    contents,
    follow,
    journeys,
    ledger_in,
    processes,
    result_of,
    started,
)
from tests.service.rebuilding import another_reader, follow_each_rebuild, marked, rebuild_or_write
from tests.service.test_catch_up import fill


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a ledger's files are that is on PostgreSQL."""
    put_on_postgresql(tmp_path)
    return tmp_path


@pytest.fixture
def ledger(folder: Path) -> Iterator[Ledger]:
    """A ledger on PostgreSQL."""
    with ledger_in(folder) as ledger:
        yield ledger


def schemas(folder: Path) -> list[str]:
    """Those of projections."""
    asked = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ledger_projections%%'"
    return [name for (name,) in rows(database_of(folder), asked)]


# Many processes


class Counting(Members):
    """A projection that counts what it is given."""

    def __init__(self) -> None:
        self.batches = 0

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """One more."""
        self.batches += 1
        super().project(connection, batch)


def catch_up(barrier: Any, folder: Path) -> int:
    """Bring a projection to the log's end, together with others; by how many batches of one's
    own."""
    with ledger_in(folder, lock_timeout=PATIENCE) as ledger:
        counting = Counting()
        catch_up = CatchUp(ledger.log_recorder, ledger.mapper, ledger.reads.store, [counting])
        last = ledger.log_recorder.max_notification_id() or 0
        barrier.wait()
        catch_up.to(last)
        assert catch_up.status() == {"members": last}
        return counting.batches


def test_of_eight_processes_one_takes_in_what_was_imported(ledger: Ledger, folder: Path) -> None:
    fill(ledger, leads=2 * BATCH, follow_ups=1)
    last = ledger.log_recorder.max_notification_id() or 0
    taken = sorted(processes(catch_up, *[(folder,)] * 8))
    assert taken == [0] * 7 + [-(-last // BATCH)]


def test_what_is_there_is_served_while_another_one_takes_in_the_rest(ledger: Ledger) -> None:
    a_lead(ledger)
    reached = ledger.reads.position()
    a_lead(ledger)
    with ledger_in(ledger.settings.database.parent, lock_timeout=0.2) as other:
        with ledger.reads.store.leading() as leads:
            assert leads
            other.reads.catch_up.to(reached)
            with pytest.raises(NotReady, match=r"Waited 0\.2 s for another process to take in"):
                other.reads.position()
        assert other.reads.position() == reached + 2


def test_nobody_who_reads_keeps_anybody_from_recording(ledger: Ledger) -> None:
    lead = a_lead(ledger)
    store = ledger.reads.store
    with store.alone(), store.leading(), store.snapshot():
        assert follow(ledger, lead).version == 2
    assert ledger.reads.lead(lead).version == 2


# Made anew


def test_a_rebuild_leaves_one_schema_and_others_notice(ledger: Ledger, folder: Path) -> None:
    with ledger_in(folder) as other:
        journeys(ledger)
        lead = a_lead(ledger)
        body = other.reads.lead(lead).body
        before = contents(ledger)
        marked(ledger)
        assert other.reads.lead(lead).body == b"marked"
        generation = other.reads.store.generation
        assert ledger.reads.catch_up.rebuild() == ledger.log_recorder.max_notification_id()
        assert other.reads.lead(lead).body == body
        assert other.reads.store.generation == generation + 1
        assert contents(ledger) == before
        assert schemas(folder) == ["ledger_projections"]


def test_what_is_recorded_and_read_during_a_rebuild_is_in_it(ledger: Ledger) -> None:
    fill(ledger)
    recorded: list[UUID] = []

    def more(_events: int) -> None:
        if len(recorded) < 3:
            recorded.append(a_lead(ledger))
            assert ledger.reads.lead(recorded[-1]).version == 1

    reached = ledger.reads.catch_up.rebuild(more)
    assert len(recorded) > 0
    assert reached == ledger.recorder.max_notification_id()
    assert ledger.reads.catch_up.status()["leads"] == reached
    check_projections(ledger)


def test_rows_that_somebody_touched_are_told_and_mended_by_a_rebuild(ledger: Ledger) -> None:
    journeys(ledger)
    ledger.reads.position()
    assert ledger.reads.catch_up.differences() == []
    with ledger.reads.store.writing() as connection:
        connection.exec_driver_sql("UPDATE totals SET leads = leads + 1 WHERE length = 4")
        connection.exec_driver_sql("DELETE FROM entries WHERE position = 1 OR line = 2")
    before = contents(ledger)
    found = {one.table: one for one in ledger.reads.catch_up.differences()}
    assert contents(ledger) == before
    assert found.keys() == {"totals", "entries"}
    assert found["totals"].extra == found["totals"].missing > 0
    assert f"{found['entries']}".startswith("entries: 0 rows too many, ")
    assert "only by the log: position=" in f"{found['entries']}"
    ledger.reads.catch_up.rebuild()
    assert ledger.reads.catch_up.differences() == []


def rebuild_until_killed(folder: Path, batches: int) -> None:
    """Rebuild, and die after so many batches."""

    def die(_events: int) -> None:
        nonlocal batches
        batches -= 1
        if batches < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    postgres_shadow.TOGETHER = BATCH
    with ledger_in(folder) as ledger:
        ledger.reads.catch_up.rebuild(die)


@pytest.mark.parametrize("batches", [0, 1])
def test_a_rebuild_that_is_killed_is_in_nobody_s_way(
    ledger: Ledger, folder: Path, batches: int
) -> None:
    fill(ledger, leads=BATCH, follow_ups=1)
    ledger.reads.position()
    before = contents(ledger)
    process, pipe = started(rebuild_until_killed, folder, batches)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    pipe.close()
    assert contents(ledger) == before
    a_lead(ledger)
    ledger.reads.position()
    check_projections(ledger)
    assert schemas(folder) == ["ledger_projections"]


ANEW = "ledger_projections_anew"
OTHERWISE = {
    "as it was left": "SELECT 1",
    "by other code": f"COMMENT ON SCHEMA {ANEW} IS 'another'",
    "of another log": f"UPDATE {ANEW}.bookmarks SET event = 'another' WHERE projection = 'leads'",
}


@pytest.mark.parametrize("left", OTHERWISE)
def test_a_rebuild_goes_on_where_a_killed_one_ended_if_it_is_of_the_same_code_and_log(
    ledger: Ledger, folder: Path, left: str
) -> None:
    fill(ledger, leads=BATCH, follow_ups=2)
    last = ledger.reads.position()
    before = contents(ledger)
    process, pipe = started(rebuild_until_killed, folder, 2)
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    pipe.close()
    rows(database_of(folder), OTHERWISE[left])
    seen: list[int] = []
    assert ledger.reads.catch_up.rebuild(seen.append) == last == sum(seen)
    assert seen[0] == (2 * BATCH if left == "as it was left" else BATCH)
    assert contents(ledger) == before
    assert schemas(folder) == ["ledger_projections"]
    check_projections(ledger)


def test_rebuilds_beside_writers_lose_nothing(ledger: Ledger, folder: Path) -> None:
    lead = a_lead(ledger)
    each = [(folder, n, lead, 6) for n in range(4)]
    assert processes(rebuild_or_write, *each) == [6] * 4
    assert ledger.reads.lead(lead).version == 13
    check_projections(ledger)
    assert schemas(folder) == ["ledger_projections"]


def test_another_process_goes_over_with_its_next_answer(ledger: Ledger, folder: Path) -> None:
    lead = a_lead(ledger)
    with another_reader(folder, lead) as told:
        follow_each_rebuild(ledger, told, 2)


def test_projections_that_are_gone_are_filled_again_by_whoever_reads(
    ledger: Ledger, folder: Path
) -> None:
    journeys(ledger)
    lead = a_lead(ledger)
    ledger.reads.position()
    before = contents(ledger)
    rows(database_of(folder), "DROP SCHEMA ledger_projections CASCADE")
    with pytest.raises(NotReady, match="the log fills it again"):
        ledger.reads.lead(lead)
    assert ledger.reads.lead(lead).version == 1
    assert contents(ledger) == before


def test_projections_of_another_shape_are_made_anew_at_the_start(
    ledger: Ledger, folder: Path
) -> None:
    lead = a_lead(ledger)
    ledger.reads.position()
    before = contents(ledger)
    rows(database_of(folder), "ALTER TABLE ledger_projections.leads RENAME state TO private")
    with ledger_in(folder) as later:
        assert later.reads.lead(lead).version == 1
        assert contents(later) == before


def test_a_ledger_is_read_by_many_threads_at_once(ledger: Ledger) -> None:
    lead = a_lead(ledger)
    failed: list[BaseException] = []

    def use() -> None:
        try:
            for _ in range(10):
                version = follow(ledger, lead).version
                assert ledger.reads.lead(lead).version >= version
                assert len(ledger.reads.history(lead)) >= version
        except BaseException as why:  # noqa: BLE001 - told by the test
            failed.append(why)

    threads = [Thread(target=use) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert ledger.reads.lead(lead).version == 121
    check_projections(ledger)


def rebuild_once(folder: Path) -> str:
    """Rebuild, as soon as nobody else does."""
    with ledger_in(folder) as ledger:
        ledger.reads.catch_up.rebuild()
    return "done"


def test_one_who_rebuilds_is_not_disturbed_by_another_who_wants_to(
    ledger: Ledger, folder: Path
) -> None:
    a_lead(ledger)
    running = [started(rebuild_once, folder) for _ in range(3)]
    assert [result_of(*one) for one in running] == ["done"] * 3
    check_projections(ledger)
