"""The jobs of the exports, as those of ``work.py``; apart, for what they load is large."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

import service  # noqa: F401  (first: it puts a repaired SQLite under the name sqlite3)
from domain.actor import today_in_china
from service.application import Ledger
from service.exports.columns import LEADS
from service.exports.cut import Cut
from service.exports.making import Plan, write_book, write_leads
from service.settings import Settings
from tests.bench.work import Jobs, main


def export_leads(folder: str) -> dict[str, Any]:
    """The leads as CSV and Parquet, as the nightly export writes them."""
    with _exporting() as (ledger, plan):
        began = time.perf_counter()
        csv, _ = write_leads(ledger, plan, Path(folder))
        seconds = time.perf_counter() - began
    return {"rows": csv.rows, "seconds": seconds}


def write_ready(folder: str, target: str) -> dict[str, Any]:
    """What ``export_leads`` wrote, once more by pyarrow alone, from columns in memory."""
    people = csv.read_csv(Path(folder) / "leads.csv", convert_options=_ALL_TEXT)
    machines = parquet.read_table(Path(folder) / "leads.parquet")
    began = time.perf_counter()
    csv.write_csv(people, f"{target}/leads.csv")
    parquet.write_table(machines, f"{target}/leads.parquet")
    return {"rows": machines.num_rows, "seconds": time.perf_counter() - began}


def export_book(folder: str) -> dict[str, Any]:
    """The leads as a workbook, as the nightly export writes it."""
    with _exporting() as (ledger, plan):
        write_book(ledger, plan, Path(folder), [])
    return {}


_ALL_TEXT = csv.ConvertOptions(
    column_types={column.heading: pa.string() for column in LEADS}, strings_can_be_null=True
)


@contextmanager
def _exporting() -> Iterator[tuple[Ledger, Plan]]:
    """The ledger, and the plan of an export of today."""
    ledger = Ledger(Settings.from_environment())
    cut = Cut(today_in_china(), ledger.reads.position())
    yield ledger, Plan(cut, cut_off=None, previous=None, checkpoint=None)
    ledger.close()


JOBS: Jobs = {
    "export-leads": export_leads,
    "write-ready": write_ready,
    "export-book": export_book,
}


if __name__ == "__main__":
    main(JOBS)
