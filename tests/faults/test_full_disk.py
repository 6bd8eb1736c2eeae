"""The disk is really full: writes answer 503, reads are right or refused, and room mends it."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import run

import pytest

from tests.faults.serving import Client, Server, serving, until
from tests.service.helpers import check_projections, ledger_in

pytestmark = pytest.mark.fault

MIB = 1 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of a few MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if os.geteuid() != 0 or run(mounting, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield place
    run(["umount", "--lazy", str(place)], check=True)


def fill(ballast: Path) -> None:
    """Take all the room that is left."""
    with ballast.open("ab", buffering=0) as file:
        for size in (65536, 4096, 512, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def give_back(ballast: Path, room: int) -> None:
    """Leave that much room."""
    os.truncate(ballast, max(ballast.stat().st_size - room, 0))


def begin(server: Server, client: Client) -> str:
    """A lead."""
    lead: str = client.tip(client.member()).body["id"]
    assert client.get(f"/v1/leads/{lead}").status == 200
    return lead


def test_a_full_disk_refuses_writes_loses_nothing_and_recovers(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    with serving(small_disk, LEDGER_WORKERS="2") as server, server.client() as client:
        lead = begin(server, client)
        fill(ballast)
        # What is in the WAL already may be written over; then there is no room at all.
        accepted = 1
        while (reply := client.follow(lead, f"{accepted}")).status == 200:
            accepted += 1
            assert accepted < 20_000, "the disk is never full"
        for _ in range(20):
            reply = client.follow(lead, "too late")
            assert reply.status == 503, reply.body
            assert reply.headers["retry-after"].isdigit()
            assert reply.headers["content-type"] == "application/problem+json"
            assert client.tip("0" * 8, "x").status in (422, 503)
        found = client.get(f"/v1/leads/{lead}")
        assert found.status == 200, "a full disk stops the reads too"
        assert found.body["version"] == accepted
        assert client.get("/readyz").status == 503
        ballast.unlink()
        until(lambda: client.get("/readyz").status == 200, "the ledger to be ready again")
        assert client.follow(lead, "there is room").body["version"] == accepted + 1
        assert client.get(f"/v1/leads/{lead}").body["version"] == accepted + 1
        assert client.get("/v1/pipeline").status == 200
        assert "Traceback" not in server.complained
    with ledger_in(small_disk) as ledger:
        check_projections(ledger)


def test_a_worker_that_starts_on_a_full_disk_does_not_bring_the_server_down(
    small_disk: Path,
) -> None:
    ballast = small_disk / "ballast"
    with serving(small_disk, LEDGER_WORKERS="2") as server, server.client() as client:
        workers = server.booted(2)
        lead = begin(server, client)
        fill(ballast)
        os.kill(workers[0], signal.SIGKILL)
        until(lambda: len(set(server.workers()) - {workers[0]}) == 2, "another worker")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            assert server.process.poll() is None, server.complained
            with suppress(ConnectionError):
                assert client.get(f"/v1/leads/{lead}").status in (200, 503)
        ballast.unlink()
        server.booted(2)
        assert until(lambda: client.follow(lead, "x").status == 200, "a write")


def test_with_hardly_any_room_no_read_ever_answers_with_less_than_was_acknowledged(
    small_disk: Path,
) -> None:
    """The log may have found room where the projections did not."""
    ballast = small_disk / "ballast"
    with serving(small_disk, LEDGER_WORKERS="2") as server, server.client() as client:
        lead = begin(server, client)
        readers = [server.client() for _ in range(6)]
        acknowledged = 1
        fill(ballast)
        for _ in range(150):
            give_back(ballast, 4096)
            for _ in range(3):
                wrote = client.follow(lead, "x" * 500)
                assert wrote.status in (200, 503), wrote.body
                if wrote.status == 200:
                    assert wrote.body["version"] == acknowledged + 1
                    acknowledged += 1
                for reader in readers:
                    read = reader.get(f"/v1/leads/{lead}")
                    assert read.status in (200, 503), read.body
                    if read.status == 200:
                        assert read.body["version"] == acknowledged, "an old number was served"
        ballast.unlink()
        until(lambda: client.get("/readyz").status == 200, "the ledger to be ready again")
        for reader in readers:
            assert reader.get(f"/v1/leads/{lead}").body["version"] == acknowledged
            reader.close()
    with ledger_in(small_disk) as ledger:
        check_projections(ledger)
