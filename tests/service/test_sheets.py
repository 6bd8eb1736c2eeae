"""Excel workbooks as they come from offices."""

import os
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import openpyxl
import pytest
import xlsxwriter
from openpyxl.utils import get_column_letter
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from domain.actor import acting
from service.application import Ledger
from service.columns import COLUMNS, HEADINGS
from service.excel import Workbook
from service.imports import BadImport, Imported, import_paper
from service.sheets import letters_of, source_of
from service.workbooks import mark, template
from tests.service.helpers import ledger_in, somebody
from tests.service.sheets import FULL, row, sheet, take_in
from tests.service.test_imports import happened, refused, shown
from tests.service.workbooks import values, workbook

LETTERS = {name: get_column_letter(at) for at, name in enumerate(HEADINGS, 1)}


def story(ledger: Ledger) -> list[Any]:
    """What the leads show, and what happened to them, without what every ledger has its own of."""
    apart = ("id", "recorded_at", "source", "members")
    return [
        ({k: v for k, v in lead.items() if k not in apart}, happened(ledger, lead))
        for lead in shown(ledger)
    ]


def test_a_workbook_says_what_the_same_csv_says(tmp_path: Path, ledger: Ledger) -> None:
    book = workbook(tmp_path / "a.xlsx", [values(FULL), values(row(2))])
    assert take_in(ledger, book).leads == 2
    with ledger_in(tmp_path / "other") as other:
        take_in(other, sheet(tmp_path / "a.csv", [FULL, row(2)]))
        assert story(ledger) == story(other)
    assert take_in(ledger, sheet(tmp_path / "a.csv", [FULL, row(2)])) == Imported(unchanged=2)


def test_odd_habits_are_understood(tmp_path: Path, ledger: Ledger) -> None:
    odd = {
        **FULL,
        "编号": 1.0,
        "项目名称": "　示例项目一 ",
        "提供委员": "ＱＪＰ－００１",
        "区划代码": 320812,
        "提供日期": date(2025, 1, 9),
        "洽谈日期": "2025.1.20",
        "拟签约日期": "2025年5月1日",
        "签约日期": 45758,
        "开工日期": "２０２５／９／２６",
        "计划投资": "1.6亿",
        "单位": "",
        "协议投资": "150,000,000",
        "协议单位": "元",
        "开工佐证": "许可：示例许可证一",
    }
    shuffled = [*reversed(HEADINGS), "联系电话", "领导批示"]
    book = workbook(
        tmp_path / "a.xlsx",
        [[""] * 27, [odd.get(name, "" if name in HEADINGS else "x") for name in shuffled]],
        headings=[f" {name} " for name in shuffled],
        titles=["清江浦区政协委员助招商台账", "2025年度"],
        left=2,
    )
    done = take_in(ledger, book)
    assert (done.leads, done.extra) == (1, {"联系电话", "领导批示"})
    with ledger_in(tmp_path / "other") as other:
        plain = {**FULL, "协议投资": "150000000", "协议单位": "元"}
        take_in(other, sheet(tmp_path / "a.csv", [plain]))
        assert story(ledger) == story(other)


def test_columns_may_have_their_english_names(tmp_path: Path, ledger: Ledger) -> None:
    names = [column.name for column in COLUMNS]
    take_in(ledger, workbook(tmp_path / "a.xlsx", [values(FULL)], headings=names))
    assert [lead["title"] for lead in shown(ledger)] == ["示例项目一"]
    api = ["number", "title", "members", "district", "dates.tip", "investor.name"]
    cells = [["7", "光伏", "QJP-001", "320812", "2025-03-18", "某公司"]]
    take_in(ledger, workbook(tmp_path / "b.xlsx", cells, headings=api))
    assert shown(ledger)[1]["investor"]["name"] == "某公司"


def test_each_bad_cell_is_named_by_sheet_and_cell_all_at_once(
    tmp_path: Path, ledger: Ledger
) -> None:
    rows = [
        values({**row(1), "提供日期": "2025-02-30"}),
        values({**row(2), "计划投资": "30亿元", "单位": "万元"}),
        [*values(row(3))[:4], ("=NA()", "#N/A"), *values(row(3))[5:]],
        values({**row(4), "区划代码": "320800", "项目名称": ""}),
    ]
    book = workbook(tmp_path / "a.xlsx", rows, titles=["标题"], sheet="二〇二五")
    assert refused(ledger, book) == [
        "二〇二五!F3 (提供日期): '2025-02-30' is no day of the calendar, like 2025-03-18.",
        "二〇二五!J4 (计划投资): '30亿元' says 亿元, and 单位 万元.",
        "二〇二五!E5 (区划代码): The cell shows the error #N/A.",
        "二〇二五!B6 (项目名称): It is empty, and every row needs it.",
        "二〇二五!E6 (区划代码): 320800 names a whole province or city, not a district.",
    ]


def test_a_formula_counts_with_the_value_it_had_and_not_without_one(
    tmp_path: Path, ledger: Ledger
) -> None:
    cells = values(row(1))
    cells[1] = ('="光"&"伏"', "光伏")
    take_in(ledger, workbook(tmp_path / "a.xlsx", [cells]))
    assert shown(ledger)[0]["title"] == "光伏"
    book = openpyxl.Workbook()
    page = book.active
    page.title = "台账"
    page.append(HEADINGS)
    page.append([*values(row(2))[:1], '="光"&"伏"', *values(row(2))[2:]])
    book.save(tmp_path / "b.xlsx")
    assert refused(ledger, tmp_path / "b.xlsx") == [
        '台账!B2 (项目名称): The formula ="光"&"伏" has no value: open and save it in Excel.'
    ]


def test_a_formula_whose_value_is_the_empty_text_is_an_empty_cell(
    tmp_path: Path, ledger: Ledger
) -> None:
    """As Excel and LibreOffice save =IF(A2="","x","")."""
    cells = values(row(1))
    at = HEADINGS.index("责任人")
    cells[at] = ('=IF(A2="","x","")', "")
    book = workbook(tmp_path / "a.xlsx", [cells])
    cell = f'<c r="{LETTERS["责任人"]}2"'.encode()
    text = cell + b' t="str"'
    rewritten(book, "xl/worksheets/sheet1.xml", lambda data: data.replace(cell, text))
    take_in(ledger, book)
    assert shown(ledger)[0]["title"] == row(1)["项目名称"]


def test_formulas_without_values_are_named_with_all_other_faults_and_only_where_they_count(
    tmp_path: Path, ledger: Ledger
) -> None:
    book = openpyxl.Workbook()
    page = book.active
    page.title = "台账"
    page.append([*HEADINGS, "进展"])
    page.append([*values(row(1)), "=1+1"])
    page.append([*values({**row(2), "项目名称": "=A2", "区划代码": "1"}), "=1+1"])
    page.append([*values({**row(3), "备注": "=A3"}), "=1+1"])
    book.save(tmp_path / "a.xlsx")
    assert refused(ledger, tmp_path / "a.xlsx") == [
        "台账!B3 (项目名称): The formula =A2 has no value: open and save it in Excel.",
        "台账!E3 (区划代码): '1' is no GB/T 2260 district code of six digits, like 320812.",
        f"台账!{LETTERS['备注']}4 (备注): The formula =A3 has no value: open and save it in Excel.",
    ]


def test_a_workbook_that_counts_days_from_1904_is_read_by_them(
    tmp_path: Path, ledger: Ledger
) -> None:
    book = openpyxl.Workbook()
    book.epoch = CALENDAR_MAC_1904
    page = book.active
    page.append(HEADINGS)
    for number, day in ((1, 44200), (2, date(2025, 1, 5))):
        cells = values(row(number))
        cells[HEADINGS.index("提供日期")] = day
        page.append(cells)
    book.save(tmp_path / "a.xlsx")
    take_in(ledger, tmp_path / "a.xlsx")
    assert {lead["dates"]["tip"] for lead in shown(ledger)} == {"2025-01-05"}


def test_what_excel_writes_for_characters_that_xml_has_not_is_read_as_meant(
    tmp_path: Path, ledger: Ledger
) -> None:
    cells = values({**row(1), "项目名称": "带回车_x000D_", "备注": "A_x005F_x0041_B"})
    take_in(ledger, workbook(tmp_path / "a.xlsx", [cells]))
    assert shown(ledger)[0]["title"] == "带回车"
    tip: Any = next(iter(ledger.events.get(UUID(shown(ledger)[0]["id"]))))
    assert tip.note == "A_x0041_B"


def rewritten(book: Path, part: str, change: Callable[[bytes], bytes]) -> None:
    """Change one part of a workbook."""
    with zipfile.ZipFile(book) as source:
        parts = {name: source.read(name) for name in source.namelist()}
    parts[part] = change(before := parts[part])
    assert parts[part] != before
    with zipfile.ZipFile(book, "w") as target:
        for name, data in parts.items():
            target.writestr(name, data)


PARTS: dict[str, Callable[[bytes], bytes]] = {
    "xl/worksheets/sheet1.xml": lambda data: data[: len(data) // 2],
    "xl/styles.xml": lambda data: data[:40],
    "xl/workbook.xml": lambda data: data[:0],
    "xl/sharedStrings.xml": lambda data: data[: len(data) // 2],
}


@pytest.mark.parametrize("part", PARTS)
def test_a_workbook_with_a_damaged_part_is_refused_as_damaged(
    tmp_path: Path, ledger: Ledger, part: str
) -> None:
    book = workbook(tmp_path / "a.xlsx", [values(row(1)), values(row(2))])
    rewritten(book, part, PARTS[part])
    (fault,) = refused(ledger, tmp_path / "a.xlsx")
    assert "It is a damaged workbook, save it anew" in fault


def test_a_workbook_with_flipped_bytes_is_refused_as_damaged(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = workbook(tmp_path / "a.xlsx", [values(row(n)) for n in range(200)])
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("xl/worksheets/sheet1.xml").header_offset + 400
    data = bytearray(path.read_bytes())
    data[at : at + 100] = bytes(100)
    path.write_bytes(data)
    (fault,) = refused(ledger, path)
    assert "It is a damaged workbook, save it anew" in fault


def test_hidden_sheets_and_sheets_without_headings_are_left_alone(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        book.add_worksheet("封面").write(0, 0, "台账")
        for name, number in (("一季度", 1), ("二季度", 2), ("旧", 3)):
            page = book.add_worksheet(name)
            page.write_row(0, 0, HEADINGS)
            page.write_row(1, 0, values(row(number)))
        page.hide()
    assert take_in(ledger, path).leads == 2


def test_the_same_number_on_two_sheets_is_named_with_both(tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        for name in ("一季度", "二季度"):
            page = book.add_worksheet(name)
            page.write_row(0, 0, HEADINGS)
            page.write_row(1, 0, values(row(1)))
    assert refused(ledger, path) == ["二季度!A2 (编号): 1 of 2025 stands in 一季度!2 already."]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100, "old Excel file (.xls)"),
        (b"PK\x03\x04 and then nothing", "damaged workbook"),
        (b"\xff\xfe\xfa", "neither an Excel workbook nor text"),
        (b"", "No row has the headings"),
    ],
)
def test_what_is_no_workbook_is_refused_with_what_to_do(
    tmp_path: Path, ledger: Ledger, content: bytes, says: str
) -> None:
    path = tmp_path / "a.xlsx"
    path.write_bytes(content)
    (line,) = refused(ledger, path)
    assert says in line


def test_an_archive_that_is_none_or_unpacks_too_far_is_refused(
    tmp_path: Path, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w") as archive:
        archive.writestr("a.txt", "a")
    assert "no Excel workbook" in refused(ledger, tmp_path / "a.xlsx")[0]
    book = workbook(tmp_path / "b.xlsx", [values(row(1))])
    monkeypatch.setattr("service.excel.MOST_UNPACKED", 1 << 10)
    assert "It unpacks to more than" in refused(ledger, book)[0]


def test_dates_of_the_1904_system_are_the_same_days(tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path), {"date_1904": True}) as book:
        page = book.add_worksheet("台账")
        page.write_row(0, 0, HEADINGS)
        page.write_row(1, 0, values(row(1)))
        page.write_datetime(1, 5, date(2025, 3, 18), book.add_format({"num_format": "yyyy-mm-dd"}))
    take_in(ledger, path)
    assert shown(ledger)[0]["dates"]["tip"] == "2025-03-18"


def test_the_template_is_always_the_same_and_its_example_is_left_out(
    tmp_path: Path, ledger: Ledger
) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        template(tmp_path / name)
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()
    assert take_in(ledger, tmp_path / "a.xlsx") == Imported()
    book = openpyxl.load_workbook(tmp_path / "a.xlsx")
    assert book.sheetnames == ["台账", "说明"]
    lists = {
        f"{rule.sqref}": rule.formula1 for rule in book["台账"].data_validations.dataValidation
    }
    assert lists["K2:K2001"] == '"元,万元,亿元,万美元,亿美元"' and len(lists) == 4
    for at, text in enumerate(values(row(5)), 1):
        book["台账"].cell(3, at, text)
    book.save(tmp_path / "c.xlsx")
    assert take_in(ledger, tmp_path / "c.xlsx").leads == 1


def test_the_templates_example_is_a_row_that_could_be_taken(tmp_path: Path, ledger: Ledger) -> None:
    example = {column.heading: column.example for column in COLUMNS} | {"编号": "1"}
    assert take_in(ledger, workbook(tmp_path / "a.xlsx", [values(example)])).leads == 1


def test_the_marked_copy_has_the_reasons_beside_the_rows(tmp_path: Path, ledger: Ledger) -> None:
    rows = [values(row(1)), values({**row(2), "区划代码": "1", "项目名称": "=1+1"})]
    rows[1][1] = ("=1+1", "=HYPERLINK(1)")
    book = workbook(tmp_path / "a.xlsx", rows, titles=["标题"])
    with pytest.raises(BadImport) as why, acting(somebody(may_waive=True)):
        import_paper(ledger, book)
    mark(source_of(book), why.value.cells, tmp_path / "marked.xlsx")
    page = openpyxl.load_workbook(tmp_path / "marked.xlsx")["台账"]
    after = len(HEADINGS) + 1
    assert page.cell(3, after).value is None and "区划代码" in page.cell(4, after).value
    assert page.cell(2, 1).value == "编号" and page.cell(3, 1).value == "1"
    colours = {cell.column: cell.fill.fgColor.rgb for cell in page[4] if cell.fill.fill_type}
    assert colours.keys() == {5, after} and set(colours.values()) == {"FFFFC7CE"}
    assert "is no GB/T 2260 district code" in page.cell(4, 5).comment.text
    assert page.cell(4, 2).value == "'=HYPERLINK(1)" and page.cell(4, 2).data_type == "s"


def test_a_csv_is_marked_as_a_workbook(tmp_path: Path, ledger: Ledger) -> None:
    path = sheet(tmp_path / "a.csv", [row(1), row(2, 区划代码="1")])
    with pytest.raises(BadImport) as why, acting(somebody(may_waive=True)):
        import_paper(ledger, path)
    mark(source_of(path), why.value.cells, tmp_path / "marked.xlsx")
    page = openpyxl.load_workbook(tmp_path / "marked.xlsx").active
    assert "区划代码" in page.cell(3, len(HEADINGS) + 1).value and page.cell(3, 5).value == "1"


def test_a_workbook_is_read_row_by_row(tmp_path: Path) -> None:
    """So many rows that all of them at once would be felt; they are many times this test's size."""
    path = tmp_path / "a.xlsx"
    with xlsxwriter.Workbook(str(path), {"constant_memory": True}) as book:
        page = book.add_worksheet("台账")
        for line in range(20_000):
            page.write_row(line, 0, (line, "项目" * 20, "x"))
    before = resident()
    read = [sum(1 for _ in rows) for _, rows in Workbook(path).tables()]
    assert read == [20_000]
    assert resident() - before < 30


def resident() -> float:
    """MB that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_a_column_is_called_as_a_sheet_calls_it() -> None:
    most = range(1, 16384 + 1)
    assert [letters_of(at - 1) for at in most] == list(map(get_column_letter, most))
