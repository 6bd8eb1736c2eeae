"""The keeper as a process: one at a time, sends what it signs, ends with whoever started it."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE, Popen

import pytest

from service.access.heads import seen_by_the_keeper
from service.proof.keeper import night_of
from service.proof.notes import read_note
from service.proof.published import Published
from service.proof.rounds import last_round
from tests.faults.serving import COMMAND, PATIENCE, children_of, environment, serving, until
from tests.proof.attacks import edit
from tests.service.helpers import a_lead, ledger_in, settings_in

FAST = {"LEDGER_CHECKPOINT_EVERY": "1"}


@contextmanager
def keeper_of(folder: Path, **settings: str) -> Iterator["Popen[str]"]:
    """``leadledger keeper``."""
    surroundings = environment(folder) | FAST | settings
    with Popen([*COMMAND, "keeper"], env=surroundings, stderr=PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(PATIENCE)


def sizes(folder: Path) -> list[int]:
    """The sizes of the checkpoints that were published."""
    published = Published(settings_in(folder))
    try:
        return [made.size for made in published.all()]
    finally:
        published.store.close()


@pytest.mark.parametrize(
    ("moment", "night"),
    [
        ("2026-11-24T17:59:59+00:00", "2026-11-24"),
        ("2026-11-24T18:00:00+00:00", "2026-11-25"),
        ("2026-11-25T17:59:59+00:00", "2026-11-25"),
    ],
)
def test_the_night_begins_at_two_in_china(moment: str, night: str) -> None:
    assert f"{night_of(datetime.fromisoformat(moment))}" == night


def test_a_keeper_signs_when_the_log_grew_and_ends_when_told_to(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, keeper_of(tmp_path) as keeper:
        until(lambda: sizes(tmp_path) == [0], "the first checkpoint")
        began = until(lambda: last_round(ledger.settings), "the first round")
        until(lambda: last_round(ledger.settings) != began, "the next round")
        a_lead(ledger)
        until(lambda: sizes(tmp_path)[-1] == 2, "the next checkpoint")
        keeper.terminate()
        assert keeper.wait(PATIENCE) == 0


def test_what_is_signed_covers_the_access_record_and_no_log_grows_for_it_alone(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger, keeper_of(tmp_path):
        until(lambda: sizes(tmp_path) == [0], "the first checkpoint")
        ledger.tokens.issue("auditor")
        head = ledger.access.head()
        until(lambda: seen_by_the_keeper(ledger.settings) == head, "a look at the access record")
        began = last_round(ledger.settings)
        until(lambda: last_round(ledger.settings) != began, "another round")
        assert sizes(tmp_path) == [0]
        a_lead(ledger)
        until(lambda: sizes(tmp_path)[-1] == 3, "a checkpoint that covers the head as well")
        assert ledger.accesses_noted() == [f"{head}"]


def test_a_second_keeper_says_so_and_waits_for_the_end_of_the_first(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, keeper_of(tmp_path) as first:
        until(lambda: sizes(tmp_path) == [0], "the first checkpoint")
        with keeper_of(tmp_path) as second:
            assert second.stderr is not None
            assert "Another keeper works on this ledger" in second.stderr.readline()
            first.kill()
            a_lead(ledger)
            until(lambda: sizes(tmp_path)[-1] == 2, "the second keeper's checkpoint")


def test_checkpoints_are_sent_to_a_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    with ledger_in(tmp_path) as ledger, keeper_of(tmp_path, LEDGER_CHECKPOINT_TO=str(outside)):
        a_lead(ledger)
        until(lambda: sorted(outside.glob("*2-*.checkpoint")), "the checkpoint of two events")
    for path in outside.glob("*.checkpoint"):
        assert read_note(path.read_text("utf-8")).checkpoint.size == int(path.name[:12])


class Inbox(BaseHTTPRequestHandler):
    """Refuses what comes first, then takes everything."""

    came: list[bytes] = []  # noqa: RUF012

    def do_POST(self) -> None:
        """Take it down."""
        self.came.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(503 if len(self.came) == 1 else 200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_failed_send_is_tried_again_and_does_not_keep_the_keeper_from_signing(
    tmp_path: Path,
) -> None:
    Inbox.came.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Inbox) as inbox:
        threading.Thread(target=inbox.serve_forever).start()
        try:
            to = f"http://127.0.0.1:{inbox.server_port}/checkpoints"
            with ledger_in(tmp_path) as ledger, keeper_of(tmp_path, LEDGER_CHECKPOINT_TO=to):
                until(lambda: Inbox.came, "the first try")
                a_lead(ledger)
                until(lambda: sizes(tmp_path)[-1] == 2, "the next checkpoint, meanwhile")
                until(lambda: len(Inbox.came) >= 3, "what was refused, and the next")
        finally:
            inbox.shutdown()
    notes = [read_note(data.decode()).checkpoint.size for data in Inbox.came]
    assert notes[:3] == [0, 0, 2]


@pytest.mark.fault
def test_serve_starts_a_keeper_again_that_died_and_takes_it_along_when_it_ends(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, "--demo", **FAST) as server:
        first = until(server.keeper, "the keeper")
        until(lambda: sizes(tmp_path), "a checkpoint")
        os.kill(first, signal.SIGKILL)
        second = until(lambda: server.keeper() not in (0, first) and server.keeper(), "another")
        assert second != first
        with server.client() as client:
            assert client.get("/readyz").status == 200
        assert server.stop() == 0
        assert not server.alive()


@pytest.mark.fault
def test_a_machine_that_is_told_so_serves_without_a_keeper(tmp_path: Path) -> None:
    with serving(tmp_path, LEDGER_KEEPER="off", LEDGER_WORKERS="2") as server:
        server.booted(2)
        assert server.keeper() == 0
        assert server.stop() == 0


@pytest.mark.fault
@pytest.mark.parametrize("who", ["serve", "web"])
def test_nothing_is_left_when_one_of_them_is_killed(tmp_path: Path, who: str) -> None:
    with serving(tmp_path, LEDGER_WORKERS="2", **FAST) as server:
        server.booted(2)
        until(server.keeper, "the keeper")
        victim = server.process.pid if who == "serve" else server.web()
        all_of_them = [server.web(), server.keeper(), *server.workers()]
        os.kill(victim, signal.SIGKILL)
        status = server.process.wait(PATIENCE)
        assert status != 0
        until(lambda: not any(map(running, all_of_them)), "all of them to be gone")


def running(pid: int) -> bool:
    """Whether a process still runs, and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.fault
def test_an_alarm_reaches_every_worker_and_a_ruling_ends_it(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        for _ in range(5):
            a_lead(ledger)
    with serving(tmp_path, **FAST) as server, server.client() as client:
        until(lambda: sizes(tmp_path) == [10], "a checkpoint")
        assert client.get("/readyz").status == 200
        keeper = server.keeper()
        edit(settings_in(tmp_path))
        os.kill(keeper, signal.SIGKILL)  # the next one hashes everything at its start
        until(lambda: client.get("/readyz").status == 503, "the alarm")
        facts = {"number": "N1", "name": "王", "district": "320812"}
        for _ in range(8):
            with server.client() as another:
                refused = another.post("/v1/members", facts)
                assert refused.status == 503
                assert "Position 7 does not hold" in refused.body["detail"]
                assert refused.body["type"].endswith("not-ready")
                read = another.get("/v1/leads")
                assert read.status == 200
                assert "Position 7 does not hold" in read.headers["ledger-warning"]
        (alarm,) = client.get("/v1/audit/alarms").body["items"]
        assert alarm["ruled_at"] is None
        words = ["audit", "rule", "--reason", "已查明，从备份核对"]
        with Popen([*COMMAND, *words], env=environment(tmp_path)) as ruling:
            assert ruling.wait(PATIENCE) == 0
        assert client.post("/v1/members", facts).status == 201
        until(lambda: client.get("/v1/audit/alarms").body["items"][0]["resumed_at"], "the keeper")
        assert "ledger-warning" not in client.get("/v1/leads").headers
        assert client.get("/v1/audit/checkpoint").body["origin"].endswith("/2/sha256")
    assert children_of(server.process.pid) == []
