"""Workers are killed under load: what was acknowledged is there, once, and numbers are right."""

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event

import pytest

from tests.faults.serving import PATIENCE, Client, Server, serving, until
from tests.service.helpers import check_projections, ledger_in

pytestmark = pytest.mark.fault

WRITERS = 8
LEADS = 4
KILLS = 15


def insist(client: Client, lead: str, result: str) -> int:
    """Write, and repeat with the same key until it is acknowledged; the version it made."""
    deadline = time.monotonic() + PATIENCE
    while True:
        assert time.monotonic() < deadline, "nobody acknowledges any more"
        try:
            reply = client.follow(lead, result, Idempotency_Key=result)
        except ConnectionError:
            continue
        if reply.status == 200:
            version: int = reply.body["version"]
            return version
        assert reply.status == 503, reply.body


def kill_one(server: Server, nth: int) -> None:
    """Kill a worker that answers requests."""
    workers = sorted(server.booted(4))
    os.kill(workers[nth % 4], signal.SIGKILL)
    until(lambda: workers[nth % 4] not in server.workers(), "the worker to be gone")


def reached(written: "Counter[str]", goal: int) -> bool:
    """Whether so many writes were acknowledged."""
    return written.total() >= goal


def test_no_acknowledged_write_is_lost_or_doubled_when_workers_are_killed(tmp_path: Path) -> None:
    over, written = Event(), Counter[str]()
    with serving(tmp_path, LEDGER_WORKERS="4") as server:
        with server.client() as client:
            member = client.member()
            leads = [client.tip(member).body["id"] for _ in range(LEADS)]

        def write(number: int) -> list[tuple[str, str, int]]:
            told: list[tuple[str, str, int]] = []
            with server.client() as client:
                while not over.is_set():
                    lead, result = leads[len(told) % LEADS], f"{number}-{len(told)}"
                    told.append((lead, result, insist(client, lead, result)))
                    written[lead] += 1
            return told

        with ThreadPoolExecutor(WRITERS) as pool:
            writers = [pool.submit(write, number) for number in range(WRITERS)]
            try:
                for nth in range(KILLS):
                    goal = written.total() + 10
                    kill_one(server, nth)
                    until(partial(reached, written, goal), "ten more writes")
            finally:
                over.set()
            acknowledged = [one for writer in writers for one in writer.result(PATIENCE)]
        assert len(acknowledged) > KILLS
        with server.client() as client:
            recorded = Counter(
                (lead, event["facts"]["result"], event["version"])
                for lead in leads
                for event in client.get(f"/v1/leads/{lead}/history").body["items"][1:]
            )
            assert recorded == Counter(acknowledged)
            standing = client.get("/v1/pipeline?from=2025-01-01&to=2025-12-31").body
            assert (standing["tips"], standing["balanced"]) == (LEADS, True)
            assert client.get("/readyz").status == 200
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)


def test_after_everything_was_killed_at_once_the_next_start_has_every_acknowledged_write(
    tmp_path: Path,
) -> None:
    token = ""
    acknowledged: list[str] = []
    for nth in range(5):
        with serving(tmp_path, LEDGER_WORKERS="2") as server:
            token = token or server.token
            with server.client(token) as client:
                member = client.member(f"QJP-{nth}")
                acknowledged += [client.tip(member).body["id"] for _ in range(20)]
            os.killpg(server.process.pid, signal.SIGKILL)
    with serving(tmp_path) as server, server.client(token) as client:
        found = client.get("/v1/leads?limit=200").body["items"]
        assert [lead["id"] for lead in found] == acknowledged
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)
