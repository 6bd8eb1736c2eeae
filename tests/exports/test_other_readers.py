"""What others read our files with finds in them what we wrote: LibreOffice, DuckDB, pandas."""

import shutil
from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from domain.actor import CHINA, acting
from service.columns import COLUMNS, HEADINGS
from service.exports.columns import ENTRIES, LEADS, MOVEMENTS
from service.exports.table import Kind
from service.imports import BadImport, import_paper
from service.sheets import source_of
from service.workbooks import mark, template
from tests.exports.shelf import exported, parquet, rows
from tests.office_suite import CannotOpen, needs_libreoffice, shown_sheets
from tests.service.helpers import journeys, ledger_in, somebody
from tests.service.sheets import row
from tests.service.workbooks import values, workbook

PARQUET = {"leads.parquet": LEADS, "entries.parquet": ENTRIES}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """An export of every command."""
    place = tmp_path_factory.mktemp("readers")
    with ledger_in(place / "ledger") as ledger:
        journeys(ledger)
        yield exported(ledger).folder


def plain(text: str, kind: Kind) -> str:
    """A CSV's cell as a workbook shows it."""
    if kind in (Kind.YUAN, Kind.DECIMAL) and text:
        number = Decimal(text)
        return f"{number:,.2f}" if kind is Kind.YUAN else f"{number.normalize():,f}"
    if kind is Kind.MOMENT and text:
        return f"{datetime.fromisoformat(text).astimezone(CHINA):%Y-%m-%d %H:%M}"
    return text


@needs_libreoffice
def test_libreoffice_shows_every_row_of_the_nightly_workbook(folder: Path, tmp_path: Path) -> None:
    sheets = shown_sheets(Path(shutil.copy(folder / "leads.xlsx", tmp_path)))
    for name, file, columns in (("台账", "leads", LEADS), ("变动", "movements", MOVEMENTS)):
        kinds = {column.heading: column.kind for column in columns}
        _, _, head, *shown = sheets[name]
        written = rows(folder / f"{file}.csv")
        assert head == list(kinds)
        assert shown[: len(written)] == [
            [plain(text, kinds[heading]) for heading, text in one.items()] for one in written
        ]
        assert len(written) > 3
    assert len(sheets["汇总"]) > 5


@needs_libreoffice
def test_libreoffice_shows_the_template_and_a_marked_copy(tmp_path: Path) -> None:
    template(tmp_path / "template.xlsx")
    head, example, *_ = shown_sheets(tmp_path / "template.xlsx")["台账"]
    assert head == list(HEADINGS)
    assert example == [column.example for column in COLUMNS]
    bad = workbook(tmp_path / "a.xlsx", [values(row(1)), values(row(2, 区划代码="1"))])
    with (
        ledger_in(tmp_path / "ledger") as ledger,
        acting(somebody(may_waive=True)),
        pytest.raises(BadImport) as why,
    ):
        import_paper(ledger, bad)
    mark(source_of(bad), why.value.cells, tmp_path / "marked.xlsx")
    _, right, wrong = shown_sheets(tmp_path / "marked.xlsx")["台账"]
    assert "is no GB/T 2260 district code" in wrong[-1]
    assert right == [*map(str, values(row(1))), ""]


@needs_libreoffice
def test_it_says_so_of_a_damaged_workbook(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "leads.xlsx").read_bytes()
    (tmp_path / "half.xlsx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CannotOpen, match="could not be loaded"):
        shown_sheets(tmp_path / "half.xlsx")


def told(found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with nothing said in one way: pandas has other ways to say it."""
    return [
        {name: None if pd.isna(value) else value for name, value in one.items()} for one in found
    ]


@pytest.mark.parametrize("file", PARQUET)
def test_duckdb_reads_every_parquet_file(folder: Path, file: str) -> None:
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        found = database.read_parquet(str(folder / file))
        names, expected = found.columns, parquet(folder / file)
        assert [dict(zip(names, one, strict=True)) for one in found.fetchall()] == expected
    assert names == [column.name for column in PARQUET[file]] and len(expected) > 3


@pytest.mark.parametrize("file", PARQUET)
def test_pandas_reads_every_parquet_file(folder: Path, file: str) -> None:
    frame = pd.read_parquet(folder / file)
    assert list(frame.columns) == [column.name for column in PARQUET[file]]
    assert told(frame.to_dict("records")) == told(parquet(folder / file))


def test_duckdb_counts_what_the_pipeline_counts(folder: Path) -> None:
    with duckdb.connect() as database:
        database.read_parquet(str(folder / "leads.parquet")).create_view("leads")
        stages = dict(database.sql("SELECT stage, count(*) FROM leads GROUP BY stage").fetchall())
    expected = {one["代码"]: one["现有项目数"] for one in rows(folder / "pipeline.csv")}
    assert {stage: f"{count}" for stage, count in stages.items()}.items() <= expected.items()
