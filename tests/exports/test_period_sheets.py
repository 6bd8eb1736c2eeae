"""The month and the week in the workbook: cell by cell what the JSON says, at the cut and later."""

from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from openpyxl import load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from domain.actor import now, today_in_china
from service.application import Ledger
from service.reports.book import workbook
from service.reports.periods import MONTHLY, WEEKLY, Period, compared, period_named, period_to
from tests.exports.shelf import bytes_of, exported
from tests.office_suite import needs_libreoffice, shown_sheets
from tests.service.helpers import ledger_in
from tests.service.test_periodic import small_office, some_office
from tests.service.test_time_travel import DAYS, FIRST

SHEETS = {"月报": MONTHLY, "周报": WEEKLY}
# Heading → where the JSON of a stage has it.
MEASURES = {"进入": "entered", "离开": "left", "期末": "standing"}
WHEN = {"": "now", "上期": "previous", "上年同期": "year_before"}
Row = dict[str, Decimal]
Rows = dict[tuple[str, str | None, str], Row]


def told_by(report: Mapping[str, Any]) -> Rows:
    """Every number of the JSON by line and heading; lines of groups that have any."""
    lines = [("合计", None, report["stages"])]
    lines += [
        (table["label"], line["label"], line["stages"])
        for table in report["tables"]
        for line in table["lines"]
    ]
    rows = {
        (by, group, stage["label"]): numbers(stage)
        for by, group, stages in lines
        for stage in stages
    }
    return {key: row for key, row in rows.items() if key[0] == "合计" or any(row.values())}


def numbers(stage: Mapping[str, Any]) -> Row:
    """A stage's numbers, and the differences between them."""
    row = {}
    for label, measure in MEASURES.items():
        for prefix, name in WHEN.items():
            figure = stage[measure][name]
            row[f"{prefix}{label}（个）"] = Decimal(figure["count"])
            row[f"{prefix}{label}投资额（元）"] = Decimal(figure["cny"])
            if prefix:
                more = stage[measure]["now"]["count"] - figure["count"]
                row[f"{label}比{prefix}"] = Decimal(more)
    return row


def shown_by(sheet: Worksheet) -> Rows:
    """The same as the sheet's cells have it."""
    lines = sheet.iter_rows(min_row=3, values_only=True)
    _, _, _, *headings = next(lines)
    rows: Rows = {}
    for by, group, stage, *values in lines:
        if stage is None:
            break
        key = (f"{by}", None if group is None else f"{group}", f"{stage}")
        assert key not in rows
        rows[key] = {
            f"{heading}": Decimal(f"{value}")
            for heading, value in zip(headings, values, strict=True)
        }
    return rows


def cuts(ledger: Ledger, chance: Random) -> Iterator[tuple[date, int]]:
    """Days, each with a position at which they may be exported."""
    last = ledger.reads.position()
    for _ in range(3):
        yield FIRST + timedelta(chance.randrange(DAYS)), chance.randrange(last // 2, last + 1)


@pytest.mark.parametrize("seed", range(3))
def test_month_and_week_stand_in_the_nightly_workbook_as_the_json_has_them(
    tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        some_office(ledger, chance)
        seen = 0
        for number, (day, position) in enumerate(cuts(ledger, chance)):
            out = tmp_path / f"{number}"
            folder = exported(ledger, day, position=position, out=out).folder
            book = load_workbook(folder / "leads.xlsx")
            assert book.sheetnames == ["汇总", "变动", "月报", "周报", "台账"]
            for name, kind in SHEETS.items():
                told = ledger.reports.periodic(period_to(kind, day), None, position)
                assert (told["to"], told["position"]) == (f"{day}", position)
                expected = told_by(told)
                assert shown_by(book[name]) == expected
                seen += sum(map(len, expected.values()))
        assert seen > 500


def test_the_month_of_an_export_agrees_with_its_movements(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        small_office(ledger)
        day = date(2025, 3, 20)
        folder = exported(ledger, day, position=ledger.reads.position(), out=tmp_path / "o").folder
    book = load_workbook(folder / "leads.xlsx")
    month = {stage: row for (by, _, stage), row in shown_by(book["月报"]).items() if by == "合计"}
    heads = [cell.value for cell in book["变动"][3]]
    moved = [
        dict(zip(heads, (cell.value for cell in row), strict=True)) for row in book["变动"][4:18]
    ]
    stages = [line for line in moved if line["期间"] == "本月"]
    assert len(stages) == len(month) == 5
    for line in stages:
        row = month[line["阶段"]]
        assert (row["进入（个）"], row["离开（个）"]) == (line["转入项目数"], line["转出项目数"])
        assert row["期末（个）"] == line["期末项目数"]
        assert row["期末投资额（元）"] == line["期末金额（元）"]
    assert month["在谈"]["离开（个）"] == 1


def test_what_is_recorded_later_changes_no_sheet_of_an_earlier_cut(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        office = some_office(ledger, Random(1), commands=80)
        day, then = FIRST + timedelta(45), ledger.reads.position()

        def book(name: str, position: int) -> str:
            done = exported(ledger, day, position=position, out=tmp_path / name)
            return bytes_of(done.folder)["leads.xlsx"]

        first = book("first", then)
        for _ in range(60):
            office.act()
        ledger.reads.catch_up.rebuild()
        assert book("again", then) == first != book("now", ledger.reads.position())


def test_the_sheet_is_made_to_be_printed(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        small_office(ledger)
        told = ledger.reports.periodic(period_to(MONTHLY, date(2025, 3, 20)), None)
        made = workbook(ledger.reports.printed(told), now())
    (sheet,) = load_workbook(BytesIO(made))
    assert sheet["A1"].value == "委员助招商台账：2025年3月月报（截至2025-03-20）"
    assert "据台账第" in f"{sheet['A2'].value}" and "本期未满" in texts(sheet)
    assert (sheet.freeze_panes, sheet.print_title_rows) == ("D4", "$3:$3")
    assert sheet.page_setup.orientation == "landscape" and sheet.page_setup.paperSize == 9
    # One page across, which is what Excel takes where nothing is said, and as many as it needs.
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (None, 0)
    # What the differences are from is on the screen alone.
    assert sheet.print_area.startswith("'月报'!$A$1:$O$")
    assert sheet["O3"].value == "期末比上年同期" and sheet["P3"].value == "上期进入（个）"
    assert [sheet[f"{at}4"].number_format for at in "DE"] == ["#,##0", "#,##0.00"]


def texts(sheet: Worksheet) -> str:
    """What stands in the first column."""
    return "".join(f"{cell.value}" for (cell,) in sheet["A1:A80"])


@needs_libreoffice
def test_libreoffice_shows_every_number_of_the_sheet(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        some_office(ledger, Random(2))
        told = ledger.reports.periodic(march_of(), None)
        path = tmp_path / "month.xlsx"
        path.write_bytes(workbook(ledger.reports.printed(told), now()))
    _, _, headings, *shown = shown_sheets(path)["月报"]
    rows = told_by(told)
    for (by, group, stage), line in zip(rows, shown, strict=False):
        assert line[:3] == [by, group or "", stage]
        for heading, text in zip(headings[3:], line[3:], strict=True):
            assert "#" not in text
            assert Decimal(text.replace(",", "")) == rows[by, group, stage][heading]


def march_of() -> Period:
    """A month that is over."""
    return period_named(MONTHLY, "2025-03")


def test_a_running_period_is_compared_up_to_the_same_day() -> None:
    day = date(2025, 3, 20)
    month = compared(period_to(MONTHLY, day))
    assert {name: f"{one.end}" for name, one in month.items()} == {
        "now": "2025-03-20",
        "previous": "2025-02-20",
        "year_before": "2024-03-20",
    }
    week = period_to(WEEKLY, date(2024, 12, 31))
    assert (week.name, f"{week.start}", f"{week.end}") == ("2025-W01", "2024-12-30", "2024-12-31")
    assert period_to(MONTHLY, date(2025, 3, 31)) == march_of()
    assert period_to(MONTHLY, today_in_china()).end == today_in_china()
