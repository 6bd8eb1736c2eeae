"""What grows with a lead's life and with the log: one lead's state, and reading the log."""

import sqlite3
from pathlib import Path

import pytest

from service.application import Ledger
from tests.bench.conftest import caught_up, ledger_of, settings_for, token_for
from tests.bench.harness import REPORTED, Limit, Report, check, http, in_turn, serving, work

pytestmark = pytest.mark.bench

ROUNDS = 7
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
                "null, 'form', 'call', 'result', '打了一个电话', 'next_on', null)"
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
    return [lead for lead, _ in found]


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
