"""Importing on a page: checked first, then exactly that is recorded, or nothing."""

import os
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from werkzeug.test import TestResponse

from service.columns import HEADINGS
from service.uploads import Uploads
from tests.api.office import Office
from tests.pages.visitor import Seen, Visitor
from tests.service.sheets import FULL, Row, row, text


@pytest.fixture
def officer(office: Office, visitor: Visitor) -> Visitor:
    """A browser in which an officer is signed in."""
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    return visitor


def leads(office: Office) -> list[Any]:
    """All of them."""
    found: list[Any] = office.officer.ok("/v1/leads")["items"]
    return found


def upload(visitor: Visitor, data: bytes, name: str = "台账.csv", **more: str) -> TestResponse:
    """Send a file from the page."""
    file = (BytesIO(data), name)
    return visitor.client.post(
        "/import", data={"_csrf": visitor.csrf("/import"), "file": file, **more}
    )


def sheet(*rows: Row) -> bytes:
    """The rows as CSV."""
    return text(rows).encode()


def confirm(visitor: Visitor, place: str, **more: str) -> TestResponse:
    """Record what the page at ``place`` shows."""
    sums = Seen(visitor.get(place).text).all("input", name="sum")
    values = {"sum": f"{sums[0]['value']}"} if sums else {}
    return visitor.send(f"{place}/recording", on=place, **values, **more)


def test_a_check_records_nothing_and_a_confirmation_all_of_it(
    office: Office, officer: Visitor
) -> None:
    answer = upload(officer, sheet(FULL, row(2)))
    assert answer.status_code == 303
    place = answer.headers["Location"]
    page = officer.see(place)
    assert "新项目 2 新委员 1" in page.text and leads(office) == []
    answer = confirm(officer, place)
    assert answer.headers["Location"] == place
    assert "已整份入账" in officer.see(place).text
    assert [lead["title"] for lead in leads(office)] == ["示例项目一", "示例项目2"]
    # A second time it is not recorded, nor said to be wrong.
    assert confirm(officer, place).status_code in (303, 422)
    assert len(leads(office)) == 2


def test_a_bad_cell_is_named_with_row_column_and_reason_and_marked(
    office: Office, officer: Visitor
) -> None:
    book = Workbook()
    table = book.active
    assert table is not None
    table.title = "台账"
    table.append(list(HEADINGS))
    for cells in (row(1), row(2, 提供日期="2999-01-01")):
        table.append([cells.get(name, "") for name in HEADINGS])
    out = BytesIO()
    book.save(out)
    place = upload(officer, out.getvalue(), "台账.xlsx").headers["Location"]
    page = officer.see(place)
    assert "有 1 处问题，涉及 1 行" in page.text
    assert "提供日期" in page.text and "2999-01-01 还没有到" in page.text
    marked = officer.get(f"{place}/marked.xlsx")
    assert marked.status_code == 200 and "spreadsheetml" in marked.content_type
    assert not page.all("input", name="sum")
    assert leads(office) == []


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("zh", ["提供日期: “2025年3月”不是日期", "计划投资: “三亿”不是数额"]),
        ("en", ["提供日期: '2025年3月' is no day", "计划投资: '三亿' is no amount"]),
    ],
)
def test_a_marked_copy_gives_its_reasons_in_the_pages_language(
    officer: Visitor, language: str, told: list[str]
) -> None:
    officer.send("/preferences", on="/import", language=language)
    place = upload(officer, sheet(row(1, 提供日期="2025年3月", 计划投资="三亿"))).headers[
        "Location"
    ]
    copy = load_workbook(BytesIO(officer.get(f"{place}/marked.xlsx").data)).worksheets[0]
    said = f"{copy.cell(2, len(HEADINGS) + 1).value}"
    assert [one for one in told if one not in said] == [], said


def test_a_file_without_headings_is_said_so_in_chinese_alone(officer: Visitor) -> None:
    page = officer.see(upload(officer, "甲,乙\n1,2\n".encode()).headers["Location"])
    assert "表头" in page.text and "headings" not in page.text


def test_what_is_recorded_is_what_was_checked(office: Office, officer: Visitor) -> None:
    place = upload(officer, sheet(row(1), row(2))).headers["Location"]
    # Somebody else records a row of it meanwhile.
    other = upload(officer, sheet(row(1))).headers["Location"]
    confirm(officer, other)
    answer = confirm(officer, place)
    assert answer.status_code == 409 and "没有记录任何内容" in answer.text
    assert len(leads(office)) == 1
    sums = str(Seen(answer.text).all("input", name="sum")[0]["value"])
    again = officer.send(f"{place}/check", on=place, sum=sums)
    assert again.headers["Location"] == place
    assert "新项目 1 新委员 0" in officer.see(place).text
    confirm(officer, place)
    assert len(leads(office)) == 2


def test_a_file_that_was_changed_on_the_disk_is_not_recorded(
    office: Office, officer: Visitor
) -> None:
    place = upload(officer, sheet(row(1))).headers["Location"]
    (kept,) = office.ledger.settings.uploads.glob("*.file")
    kept.write_bytes(sheet(row(1), row(2)))
    assert confirm(officer, place).status_code == 409
    assert leads(office) == []


def test_likely_duplicates_are_told_before_anything_is_recorded(
    office: Office, officer: Visitor
) -> None:
    office.officer.tip(office.officer.register()["id"], title="12英寸大晶圆项目")
    place = upload(officer, sheet(row(1, 项目名称="12英寸大晶圆项目"))).headers["Location"]
    assert "可能重复的项目" in officer.see(place).text


def test_a_file_with_nothing_new_has_nothing_to_confirm(office: Office, officer: Visitor) -> None:
    confirm(officer, upload(officer, sheet(row(1))).headers["Location"])
    place = upload(officer, sheet(row(1))).headers["Location"]
    page = officer.see(place)
    assert "完全一致" in page.text and not page.all("input", name="sum")
    assert len(leads(office)) == 1


def test_what_was_sent_is_anothers_not_to_see_or_record(office: Office, officer: Visitor) -> None:
    place = upload(officer, sheet(row(1))).headers["Location"]
    other = Visitor(office.app)
    other.sign_in(office.ledger.tokens.issue("admin"))
    other.see(place, 404)
    answer = other.send(f"{place}/recording", on="/import", sum="0" * 64)
    assert answer.status_code == 404
    assert leads(office) == []


def test_an_upload_goes_when_it_is_recorded_or_given_up(office: Office, officer: Visitor) -> None:
    folder = office.ledger.settings.uploads
    first, second = (upload(officer, sheet(row(n))).headers["Location"] for n in (1, 2))
    assert len(list(folder.glob("*.file"))) == 2
    assert {path.stat().st_mode & 0o077 for path in [folder, *folder.glob("*.file")]} == {0}
    confirm(officer, first)
    officer.send(f"{second}/removal", on=second)
    assert list(folder.glob("*.file")) == []


def test_without_a_file_it_says_which_kind_it_takes(officer: Visitor) -> None:
    answer = officer.send("/import", on="/import")
    assert answer.status_code == 422 and "请选择一份工作簿" in answer.text


def test_a_row_of_another_district_is_bad_for_who_is_limited(
    office: Office, visitor: Visitor
) -> None:
    visitor.sign_in(office.ledger.tokens.issue("officer", district="440106"))
    page = visitor.see(upload(visitor, sheet(row(1))).headers["Location"])
    assert "区划代码" in page.text and "有 1 处问题" in page.text


def test_the_template_is_there(officer: Visitor) -> None:
    assert "spreadsheetml" in officer.get("/import/template.xlsx").content_type


@pytest.mark.parametrize("name", ["../x", "x", "A" * 32, "0" * 31])
def test_no_other_file_has_an_id(officer: Visitor, name: str) -> None:
    assert officer.get(f"/import/{name}/progress").status_code == 404


def test_uploads_are_kept_for_an_hour_and_no_more_than_there_is_room_for(tmp_path: Path) -> None:
    uploads = Uploads(tmp_path / "uploads")
    old = uploads.place("0" * 32, "me")
    os.utime(old, (time.time() - 3700, time.time() - 3700))
    for number in range(25):
        uploads.place(f"{number:032x}"[::-1], "me")
    assert not old.exists()
    assert len(list((tmp_path / "uploads").glob("*.file"))) == 20
