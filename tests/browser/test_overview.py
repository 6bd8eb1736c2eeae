"""The overview, in a real browser: its picture, its table, its paper."""

import subprocess
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.browsing import PHONE, Desk, check_accessible, needs_chromium

pytestmark = needs_chromium

YEAR = "/?as_of=2025-12-29"


def drawn(page: Page) -> bool:
    """Whether the picture has any colour in it."""
    counted: bool = page.locator("[data-chart] canvas").evaluate(
        "c => c.getContext('2d').getImageData(0, 0, c.width, c.height).data.some(v => v > 0)"
    )
    return counted


def test_each_number_of_the_sentence_leads_to_its_leads_and_back(desk: Desk) -> None:
    with desk.visit("officer") as (page, _):
        page.goto(YEAR)
        check_accessible(page)
        page.get_by_role("link", name="投资30亿元的12英寸大晶圆项目").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("即将签约")
        expect(page.get_by_role("rowheader")).to_have_text("12英寸大晶圆项目")
        check_accessible(page)
        page.go_back()
        expect(page.get_by_role("heading", level=1)).to_have_text("2025年度总览")


def test_the_picture_is_drawn_and_its_table_is_beneath(desk: Desk) -> None:
    with desk.visit("auditor", color_scheme="dark") as (page, _):
        page.goto(YEAR)
        expect(page.locator("[data-chart]")).to_be_visible()
        assert drawn(page)
        # Where the mouse is, it says the figures; a tooltip of HTML would break the policy.
        page.locator("[data-chart]").hover()
        page.get_by_text("数据表").click()
        with desk.server.client() as office:
            book = office.get("/v1/pipeline?from=2025-01-01&to=2025-12-29").body
        standing = [f"{stage['standing']['count']}" for stage in book["stages"]]
        row = page.get_by_role("row", name="2025年12月29日")
        expect(row.get_by_role("cell")).to_have_text(standing)
        check_accessible(page)


def test_a_day_and_a_moment_are_travelled_to_by_a_form(desk: Desk) -> None:
    with desk.visit("officer") as (page, watch):
        page.goto("/")
        page.get_by_label("截止日").fill("2025-06-30")
        page.get_by_label("当时已知").fill("2025-12-29T16:00")
        page.get_by_role("button", name="查看").click()
        expect(page).to_have_url(f"{desk.address}/?as_of=2025-06-30&known_at=2025-12-29T16%3A00")
        expect(page.get_by_text("政协委员尚未提供项目信息。")).to_be_visible()
        expect(page.get_by_label("当时已知")).to_have_value("2025-12-29T16:00")
        page.get_by_role("link", name="回到现在").click()
        expect(page).to_have_url(f"{desk.address}/")
        watch.expects(422)
        page.goto("/?known_at=2999-01-01T00:00")
        expect(page.get_by_role("alert")).to_be_visible()
        check_accessible(page)


def test_it_is_readable_without_scripts_and_on_a_phone(desk: Desk) -> None:
    with desk.visit("officer", java_script_enabled=False, viewport=PHONE) as (page, _):
        page.goto(YEAR)
        expect(page.get_by_role("row", name="2025年12月29日")).to_be_visible()
        expect(page.locator("[data-chart]")).to_be_hidden()
    with desk.visit("officer", viewport=PHONE) as (page, _):
        page.goto(YEAR)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        check_accessible(page)


def test_it_is_one_page_of_paper(desk: Desk, tmp_path: Path) -> None:
    with desk.visit("auditor") as (page, _):
        page.goto(YEAR)
        expect(page.locator("[data-chart]")).to_be_visible()
        page.pdf(path=tmp_path / "overview.pdf", prefer_css_page_size=True, print_background=True)
    words = ["pdfinfo", str(tmp_path / "overview.pdf")]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    facts = {key: value.strip() for key, value in (x.split(":", 1) for x in told.splitlines())}
    assert facts["Pages"] == "1" and "A4" in facts["Page size"]


def test_in_english_everything_is_english_but_what_was_published(desk: Desk) -> None:
    with desk.visit("admin", locale="en-GB") as (page, _):
        page.goto(YEAR)
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview 2025")
        check_accessible(page)
        chinese = page.evaluate(
            """() => [...document.querySelectorAll("main *, header *")].filter(one =>
              !one.closest("[lang='zh-CN']:not(html), table, .signing, .menu") &&
              [...one.childNodes].some(n => n.nodeType === 3 && /[\\u4e00-\\u9fff]/.test(n.data)))
              .map(one => one.textContent)"""
        )
        assert chinese == []
