"""The pipeline of any past, in a ledger as large as they come: a million leads, and five million
events (``BENCH_LEADS``; see `ledgers.py`), beside one of ten thousand leads with as many each."""

import time
from pathlib import Path
from random import Random

import pytest

from service.application import Ledger
from tests.bench.conftest import issued, settings_for
from tests.bench.harness import Burst, Limit, Report, Server, check, http, in_turn, serving
from tests.bench.ledgers import LEADS, multiplied
from tests.bench.test_http import windows

pytestmark = pytest.mark.bench

FEW, EVENTS_EACH, ROUNDS = 10_000, 5, 9
# In seconds; of a first question in a large ledger.
LONG = 600.0
OF = ("", "&district=32", "&district=3205", "&district=320502")
NAME = "GET /v1/pipeline of any district as known at any position"


def test_any_past_of_any_district_costs_a_million_leads_hardly_more_than_ten_thousand(
    tmp_path: Path, report: Report
) -> None:
    """Each question at another moment, of another window, of all, a province, a city, a district in
    turn. Sums of a district's past are set aside when they are first asked for, and that is told
    apart; those of the whole book the keeper has set aside before."""
    few, many = (multiplied(tmp_path, leads, EVENTS_EACH * leads) for leads in (FEW, LEADS))
    for database in (few, many):
        keep_up(database)
    where = [{"LEDGER_DATABASE": f"sqlite:///{database}"} for database in (few, many)]
    tokens = [issued(settings_for(database)) for database in (few, many)]
    with (
        serving("wsgi:app", where[0], "/healthz") as small,
        serving("wsgi:app", where[1], "/healthz") as large,
    ):
        small_first, large_first = (
            first(server, token) for server, token in zip((small, large), tokens, strict=True)
        )
        asked = [pasts(server, token) for server, token in zip((small, large), tokens, strict=True)]
        found = in_turn(
            lambda n: small.load(asked[0], connections=1, skip=n * 500),
            lambda n: large.load(asked[1], connections=1, skip=n * 500),
            rounds=ROUNDS,
        )
    size = f"with {LEADS:,} leads and {EVENTS_EACH * LEADS:,} events"
    ratios = [wait(b) / wait(a) for a, b in found]
    a, b = found[0]
    detail = (
        f"{wait(b):.1f} ms beside {wait(a):.1f} ms; by server CPU {b.cpu / a.cpu:.2f}; the first "
        f"questions of each, which set sums aside, took {large_first:.0f} s and {small_first:.0f} s"
    )
    grown = report.add(f"{NAME}, time {size} over {FEW:,}", ratios, Limit(at_most=3), detail)
    waits = [wait(b) for _, b in found]
    detail = f"of these {b.cpu * 1e3:.1f} ms of server CPU"
    alone = report.add(f"{NAME}, wait {size}", waits, Limit(at_most=50), detail, unit=" ms")
    check(grown, alone)


def keep_up(database: Path) -> None:
    """What the keeper does after so much was recorded."""
    ledger = Ledger(settings_for(database))
    try:
        ledger.create_tables()
        ledger.reads.past_days.keep_up(ledger.reads.position())
    finally:
        ledger.close()


def wait(burst: Burst) -> float:
    """One client's wait, in ms."""
    return burst.latency["read"] * 1e3


def position_of(server: Server, token: str) -> int:
    """The log's last position."""
    found: int = server.ask("GET", "/v1/pipeline", token)["position"]
    return found


def first(server: Server, token: str) -> float:
    """How many seconds it takes to ask for a past of each prefix for the first time."""
    middle = position_of(server, token) // 2
    began = time.perf_counter()
    for prefix in OF:
        path = f"/v1/pipeline?from=2025-01-01&known_at={middle}{prefix}"
        server.ask("GET", path, token, patience=LONG)
    return time.perf_counter() - began


def pasts(server: Server, token: str) -> list[tuple[str, str]]:
    """Windows at ever other positions, of each prefix in turn."""
    last, chance = position_of(server, token), Random(7)
    found = []
    for number, (_, text) in enumerate(windows(token, 20_000)):
        path = text.split()[1]
        moment = f"{path}&known_at={chance.randrange(last // 100, last)}{OF[number % len(OF)]}"
        found.append(("read", http("GET", moment, token)))
    return found
