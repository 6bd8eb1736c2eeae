"""Printed reports: what stands on the paper, and the document that the office edits."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import ZipFile

import pytest
from docx import Document

from domain.actor import acting
from service.application import Ledger
from service.exports.table import Column, Kind
from service.imports import import_paper
from service.reports.asked import asked_for
from service.reports.document import document
from service.reports.periods import MONTHLY, period_named
from service.reports.printed import cell
from tests.office_suite import needs_libreoffice, shown_text
from tests.service.helpers import call, ledger_in, somebody
from tests.service.test_annual import LEDGER_2025, PUBLISHED

MADE = datetime(2026, 1, 5, 2, 0, tzinfo=UTC)
YEAR_END = date(2025, 12, 29)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """The ledger of 2025."""
    with ledger_in(Path(tmp_path_factory.mktemp("printed"))) as ledger:
        with acting(somebody(may_waive=True)):
            import_paper(ledger, LEDGER_2025)
        yield ledger


def annual(ledger: Ledger) -> dict[str, Any]:
    """The report of 2025, not sealed."""
    return ledger.reports.annual(asked_for(2025, YEAR_END, None))


def opened(report: dict[str, Any], ledger: Ledger) -> Any:
    """The document, as a library reads it."""
    return Document(BytesIO(document(ledger.reports.printed(report), MADE)))


def grid(table: Any) -> list[list[str]]:
    """The texts of a table."""
    return [[place.text for place in row.cells] for row in table.rows]


def size_of(section: Any) -> tuple[int, int]:
    """Width and height of the page, in mm."""
    return round(section.page_width.mm), round(section.page_height.mm)


def test_the_document_holds_the_sentence_and_the_leads_behind_each_number(ledger: Ledger) -> None:
    told = annual(ledger)
    doc = opened(told, ledger)
    texts = [paragraph.text for paragraph in doc.paragraphs]
    assert texts[:2] == ["委员助招商台账：2025年度报告", PUBLISHED]
    claims = grid(doc.tables[0])
    assert [row[:3] for row in claims] == [
        ["指标", "数量", "计划投资"],
        ["提供项目信息", "11", ""],
        ["开工亿元项目", "1", claims[2][2]],
        ["开工亿元以下项目", "0", "0"],
        ["签约落地", "1", claims[4][2]],
        ["跟踪洽谈", "6", claims[5][2]],
        ["即将签约", "1", "30亿元"],
    ]
    # One table more for each number that is not zero, with so many leads.
    assert [len(table.rows) - 1 for table in doc.tables[1:]] == [11, 1, 1, 6, 1]
    (_, largest) = grid(doc.tables[-1])
    assert largest[1:4:2] == ["12英寸大晶圆项目", "30亿元"]
    assert largest[5] == "在谈（即将签约）"


def test_the_foot_says_what_the_numbers_are_of_and_that_they_are_not_sealed(
    ledger: Ledger,
) -> None:
    told = annual(ledger)
    foot = "".join(paragraph.text for paragraph in opened(told, ledger).paragraphs[-2:])
    assert "统计期2025-01-01至2025-12-29（截止日）" in foot
    assert f"口径第1号，据台账第{told['position']}位" in foot
    assert "尚未封存" in foot


def test_a_sealed_report_shows_the_digest_that_was_printed_before_it_was_sealed(
    ledger: Ledger,
) -> None:
    printed = ledger.reports.printed(annual(ledger)).notes[-1]
    with acting(somebody()):
        sealed = ledger.seal(call(), asked_for(2025, YEAR_END, None), "年度工作报告").body
    first = ledger.reports.printed(ledger.reports.sealed(UUID(sealed["id"]))).notes
    assert sealed["digest"] in printed and sealed["digest"] in first[1]
    assert first[2:] == ["说明：年度工作报告"]
    with acting(somebody()):
        after = ledger.seal(call(), asked_for(2025, YEAR_END, None)).body
    then = ledger.reports.printed(ledger.reports.sealed(UUID(sealed["id"]))).notes
    assert then[-1] == f"此后另有报告，编号 {after['id']}。"
    unlike = {**sealed, "verified": False}
    assert "与封存时不符" in ledger.reports.printed(unlike).notes[-1]


def test_a_lead_behind_a_number_is_shown_as_it_was_at_the_cut_off(ledger: Ledger) -> None:
    early = ledger.reports.annual(asked_for(2025, date(2025, 4, 30), None))
    doc = opened(early, ledger)
    stages = {row[5] for table in doc.tables[1:] for row in grid(table)[1:]}
    assert stages <= {"信息", "在谈", "签约", "在谈（即将签约）"}
    for table in doc.tables[1:]:
        assert all(row[6] <= "2025-04-30" for row in grid(table)[1:])


def test_the_page_is_a4_and_every_style_names_chinese_fonts(ledger: Ledger) -> None:
    data = document(ledger.reports.printed(annual(ledger)), MADE)
    doc = Document(BytesIO(data))
    section = doc.sections[0]
    assert size_of(section) == (210, 297)
    with ZipFile(BytesIO(data)) as file:
        styles, fonts = (file.read(f"word/{name}.xml").decode() for name in ("styles", "fontTable"))
    assert {"仿宋", "宋体", "黑体"} <= set(re.findall('w:eastAsia="([^"]+)"', styles))
    assert 'w:name="仿宋"' in fonts and "FangSong" in fonts
    assert (doc.core_properties.author, doc.core_properties.title) == (
        "",
        "委员助招商台账：2025年度报告",
    )


def test_a_month_lies_across_and_repeats_its_headings(ledger: Ledger) -> None:
    month = ledger.reports.periodic(period_named(MONTHLY, "2025-04"), None)
    doc = opened(month, ledger)
    section = doc.sections[0]
    assert size_of(section) == (297, 210)
    assert len(doc.tables) == 4
    assert all(table.rows[0]._tr.xpath("w:trPr/w:tblHeader") for table in doc.tables)
    talks = grid(doc.tables[0])[2]
    figure = month["stages"][1]["standing"]["now"]
    assert talks[0] == "在谈" and talks[9] == f"{figure['count']}"


def test_what_people_type_stays_text(ledger: Ledger) -> None:
    told = annual(ledger)
    told["text"] = "<w:t>&amp; =1+1 \t\n\U0001f600"
    assert opened(told, ledger).paragraphs[1].text == told["text"]


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (Kind.COUNT, 12345, "12,345"),
        (Kind.COUNT, -2, "-2"),
        (Kind.COUNT, 0, "0"),
        (Kind.YUAN, Decimal(3 * 10**9), "30亿元"),
        (Kind.YUAN, Decimal("1600000.5"), "1600000.5元"),
        (Kind.YUAN, Decimal(0), "0"),
        (Kind.YUAN, None, ""),
        (Kind.TEXT, "=1+1", "=1+1"),
        (Kind.DAY, date(2025, 3, 1), "2025-03-01"),
    ],
)
def test_a_value_reads_as_people_write_it(kind: Kind, value: Any, text: str) -> None:
    assert cell(Column("x", "某", kind), value) == text


@needs_libreoffice
def test_libreoffice_opens_the_document_and_finds_the_sentence(
    ledger: Ledger, tmp_path: Path
) -> None:
    for words, report in (
        (PUBLISHED, annual(ledger)),
        ("按责任单位", ledger.reports.periodic(period_named(MONTHLY, "2025-04"), None)),
    ):
        file = tmp_path / "report.docx"
        file.write_bytes(document(ledger.reports.printed(report), MADE))
        assert words in shown_text(file)
