"""The exports happen by themselves in the night, once; what was missed is made up for."""

import os
import signal
from datetime import date, timedelta
from pathlib import Path
from resource import RLIMIT_FSIZE, setrlimit
from subprocess import PIPE, Popen
from typing import Any

import pytest

from domain.actor import acting, now, today_in_china
from domain.errors import NotFound, NotReady
from service.exports.failing import last_failure, what_is_wrong
from service.exports.nightly import Exporter
from service.exports.schedule import Nights
from service.exports.shelf import Shelf
from tests.exports.killing import check_kills
from tests.exports.shelf import bytes_of, exported, manifest, night_after, recorded_on
from tests.faults.serving import COMMAND, PATIENCE, children_of, environment, until
from tests.proof.test_keeper import keeper_of
from tests.service.helpers import a_lead, ledger_in, processes, settings_in, somebody

DAY = timedelta(days=1)
LIMIT = 64 * 1024


def shelf_in(folder: Path) -> Shelf:
    """The shelf of the ledger there."""
    return Shelf(settings_in(folder).exports)


def run(folder: Path, *words: str, **how: Any) -> tuple[int, str, str]:
    """``leadledger …``: its status, and what it said."""
    command = [*COMMAND, *words]
    with Popen(
        command, env=environment(folder), stdout=PIPE, stderr=PIPE, text=True, **how
    ) as process:
        out, err = process.communicate(timeout=PATIENCE)
        return process.returncode, out, err


def days_in(folder: Path) -> list[date]:
    """The dates that have an export, the oldest first."""
    return sorted(shelf_in(folder).days())


def test_the_keeper_makes_up_for_the_nights_that_it_missed(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        recorded_on(ledger, now() - 5 * DAY)
        exported(ledger, today_in_china() - 4 * DAY)
        recorded_on(ledger, now() - 2 * DAY)
    with keeper_of(tmp_path):
        until(lambda: today_in_china() - DAY in days_in(tmp_path), "last night's export")
    assert days_in(tmp_path) == [today_in_china() - n * DAY for n in (4, 3, 2, 1)]
    told = manifest(shelf_in(tmp_path).folder / f"{today_in_china() - DAY}")
    assert told["position"] == 4
    assert told["checkpoint"]["size"] >= 4, "signed before it was exported"
    assert not shelf_in(tmp_path).faults(today_in_china() - DAY)


def test_a_keeper_that_is_told_to_stop_takes_the_export_along(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        recorded_on(ledger, now() - 2 * DAY)
    shelf = shelf_in(tmp_path)
    with keeper_of(tmp_path) as keeper, shelf.alone():
        # The export waits for its turn, which we have.
        (child,) = until(lambda: children_of(keeper.pid), "the export's process")
        keeper.terminate()
        assert keeper.wait(PATIENCE) == 0
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)
    assert shelf.days() == []


def test_no_keeper_exports_when_told_never(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    never = Nights(settings.__class__(**{**vars(settings), "export_at": None}), lambda _: 1)
    assert not never.due(now())
    assert Nights(settings, lambda _: 1).due(now())
    assert not Nights(settings, lambda _: 0).due(now())


def test_a_night_that_is_done_is_not_due_until_the_next(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        exported(ledger)
        nights = Nights(ledger.settings, ledger.reads.position_known_at)
        assert not nights.due(night_after(today_in_china()))
        assert nights.due(night_after(today_in_china() + DAY))


def export_at_once(barrier: Any, folder: Path) -> bool:
    """What two schedulers do at the same moment."""
    with ledger_in(folder) as ledger:
        exporter = Exporter(ledger, now())
        barrier.wait(PATIENCE)
        return exporter.export(exporter.last_day).made


def test_of_two_schedulers_at_once_one_makes_it_and_the_other_finds_it_there(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        recorded_on(ledger, now() - 2 * DAY)
    made = processes(export_at_once, *[(tmp_path,)] * 3)
    assert sorted(made) == [False, False, True]
    assert days_in(tmp_path) == [today_in_china() - DAY]
    assert not shelf_in(tmp_path).faults(today_in_china() - DAY)


def test_where_locks_do_not_hold_the_first_to_finish_wins(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    with shelf.unfinished(today_in_china()) as mine, shelf.unfinished(today_in_china()) as theirs:
        for folder, text in ((mine, b"1"), (theirs, b"2")):
            (folder / "manifest.json").write_bytes(text)
        shelf.put_in_place(theirs, today_in_china())
        with pytest.raises(Exception, match="made by somebody else meanwhile"):
            shelf.put_in_place(mine, today_in_china())
    assert (tmp_path / f"{today_in_china()}" / "manifest.json").read_bytes() == b"2"
    assert [path.name for path in tmp_path.iterdir()] == [f"{today_in_china()}"]


def test_killed_at_any_instant_an_export_is_whole_or_not_there(tmp_path: Path) -> None:
    check_kills(tmp_path, times=5)


def test_a_run_that_fails_says_so_until_one_succeeds(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        recorded_on(ledger, now() - 2 * DAY)
        ledger.published.raise_alarm("Position 1 does not hold.", now())
    status, out, err = run(tmp_path, "export", "--due")
    assert (status, out) == (1, "")
    assert err.startswith("Error: The history of this ledger does not hold")
    assert err.count("\n") == 1
    failed = last_failure(shelf_in(tmp_path).folder)
    assert failed is not None and "Position 1 does not hold" in failed.why
    with ledger_in(tmp_path) as ledger:
        wrong = what_is_wrong(ledger.settings, ledger.reads, now())
        assert wrong is not None and "Position 1 does not hold" in wrong
        with acting(somebody()):
            ledger.rule("已查明")
    status, out, err = run(tmp_path, "export", "--due")
    assert (status, err) == (0, "")
    assert f"the export of {today_in_china() - DAY} at position 2, made." in out
    assert last_failure(shelf_in(tmp_path).folder) is None
    assert days_in(tmp_path) == [today_in_china() - DAY]


def test_a_full_disk_leaves_nothing_behind_and_the_next_run_makes_it(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        recorded_on(ledger, now() - 2 * DAY, leads=500)
        ledger.reads.position()
    full = {"preexec_fn": lambda: setrlimit(RLIMIT_FSIZE, (LIMIT, LIMIT))}
    status, out, err = run(tmp_path, "export", "--due", **full)
    assert (status, out) == (1, "")
    assert "File too large" in err
    shelf = shelf_in(tmp_path)
    assert sorted(path.name for path in shelf.folder.iterdir()) == [".failed.json", ".lock"]
    assert run(tmp_path, "export", "--due")[0] == 0
    assert sorted(path.name for path in shelf.folder.iterdir()) == [
        ".lock",
        f"{today_in_china() - DAY}",
    ]
    assert not shelf.faults(today_in_china() - DAY)


def test_an_export_that_is_overdue_is_told_of(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        settings, reads = ledger.settings, ledger.reads
        recorded_on(ledger, now() - 3 * DAY)
        exported(ledger, today_in_china() - 2 * DAY)
        assert what_is_wrong(settings, reads, night_after(today_in_china() - 2 * DAY)) is None
        assert what_is_wrong(settings, reads, night_after(today_in_china() - DAY)) is None, (
            "under way"
        )
        later = night_after(today_in_china() - DAY) + timedelta(hours=3)
        assert f"{today_in_china() - DAY}" in (what_is_wrong(settings, reads, later) or "")
        exported(ledger, today_in_china() - DAY)
        assert what_is_wrong(settings, reads, later) is None


def test_an_export_that_somebody_touched_is_told_of_and_its_file_is_not_served(
    tmp_path: Path,
) -> None:
    settings, yesterday = settings_in(tmp_path), today_in_china() - DAY
    with ledger_in(tmp_path) as ledger:
        recorded_on(ledger, night_after(yesterday - 3 * DAY))
        folder = exported(ledger, yesterday).folder
        assert what_is_wrong(settings, ledger.reads, now()) is None
        with (folder / "leads.csv").open("a") as file:
            file.write("x")
        fault = f"The export of {yesterday} is not whole: leads.csv has"
        assert (what_is_wrong(settings, ledger.reads, now()) or "").startswith(fault)
        with pytest.raises(NotReady, match=fault):
            Shelf(settings.exports).file(yesterday, "leads.csv")
        assert Shelf(settings.exports).file(yesterday, "leads.xlsx")
        (folder / "manifest.json").unlink()
        fault = f"The folder {yesterday} has no manifest.json, so it is no export"
        assert (what_is_wrong(settings, ledger.reads, now()) or "").startswith(fault)
        with pytest.raises(NotFound, match=fault):
            exported(ledger, yesterday)


def test_a_process_that_was_killed_is_noted_by_the_keeper(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        recorded_on(ledger, now() - 2 * DAY)
    shelf = shelf_in(tmp_path)
    with shelf.alone(), keeper_of(tmp_path) as keeper:
        (child,) = until(lambda: children_of(keeper.pid), "the export's process")
        os.kill(child, signal.SIGKILL)
        failed = until(lambda: last_failure(shelf.folder), "the keeper's note")
    assert "signal 9" in failed.why


@pytest.mark.parametrize(
    "words",
    [
        ["--due", "--date", "2025-01-01"],
        ["--again", "--position", "3"],
        ["--personal"],
        ["--date", "yesterday"],
        ["--position", "0"],
    ],
    ids=" ".join,
)
def test_words_that_do_not_go_together_are_wrong_usage(tmp_path: Path, words: list[str]) -> None:
    status, out, err = run(tmp_path, "export", *words)
    assert (status, out) == (2, "")
    assert "Error:" in err


def test_the_command_tells_what_it_made_found_and_made_again(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        recorded_on(ledger, now() - 2 * DAY)
    day = f"{today_in_china() - DAY}"
    assert run(tmp_path, "export")[1].endswith(f"the export of {day} at position 2, made.\n")
    assert "there already, and whole" in run(tmp_path, "export", "--date", day)[1]
    assert "byte for byte" in run(tmp_path, "export", "--again")[1]
    out = tmp_path / "out"
    assert run(tmp_path, "export", "--position", "1", "--out", f"{out}")[0] == 0
    assert bytes_of(out / day) != bytes_of(shelf_in(tmp_path).folder / day)
    (shelf_in(tmp_path).folder / day / "leads.csv").write_bytes(b"")
    status, _, err = run(tmp_path, "export", "--date", day)
    assert (status, err.count("leads.csv")) == (1, 1)
    assert run(tmp_path, "export", "--again")[0] == 1
