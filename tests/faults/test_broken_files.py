"""A real service with a stuck projection, a poisoned event, corrupted views, a corrupted log."""

import os
import signal
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.serving import Client, Server, serving, until
from tests.faults.test_stopped_writer import is_stopped, stop_while_projecting
from tests.service.helpers import check_projections, ledger_in, raw, result_of, started

pytestmark = pytest.mark.fault


def begin(client: Client) -> str:
    """A lead."""
    lead: str = client.tip(client.member()).body["id"]
    assert client.get(f"/v1/leads/{lead}").status == 200
    return lead


def lag(client: Client) -> float:
    """By how many events the projections are behind, as a monitor is told."""
    name = "leadledger_projections_lag_events "
    lines = client.text("/metrics").splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1])


def test_a_stuck_projection_is_told_and_lets_writes_go_on(tmp_path: Path) -> None:
    with (
        serving(tmp_path, LEDGER_WORKERS="2", LEDGER_LOCK_TIMEOUT="1") as server,
        server.client() as client,
    ):
        lead = begin(client)
        stuck = started(stop_while_projecting, tmp_path / "ledger.sqlite.projections")
        pid = stuck[0].pid
        try:
            until(lambda: is_stopped(pid), "the projections to be stuck")
            for number in range(3):
                assert client.follow(lead, f"{number}").status == 200
            told = client.get("/readyz")
            assert told.status == 503
            assert "The projections are 3 events and" in told.body["detail"]
            assert lag(client) == 3
            assert client.get(f"/v1/leads/{lead}").status == 503
        finally:
            os.kill(pid, signal.SIGCONT)
            result_of(*stuck)
        until(lambda: client.get("/readyz").status == 200, "the ledger to be ready again")
        assert client.get(f"/v1/leads/{lead}").body["version"] == 4
        assert lag(client) == 0
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)


def change(server: Server, statement: str) -> None:
    """Change the log behind everybody's back."""
    with closing(raw(server.folder / "ledger.sqlite")) as connection:
        connection.execute(statement)


def test_a_poisoned_event_is_named_and_no_number_is_served_until_it_is_mended(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, LEDGER_WORKERS="2") as server, server.client() as client:
        lead = begin(client)
        change(
            server,
            "INSERT INTO stored_events (originator_id, originator_version, topic, state) VALUES "
            "('00000000000040008000000000000001', 1, 'lead.sold', '{}')",
        )
        told = until(
            lambda: (found := client.get("/readyz")).status == 503 and found, "the poison to show"
        )
        assert "position 3" in told.body["detail"]
        assert "lead.sold" in told.body["detail"]
        assert lag(client) == 1
        for path in (f"/v1/leads/{lead}", "/v1/pipeline"):
            refused = client.get(path)
            assert refused.status == 503 and "position 3" in refused.body["detail"]
        assert client.get("/healthz").status == 200
        change(server, "DELETE FROM stored_events WHERE topic = 'lead.sold'")
        until(lambda: client.get(f"/v1/leads/{lead}").status == 200, "the mended log to be read")
        assert client.follow(lead, "after").body["version"] == 2
        assert client.get("/readyz").status == 200
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)


def spoil(path: Path) -> None:
    """Write over the middle of it, as a bad sector does."""
    with path.open("r+b") as file:
        size = path.stat().st_size
        for at in range(size // 8, size, size // 8):
            file.seek(at)
            file.write(os.urandom(512))
        file.flush()
        os.fsync(file.fileno())


@pytest.mark.parametrize("what", ["spoilt", "no database", "gone"])
def test_a_corrupted_views_file_is_made_anew_by_itself(tmp_path: Path, what: str) -> None:
    with serving(tmp_path, LEDGER_WORKERS="2") as server, server.client() as client:
        token = server.token
        lead = begin(client)
        told = client.get("/v1/pipeline?from=2025-01-01&to=2025-12-31").body["tips"]
    views = (tmp_path / "ledger.sqlite.projections").resolve()
    if what == "spoilt":
        spoil(views)
    elif what == "gone":
        views.unlink()
    else:
        views.write_bytes(b"not a database" * 100)
    with serving(tmp_path, LEDGER_WORKERS="2") as server, server.client(token) as client:
        until(lambda: client.get("/readyz").status == 200, "the views to be made anew")
        assert client.get(f"/v1/leads/{lead}").body["version"] == 1
        assert client.get("/v1/pipeline?from=2025-01-01&to=2025-12-31").body["tips"] == told
        assert client.follow(lead, "x").body["version"] == 2
        assert client.get(f"/v1/leads/{lead}").body["version"] == 2
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)


def test_a_log_that_is_no_database_is_refused_at_the_start(tmp_path: Path) -> None:
    with serving(tmp_path):
        pass
    log = tmp_path / "ledger.sqlite"
    for kind in ("-wal", "-shm"):
        (tmp_path / f"ledger.sqlite{kind}").unlink(missing_ok=True)
    log.write_bytes(b"no database at all" * 1000)
    before = log.read_bytes()
    server = Server(tmp_path, wait=False)
    try:
        assert server.process.wait(60) == 1
        lines = server.complained.splitlines()
        assert len(lines) == 1 and lines[0].startswith("Error: ")
        assert "ledger.sqlite" in lines[0] and "damaged" in lines[0]
        assert log.read_bytes() == before, "nothing of it is touched"
    finally:
        server.end()


def test_a_log_that_is_damaged_in_its_middle_serves_no_wrong_number(tmp_path: Path) -> None:
    with serving(tmp_path, LEDGER_WORKERS="2") as server, server.client() as client:
        token, lead = server.token, begin(client)
        for number in range(300):
            assert client.follow(lead, f"{number} " + "x" * 200).status == 200
        assert client.get(f"/v1/leads/{lead}").body["version"] == 301
    spoil(tmp_path / "ledger.sqlite")
    (tmp_path / "ledger.sqlite.projections").unlink()
    server = Server(tmp_path, wait=False)
    try:
        until(lambda: "curl " in server.said or server.process.poll() is not None, "a start")
        if server.process.poll() is not None:
            assert server.process.returncode == 1
            assert "ledger.sqlite" in server.complained
            return
        with server.client(token) as client:
            for path in (f"/v1/leads/{lead}", "/v1/pipeline", "/readyz"):
                found = client.get(path)
                assert found.status in (401, 503), (path, found.body)
                assert "Traceback" not in str(found.body)
    finally:
        server.end()
