"""Makes an export: the files of a cut, and the manifest that tells of them."""

import platform
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from functools import lru_cache, partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import xlsxwriter

from domain.actor import CHINA
from service.application import Ledger
from service.audit import VERIFIER
from service.exports.arrow import Contacts, for_machines
from service.exports.changes import change_rows
from service.exports.columns import CHANGES, ENTRIES, LEADS, ON_PAPER
from service.exports.cut import Cut
from service.exports.events import write_events
from service.exports.figures import TITLE, movements_table, period_tables, pipeline_table
from service.exports.leads import entry_pages, lead_pages
from service.exports.shelf import MANIFEST
from service.exports.sinks import CsvSink, ParquetSink, Sink, Written, measured, pour
from service.exports.table import Table
from service.exports.text_csv import write_csv
from service.exports.workbook import write_workbook
from service.projections.choosing import EVERYTHING, Selection
from service.projections.pipeline import RULE

FORMAT = "leadledger-export/1"
# Rows that are Python objects at once, on their way into a workbook.
_ROWS = 2_000


@dataclass(frozen=True)
class Plan:
    """What is to be exported: the ``cut``, what it is compared with, and how it is told.

    The same plan gives the same bytes. ``cut_off``: up to when what was recorded is in it, as RFC
    3339; None where a position was named. ``checkpoint``: what the manifest says of the one that
    covers it. ``personal``: names and telephone numbers of contacts are not masked.
    """

    cut: Cut
    cut_off: str | None
    previous: Cut | None
    checkpoint: Mapping[str, Any] | None
    personal: bool = False


def make(ledger: Ledger, plan: Plan, folder: Path) -> None:
    """Write everything into ``folder``, which is empty."""
    files = [*_tables(ledger, plan, folder), *_since(ledger, plan, folder)]
    shutil.copyfile(VERIFIER, folder / VERIFIER.name)
    files.append(measured(folder / VERIFIER.name))
    manifest = orjson.dumps(_manifest(plan, files), option=orjson.OPT_INDENT_2)
    (folder / MANIFEST).write_bytes(manifest + b"\n")


def _tables(ledger: Ledger, plan: Plan, folder: Path) -> Iterator[Written]:
    reads, cut = ledger.reads, plan.cut
    pipeline, movements = pipeline_table(reads, cut), movements_table(reads, cut)
    yield write_csv(folder / "pipeline.csv", pipeline.columns, pipeline.rows)
    yield write_csv(folder / "movements.csv", movements.columns, movements.rows)
    leads = write_leads(ledger, plan, folder)
    yield from leads
    yield from pour(entry_pages(reads, cut), [ParquetSink(folder / "entries.parquet", ENTRIES)])
    book = write_book(ledger, plan, folder, [pipeline, movements, *period_tables(reads, cut)])
    yield measured(book, leads[0].rows)


def write_leads(ledger: Ledger, plan: Plan, folder: Path) -> list[Written]:
    """The leads as CSV and as Parquet."""
    sinks: list[Sink] = [
        CsvSink(folder / "leads.csv", LEADS),
        ParquetSink(folder / "leads.parquet", LEADS),
    ]
    return pour(lead_pages(ledger.reads, plan.cut, _contacts(ledger, plan)), sinks)


def write_book(
    ledger: Ledger,
    plan: Plan,
    folder: Path,
    before: Sequence[Table],
    chosen: Selection = EVERYTHING,
) -> Path:
    """The workbook of the leads, all or those ``chosen``, with the tables that come ``before``."""
    cut, book = plan.cut, folder / "leads.xlsx"
    title = f"{TITLE}（截至{cut.day}）"
    leads = Table("台账", title, LEADS, lead_rows(ledger, plan, chosen), printed=ON_PAPER)
    write_workbook(
        book,
        [*before, leads],
        made=datetime.combine(cut.day, time.max, CHINA),
        subtitle=f"截止日 {cut.day}，口径 {RULE}，日志位置 {cut.position}",
    )
    return book


def lead_rows(
    ledger: Ledger, plan: Plan, chosen: Selection = EVERYTHING
) -> Iterator[tuple[Any, ...]]:
    """The leads as rows of Python values, in ``LEADS``."""
    for page in lead_pages(ledger.reads, plan.cut, _contacts(ledger, plan), chosen):
        typed: pa.Table = for_machines(page, LEADS)
        for batch in typed.to_batches(max_chunksize=_ROWS):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _since(ledger: Ledger, plan: Plan, folder: Path) -> Iterator[Written]:
    """What came since the previous export; of the first one every event, and no change."""
    recorder, before = ledger.log_recorder, plan.previous
    rows: Iterator[Any] = iter(())
    if before:
        contacts = _contacts(ledger, plan)
        rows = change_rows(ledger.reads, recorder, before, plan.cut, contacts)
    yield write_csv(folder / "changes.csv", CHANGES, rows)
    after = before.position if before else 0
    facts = partial(ledger.personal.event, plain=plan.personal)
    yield write_events(folder / "events.jsonl", recorder, (after, plan.cut.position), facts)


def _contacts(ledger: Ledger, plan: Plan) -> Contacts:
    """How contacts are shown in the cells of an export."""
    return partial(ledger.personal.cells, plain=plan.personal)


def _manifest(plan: Plan, files: list[Written]) -> dict[str, Any]:
    before = plan.previous
    return {
        "format": FORMAT,
        "date": f"{plan.cut.day}",
        "cut_off": plan.cut_off,
        "position": plan.cut.position,
        "rule": RULE,
        "previous": {"date": f"{before.day}", "position": before.position} if before else None,
        "personal_data": "shown" if plan.personal else "masked",
        "files": [
            {"name": one.name, "rows": one.rows, "bytes": one.size, "sha256": one.sha256}
            for one in files
        ],
        "checkpoint": plan.checkpoint,
        "software": dict(software()),
    }


@lru_cache(maxsize=1)
def software() -> tuple[tuple[str, str], ...]:
    """What wrote the files: with other versions the same rows may come as other bytes."""
    return (
        ("lead-ledger", version("lead-ledger")),
        ("python", platform.python_version()),
        ("pyarrow", pa.__version__),
        ("xlsxwriter", xlsxwriter.__version__),
    )
