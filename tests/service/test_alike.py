"""An import says which of its new leads may be the same as another."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.alike import MOST_COMPARED, MOST_NAMED
from service.application import Ledger
from service.cli import main
from service.similar import MOST_SHOWN
from tests.databases import name_in_environment
from tests.service.helpers import ledger_in
from tests.service.sheets import row, sheet, take_in


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path / "ledger") as opened:
        yield opened


def test_of_many_that_are_alike_the_likeliest_are_named_in_the_order_of_their_rows(
    tmp_path: Path, ledger: Ledger
) -> None:
    titles = [f"{chr(0x4E00 + n)}{chr(0x5E00 + n)}厂" for n in range(MOST_COMPARED)]
    titles[-150:] = ["晶圆厂"] * 150
    path = sheet(tmp_path / "a.csv", [row(n, 项目名称=title) for n, title in enumerate(titles)])
    found = take_in(ledger, path, dry_run=True).similar
    assert (found.compared, found.alike, len(found.leads)) == (MOST_COMPARED, 149, MOST_NAMED)
    first, second = found.leads[:2]
    line = MOST_COMPARED - 150 + 2
    assert (first["row"], second["row"]) == (f"line {line + 1}", f"line {line + 2}")
    assert [other["row"] for other in second["possible_duplicates"]] == [
        f"line {line}",
        f"line {line + 1}",
    ]
    assert len(found.leads[-1]["possible_duplicates"]) == MOST_SHOWN


def test_no_more_are_compared_than_a_moment_allows(tmp_path: Path, ledger: Ledger) -> None:
    rows = (row(n, 项目名称=f"{chr(0x4E00 + n)}厂") for n in range(MOST_COMPARED + 5))
    done = take_in(ledger, sheet(tmp_path / "a.csv", rows), dry_run=True)
    assert (done.leads, done.similar.compared) == (MOST_COMPARED + 5, MOST_COMPARED)


def test_what_is_known_already_or_called_a_duplicate_is_not_compared(
    tmp_path: Path, ledger: Ledger
) -> None:
    end = {"终止日期": "2025-05-01", "终止结果": "重复", "终止原因": "与1同"}
    first, again = row(1, 项目名称="晶圆厂"), row(2, 项目名称="晶圆厂", **end)
    assert take_in(ledger, sheet(tmp_path / "a.csv", [first, again])).similar.alike == 0
    found = take_in(ledger, sheet(tmp_path / "a.csv", [first, row(3, 项目名称="晶圆厂")])).similar
    assert (found.compared, found.alike) == (1, 1)
    # The duplicate is looked for as what it is a duplicate of.
    assert len(found.leads[0]["possible_duplicates"]) == 1


def test_the_command_line_prints_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name_in_environment(monkeypatch, tmp_path, "ledger")
    path = sheet(tmp_path / "a.csv", [row(n, 项目名称="晶圆厂") for n in (1, 2)])
    for dry_run in (["--dry-run"], []):
        done = CliRunner().invoke(main, ["import", str(path), *dry_run])
        assert done.exit_code == 0, done.output
        assert "1 of the 2 new leads that were compared may be the same as another" in done.output
        assert "line 3 晶圆厂: 0.80 晶圆厂 (title; line 2)" in done.output
