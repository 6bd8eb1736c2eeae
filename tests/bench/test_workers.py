"""Commands a second with one, two and four workers, on both databases, beside raw SQL that inserts
the same rows behind bare Flask under the same gunicorn."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.application import Ledger
from service.settings import Settings
from tests.bench.conftest import FOLLOW_UP
from tests.bench.harness import Limit, Report, check, http, in_turn, serving
from tests.bench.test_http import by_rate
from tests.postgres import USUAL, running
from tests.service.helpers import follow, opened, register, tip

pytestmark = pytest.mark.bench

# So many that none gets more follow-ups than a lead has, for each command reads all of its lead's.
ROUNDS, LEADS = 5, 2_000


@contextmanager
def databases(kind: str, folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """The ledger's environment, and where bare Flask inserts: both on disk, and durably."""
    if kind == "SQLite":
        yield {"LEDGER_DATABASE": f"sqlite:///{folder / 'ledger.sqlite'}"}, f"{folder / 'bare'}"
        return
    with running(USUAL) as server:
        ledger, bare = (server.make_database(name).whole_url for name in ("ours", "theirs"))
        yield {"LEDGER_DATABASE": ledger, "LEDGER_FILES": f"{folder / 'ledger'}"}, bare


def office_of(environment: Mapping[str, str], row: Path) -> tuple[str, list[str]]:
    """A token and some leads of a new ledger; the row of a follow-up is written to ``row``."""
    with opened(Ledger(Settings.from_environment(environment))) as ledger:
        member = register(ledger).subject
        leads = [tip(ledger, member, title=f"第{n}个项目").subject for n in range(LEADS)]
        follow(ledger, leads[0], FOLLOW_UP["result"])
        last = ledger.recorder.max_notification_id() or 0
        (stored,) = ledger.recorder.select_notifications(last, 1)
        row.write_text(json.dumps([stored.topic, stored.state.decode()]))
        return ledger.tokens.issue("admin"), [f"{lead}" for lead in leads]


@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("kind", ["SQLite", "PostgreSQL"])
def test_commands_of_many_workers_cost_little_more_than_their_inserts(
    tmp_path: Path, report: Report, kind: str, workers: int
) -> None:
    with databases(kind, tmp_path) as (environment, bare):
        token, leads = office_of(environment, tmp_path / "row.json")
        processes = {"LEDGER_WORKERS": f"{workers}"}
        inserts = {"BENCH_DATABASE": bare, "BENCH_ROW": f"{tmp_path / 'row.json'}"}
        asked = [
            ("write", http("POST", f"/v1/leads/{lead}/follow-ups", token, FOLLOW_UP))
            for lead in leads
        ]
        beside = [("write", http("POST", "/insert", "", FOLLOW_UP))]
        with (
            serving("wsgi:app", {**environment, **processes}, "/healthz") as ours,
            serving("tests.bench.bare_workers:app", {**inserts, **processes}, "/hello") as theirs,
        ):
            found = in_turn(
                lambda n: ours.load(asked, skip=n * 7 % LEADS),
                lambda _n: theirs.load(beside),
                ROUNDS,
            )
    name = f"commands with {workers} workers on {kind}, rate beside raw SQL"
    check(by_rate(report, name, found, Limit(at_least=0.6)))
