"""A ledger of a million events: loaded by import, rebuilt, and asked for its pipeline."""

import json
import sqlite3
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

from service.application import Ledger
from tests.bench.conftest import ledger_of, settings_for, token_for
from tests.bench.harness import Limit, Report, check, in_turn, serving, work
from tests.bench.paper import write_ledger
from tests.bench.test_http import windows

pytestmark = pytest.mark.bench

EVENTS = LEADS = 1_000_000
ROUNDS = 3
MOST_MEMORY = 300.0
TIPS_AT_ONCE = 20_000
SAMPLE = 200
WHY = {"reason": "录入有误", "occurred_on": "2026-01-07"}
# What is recorded of a sampled lead; each leaves another version, whatever its stage.
TOLD_ON: list[tuple[str, dict[str, Any]]] = [
    ("revision", {"title": "改过的名称", "occurred_on": "2026-01-05"}),
    ("revision", {"summary": "新的情况", "occurred_on": "2026-01-06"}),
    (
        "corrections",
        {
            "version": 1,
            "facts": {"title": "更正"},
            "reason": "录入有误",
            "occurred_on": "2026-01-07",
        },
    ),
]


class Imported(NamedTuple):
    """The million-event ledger, and what its import took."""

    database: Path
    rows: int
    took: dict[str, Any]


@pytest.fixture(scope="session")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Imported:
    """A paper ledger of a million events, imported."""
    folder = tmp_path_factory.mktemp("million")
    rows = write_ledger(folder / "paper.csv", events=EVENTS)
    database = folder / "ledger.sqlite"
    return Imported(database, rows, work("import", str(folder / "paper.csv"), database=database))


def test_an_import_of_a_million_events_is_loaded_whole(
    imported: Imported, tmp_path: Path, report: Report
) -> None:
    """Beside a bare insert of the very rows it stored; no limit is set."""
    took = imported.took
    found = [
        work("insert-bare", str(tmp_path / f"bare{number}.sqlite"), database=imported.database)
        for number in range(ROUNDS)
    ]
    with sqlite3.connect(imported.database) as log:
        (events,) = log.execute("SELECT count(*) FROM stored_events").fetchone()
    log.close()
    assert events >= EVENTS
    detail = (
        f"{imported.rows} rows, {events} events in {took['seconds']:.0f} s, "
        f"{events / took['seconds']:.0f} events/s"
    )
    name = "import of 1,000,000 events, speed beside a bare insert of the same rows"
    report.add(name, [bare["seconds"] / took["seconds"] for bare in found], detail=detail)
    report.add("import of 1,000,000 events, peak memory", [took["peak"]], unit=" MB")


def test_a_rebuild_takes_little_longer_than_reading_the_log(
    imported: Imported, report: Report
) -> None:
    database = imported.database
    work("decode", database=database)
    pairs = [
        (work("decode", database=database), work("rebuild", database=database))
        for _ in range(ROUNDS)
    ]
    assert all(read["events"] == made["events"] >= EVENTS for read, made in pairs)
    read, made = pairs[0]
    detail = (
        f"{made['events'] / made['seconds']:.0f} events/s beside "
        f"{read['events'] / read['seconds']:.0f} read and decoded; by CPU "
        f"{read['cpu'] / made['cpu']:.2f}"
    )
    name = "rebuild of 1,000,000 events, speed beside reading and decoding them"
    speeds = [read["seconds"] / made["seconds"] for read, made in pairs]
    speed = report.add(name, speeds, Limit(at_least=0.4), detail)
    quarters = [made["quarters"] for _, made in pairs]
    shown = ", ".join(f"{megabytes:.0f}" for megabytes in quarters[0])
    peaks = [made["peak"] for _, made in pairs]
    limit = Limit(at_most=MOST_MEMORY)
    detail = f"at 25, 50, 75 and 100 % of the events: {shown} MB"
    peak = report.add("rebuild, peak memory", peaks, limit, detail, unit=" MB")
    growth = [end / begin for begin, _, _, end in quarters]
    name = "rebuild, memory at the end over a quarter in"
    flat = report.add(name, growth, Limit(at_most=1.25))
    check(speed, peak, flat)


def test_any_version_of_any_lead_is_what_was_answered_when_it_was_the_last(
    imported: Imported,
) -> None:
    """Of leads sampled from the million events, each told on by two commands and a correction."""
    token = token_for(imported.database)
    environment = {"LEDGER_DATABASE": f"sqlite:///{imported.database}"}
    with serving("wsgi:app", environment, "/healthz") as server:
        for lead in sampled(imported.database):
            said = [server.ask("GET", f"/v1/leads/{lead}", token)]
            for command, body in TOLD_ON:
                said.append(server.ask("POST", f"/v1/leads/{lead}/{command}", token, body))
            history = server.ask("GET", f"/v1/leads/{lead}/history", token)["items"]
            for answer in said:
                version = answer["version"]
                at = history[version - 1]["position"]
                for asked in (f"version={version}", f"known_at={at}"):
                    assert server.ask("GET", f"/v1/leads/{lead}?{asked}", token) == answer


def sampled(database: Path) -> list[str]:
    """Leads from all over the ledger."""
    with sqlite3.connect(database.with_name(database.name + ".projections")) as connection:
        ids = [id for (id,) in connection.execute("SELECT id FROM leads ORDER BY number")]
    connection.close()
    return Random(11).sample(ids, SAMPLE)


def test_a_million_leads_cost_the_pipeline_no_more_than_twice_a_thousand(
    imported: Imported, tmp_path: Path, report: Report
) -> None:
    many, few = imported.database, ledger_of(tmp_path / "few", rows=1_000)
    with_tips_up_to(many, LEADS)
    where = [{"LEDGER_DATABASE": f"sqlite:///{database}"} for database in (few, many)]
    tokens = [token_for(database) for database in (few, many)]
    with (
        serving("wsgi:app", where[0], "/healthz") as small,
        serving("wsgi:app", where[1], "/healthz") as large,
    ):
        asked = [windows(token, 20_000) for token in tokens]
        alone = in_turn(
            lambda n: small.load(asked[0], connections=1, skip=n * 2_000),
            lambda n: large.load(asked[1], connections=1, skip=n * 2_000),
            rounds=9,
        )
    ratios = [b.latency["read"] / a.latency["read"] for a, b in alone]
    a, b = alone[0]
    detail = f"{b.latency['read'] * 1e3:.2f} ms beside {a.latency['read'] * 1e3:.2f} ms"
    name = "GET /v1/pipeline, each window new, time with 1,000,000 leads over 1,000"
    check(report.add(name, ratios, Limit(at_most=2), detail))


def with_tips_up_to(database: Path, leads: int) -> None:
    """Add leads that are tips, copies of one that is there, until there are so many.

    They are written as stored events, past the commands: a million rows' import would take as
    long again and post nothing else.
    """
    ledger = Ledger(settings_for(database))
    try:
        with sqlite3.connect(database) as log:
            (there,) = log.execute(
                "SELECT count(*) FROM stored_events WHERE topic = 'lead.tipped'"
            ).fetchone()
            tips = log.execute(
                "SELECT topic, state FROM stored_events WHERE topic = 'lead.tipped' LIMIT 5000"
            ).fetchall()
            insert = "INSERT INTO stored_events VALUES (lower(hex(randomblob(16))), 1, ?, ?)"
            missing = leads - there
            log.executemany(insert, (tips[n % len(tips)] for n in range(missing)))
        log.close()
        ledger.reads.position()
        with ledger.reads.store.reading() as connection:
            (now,) = connection.exec_driver_sql("SELECT count(*) FROM leads").one()
        assert now == leads, json.dumps({"leads": now})
    finally:
        ledger.close()
