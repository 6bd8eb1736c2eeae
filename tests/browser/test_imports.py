"""Importing and exporting, in a real browser."""

from pathlib import Path
from uuid import uuid4

from openpyxl import Workbook
from playwright.sync_api import expect

from service.columns import HEADINGS
from tests.browser.browsing import PATIENCE, PHONE, Desk, check_accessible, needs_chromium
from tests.service.sheets import Row, row, sheet

pytestmark = needs_chromium


def workbook(path: Path, *rows: Row) -> Path:
    """The rows as a workbook at ``path``."""
    book = Workbook()
    table = book.active
    assert table is not None
    table.title = "台账"
    table.append(list(HEADINGS))
    for cells in rows:
        table.append([cells.get(name, "") for name in HEADINGS])
    book.save(path)
    return path


def test_a_bad_workbook_is_marked_and_a_good_one_is_recorded_as_a_whole(
    desk: Desk, tmp_path: Path
) -> None:
    name = f"导入的项目{uuid4().hex[:6]}"
    bad = workbook(tmp_path / "坏的.xlsx", row(1), row(2, 提供日期="2999-01-01", 单位="x"))
    number = uuid4().hex[:8]
    good = workbook(tmp_path / "好的.xlsx", row(number, 项目名称=name, 提供日期="2024-03-18"))
    with desk.visit("officer") as (page, _):
        page.goto("/import")
        check_accessible(page)
        page.locator("input[type=file]").set_input_files(bad)
        page.get_by_role("button", name="检查", exact=True).click()
        # It is done by a process of its own.
        page.wait_for_url("**/import/*")
        expect(page.get_by_role("alert")).to_contain_text("没有记录任何内容")
        expect(page.get_by_role("row", name="提供日期")).to_contain_text("2999-01-01")
        check_accessible(page)
        with page.expect_download() as marked:
            page.get_by_role("link", name="下载标注副本").click()
        assert marked.value.suggested_filename == "台账问题.xlsx"
        page.get_by_role("link", name="重新上传").click()
        page.locator("input[type=file]").set_input_files(good)
        page.get_by_role("button", name="检查", exact=True).click()
        page.wait_for_url("**/import/*")
        expect(page.get_by_role("heading", name="将要入账的内容")).to_be_visible()
        check_accessible(page)
        page.reload()
        page.get_by_role("button", name="确认，整份入账").dblclick()
        expect(page.get_by_text("已整份入账")).to_be_visible(timeout=PATIENCE)
    with desk.server.client() as admin:
        found = admin.get("/v1/leads?from=2024-03-18&to=2024-03-18").body["items"]
        assert [lead["title"] for lead in found] == [name]


def test_a_csv_is_imported_without_scripts_in_english(desk: Desk, tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.csv", [row(uuid4().hex[:8], 提供日期="2023-03-18")])
    with desk.visit("officer", java_script_enabled=False, locale="en-GB", viewport=PHONE) as (
        page,
        _,
    ):
        page.goto("/import")
        page.locator("input[type=file]").set_input_files(path)
        page.get_by_role("button", name="Check", exact=True).click()
        page.get_by_role("button", name="Do not record").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Import")


def test_reports_and_exports_are_taken_away(desk: Desk) -> None:
    with desk.visit("officer") as (page, _):
        page.goto("/exports")
        check_accessible(page)
        monthly = page.get_by_role("form", name="月报")
        monthly.get_by_label("月份").fill("2025-03")
        with page.expect_download() as report:
            monthly.get_by_role("button", name="工作簿").click()
        assert report.value.suggested_filename.endswith(".xlsx")
        page.get_by_role("form", name="年报").get_by_label("年度").fill("2025")
        page.get_by_role("form", name="年报").get_by_role("button", name="打印页").click()
        expect(page.locator("body")).to_contain_text("全年")
