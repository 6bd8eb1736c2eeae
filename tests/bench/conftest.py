"""What the benchmarks share: the report, and ledgers that are made once in a run."""

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.ahead import Ahead
from service.application import Ledger
from service.settings import Settings
from tests.bench.harness import PATIENCE, RESULTS, Report, Server, serving, work
from tests.bench.paper import write_ledger

TIP: dict[str, Any] = {
    "title": "12英寸大晶圆项目",
    "summary": "一期投资十亿元，二期二十亿元，带动上下游企业落户。",
    "district": "320102",
    "investor": {"name": "示例投资方", "country": "CN"},
    "industry": "C397",
    "investment": {"amount": "30", "unit": "亿元"},
    "occurred_on": "2025-03-18",
}
FOLLOW_UP: dict[str, Any] = {
    "form": "visit",
    "result": "去企业考察了一次，对方下月来回访。",
    "next_on": "2026-02-10",
    "occurred_on": "2026-01-05",
}


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known wherever the benchmarks are run from."""
    config.addinivalue_line("markers", "bench: a benchmark; it takes minutes and prints ratios")


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """The run's figures, which take the place of their last ones in RESULTS.md."""
    found = Report()
    yield found
    print("\n\n" + found.markdown())
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    RESULTS.write_text(found.markdown(before), encoding="utf-8")


@dataclass(frozen=True)
class Office:
    """A served ledger: its leads, a token that may do all, one of its members with a token."""

    server: Server
    token: str
    leads: list[str]
    member: str
    members_token: str


def ledger_of(folder: Path, **size: int) -> Path:
    """A ledger made by importing a generated paper ledger; its database."""
    folder.mkdir(parents=True, exist_ok=True)
    write_ledger(folder / "paper.csv", **size)
    work("import", str(folder / "paper.csv"), database=folder / "ledger.sqlite")
    return folder / "ledger.sqlite"


def caught_up(database: Path) -> Path:
    """The same, with its projections at the log's end."""
    ledger = Ledger(settings_for(database))
    try:
        ledger.create_tables()
        ledger.reads.position()
    finally:
        ledger.close()
    return database


def settings_for(database: Path) -> Settings:
    """Settings of the ledger in ``database``."""
    return Settings.from_environment({"LEDGER_DATABASE": f"sqlite:///{database}"})


def token_for(database: Path, member: str | None = None) -> str:
    """A new administrator's token, or a member's, once the keeper's first work is done."""
    ledger = Ledger(settings_for(database))
    ahead = Ahead(ledger.reads)
    try:
        ledger.create_tables()
        # As the keeper does in its first seconds.
        while not ahead.work(PATIENCE):
            pass
        return ledger.tokens.issue("member" if member else "admin", member_id=member)
    finally:
        ledger.close()


def issued(settings: Settings) -> str:
    """A new administrator's token for who asks for no tip: what those may be the same as is not
    searched for."""
    ledger = Ledger(settings)
    try:
        ledger.create_tables()
        return ledger.tokens.issue("admin")
    finally:
        ledger.close()


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """A ledger of 10,000 leads, served."""
    database = ledger_of(tmp_path_factory.mktemp("office"), rows=10_000)
    token = token_for(database)
    with sqlite3.connect(database.with_name(database.name + ".projections")) as connection:
        still_open = "SELECT id FROM leads WHERE stage <> 'closed' ORDER BY number"
        leads = [id for (id,) in connection.execute(still_open)]
        (member,) = connection.execute("SELECT id FROM members ORDER BY seq").fetchone()
    connection.close()
    environment = {"LEDGER_DATABASE": f"sqlite:///{database}"}
    with serving("wsgi:app", environment, "/healthz") as server:
        yield Office(server, token, leads, member, token_for(database, member))


@pytest.fixture(scope="session")
def bare(office: Office, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Bare Flask, whose inserts write the rows that the ledger wrote for the same requests."""
    folder = tmp_path_factory.mktemp("bare")
    tip = {**TIP, "members": [office.member]}
    office.server.ask("POST", "/v1/leads", office.token, tip)
    lead = office.leads[0]
    office.server.ask("POST", f"/v1/leads/{lead}/follow-ups", office.token, FOLLOW_UP)
    database = tmp_path_factory.getbasetemp() / "office0" / "ledger.sqlite"
    with sqlite3.connect(database) as log:
        (layout,) = log.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'stored_events'"
        ).fetchone()
        last = log.execute(
            "SELECT topic, state FROM stored_events ORDER BY rowid DESC LIMIT 2"
        ).fetchall()
    log.close()
    rows = dict(zip(("follow-up", "tip"), last, strict=True))
    kept = {name: (topic, state.decode()) for name, (topic, state) in rows.items()}
    (folder / "rows.json").write_text(json.dumps(kept, ensure_ascii=False))
    with sqlite3.connect(folder / "bare.sqlite") as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(layout)
    connection.close()
    with serving("tests.bench.bare:app", {"BENCH_ROWS": str(folder)}, "/hello") as server:
        yield server
