"""The README is true: its tables are the code's, and its journey runs as it is pasted."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import service  # noqa: F401 - a safe SQLite first
from api.auth import MAY
from domain.correction import ALWAYS, CORRECTABLE
from service.access.record import KINDS
from service.columns import HEADINGS
from service.exports.columns import COLUMNS
from service.projections.clocks import RULES as DUE_RULES
from service.reports.annual import RULES
from service.reports.grouping import BANDS
from service.settings import HOME, TABLE
from service.tokens import ROLES
from tests.bench import growth
from tests.browser.screenshots import FOLDER, SHOTS
from tests.faults.serving import Server, serving

README = HOME / "README.md"


def settings_table() -> str:
    """The settings as the README shows them."""
    rows = ["| variable | default | meaning |", "|---|---|---|"]
    for setting in TABLE.values():
        default = setting.default.replace(str(HOME), ".")
        if setting.variable == "LEDGER_WORKERS":
            default = "one per core, at least 2"
        rows.append(f"| `{setting.variable}` | {default} | {setting.meaning} |")
    return "\n".join(rows)


def roles_table() -> str:
    """Who may do what, and what a token limited to a district may of it."""
    rows = [
        f"| | {' | '.join(ROLES)} | limited to a district |",
        "|---|" + "---|" * (len(ROLES) + 1),
    ]
    for action, rule in MAY.items():
        may = ("its own" if role == "member" else "yes" for role in ROLES if role in rule.roles)
        cells = [next(may) if role in rule.roles else "" for role in ROLES]
        limit = f"no: {rule.whole}" if rule.whole else "within it"
        rows.append(f"| {action} | {' | '.join(cells)} | {limit} |")
    return "\n".join(rows)


def due_table() -> str:
    """What the worklist calls due."""
    rows = ["| rule | | due after | the sentence |", "|---|---|---|---|"]
    for rule in DUE_RULES:
        after = f"{rule.days} {rule.unit} days" if rule.unit else "the day itself"
        rows.append(f"| `{rule.name}` | {rule.label} | {after} | 《…》{{day}}{rule.what} |")
    return "\n".join(rows)


def claims_table() -> str:
    """What the annual report counts."""
    rows = [f"| `{rule.name}` | {rule.counts} | {rule.clause} |" for rule in RULES]
    return "\n".join(["| claim | counts | clause |", "|---|---|---|", *rows])


def bands_table() -> str:
    """How amounts are banded."""
    rows = [f"| `{band.name}` | {band.label} | {band.least // 100:,} |" for band in BANDS]
    return "\n".join(["| band | | from so many 元 on |", "|---|---|---|", *rows])


def correctable_table() -> str:
    """What a correction may touch."""
    rows = ["| event | may be put right | may be voided |", "|---|---|---|"]
    for topic, (_, facts, void) in CORRECTABLE.items():
        names = ", ".join(f"`{name}`" for name in (*ALWAYS, *facts))
        rows.append(f"| {topic.partition('.')[2]} | {names} | {'yes' if void else 'no'} |")
    return "\n".join(rows)


def access_kinds_table() -> str:
    """What access records are of."""
    rows = [f"| `{kind}` | {what} |" for kind, what in KINDS.items()]
    return "\n".join(["| kind | what is recorded |", "|---|---|", *rows])


def pages_table() -> str:
    """The pictures of the pages, three in a row."""
    cells = [f"![{shot.caption}](docs/pages/{shot.name}.png)<br>{shot.caption}" for shot in SHOTS]
    rows = [cells[at : at + 3] for at in range(0, len(cells), 3)]
    lines = [f"| {' | '.join([*row, *[''] * (3 - len(row))])} |" for row in rows]
    return "\n".join(["| | | |", "|---|---|---|", *lines])


def export_columns_table() -> str:
    """Every column of every file of an export."""
    rows = ["| file | column | heading | kind | meaning |", "|---|---|---|---|---|"]
    for name, columns in COLUMNS.items():
        for column in columns:
            what = (column.name, column.heading, column.kind.value, column.meaning)
            rows.append(f"| {name} | `{what[0]}` | {' | '.join(what[1:])} |")
    return "\n".join(rows)


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("settings", settings_table()),
        ("roles", roles_table()),
        ("headings", "、".join(HEADINGS) + "."),
        ("correctable", correctable_table()),
        ("claims", claims_table()),
        ("bands", bands_table()),
        ("due", due_table()),
        ("access kinds", access_kinds_table()),
        ("pages", pages_table()),
        ("export columns", export_columns_table()),
        ("benchmarks", (HOME / "tests/bench/RESULTS.md").read_text(encoding="utf-8").strip()),
        ("growth", growth.markdown(growth.read())),
    ],
    ids=[
        "settings",
        "roles",
        "headings",
        "correctable",
        "claims",
        "bands",
        "due",
        "kinds",
        "pages",
        "exports",
        "benchmarks",
        "growth",
    ],
)
def test_the_readme_shows_what_the_code_has(part: str, text: str) -> None:
    found = re.search(
        rf"<!-- {part} -->\n\n?(.*?)\n?<!-- /{part} -->", README.read_text(), re.DOTALL
    )
    assert found is not None
    assert found[1].strip() == text


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The service on a fresh ledger."""
    with serving(tmp_path) as running:
        yield running


def test_the_journey_runs_as_it_is_pasted(server: Server) -> None:
    block = re.search(r"<!-- journey -->\n```bash\n(.*?)```", README.read_text(), re.DOTALL)
    assert block is not None
    script = block[1].replace("http://127.0.0.1:8000", f"http://127.0.0.1:{server.port}")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-euc", script],
        env={"TOKEN": server.token, "PATH": path},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "urn:leadledger:problem" not in done.stdout
    for event in ("tipped", "screened", "negotiation_opened", "followed_up", "signing_planned"):
        assert f'"event":"{event}"' in done.stdout
    groundbroken = '"stage":"groundbroken","label":"开工","standing":'
    assert groundbroken + '{"count":1,"cny":"1600000000"}' in done.stdout, "corrected"
    assert groundbroken + '{"count":1,"cny":"1500000000"}' in done.stdout, "as it was believed"
    signed = '"stage":"signed","label":"签约","standing":{"count":1,"cny":"1600000000"}'
    assert signed in done.stdout, "by recognition"


def test_every_page_has_its_picture_and_no_picture_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {shot.name for shot in SHOTS}
