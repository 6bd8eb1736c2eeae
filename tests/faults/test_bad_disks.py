"""The service is killed while its disk is full, read-only, or slow: what it said it had, it has.

A C compiler makes what comes between the service and its disk (`disk.c`); a disk that is really
full is a small file system (see `test_full_disk.py` as well).
"""

import os
import random
import signal
import time
from pathlib import Path
from subprocess import run

import pytest

from tests.faults.between import Disk, compiled
from tests.faults.load import Writer, begin, check_told, go_on, writing
from tests.faults.serving import Client, Server, serving, until
from tests.service.helpers import ledger_in

pytestmark = pytest.mark.fault

ROUNDS = max(1, int(os.environ.get("FAULT_ROUNDS", "200")) // 20)
WRITERS = 4


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What comes between, compiled."""
    return compiled("disk", tmp_path_factory.mktemp("disk"))


@pytest.fixture
def disk(tmp_path: Path, library: Path) -> Disk:
    """A disk on which nothing is wrong yet."""
    folder = tmp_path / "ledger"
    folder.mkdir()
    return Disk(folder, library)


@pytest.mark.parametrize("word", ["full", "read-only", "slow 100"])
def test_a_service_killed_on_a_bad_disk_keeps_its_word(disk: Disk, word: str) -> None:
    token, writers, luck = "", list[Writer](), random.Random(word)
    for _ in range(ROUNDS):
        with serving(disk.folder, LEDGER_WORKERS="2", **disk.settings) as server:
            token = token or server.token
            writers = writers or begin(server, WRITERS, token)
            for writer in writers:
                writer.server = server
            with writing(writers):
                time.sleep(luck.uniform(0, 0.3))
                disk.turns(word)
                time.sleep(luck.uniform(0, 0.5))
                os.killpg(server.process.pid, signal.SIGKILL)
        disk.recovers()
        with ledger_in(disk.folder) as ledger:
            check_told(ledger, writers)
    refused = sum(writer.refused for writer in writers)
    # A slow disk refuses nobody; any other does, or was not what it was said to be.
    assert (refused == 0) == word.startswith("slow"), refused


@pytest.mark.parametrize("word", ["full", "read-only"])
def test_a_disk_that_recovers_is_written_again_and_nothing_was_lost(disk: Disk, word: str) -> None:
    with serving(disk.folder, LEDGER_WORKERS="2", **disk.settings) as server:
        writers = begin(server, WRITERS)
        with writing(writers), server.client() as client:
            disk.turns(word)
            until(lambda: all(writer.refused > 2 for writer in writers), "every writer refused")
            check_reads(client, writers[0])
            disk.recovers()
            go_on(writers)
        with server.client() as client:
            until(lambda: client.get("/readyz").status == 200, "the ledger to be ready again")
        assert "Traceback" not in server.complained
    with ledger_in(disk.folder) as ledger:
        check_told(ledger, writers)


def check_reads(client: Client, writer: Writer) -> None:
    """Readiness says that nothing can be written; what is read is right, or refused in time."""
    assert client.get("/readyz").status == 503
    began, read = time.monotonic(), client.get(f"/v1/leads/{writer.lead}")
    assert time.monotonic() - began < 15
    assert read.status in (200, 503), read.body


def test_a_slow_disk_delays_writes_and_nothing_else(disk: Disk) -> None:
    with serving(disk.folder, LEDGER_WORKERS="2", **disk.settings) as server:
        writers = begin(server, WRITERS)
        with writing(writers), server.client() as client:
            disk.turns("slow 200")
            lead = writers[0].lead
            # The slowest ones that began before are over.
            go_on(writers, 1)
            began = time.monotonic()
            go_on(writers, 2)
            assert time.monotonic() - began > 0.2, "the disk was not slow"
            for _ in range(20):
                assert client.get(f"/v1/leads/{lead}").status == 200
                assert client.get("/healthz").status == 200
            disk.recovers()
        assert sum(writer.refused for writer in writers) == 0
    with ledger_in(disk.folder) as ledger:
        check_told(ledger, writers)


def test_a_service_that_starts_on_a_read_only_disk_says_so(tmp_path: Path) -> None:
    with serving(tmp_path / "ledger"):
        pass
    place = str(tmp_path / "ledger")
    mounting = ["mount", "--bind", place, place]
    if os.geteuid() != 0 or run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        run(["mount", "-o", "remount,ro,bind", place], check=True)
        server = Server(tmp_path / "elsewhere", wait=False, LEDGER_DATABASE=f"sqlite:///{place}/")
        assert server.process.wait(60) == 1
        (line,) = server.complained.splitlines()
        assert line.startswith("Error: ")
        assert place in line
        server.end()
    finally:
        run(["umount", "--lazy", place], check=True)
