"""Questions of the past beside the same ones of the present, over HTTP, in a ledger of 10,000."""

from collections.abc import Sequence
from random import Random

import pytest

from tests.bench.conftest import Office
from tests.bench.harness import REPORTED, Figure, Limit, Report, check, http, in_turn
from tests.bench.test_http import windows

pytestmark = pytest.mark.bench

ROUNDS = 7
NO_MORE = Limit(at_most=3)
# A few hours after the import the office looks at what it knew half-way through it.
HALF_WAY = 0.5
Requests = Sequence[tuple[str, str]]


def position_of(office: Office) -> int:
    """The log's last position."""
    found: int = office.server.ask("GET", "/v1/pipeline", office.token)["position"]
    return found


def asked_of(office: Office, paths: Sequence[str]) -> Requests:
    """Reads of these paths."""
    return [("read", http("GET", path, office.token)) for path in paths]


def beside(
    office: Office, report: Report, name: str, past: Requests, present: Requests, limit: Limit
) -> Figure:
    """How many times as long the past takes, one client's wait each."""
    server = office.server
    found = in_turn(
        lambda n: server.load(past, connections=1, skip=n * 500 % len(past)),
        lambda n: server.load(present, connections=1, skip=n * 500 % len(present)),
        ROUNDS,
    )
    then, now = found[len(found) // 2]
    detail = f"{then.latency['read'] * 1e3:.2f} ms beside {now.latency['read'] * 1e3:.2f} ms"
    ratios = [a.latency["read"] / b.latency["read"] for a, b in found]
    return report.add(name, ratios, limit, detail)


def with_moment(paths: Sequence[str], known_at: Sequence[int], as_of: str = "") -> list[str]:
    """The same questions, as known at these positions in turn."""
    more = f"&as_of={as_of}" if as_of else ""
    return [f"{path}&known_at={known_at[n % len(known_at)]}{more}" for n, path in enumerate(paths)]


def paths_of(token: str, count: int, more: str = "") -> list[str]:
    """Pipelines of windows, no two the same."""
    return [text.split()[1] + more for _, text in windows(token, count)]


def test_the_pipeline_of_a_past_moment_costs_little_more_than_the_present_one(
    office: Office, report: Report
) -> None:
    then = int(position_of(office) * HALF_WAY)
    paths = [path for path in paths_of(office.token, 20_000) if "from=2023" in path]
    past = asked_of(office, with_moment(paths, [then], "2025-06-30"))
    name = "GET /v1/pipeline as of a day, as known at a position, each window new, time"
    check(beside(office, report, name, past, asked_of(office, paths), NO_MORE))


def test_the_pipeline_of_a_district_in_the_past_costs_little_more_than_the_present_one(
    office: Office, report: Report
) -> None:
    then = int(position_of(office) * HALF_WAY)
    paths = paths_of(office.token, 20_000, "&district=3205")
    past = asked_of(office, with_moment(paths, [then]))
    name = "GET /v1/pipeline of a city, as known at a position, time"
    check(beside(office, report, name, past, asked_of(office, paths), NO_MORE))


def test_ever_other_moments_are_reported(office: Office, report: Report) -> None:
    """Beside a present whose days are at hand; `test_million.py` has what grows with the ledger."""
    last = position_of(office)
    chance = Random(3)
    moments = [chance.randrange(last // 4, last) for _ in range(2_000)]
    paths = paths_of(office.token, 20_000)
    past = asked_of(office, with_moment(paths, moments))
    name = "GET /v1/pipeline as known at ever other positions, time"
    beside(office, report, name, past, asked_of(office, paths), REPORTED)


def test_a_list_of_the_past_is_reported(office: Office, report: Report) -> None:
    """Rows that changed since are chosen by the book and told from their own events."""
    then = int(position_of(office) * HALF_WAY)
    past = asked_of(office, [f"/v1/leads?as_of=2025-03-31&known_at={then}&stage=negotiating"])
    present = asked_of(office, ["/v1/leads?stage=negotiating"])
    name = "GET /v1/leads, a page of 50 of the past, time"
    beside(office, report, name, past, present, REPORTED)
