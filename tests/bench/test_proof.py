"""What proof costs: verifying a million events, one lead's proof among them, and the commands."""

import shutil
import signal
import sqlite3
import statistics
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from uuid import UUID

import pytest

from service.application import Ledger
from tests.bench.conftest import FOLLOW_UP, ledger_of, settings_for, token_for
from tests.bench.harness import (
    ROOT,
    Burst,
    Limit,
    Report,
    check,
    child_environment,
    http,
    in_turn,
    serving,
    work,
)

pytestmark = pytest.mark.bench

EVENTS = 1_000_000
ROUNDS = 5


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of a million events with its tree and a checkpoint.

    Most events are copies, each in a stream of its own, of those of an imported ledger.
    """
    database = ledger_of(tmp_path_factory.mktemp("proof"), rows=5_000)
    copy = (
        "INSERT INTO stored_events SELECT lower(hex(randomblob(16))), originator_version, topic, "
        "state FROM stored_events LIMIT ?"
    )
    with sqlite3.connect(database) as log:
        count = "SELECT count(*) FROM stored_events"
        while (there := log.execute(count).fetchone()[0]) < EVENTS:
            log.execute(copy, (EVENTS - there,))
    log.close()
    assert work("sign", database=database)["events"] == EVENTS
    return database


def test_a_million_events_are_verified_little_slower_than_hashlib_alone(
    million: Path, report: Report
) -> None:
    found = [work("verify", database=million) for _ in range(ROUNDS)]
    ours = found[0]
    assert ours["events"] == EVENTS
    detail = (
        f"{EVENTS / ours['seconds']:.0f} events per CPU second, read from SQLite and held against "
        f"the tree, beside {EVENTS / ours['alone']:.0f} (a digest of each event and each pair)"
    )
    name = "audit verify of 1,000,000 events, speed beside hashlib alone"
    ratios = [each["alone"] / each["seconds"] for each in found]
    speed = report.add(name, ratios, Limit(at_least=0.4), detail)
    growth = [each["quarters"][-1] / each["quarters"][0] for each in found]
    detail = f"{ours['quarters'][0]:.0f} MB after a quarter, {ours['peak']:.0f} MB at the peak"
    name = "audit verify, memory at the end over a quarter in"
    check(speed, report.add(name, growth, Limit(at_most=1.1), detail))


def test_a_proof_among_a_million_events_takes_little_longer_than_among_a_thousand(
    million: Path, tmp_path: Path, report: Report
) -> None:
    few = ledger_of(tmp_path / "few", events=1_000)
    work("sign", database=few)
    small, large = prover(few), prover(million)
    pairs = [(small(), large()) for _ in range(ROUNDS + 1)][1:]
    a, b = pairs[0]
    detail = f"{b * 1e3:.2f} ms beside {a * 1e3:.2f} ms for a lead's events with their proofs"
    name = "a lead's proof, time among 1,000,000 events over 1,000"
    check(report.add(name, [b / a for a, b in pairs], Limit(at_most=3), detail))


def prover(database: Path):  # type: ignore[no-untyped-def]
    """Proves a hundred leads of two events each, again and again; gives the median seconds."""
    ledger = Ledger(settings_for(database))
    with sqlite3.connect(database) as log:
        of_two = (
            "SELECT originator_id FROM stored_events GROUP BY originator_id "
            "HAVING count(*) = 2 AND min(topic) LIKE 'lead.%' AND max(topic) = 'lead.tipped'"
        )
        leads = [UUID(id) for (id,) in log.execute(of_two)]
    log.close()
    chosen = Random(1).choices(leads, k=100)

    def prove() -> float:
        took = []
        for lead in chosen:
            began = time.perf_counter()
            assert len(ledger.audit.lead_proof(lead)["events"]) == 2
            took.append(time.perf_counter() - began)
        return statistics.median(took)

    return prove


def test_commands_are_as_fast_with_the_keeper_at_work(tmp_path: Path, report: Report) -> None:
    alone = ledger_of(tmp_path / "alone", rows=2_000)
    token = token_for(alone)
    with sqlite3.connect(alone.with_name(alone.name + ".projections")) as connection:
        still_open = "SELECT id FROM leads WHERE stage <> 'closed' ORDER BY number"
        leads = [id for (id,) in connection.execute(still_open)]
    connection.close()
    shutil.copytree(tmp_path / "alone", tmp_path / "kept")
    where = [
        {"LEDGER_DATABASE": f"sqlite:///{tmp_path / n / alone.name}"} for n in ("alone", "kept")
    ]
    requests = [
        ("write", http("POST", f"/v1/leads/{lead}/follow-ups", token, FOLLOW_UP)) for lead in leads
    ]
    keeper = subprocess.Popen(
        [sys.executable, "-c", "from service.cli import main; main()", "keeper"],
        cwd=ROOT,
        env=child_environment(LEDGER_CHECKPOINT_EVERY="1", **where[1]),
    )
    try:
        with (
            serving("wsgi:app", where[0], "/healthz") as without,
            serving("wsgi:app", where[1], "/healthz") as kept,
        ):

            def burst(server: object, number: int) -> Burst:
                found: Burst = server.load(requests, seconds=2.0, skip=number * 500)  # type: ignore[attr-defined]
                return found

            found = in_turn(lambda n: burst(without, n), lambda n: burst(kept, n), rounds=7)
    finally:
        keeper.send_signal(signal.SIGTERM)
        keeper.wait(60)
    ratios = [b.rate / a.rate for a, b in found]
    a, b = found[0]
    detail = f"{b.rate:.0f}/s with tree and signer, a checkpoint each second, beside {a.rate:.0f}/s"
    name = "commands with the keeper at work, rate beside none"
    check(report.add(name, ratios, Limit(at_least=0.9), detail))
