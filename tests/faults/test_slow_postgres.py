"""PostgreSQL's disk is slow: what is written waits for it, what is read does not; and whoever is
killed meanwhile, the service or the database, keeps its word."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from service.postgres import Postgres
from tests import postgres as servers
from tests.faults.between import Disk, compiled
from tests.faults.load import Writer, begin, check_told, go_on, writing
from tests.faults.serving import place, serving
from tests.service.helpers import ledger_at, settings_in

pytestmark = pytest.mark.fault

ROUNDS = max(1, int(os.environ.get("FAULT_ROUNDS", "200")) // 40)
WRITERS = 4
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass
class Ground:
    """A database, its server, and what stands before the server's disk."""

    server: servers.Server
    disk: Disk
    database: Postgres
    folder: Path

    def restart(self) -> None:
        """Killed, and started again."""
        self.server.stop("immediate")
        self.server.start(**self.disk.settings)

    def check(self, writers: list[Writer]) -> None:
        """What the service said it had, it has."""
        here = replace(settings_in(self.folder), postgres=self.database)
        with ledger_at(here) as ledger:
            check_told(ledger, writers)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """A server of the test's own, whose disk nothing is wrong with yet."""
    with _ground(tmp_path) as found:
        yield found


@contextmanager
def _ground(folder: Path) -> Iterator[Ground]:
    with servers.running(DURABLE) as server:
        # Where the server's own user can read it.
        disk = Disk(server.folder, compiled("disk", server.folder))
        found = Ground(server, disk, server.make_database("office"), folder)
        found.restart()
        yield found


def test_a_slow_disk_delays_writes_and_nothing_else(ground: Ground) -> None:
    at = place(ground.folder, ground.database)
    with serving(ground.folder, LEDGER_WORKERS="2", **at) as service:
        writers = begin(service, WRITERS)
        with writing(writers), service.client() as client:
            ground.disk.turns("slow 500")
            # The slowest ones that began before are over.
            go_on(writers, 1)
            began = time.monotonic()
            go_on(writers, 2)
            assert time.monotonic() - began > 0.5, "the disk was not slow"
            for _ in range(20):
                assert client.get(f"/v1/leads/{writers[0].lead}").status == 200
                assert client.get("/healthz").status == 200
            ground.disk.recovers()
            go_on(writers)
        assert sum(writer.refused for writer in writers) == 0
        assert "Traceback" not in service.complained
    ground.check(writers)


@pytest.mark.parametrize("whom", ["the service", "the database"])
def test_whoever_is_killed_while_the_disk_is_slow_keeps_its_word(ground: Ground, whom: str) -> None:
    token, writers, luck = "", list[Writer](), random.Random(whom)
    at = place(ground.folder, ground.database)
    for _ in range(ROUNDS):
        with serving(ground.folder, LEDGER_WORKERS="2", **at) as service:
            token = token or service.token
            writers = writers or begin(service, WRITERS, token)
            for writer in writers:
                writer.server = service
            with writing(writers):
                ground.disk.turns("slow 100")
                time.sleep(luck.uniform(0, 0.7))
                if whom == "the service":
                    os.killpg(service.process.pid, signal.SIGKILL)
                    ground.disk.recovers()
                else:
                    ground.disk.recovers()
                    ground.restart()
                    go_on(writers)
        ground.check(writers)
