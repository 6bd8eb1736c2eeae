"""What grows with a lead's life, with the log, and with the number of leads."""

import sqlite3
import statistics
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from service.application import Ledger
from tests.bench import growth
from tests.bench.conftest import caught_up, issued, ledger_of, settings_for, token_for
from tests.bench.harness import (
    REPORTED,
    Limit,
    Report,
    Server,
    check,
    http,
    in_turn,
    serving,
    work,
)
from tests.bench.ledgers import LEADS, made
from tests.bench.test_http import windows
from tests.bench.test_past import Requests

pytestmark = pytest.mark.bench

ROUNDS = 7
SIZES = (1_000, 10_000, 100_000, 1_000_000)
SHORT, LONG = 10, 10_000


def lives(database: Path) -> list[str]:
    """Two leads of the ledger, with ``SHORT`` and ``LONG`` events: the last ones are follow-ups."""
    ledger = Ledger(settings_for(database))
    try:
        ledger.create_tables()
        with sqlite3.connect(database) as log:
            found = log.execute(
                "SELECT originator_id, max(originator_version) FROM stored_events "
                "WHERE topic LIKE 'lead.%' GROUP BY 1 HAVING max(originator_version) = 2 LIMIT 2"
            ).fetchall()
            (state,) = log.execute(
                "SELECT state FROM stored_events WHERE topic = 'lead.tipped' LIMIT 1"
            ).fetchone()
            told = (
                "SELECT json_object('timestamp', json_extract(:tip, '$.timestamp'), 'occurred_on', "
                "json_extract(:tip, '$.occurred_on'), 'actor', 'bench', 'request', '0', 'note', "
                "null, 'form', 'call', 'result', '打了一个电话', 'next_on', null, 'reason', null)"
            )
            (follow_up,) = log.execute(told, {"tip": state}).fetchone()
            for (lead, version), events in zip(found, (SHORT, LONG), strict=True):
                log.executemany(
                    "INSERT INTO stored_events VALUES (?, ?, 'lead.followed_up', ?)",
                    (
                        (lead, number, follow_up.encode())
                        for number in range(version + 1, events + 1)
                    ),
                )
        log.close()
    finally:
        ledger.close()
    caught_up(database)
    return [f"{UUID(lead)}" for lead, _ in found]


def test_one_leads_state_costs_no_more_after_ten_thousand_events(
    tmp_path: Path, report: Report
) -> None:
    database = ledger_of(tmp_path, rows=1_000)
    short, long = lives(database)
    token = token_for(database)
    with serving("wsgi:app", {"LEDGER_DATABASE": f"sqlite:///{database}"}, "/healthz") as server:
        versions = [
            server.ask("GET", f"/v1/leads/{lead}", token)["version"] for lead in (short, long)
        ]
        assert versions == [SHORT, LONG]
        asked = [[("read", http("GET", f"/v1/leads/{lead}", token))] for lead in (short, long)]
        found = in_turn(
            lambda _n: server.load(asked[0], connections=1),
            lambda _n: server.load(asked[1], connections=1),
            ROUNDS,
        )
        body = {"form": "call", "result": "又打了一个", "occurred_on": "2026-01-05"}
        told = [
            [("write", http("POST", f"/v1/leads/{lead}/follow-ups", token, body))]
            for lead in (short, long)
        ]
        commands = in_turn(
            lambda _n: server.load(told[0], connections=1),
            lambda _n: server.load(told[1], connections=1),
            3,
        )
    a, b = found[0]
    detail = f"{b.latency['read'] * 1e3:.2f} ms beside {a.latency['read'] * 1e3:.2f} ms"
    name = "GET one lead, time after 10,000 events over that after 10"
    ratios = [b.latency["read"] / a.latency["read"] for a, b in found]
    state = report.add(name, ratios, Limit(at_most=3), detail)
    a, b = commands[0]
    detail = f"{b.latency['write'] * 1e3:.2f} ms beside {a.latency['write'] * 1e3:.2f} ms"
    name = "POST a follow-up, time after 10,000 events over that after 10 and some hundreds"
    ratios = [b.latency["write"] / a.latency["write"] for a, b in commands]
    report.add(name, ratios, REPORTED, detail)
    check(state)


def test_reading_and_decoding_the_log_takes_at_most_twice_the_bare_reading(
    tmp_path: Path, report: Report
) -> None:
    """Beside SELECT and orjson.loads of the same rows, in CPU time, each pair in one process and
    without the search for cycles, as in a rebuild."""
    database = ledger_of(tmp_path, events=100_000)
    found = work("decode-beside-raw", database=database)
    ratios = [raw / decoded for raw, decoded in found["pairs"]]
    raw, decoded = found["pairs"][0]
    detail = f"{decoded * 1e6:.2f} µs an event beside {raw * 1e6:.2f} µs"
    name = "reading and decoding the log, speed beside SELECT and orjson.loads"
    check(report.add(name, ratios, Limit(at_least=0.5), detail))


def test_time_and_bytes_by_the_number_of_leads_are_reported(tmp_path: Path) -> None:
    """Written to growth.json and growth.svg, which the README shows. All sizes are served at once,
    and each question is asked of them in turn."""
    each = [made(tmp_path, leads) for leads in SIZES if leads <= LEADS]
    with ExitStack() as stack:
        asked = []
        for one in each:
            token = issued(settings_for(one.database))
            environment = {"LEDGER_DATABASE": f"sqlite:///{one.database}"}
            server = stack.enter_context(serving("wsgi:app", environment, "/healthz"))
            asked.append((server, questions(server, token)))
        costs = {what: costs_of(what, asked) for what in growth.ASKED}
    growth.write(
        [
            growth.Size(
                one.leads,
                one.log / one.leads,
                one.projections / one.leads,
                one.imported / one.leads * 1e6,
                one.rebuilt / one.leads * 1e6,
                {what: costs[what][place] for what in growth.ASKED},
            )
            for place, one in enumerate(each)
        ]
    )
    assert [size.leads for size in growth.read().sizes] == [one.leads for one in each]


def questions(server: Server, token: str) -> dict[str, Requests]:
    """What is asked, by its name in the table."""
    page = server.ask("GET", "/v1/leads?limit=50&stage=negotiating", token)["items"]
    last: int = server.ask("GET", "/v1/pipeline", token)["position"]
    body = {"form": "call", "result": "打了一个电话", "occurred_on": "2026-01-05"}
    paths = [text.split()[1] for _, text in windows(token, 2_000)]
    past = [
        f"{path}&district=3205&known_at={last // 2 + n % (last // 2)}"
        for n, path in enumerate(paths)
    ]
    told: dict[str, list[tuple[str, str, Any]]] = {
        "GET one lead": [("GET", f"/v1/leads/{lead['id']}", None) for lead in page],
        "GET a page of 50": [("GET", "/v1/leads?limit=50", None)],
        "GET /v1/pipeline": [("GET", path, None) for path in paths],
        "the same of a district, as known then": [("GET", path, None) for path in past],
        "POST a follow-up": [("POST", f"/v1/leads/{lead['id']}/follow-ups", body) for lead in page],
    }
    return {
        asked: [("asked", http(method, path, token, what)) for method, path, what in each]
        for asked, each in told.items()
    }


def costs_of(what: str, asked: Sequence[tuple[Server, Mapping[str, Requests]]]) -> list[float]:
    """The server's CPU for one request, in ms, of each ledger: the median of rounds after one that
    warms up."""
    rounds = [
        [
            server.load(each[what], connections=1, skip=n * 500 % len(each[what])).cpu
            for server, each in asked
        ]
        for n in range(ROUNDS + 1)
    ]
    return [statistics.median(of_one) * 1e3 for of_one in zip(*rounds[1:], strict=True)]
