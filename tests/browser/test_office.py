"""The worklist and the members, in a real browser."""

from uuid import uuid4

import pytest
from playwright.sync_api import expect

from tests.browser.browsing import DESKTOP, PHONE, Desk, check_accessible, needs_chromium

pytestmark = needs_chromium


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_worklist_is_chosen_by_rule(desk: Desk, size: dict[str, int]) -> None:
    with desk.visit("officer", viewport=size) as (page, _):
        page.goto("/worklist")
        expect(page.locator(".due-item").first).to_contain_text("逾期")
        check_accessible(page)
        page.locator(".tabs").get_by_text("久无进展").click()
        expect(page.locator(".due-rule").first).to_have_text("久无进展")
        expect(page.locator(".tabs [aria-current]")).to_contain_text("久无进展")
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def test_a_member_is_registered_given_a_link_and_retired(desk: Desk) -> None:
    number = f"M-{uuid4().hex[:8]}"
    with desk.visit("officer") as (page, _):
        page.goto("/members")
        check_accessible(page)
        page.get_by_text("登记委员").click()
        page.get_by_label("姓名").fill("张委员")
        page.get_by_label("委员编号").fill(number)
        page.get_by_label("区划代码").fill("320812")
        page.get_by_role("button", name="登记", exact=True).click()
        expect(page.get_by_text("已登记。接下来")).to_be_visible()
        page.get_by_role("button", name="制作链接和二维码").click()
        expect(page.get_by_role("img", name="个人二维码")).to_be_visible()
        address = page.get_by_role("textbox", name="链接").input_value()
        check_accessible(page)
        with page.expect_download() as saved:
            page.get_by_role("link", name="保存二维码图片").click()
        assert saved.value.suggested_filename == f"{number}.png"
        with desk.visit(viewport=PHONE) as (phone, _unused):
            phone.goto(address)
            expect(phone.get_by_text("张委员，您好")).to_be_visible()
        page.get_by_role("link", name="完成").click()
        page.get_by_label("届满日期").fill(page.get_by_label("届满日期").get_attribute("max") or "")
        page.get_by_role("button", name="登记届满").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("已届满")


def test_who_has_not_tipped_is_a_click_away_also_in_english_without_scripts(desk: Desk) -> None:
    with desk.visit("auditor", java_script_enabled=False, locale="en-GB") as (page, _):
        page.goto("/members")
        page.get_by_role("link", name="None this year yet").click()
        expect(page.locator("tbody tr").first).to_contain_text("none yet")
        page.locator("tbody a").first.click()
        expect(page.get_by_role("heading", name="Leads reported")).to_be_visible()
