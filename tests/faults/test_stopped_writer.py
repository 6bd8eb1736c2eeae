"""A writer is stopped while it holds the lock: the others say so in time, and go on after it."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from service.log_sqlite import SQLiteRecorder
from service.projections.sqlite_store import SQLiteStore
from service.projections.store import metadata
from tests.faults.serving import Server, serving, until
from tests.service.helpers import result_of, settings_in, started

pytestmark = pytest.mark.fault

TIMEOUT = 1.0


def stop_while_writing(path: Path) -> bool:
    """Begin a transaction of the log, and stop in the middle of it."""
    recorder = SQLiteRecorder(path, lock_timeout=30)
    with recorder.writing():
        os.kill(os.getpid(), signal.SIGSTOP)
    recorder.close()
    return True


def stop_while_projecting(path: Path) -> bool:
    """Begin a transaction of the projections, and stop in the middle of it."""
    store = SQLiteStore(path, 30, metadata, durable=False)
    with store.writing():
        os.kill(os.getpid(), signal.SIGSTOP)
    store.close()
    return True


def is_stopped(pid: int) -> bool:
    """Whether the process stands still."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def begin(server: Server) -> str:
    """A lead."""
    with server.client() as client:
        lead: str = client.tip(client.member()).body["id"]
        assert client.get(f"/v1/leads/{lead}").status == 200
        return lead


def timed(ask: Any) -> tuple[Any, float]:
    """The reply, and how long it took."""
    start = time.monotonic()
    return ask(), time.monotonic() - start


def test_a_stopped_writer_makes_others_answer_503_in_time_and_reads_go_on(tmp_path: Path) -> None:
    with serving(tmp_path, LEDGER_WORKERS="2", LEDGER_LOCK_TIMEOUT=str(TIMEOUT)) as server:
        server.booted(2)
        lead = begin(server)
        process, pipe = started(stop_while_writing, tmp_path / "ledger.sqlite")
        try:
            until(lambda: is_stopped(process.pid), "the writer to stop")
            with server.client() as client:
                for _ in range(3):
                    reply, took = timed(lambda: client.follow(lead, "x"))
                    assert reply.status == 503, reply.body
                    assert reply.headers["retry-after"].isdigit()
                    assert TIMEOUT * 0.9 <= took < TIMEOUT + 3
                    read, took = timed(lambda: client.get(f"/v1/leads/{lead}"))
                    assert (read.status, read.body["version"]) == (200, 1)
                    assert took < TIMEOUT
                assert client.get("/healthz").status == 200
                assert client.get("/readyz").status == 503
                os.kill(process.pid, signal.SIGCONT)
                assert result_of(process, pipe)
                assert client.follow(lead, "x").body["version"] == 2
                assert client.get("/readyz").status == 200
        finally:
            process_gone(process)


def test_a_stopped_reader_that_was_catching_up_stops_only_reads_that_need_what_it_does(
    tmp_path: Path,
) -> None:
    with serving(tmp_path, LEDGER_WORKERS="2", LEDGER_LOCK_TIMEOUT=str(TIMEOUT)) as server:
        server.booted(2)
        lead = begin(server)
        process, pipe = started(stop_while_projecting, settings_in(tmp_path).projections)
        try:
            until(lambda: is_stopped(process.pid), "the reader to stop")
            with server.client() as client:
                wrote = client.follow(lead, "x")
                assert (wrote.status, wrote.body["version"]) == (200, 2)
                read, took = timed(lambda: client.get(f"/v1/leads/{lead}"))
                assert read.status == 503, read.body
                assert read.headers["retry-after"].isdigit()
                assert took < TIMEOUT + 3
                os.kill(process.pid, signal.SIGCONT)
                assert result_of(process, pipe)
                assert client.get(f"/v1/leads/{lead}").body["version"] == 2
        finally:
            process_gone(process)


def test_a_worker_that_starts_while_the_lock_is_held_does_not_bring_the_server_down(
    tmp_path: Path,
) -> None:
    """A long import holds it too: then one worker that is replaced must not stop the others."""
    with serving(tmp_path, LEDGER_WORKERS="2", LEDGER_LOCK_TIMEOUT=str(TIMEOUT)) as server:
        workers = server.booted(2)
        lead = begin(server)
        process, pipe = started(stop_while_writing, tmp_path / "ledger.sqlite")
        try:
            until(lambda: is_stopped(process.pid), "the writer to stop")
            os.kill(workers[0], signal.SIGKILL)
            # The other worker still reads, for as long as the lock is held.
            deadline = time.monotonic() + 20
            with server.client() as client:
                while time.monotonic() < deadline:
                    assert server.process.poll() is None, server.complained
                    with suppress(ConnectionError):
                        assert client.get(f"/v1/leads/{lead}").status in (200, 503)
                os.kill(process.pid, signal.SIGCONT)
                assert result_of(process, pipe)
                server.booted(2)
                assert client.follow(lead, "x").status == 200
        finally:
            process_gone(process)


def process_gone(process: Any) -> None:
    """Make an end of a process of ours that a failed test has left stopped."""
    try:
        if process.is_alive():
            process.kill()
    except ValueError:
        return  # closed already: its result was taken
