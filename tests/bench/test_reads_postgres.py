"""Reads on PostgreSQL, where a ledger has ten thousand leads and where it has a million
(``BENCH_LEADS``): as many a second, nearly."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from service.application import Ledger
from service.settings import Settings
from tests.bench.conftest import issued
from tests.bench.harness import Limit, Report, Server, check, http, in_turn, serving, work
from tests.bench.ledgers import LEADS
from tests.bench.paper import write_ledger
from tests.bench.test_http import Requests, windows
from tests.postgres import USUAL, running
from tests.postgres import Server as Postgres

pytestmark = pytest.mark.bench

FEW, ROUNDS = 10_000, 7


class Office(NamedTuple):
    """A served ledger, and a token for it."""

    server: Server
    token: str

    def asked(self) -> Mapping[str, Requests]:
        """What is read, by its name."""
        page = self.server.ask("GET", "/v1/leads?limit=200&stage=negotiating", self.token)["items"]
        one = [f"/v1/leads/{lead['id']}" for lead in page]
        return {
            "GET /v1/pipeline, each window new": windows(self.token, 20_000),
            "GET one lead": [("read", http("GET", path, self.token)) for path in one],
            "GET /v1/leads, a page of 50": [("read", http("GET", "/v1/leads", self.token))],
        }


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Office, Office]]:
    """The small ledger and the large one, on one PostgreSQL."""
    with running({**USUAL, "shared_buffers": "256MB"}) as postgres:
        found = []
        for leads in (FEW, LEADS):
            folder = tmp_path_factory.mktemp(f"leads{leads}")
            environment = imported(postgres, folder, leads)
            found.append((environment, issued(Settings.from_environment(environment))))
        with (
            serving("wsgi:app", found[0][0], "/healthz") as small,
            serving("wsgi:app", found[1][0], "/healthz") as large,
        ):
            yield Office(small, found[0][1]), Office(large, found[1][1])


def imported(postgres: Postgres, folder: Path, leads: int) -> dict[str, str]:
    """The settings of a new ledger on the server, of so many leads, with its projections."""
    url = postgres.make_database(f"leads{leads}").whole_url
    environment = {"LEDGER_DATABASE": url, "LEDGER_FILES": f"{folder / 'ledger'}"}
    write_ledger(folder / "paper.csv", rows=leads)
    work("import", str(folder / "paper.csv"), database=environment)
    ledger = Ledger(Settings.from_environment(environment))
    try:
        ledger.create_tables()
        ledger.reads.position()
    finally:
        ledger.close()
    # What the server does by itself after so much was written, at some time.
    with postgres.at(f"leads{leads}").connect() as connection:
        connection.execute("VACUUM ANALYZE")
    return environment


@pytest.mark.parametrize(
    "what", ["GET /v1/pipeline, each window new", "GET one lead", "GET /v1/leads, a page of 50"]
)
def test_a_million_leads_are_read_as_fast_as_ten_thousand(
    offices: tuple[Office, Office], report: Report, what: str
) -> None:
    few, many = ((office.server, office.asked()[what]) for office in offices)
    found = in_turn(
        lambda n: few[0].load(few[1], skip=n * 2_000),
        lambda n: many[0].load(many[1], skip=n * 2_000),
        ROUNDS,
    )
    a, b = found[len(found) // 2]
    detail = f"{b.rate:.0f}/s beside {a.rate:.0f}/s; by server CPU a request {b.cpu / a.cpu:.2f}"
    name = f"{what} on PostgreSQL, rate with {FEW:,} leads over {LEADS:,}"
    rates = [a.rate / b.rate for a, b in found]
    check(report.add(name, rates, Limit(at_most=1.5), detail))
