"""A thousand wrong tokens a second, or two thousand clients that stall, while officers go on: what
they wait, before and during."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bench.conftest import Office
from tests.bench.harness import CLIENT_CORE, PATIENCE, REPORTED, Limit, Report, check, http
from tests.bench.test_http import follow_ups
from tests.service.helpers import raw

pytestmark = pytest.mark.bench

RATE, ROUNDS, SECONDS = 1000, 5, 2.0
STALLED = 2000


@contextmanager
def attacked(program: str, office: Office, **plan: Any) -> Iterator[dict[str, Any]]:
    """Within, the program carries out its plan; what came of it, afterwards."""
    attacker = subprocess.Popen(
        [sys.executable, "-S", "-E", str(Path(__file__).parent / program)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert attacker.stdin and attacker.stdout
    plan |= {"port": office.server.port, "core": CLIENT_CORE}
    attacker.stdin.write(json.dumps(plan))
    attacker.stdin.close()
    assert attacker.stdout.readline() == "begun\n"
    found: dict[str, Any] = {}
    try:
        yield found
        found.update(json.loads(attacker.stdout.read()))
    finally:
        attacker.stdout.close()
        attacker.wait(PATIENCE)


def records_in(folder: Path) -> int:
    """How many access records there are."""
    with closing(raw(folder / "ledger.sqlite.access")) as connection:
        (count,) = connection.execute("SELECT count(*) FROM access").fetchone()
        return int(count)


def test_officers_hardly_notice_a_thousand_wrong_tokens_a_second(
    office: Office, report: Report, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """No limit is set for writes: while one waits for the disk its worker answers nobody, however
    little others ask for."""
    folder = tmp_path_factory.getbasetemp() / "office0"
    reads = [("read", http("GET", f"/v1/leads/{id}", office.token)) for id in office.leads]
    figures = []
    for asked, limit in ((reads, Limit(at_most=2)), (follow_ups(office), REPORTED)):
        before, kind = records_in(folder), asked[0][0]
        rounds, tried, waits = [], [], (0.0, 0.0)
        for number in range(ROUNDS):
            skip = number * 2000
            calm = office.server.load(asked, skip=skip, connections=1, seconds=SECONDS)
            seconds = SECONDS + 0.5
            with attacked("attack.py", office, rate=RATE, seconds=seconds) as attack:
                during = office.server.load(asked, skip=skip + 1000, connections=1, seconds=SECONDS)
            assert set(attack["statuses"]) <= {"401", "429"}
            tried.append(sum(attack["statuses"].values()) / attack["seconds"])
            waits = during.latency[kind], calm.latency[kind]
            rounds.append(waits[0] / waits[1])
        # What a machine shared with others lets through of them.
        assert min(tried) > 0.75 * RATE, tried
        grown = records_in(folder) - before
        # Of two workers, for each of the two or three minutes that this takes.
        assert grown < 50
        told = (
            f"{waits[0] * 1e3:.2f} ms beside {waits[1] * 1e3:.2f} ms; {min(tried):.0f}/s answered"
        )
        name = f"{RATE} wrong tokens a second, an officer's wait for a {kind} beside none"
        figures.append(report.add(name, rounds, limit, f"{told}; {grown} access records"))
    check(*figures)


def test_officers_hardly_notice_two_thousand_clients_that_stall(
    office: Office, report: Report
) -> None:
    reads = [("read", http("GET", f"/v1/leads/{id}", office.token)) for id in office.leads]
    rounds, waits = [], (0.0, 0.0)
    for number in range(ROUNDS):
        skip = number * 2000
        calm = office.server.load(reads, skip=skip, connections=1, seconds=SECONDS)
        plan = {"token": office.token, "connections": STALLED, "seconds": SECONDS + 0.5}
        with attacked("stalling.py", office, **plan):
            during = office.server.load(reads, skip=skip + 1000, connections=1, seconds=SECONDS)
        waits = during.latency["read"], calm.latency["read"]
        rounds.append(waits[0] / waits[1])
    told = f"{waits[0] * 1e3:.2f} ms beside {waits[1] * 1e3:.2f} ms"
    name = f"{STALLED} clients that stall, an officer's wait for a read beside none"
    check(report.add(name, rounds, Limit(at_most=2), told))
