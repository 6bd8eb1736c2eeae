"""The nightly export of a hundred thousand and of a million leads: how fast, in how much memory."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench.conftest import caught_up, ledger_of
from tests.bench.harness import Limit, Report, check, work
from tests.bench.test_million import with_tips_up_to

pytestmark = pytest.mark.bench

FEW, MANY = 100_000, 1_000_000
ROUNDS = 3
MOST_MEMORY = 400.0


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of a hundred thousand leads of every fate, imported."""
    return caught_up(ledger_of(tmp_path_factory.mktemp("exports"), rows=FEW))


def test_a_million_leads_are_exported_half_as_fast_as_ready_columns_are_written(
    database: Path, tmp_path: Path, report: Report
) -> None:
    few = exported(database, tmp_path / "few")
    assert few["rows"] == FEW
    with_tips_up_to(database, MANY)
    pairs = []
    for number in range(ROUNDS):
        made = exported(database, folder := tmp_path / f"many{number}")
        (target := tmp_path / f"ready{number}").mkdir()
        pairs.append((made, job("write-ready", database, folder, target)))
    assert all(made["rows"] == ready["rows"] == MANY for made, ready in pairs)
    made, ready = pairs[0]
    name = f"export of {MANY:,} leads to CSV and Parquet"
    speed = report.add(
        f"{name}, speed beside pyarrow from ready columns",
        [ready["seconds"] / made["seconds"] for made, ready in pairs],
        Limit(at_least=0.5),
        f"{made['seconds']:.1f} s beside {ready['seconds']:.1f} s",
    )
    peaks = [made["peak"] for made, _ in pairs]
    peak = report.add(f"{name}, peak memory", peaks, Limit(at_most=MOST_MEMORY), unit=" MB")
    flat = report.add(
        f"{name}, peak memory over that of {FEW:,}",
        [peak / few["peak"] for peak in peaks],
        Limit(at_most=1.25),
        f"{few['peak']:.0f} MB for {FEW:,}",
    )
    check(speed, peak, flat)


def exported(database: Path, folder: Path) -> dict[str, Any]:
    """Export the leads; what it took."""
    folder.mkdir()
    return job("export-leads", database, folder)


def job(what: str, database: Path, *folders: Path) -> dict[str, Any]:
    """A job of `export_work.py`."""
    return work(what, *map(str, folders), database=database, module="export_work")


def test_a_workbook_of_a_hundred_thousand_leads_takes_less_than_a_minute(
    tmp_path: Path, report: Report
) -> None:
    database = caught_up(ledger_of(tmp_path / "ledger", rows=FEW))
    took = job("export-book", database, tmp_path)
    name = f"export of {FEW:,} leads as a workbook"
    seconds = report.add(name, [took["seconds"]], Limit(at_most=60), unit=" s")
    peak = report.add(
        f"{name}, peak memory", [took["peak"]], Limit(at_most=MOST_MEMORY), unit=" MB"
    )
    check(seconds, peak)
