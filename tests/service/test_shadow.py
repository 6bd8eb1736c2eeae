"""A rebuilt file takes the old one's place: at once, for everybody, whatever is killed or full."""

import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from domain.errors import NotReady
from service.application import Ledger
from tests.service.helpers import (
    PATIENCE,
    a_lead,
    check_projections,
    contents,
    follow,
    journeys,
    ledger_in,
    processes,
    raw,
    result_of,
    settings_in,
    started,
    whole_log,
)
from tests.service.rebuilding import another_reader, follow_each_rebuild, marked, rebuild_or_write
from tests.service.test_catch_up import fill

pytestmark = pytest.mark.sqlite_alone(
    "a file in another one's place; test_postgres_projections.py has a schema"
)

NAME = "ledger.sqlite.projections"


def files(folder: Path) -> set[str]:
    """What is kept of projections, locks and the live database's log apart."""
    names = {path.name for path in folder.glob(f"{NAME}*")}
    return {n for n in names if not n.endswith((".lock", "-wal", "-shm"))}


def test_a_rebuild_puts_a_new_file_in_place_and_removes_the_old_one(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        ledger.reads.position()
        assert files(tmp_path) == {NAME}
        for number in (1, 2, 3):
            ledger.reads.catch_up.rebuild()
            assert files(tmp_path) == {NAME, f"{NAME}.{number}"}
            assert os.readlink(tmp_path / NAME) == f"{NAME}.{number}"
            check = raw(tmp_path / NAME)
            assert check.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert check.execute("PRAGMA journal_mode").fetchall() == [("wal",)]
            check.close()
    left = {path.name for path in tmp_path.glob(f"{NAME}*-*")}
    assert left <= {f"{NAME}.3-wal", f"{NAME}.3-shm"}


def layout(path: Path) -> list[tuple[Any, ...]]:
    """Every table and index of a file."""
    connection = raw(path)
    found = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY 1, 2").fetchall()
    connection.close()
    return list(found)


def test_a_rebuilt_file_has_the_tables_and_indexes_of_a_fresh_one(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fresh = layout(tmp_path / NAME)
        ledger.reads.catch_up.rebuild()
        assert layout(tmp_path / NAME) == fresh


def test_a_reader_goes_over_to_the_new_file_with_its_next_answer(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        lead = a_lead(ledger)
        assert other.reads.lead(lead).version == 1
        before = other.reads.store.generation
        ledger.reads.catch_up.rebuild()
        marked(ledger)
        assert other.reads.lead(lead).body == b"marked"
        assert other.reads.store.generation == before + 1
        assert other.reads.lead(lead).body == b"marked"
        assert other.reads.store.generation == before + 1


def test_another_process_goes_over_with_its_next_answer_and_writes_to_the_new_file(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        with another_reader(tmp_path, lead) as told:
            follow_each_rebuild(ledger, told, 3)
            follow(ledger, lead)
            # Whoever reads first catches up: the other process has written this.
            assert b'"version":2' in told()
            assert ledger.reads.catch_up.status()["leads"] == 3
        check_projections(ledger)


def test_a_snapshot_that_is_open_during_the_switch_stays_on_the_old_rows(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        ledger.reads.position()
        marked(ledger)
        count = "SELECT count(*) FROM leads WHERE body = CAST('marked' AS BLOB)"
        with ledger.reads.store.snapshot() as connection:
            assert connection.exec_driver_sql(count).scalar_one() == 1
            ledger.reads.catch_up.rebuild()
            ledger.reads.position()
            assert connection.exec_driver_sql(count).scalar_one() == 1
        with ledger.reads.store.snapshot() as connection:
            assert connection.exec_driver_sql(count).scalar_one() == 0


def test_rebuilds_beside_writers_lose_nothing_and_leave_one_file(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        each = [(tmp_path, n, lead, 10) for n in range(4)]
        assert processes(rebuild_or_write, *each) == [10] * 4
        assert ledger.reads.lead(lead).version == 21
        assert len(files(tmp_path)) == 2
        check_projections(ledger)


def test_events_recorded_during_a_rebuild_are_in_it(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        fill(ledger)
        recorded: list[UUID] = []

        def more(_events: int) -> None:
            if len(recorded) < 3:
                recorded.append(a_lead(ledger))

        reached = ledger.reads.catch_up.rebuild(more)
        assert reached == ledger.recorder.max_notification_id()
        assert ledger.reads.catch_up.status()["leads"] == reached
        check_projections(ledger)


# Killed at any instant

CALLS = ("open", "os.listdir", "os.remove", "os.symlink", "os.rename")


def die_at(folder: Path, nth: int, processes: int) -> str:
    """Rebuild, and die just before the nth of those calls of the system that name our files."""
    left = nth

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event in CALLS and str(folder) in str(arguments[0]):
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

    with ledger_in(folder) as ledger:
        sys.addaudithook(hook)
        ledger.reads.catch_up.rebuild(processes=processes)
    return "alive"


@pytest.mark.parametrize("processes", [1, pytest.param(2, marks=pytest.mark.fault)])
def test_a_kill_at_any_step_of_a_rebuild_leaves_whole_rows_and_the_next_one_clears_up(
    tmp_path: Path, processes: int
) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as reader:
        journeys(ledger)
        ledger.reads.position()
        old = contents(ledger)
        ended = False
        steps = 0
        while not ended:
            process, pipe = started(die_at, tmp_path, steps, processes)
            process.join(PATIENCE)
            ended = process.exitcode == 0
            assert process.exitcode in (0, -signal.SIGKILL)
            process.close()
            pipe.close()
            steps += 1
            reader.reads.position()
            assert contents(reader) == old
            with ledger_in(tmp_path) as fresh:
                fresh.reads.position()
                assert contents(fresh) == old
        assert steps > 8, "there were hardly any steps to die at"
        assert len(files(tmp_path)) == 2, "what the killed ones left is gone"
        check_projections(ledger)


def test_what_a_killed_rebuild_left_is_thrown_away(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        ledger.reads.position()
        for left in (".1", ".1-journal", ".7", ".7-wal", ".7-shm", ".link"):
            (tmp_path / f"{NAME}{left}").write_bytes(b"half of it" * 100)
        assert ledger.reads.catch_up.rebuild() == 2
        assert files(tmp_path) == {NAME, f"{NAME}.1"}
        assert not list(tmp_path.glob(f"{NAME}.7*"))
        check_projections(ledger)


# No room


def rebuild_with_a_full_disk(folder: Path, room: int) -> list[Any]:
    """Rebuild while no file grows beyond so many bytes, then read; and both with room again."""
    with ledger_in(folder) as ledger:
        ledger.reads.position()
        old = contents(ledger)
        hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
        seen: list[Any] = []
        try:
            ledger.reads.catch_up.rebuild()
        except NotReady as why:
            seen.append(str(why))
        seen += [files(folder), contents(ledger) == old]
        ledger.reads.position()
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        check_projections(ledger)
        return seen


@pytest.mark.parametrize("room", [0, 40_000, 300_000])
def test_a_rebuild_for_which_the_disk_has_no_room_leaves_the_old_rows(
    tmp_path: Path, room: int
) -> None:
    with ledger_in(tmp_path) as ledger:
        fill(ledger)
        ledger.reads.position()
    refusal, left, same = result_of(*started(rebuild_with_a_full_disk, tmp_path, room))
    assert "cannot be used just now" in refusal
    assert left == {NAME}
    assert same


# A file that is damaged, or gone


@pytest.mark.parametrize("damage", ["gone", "empty", "no database", "torn"])
def test_a_rebuild_needs_nothing_of_the_old_file(tmp_path: Path, damage: str) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        ledger.reads.position()
        before = contents(ledger)
    spoil(tmp_path / NAME, damage)
    ledger = Ledger(settings_in(tmp_path))
    ledger.create_tables(projections=False)
    assert ledger.reads.catch_up.rebuild() == len(whole_log(ledger))
    assert contents(ledger) == before
    ledger.close()


def spoil(path: Path, damage: str) -> None:
    """Do this to a file."""
    if damage == "gone":
        path.unlink()
    elif damage == "torn":
        os.truncate(path, path.stat().st_size // 2)
    else:
        path.write_bytes(b"" if damage == "empty" else b"garbage" * 10_000)


def test_a_file_that_is_gone_is_not_ready_until_it_is_made_anew(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        lead = a_lead(ledger)
        assert other.reads.lead(lead).version == 1
        (tmp_path / NAME).unlink()
        for _ in range(2):
            with pytest.raises(NotReady, match="unable to open"):
                other.reads.lead(lead)
        ledger.reads.catch_up.rebuild()
        assert other.reads.lead(lead).version == 1


def test_a_file_made_empty_beside_a_reader_is_filled_before_it_answers(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        assert ledger.reads.lead(lead).version == 1
        (tmp_path / NAME).unlink()
        with ledger_in(tmp_path):
            assert ledger.reads.lead(lead).version == 1
            check_projections(ledger)


def test_rows_that_somebody_touched_are_told_and_mended_by_a_rebuild(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
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
        assert found["entries"].extra == 0 and found["entries"].missing > 0
        assert f"{found['entries']}".startswith("entries: 0 rows too many, ")
        assert "only by the log: position=" in f"{found['entries']}"
        ledger.reads.catch_up.rebuild()
        assert ledger.reads.catch_up.differences() == []
    assert [path.name for path in tmp_path.glob("*.projections.*") if "lock" not in path.name] == [
        "ledger.sqlite.projections.1"
    ]
