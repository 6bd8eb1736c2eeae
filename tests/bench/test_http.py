"""Reads and writes over HTTP, beside bare Flask under the same gunicorn."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import date, timedelta
from random import Random

import pytest

from tests.bench.conftest import FOLLOW_UP, TIP, Office
from tests.bench.harness import (
    CLIENT_CORE,
    CONNECTIONS,
    REPORTED,
    Burst,
    Figure,
    Limit,
    Report,
    Server,
    check,
    http,
    in_turn,
)

pytestmark = pytest.mark.bench

ROUNDS = 7
Requests = list[tuple[str, str]]
HELLO = [("read", http("GET", "/hello"))]
PIPELINE = "/v1/pipeline?from=2025-01-01&to=2025-12-29"


def windows(token: str, count: int) -> Requests:
    """Pipelines of ``count`` windows, no two the same."""
    days = [date(2023, 1, 1) + timedelta(days=n) for n in range(3 * 365)]
    pairs = Random(7).sample(range(len(days) ** 2), 2 * count)
    chosen = [(days[p // len(days)], days[p % len(days)]) for p in pairs]
    paths = [f"/v1/pipeline?from={a}&to={b}" for a, b in chosen if a <= b][:count]
    return [("read", http("GET", path, token)) for path in paths]


def measure(
    office: Office,
    bare: Server,
    asked: Requests,
    beside: Requests,
    connections: int = CONNECTIONS,
    seconds: float = 1.0,
) -> list[tuple[Burst, Burst]]:
    """Bursts of ``asked`` on the ledger and of ``beside`` on bare Flask, in turn.

    Each burst goes on in ``asked`` about where the one before ended.
    """
    place = 0

    def ours(_round: int) -> Burst:
        nonlocal place
        skip, length = place, len(asked)
        burst = office.server.load(asked, connections=connections, skip=skip, seconds=seconds)
        place = (skip + int(burst.rate * seconds / connections) // 2 * 2 + 2) % length
        return burst

    def theirs(_round: int) -> Burst:
        return bare.load(beside, connections=connections, seconds=seconds)

    return in_turn(ours, theirs, ROUNDS)


def by_rate(
    report: Report, name: str, found: list[tuple[Burst, Burst]], limit: Limit = REPORTED
) -> Figure:
    """The figure of requests per second, ours over theirs; server CPU beside it."""
    rates = sorted((b.rate, a.rate) for a, b in found)[len(found) // 2]
    cpu = sorted(b.cpu / a.cpu for a, b in found)[len(found) // 2]
    busy = max(burst.busy for pair in found for burst in pair)
    detail = (
        f"{rates[1]:.0f}/s beside {rates[0]:.0f}/s; by server CPU a request {cpu:.2f}; "
        f"client busy at most {busy:.0%}"
    )
    return report.add(name, [a.rate / b.rate for a, b in found], limit, detail)


def by_latency(report: Report, name: str, found: list[tuple[Burst, Burst]], kind: str) -> Figure:
    """The figure of one client's waiting, theirs over ours (higher is better)."""
    ours, theirs = found[len(found) // 2]
    detail = f"{theirs.latency[kind] * 1e3:.2f} ms beside {ours.latency[kind] * 1e3:.2f} ms"
    rounds = [b.latency[kind] / a.latency[kind] for a, b in found]
    return report.add(name, rounds, REPORTED, detail)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_the_load_generator_is_not_what_is_measured(bare: Server, report: Report) -> None:
    """As many hellos a second as wrk gets, from the same core."""

    def wrk(_round: int) -> float:
        pinned = ["taskset", "-c", str(CLIENT_CORE)] if CLIENT_CORE is not None else []
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", "-d1s", f"http://127.0.0.1:{bare.port}/hello"]
        said = subprocess.run([*pinned, *command], capture_output=True, text=True, check=True)
        line = next(line for line in said.stdout.splitlines() if "Requests/sec" in line)
        return float(line.split()[1])

    found = [(bare.load(HELLO).rate, wrk(number)) for number in range(ROUNDS)]
    limit = Limit(at_least=0.9)
    detail = f"{found[0][0]:.0f}/s beside {found[0][1]:.0f}/s of wrk"
    name = "load generator beside wrk, on hello"
    check(report.add(name, [a / b for a, b in found], limit, detail))


def test_the_pipeline_asked_again_costs_little_more_than_hello(
    office: Office, bare: Server, report: Report
) -> None:
    asked = [("read", http("GET", PIPELINE, office.token))]
    found = measure(office, bare, asked, HELLO)
    check(by_rate(report, "GET /v1/pipeline, the same again", found, Limit(at_least=0.7)))


def test_the_pipeline_of_ever_other_windows_costs_little_more_than_hello(
    office: Office, bare: Server, report: Report
) -> None:
    asked = windows(office.token, 50_000)
    found = measure(office, bare, asked, HELLO)
    check(by_rate(report, "GET /v1/pipeline, each window new", found, Limit(at_least=0.7)))


def test_one_lead_costs_little_more_than_hello(
    office: Office, bare: Server, report: Report
) -> None:
    asked = [("read", http("GET", f"/v1/leads/{id}", office.token)) for id in office.leads]
    found = measure(office, bare, asked, HELLO)
    check(by_rate(report, "GET one lead", found, Limit(at_least=0.7)))


def test_a_page_of_fifty_leads_costs_less_than_three_hellos(
    office: Office, bare: Server, report: Report
) -> None:
    asked = [("read", http("GET", "/v1/leads", office.token))]
    found = measure(office, bare, asked, HELLO)
    check(by_rate(report, "GET /v1/leads, a page of 50", found, Limit(at_least=0.35)))


def test_a_tip_costs_little_more_than_a_bare_insert(
    office: Office, bare: Server, report: Report
) -> None:
    """A member's: an officer's is answered with the leads that it may be the same as."""
    tip = {**TIP, "members": [office.member]}
    asked = [("write", http("POST", "/v1/leads", office.members_token, tip))]
    beside = [("write", http("POST", "/insert/tip", office.token, tip))]
    _written(report, "POST a tip", office, bare, asked, beside)


def test_a_tip_that_names_a_person_is_reported(
    office: Office, bare: Server, report: Report
) -> None:
    """No limit is set for it: the contact is sealed, with a key that is in a file of its own; for
    a person who is new that key is first on the disk, so there are two commits instead of one."""
    tip = {**TIP, "members": [office.member]}
    beside = [("write", http("POST", "/insert/tip", office.token, tip))]
    for what, count in (("a person", 1), ("ever another person", 20_000)):
        tips = [
            {**tip, "contact": {"name": "李先生", "phone": f"{13900000000 + n}"}}
            for n in range(count)
        ]
        asked = [("write", http("POST", "/v1/leads", office.members_token, each)) for each in tips]
        found = measure(office, bare, asked, beside, seconds=1.5)
        by_rate(report, f"POST a tip that names {what}, {CONNECTIONS} clients", found)


def test_an_officers_tip_is_reported(office: Office, bare: Server, report: Report) -> None:
    """No limit is set for it: each is held against the tips before it, a hundred of them alike."""
    tip = {**TIP, "members": [office.member]}
    asked = [("write", http("POST", "/v1/leads", office.token, tip))]
    beside = [("write", http("POST", "/insert/tip", office.token, tip))]
    found = measure(office, bare, asked, beside, 1, 1.5)
    by_rate(report, "POST a tip with what it may be the same as, one client", found)


def test_a_follow_up_costs_little_more_than_a_bare_insert(
    office: Office, bare: Server, report: Report
) -> None:
    asked = follow_ups(office)
    beside = [("write", http("POST", "/insert/follow-up", office.token, FOLLOW_UP))]
    _written(report, "POST a follow-up", office, bare, asked, beside)


def test_the_pipeline_after_each_write_is_reported(
    office: Office, bare: Server, report: Report
) -> None:
    """No limit is set for it: every read first takes in the write before it."""
    posts, reads = follow_ups(office), windows(office.token, 10_000)
    asked = [request for pair in zip(posts, reads, strict=False) for request in pair]
    beside = [("write", http("POST", "/insert/follow-up", office.token, FOLLOW_UP)), *HELLO]
    name = "GET /v1/pipeline and a write in turn"
    by_rate(report, name, measure(office, bare, asked, beside, seconds=1.5))
    alone = measure(office, bare, asked, beside, connections=1)
    by_latency(report, "GET /v1/pipeline right after a write, one client's wait", alone, "read")


def follow_ups(office: Office) -> Requests:
    """One follow-up of each open lead."""
    paths = (f"/v1/leads/{id}/follow-ups" for id in office.leads)
    return [("write", http("POST", path, office.token, FOLLOW_UP)) for path in paths]


def _written(
    report: Report, name: str, office: Office, bare: Server, asked: Requests, beside: Requests
) -> None:
    run: Callable[[int], list[tuple[Burst, Burst]]]
    run = lambda connections: measure(office, bare, asked, beside, connections, 1.5)  # noqa: E731
    figure = by_rate(report, f"{name}, {CONNECTIONS} clients", run(CONNECTIONS), Limit(0.6))
    by_rate(report, f"{name}, one client", run(1))
    check(figure)
