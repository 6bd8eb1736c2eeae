"""Excel workbooks of many rows, imported."""

import csv
from pathlib import Path

import pytest
import xlsxwriter

from tests.bench.harness import Limit, Report, check, work
from tests.bench.paper import write_ledger

pytestmark = pytest.mark.bench

ROWS, FEW = 100_000, 25_000


def test_a_workbook_of_many_rows_is_imported_in_the_memory_of_few(
    tmp_path: Path, report: Report
) -> None:
    took = {rows: work_on(tmp_path, rows) for rows in (FEW, ROWS)}
    name = f"import of a workbook of {ROWS:,} rows"
    detail = f"{took[ROWS]['peak']:.0f} MB beside {took[FEW]['peak']:.0f} MB for {FEW:,} rows"
    flat = report.add(
        f"{name}, peak memory over that of {FEW:,}",
        [took[ROWS]["peak"] / took[FEW]["peak"]],
        Limit(at_most=1.5),
        detail,
    )
    seconds = took[ROWS]["seconds"]
    report.add(name, [ROWS / seconds], detail=f"{seconds:.0f} s", unit=" rows/s")
    check(flat)


def work_on(folder: Path, rows: int) -> dict[str, float]:
    """Import a workbook of so many rows into a ledger of its own."""
    home = folder / f"{rows}"
    home.mkdir()
    write_ledger(home / "paper.csv", rows=rows)
    with (
        (home / "paper.csv").open(encoding="utf-8", newline="") as file,
        xlsxwriter.Workbook(str(home / "paper.xlsx"), {"constant_memory": True}) as book,
    ):
        page = book.add_worksheet("台账")
        for line, cells in enumerate(csv.reader(file)):
            page.write_row(line, 0, cells)
    return work("import", str(home / "paper.xlsx"), database=home / "ledger.sqlite")
