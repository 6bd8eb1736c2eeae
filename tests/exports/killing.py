"""Exports that are killed at random instants."""

import shutil
import time
from datetime import timedelta
from pathlib import Path
from random import Random
from subprocess import DEVNULL, Popen, TimeoutExpired

from domain.actor import now, today_in_china
from service.exports.shelf import Shelf
from tests.exports.shelf import bytes_of, recorded_on
from tests.faults.serving import COMMAND, PATIENCE, environment, until
from tests.service.helpers import ledger_in, settings_in

DAY = today_in_china() - timedelta(days=1)


def begun(folder: Path, shelf: Shelf) -> "Popen[bytes]":
    """An export that has just begun to write."""
    left = unfinished(shelf)
    process = Popen([*COMMAND, "export"], env=environment(folder), stdout=DEVNULL)
    try:
        until(lambda: unfinished(shelf) - left or process.poll() is not None, "the first file")
    except AssertionError:
        process.kill()
        process.wait(PATIENCE)
        raise
    return process


def unfinished(shelf: Shelf) -> set[Path]:
    """The folders that are being written, or were when somebody was killed."""
    return set(shelf.folder.glob(".[0-9]*"))


def check_kills(folder: Path, times: int) -> None:
    """Kill an export so many times, anywhere between its first file and its last rename: each time
    it is whole, byte for byte what it should be, or not there; the last one is left in peace."""
    with ledger_in(folder) as ledger:
        recorded_on(ledger, now() - timedelta(days=2), leads=100)
    shelf, chance = Shelf(settings_in(folder).exports), Random(7)
    shelf.folder.mkdir()
    began = time.monotonic()
    assert begun(folder, shelf).wait(PATIENCE) == 0
    takes = time.monotonic() - began
    whole = bytes_of(shelf.folder / f"{DAY}")
    halfway = 0
    for _ in range(times):
        shutil.rmtree(shelf.folder / f"{DAY}", ignore_errors=True)
        process = begun(folder, shelf)
        try:
            process.wait(chance.uniform(0, takes / 2))
        except TimeoutExpired:
            process.kill()
            process.wait(PATIENCE)
        halfway += bool(unfinished(shelf))
        if DAY in shelf.days():
            assert bytes_of(shelf.folder / f"{DAY}") == whole
    assert halfway, "none was killed in the middle"
    shutil.rmtree(shelf.folder / f"{DAY}", ignore_errors=True)
    process = begun(folder, shelf)
    assert process.wait(PATIENCE) == 0
    assert bytes_of(shelf.folder / f"{DAY}") == whole
    assert not unfinished(shelf), "what was left is swept"
