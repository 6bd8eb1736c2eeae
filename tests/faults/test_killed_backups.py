"""Backups and restores killed at random instants: whole or not there."""

import random
import shutil
import signal
import time
from pathlib import Path
from subprocess import DEVNULL, Popen

import pytest

from service.backups.manifest import LEDGER
from tests.backups.ground import an_office, done, files_in, refused
from tests.faults.serving import COMMAND, PATIENCE, environment
from tests.service.helpers import ledger_in, whole_log

pytestmark = pytest.mark.fault

KILLS = 20


@pytest.fixture
def office(tmp_path: Path) -> Path:
    """The folder of a ledger."""
    return an_office(tmp_path / "office")


def test_a_backup_killed_at_any_instant_is_whole_or_not_there(office: Path, tmp_path: Path) -> None:
    place, luck, whole = tmp_path / "b", random.Random(7), 0
    for _ in range(KILLS):
        killed(office, luck.uniform(0.6, 1.6), "backup", place)
        if place.exists():
            shutil.rmtree(tmp_path / "other", ignore_errors=True)
            done(tmp_path / "other", "restore", place)
            shutil.rmtree(place)
            whole += 1
    # What a killed one left is in the way of none.
    done(office, "backup", place)
    assert files_in(tmp_path) == sorted({"b", "office", *(["other"] if whole else [])})


def killed(folder: Path, after: float, *words: object) -> None:
    """Start the command, and kill it after so many seconds."""
    running = Popen(
        [*COMMAND, *map(str, words)], env=environment(folder), stdout=DEVNULL, stderr=DEVNULL
    )
    time.sleep(after)
    running.send_signal(signal.SIGKILL)
    running.wait(PATIENCE)


def test_after_a_restore_was_killed_nothing_is_served_until_it_is_run_again(
    office: Path, tmp_path: Path
) -> None:
    done(office, "backup", tmp_path / "b", "--keys", tmp_path / "k")
    other, luck = tmp_path / "other", random.Random(11)
    restoring = ("restore", tmp_path / "b", "--keys", tmp_path / "k")
    for _ in range(KILLS):
        killed(other, luck.uniform(0.5, 1.4), *restoring)
        if (other / "ledger.sqlite.restoring").exists():
            assert "run it again" in refused(other, "token", "list")
        elif (other / LEDGER).exists():
            break
    else:
        done(other, *restoring)
    shutil.copy(office / "ledger.sqlite.secret", other)
    with ledger_in(office) as ledger, ledger_in(other) as copy:
        assert whole_log(copy) == whole_log(ledger)
