"""A lead's whole life by clicking: in the ledger, on its page, on the board."""

import re
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from domain.actor import today_in_china
from tests.browser.browsing import PHONE, Desk, check_accessible, needs_chromium, sign_in
from tests.faults.serving import DISTRICT

pytestmark = needs_chromium
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def member(desk: Desk) -> str:
    """Somebody who tips."""
    with desk.server.client() as office:
        return office.member("QJP-900")


@pytest.fixture
def lead(desk: Desk, member: str) -> Iterator[Any]:
    """Their tip of today: it changes no figure of another year."""
    with desk.server.client() as office:
        body = {
            "title": f"光伏组件项目{next(_NUMBERS)}号",
            "members": [member],
            "district": DISTRICT,
            "occurred_on": f"{today_in_china()}",
            "contact": {"name": "李先生", "phone": "13800000001"},
        }
        reply = office.post("/v1/leads", body)
        assert reply.status == 201, reply.body
        yield reply.body


def now(desk: Desk, lead: Any) -> Any:
    """The lead as the API has it."""
    with desk.server.client() as office:
        return office.get(f"/v1/leads/{lead['id']}").body


def do(desk: Desk, lead: Any, command: str, **facts: Any) -> None:
    """A command by somebody else."""
    with desk.server.client() as office:
        body = {"occurred_on": f"{today_in_china()}", **facts}
        assert office.post(f"/v1/leads/{lead['id']}/{command}", body).status == 200


def opened(page: Page, name: str) -> None:
    """Open the sheet of that name."""
    page.get_by_role("link", name=name, exact=True).first.click()
    expect(page.get_by_role("dialog")).to_be_visible()


def record(page: Page) -> None:
    """Send the form."""
    page.get_by_role("button", name="记录", exact=True).click()


def test_a_lead_lives_from_its_tip_to_groundbreaking_and_the_years_sentence(
    desk: Desk, lead: Any
) -> None:
    with desk.visit("officer") as (page, watch):
        watch.expects(409, 422)
        page.goto("/leads")
        page.get_by_label("名称或投资方").press_sequentially(lead["title"])
        expect(page.locator("table.ledger tbody tr")).to_have_count(1)
        # What was left empty is not in the address.
        expect(page).to_have_url(re.compile(r"/leads\?q=[^&]+$"))
        page.get_by_role("link", name=lead["title"], exact=True).click()
        opened(page, "开始洽谈")
        page.get_by_label("责任人").fill("钱七")
        record(page)
        told = page.locator("#wrong-responsible_unit")
        expect(told).to_have_text("进入下一阶段需要此项。")
        expect(page.get_by_label("责任单位")).to_be_focused()
        expect(page.get_by_label("责任人")).to_have_value("钱七")
        check_accessible(page)
        page.get_by_label("责任单位").fill("清江浦经济开发区")
        page.get_by_label("发生日期").fill("2099-01-01")
        record(page)
        expect(page.locator("#wrong-occurred_on")).to_contain_text("2099-01-01 还没有到")
        page.get_by_label("发生日期").fill(f"{today_in_china()}")
        record(page)
        expect(page.get_by_role("status").first).to_have_text("已记录：开始洽谈。")

        opened(page, "签约")
        record(page)
        expect(page.locator("#wrong-investment")).to_be_visible()
        page.get_by_label("数额").fill("三亿")
        record(page)
        expect(page.locator("[id='wrong-investment.amount']")).to_contain_text("“三亿”不是数额")
        page.get_by_label("数额").fill("3")
        record(page)
        expect(page.get_by_role("status").first).to_have_text("已记录：签约。")

        opened(page, "开工")
        page.get_by_label("开工方式").select_option("主体施工")
        page.get_by_label("佐证类别").first.select_option("施工许可证")
        page.get_by_label("文号或说明").first.fill("施-1")
        record(page)
        expect(page.get_by_role("status").first).to_have_text("已记录：开工。")
        expect(page.get_by_text("施工许可证 施-1")).to_be_visible()
        check_accessible(page)

        page.get_by_role("link", name="总览").click()
        page.locator(".says a", has_text="1").first.wait_for()
        page.goto("/behind/groundbroken")
        expect(page.get_by_role("main")).to_contain_text(lead["title"])
    assert now(desk, lead)["stage"] == "groundbroken"


def test_the_second_of_two_is_told_what_the_first_did_and_keeps_what_was_typed(
    desk: Desk, lead: Any
) -> None:
    with desk.visit("officer") as (page, watch):
        watch.expects(412)
        page.goto(f"/leads/{lead['id']}")
        page.get_by_text("其他", exact=True).click()
        opened(page, "变更项目信息")
        page.get_by_label("产业代码").fill("C382")
        do(desk, lead, "revision", title=f"{lead['title']}（二期）")
        record(page)
        told = page.get_by_role("alert").filter(has_text="有人改动了这个项目")
        expect(told).to_contain_text("变更项目信息")
        expect(page.get_by_label("产业代码")).to_have_value("C382")
        check_accessible(page)
        record(page)
        expect(page.get_by_role("status").first).to_have_text("已记录：变更项目信息。")
    found = now(desk, lead)
    assert (found["industry"], found["title"]) == ("C382", f"{lead['title']}（二期）")


def test_back_reload_and_a_double_click_do_no_harm(desk: Desk, lead: Any) -> None:
    with desk.visit("officer") as (page, watch):
        watch.expects(422)
        page.goto(f"/leads/{lead['id']}")
        opened(page, "开始洽谈")
        page.get_by_label("责任单位").fill("商务局")
        page.get_by_label("发生日期").fill("2099-01-01")
        record(page)
        expect(page.locator("#wrong-occurred_on")).to_be_visible()
        page.get_by_label("责任人").fill("钱七")
        page.reload()
        expect(page.get_by_label("责任单位")).to_have_value("商务局")
        expect(page.get_by_label("责任人")).to_have_value("钱七")
        page.get_by_label("发生日期").fill(f"{today_in_china()}")
        page.go_back()
        expect(page).to_have_url(f"{desk.address}/leads/{lead['id']}")
        opened(page, "开始洽谈")
        expect(page.get_by_label("责任单位")).to_have_value("商务局")
        page.get_by_role("button", name="记录", exact=True).dblclick()
        expect(page.get_by_role("status").first).to_have_text("已记录：开始洽谈。")
        page.go_back()
        expect(page.get_by_role("dialog")).to_be_hidden()
        expect(page.get_by_role("heading", level=1)).to_have_text(lead["title"])
    assert now(desk, lead)["version"] == 2


def test_a_session_that_ends_in_mid_form_loses_nothing(desk: Desk, lead: Any) -> None:
    with desk.visit("officer") as (page, watch):
        watch.expects(401)
        page.goto(f"/leads/{lead['id']}")
        opened(page, "开始洽谈")
        page.get_by_label("责任单位").fill("商务局")
        page.context.clear_cookies()
        record(page)
        page.wait_for_url("**/signin?next=**")
        page.get_by_label("访问令牌").fill(desk.token("officer"))
        page.keyboard.press("Enter")
        expect(page.get_by_label("责任单位")).to_have_value("商务局")
        record(page)
        expect(page.get_by_role("status").first).to_have_text("已记录：开始洽谈。")
    assert now(desk, lead)["version"] == 2


def test_nothing_that_was_typed_is_left_for_who_signs_in_next(desk: Desk, lead: Any) -> None:
    with desk.visit() as (page, _):
        sign_in(page, desk.token("officer"))
        page.wait_for_url(f"{desk.address}/")
        page.goto(f"/leads/{lead['id']}/do/revision")
        page.get_by_label("产业代码").fill("C382")
        page.get_by_label("联系电话").fill("13800000002")
        # Whom to call is kept nowhere, not even until then.
        kept = page.evaluate("JSON.stringify(sessionStorage)")
        assert "C382" in kept and "13800000002" not in kept
        page.get_by_text("officer 同志").click()
        page.get_by_role("button", name="退出登录").click()
        expect(page.get_by_role("status")).to_be_visible()
        assert "kept:" not in page.evaluate("JSON.stringify(sessionStorage)")


def test_it_goes_by_keyboard_alone(desk: Desk, lead: Any) -> None:
    with desk.visit("officer") as (page, _):
        page.goto(f"/leads/{lead['id']}")
        page.get_by_role("link", name="跟进记录").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("发生日期")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("dialog")).to_be_hidden()
        page.get_by_role("link", name="跟进记录").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_label("发生日期")).to_be_focused()
        page.get_by_label("跟进方式").press("ArrowDown")
        page.get_by_label("跟进方式").press("Tab")
        page.keyboard.type("谈了用地")
        page.get_by_role("button", name="记录", exact=True).press("Enter")
        expect(page.get_by_role("status").first).to_have_text("已记录：跟进记录。")
        # The replay goes by arrows, version by version.
        page.get_by_role("slider").press("ArrowLeft")
        expect(page.get_by_text("第 1 版，共 2 版")).to_be_visible()
        expect(page.get_by_text("谈了用地")).to_have_count(0)
        check_accessible(page)


def test_it_goes_without_scripts_on_a_phone(desk: Desk, lead: Any) -> None:
    with desk.visit("officer", java_script_enabled=False, viewport=PHONE) as (page, watch):
        watch.expects(409)
        page.goto(f"/leads?q={lead['title']}")
        page.get_by_role("link", name=lead["title"], exact=True).click()
        page.get_by_role("link", name="开始洽谈", exact=True).click()
        page.get_by_label("责任人").fill("钱七")
        record(page)
        expect(page.locator("#wrong-responsible_unit")).to_be_visible()
        expect(page.get_by_label("责任人")).to_have_value("钱七")
        page.get_by_label("责任单位").fill("商务局")
        record(page)
        expect(page.get_by_role("status").first).to_have_text("已记录：开始洽谈。")
        page.get_by_text("各版本").click()
        page.get_by_role("link", name="第 1 版", exact=True).first.click()
        expect(page.get_by_text("这是过去的样子")).to_be_visible()
        page.get_by_label("查看完整联系方式的理由").wait_for(state="detached")
        page.get_by_role("link", name="回到现在").click()
        page.get_by_label("查看完整联系方式的理由").fill("约见面")
        page.get_by_role("button", name="查看", exact=True).click()
        expect(page.get_by_text("李先生 13800000001")).to_be_visible()


def test_a_card_is_dragged_and_its_form_decides(desk: Desk, lead: Any) -> None:
    with desk.visit("officer") as (page, watch):
        watch.expects(409)
        page.goto("/board")
        check_accessible(page)
        card = page.locator(".board-card", has_text=lead["title"])
        card.drag_to(page.locator("[data-stage=signed] .column-head"))
        expect(page.get_by_role("alert")).to_contain_text("紧接的下一阶段")
        card.drag_to(page.locator("[data-stage=negotiating] .column-head"))
        expect(page.get_by_role("dialog")).to_be_visible()
        record(page)
        expect(page.locator("#wrong-responsible_unit")).to_be_visible()
        page.get_by_label("责任单位").fill("商务局")
        record(page)
        expect(page.get_by_role("status").first).to_contain_text("已记录：开始洽谈。")
        there = page.locator("[data-stage=negotiating] .board-card", has_text=lead["title"])
        expect(there).to_be_visible()
        there.get_by_role("link", name="终止").click()
        page.get_by_role("link", name="取消").click()
        expect(page).to_have_url(re.compile("/board"))
        expect(page.get_by_role("dialog")).to_be_hidden()


def test_the_ledger_is_chosen_sorted_and_taken_away(desk: Desk) -> None:
    with desk.visit("officer") as (page, _):
        page.goto("/leads?as_of=2025-12-29&stage=negotiating")
        expect(page.locator("table.ledger tbody tr")).to_have_count(6)
        check_accessible(page)
        page.get_by_role("link", name="投资额").click()
        expect(page.locator("table.ledger tbody th").first).to_have_text("12英寸大晶圆项目")
        page.get_by_text("选择列").click()
        page.get_by_label("产业代码").last.check()
        page.get_by_role("button", name="采用").click()
        expect(page.get_by_role("columnheader", name="产业代码")).to_be_visible()
        with page.expect_download() as found:
            page.get_by_role("link", name="导出工作簿").click()
        assert found.value.suggested_filename.startswith("leads-2025-12-29-")
        page.get_by_role("link", name="12英寸大晶圆项目").click()
        expect(page.get_by_text("这是过去的样子")).to_be_visible()


@pytest.mark.parametrize("path", ["/leads", "/board", "lead", "form"])
@pytest.mark.parametrize("language", ["zh-CN", "en"])
def test_pages_are_for_everybody_on_a_phone_in_both_languages(
    desk: Desk, lead: Any, path: str, language: str
) -> None:
    about = {"lead": f"/leads/{lead['id']}", "form": f"/leads/{lead['id']}/do/revision"}
    with desk.visit("officer", viewport=PHONE, locale=language) as (page, _):
        page.goto(about.get(path, path))
        check_accessible(page)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, "nothing is wider than the screen"
        visible = page.locator("main").inner_text()
        assert language != "en" or ("项目名称" not in visible and "发生日期" not in visible)


def test_who_only_reads_is_offered_nothing(desk: Desk, lead: Any) -> None:
    with desk.visit() as (page, _):
        sign_in(page, desk.token("auditor"))
        page.wait_for_url(f"{desk.address}/")
        page.goto(f"/leads/{lead['id']}")
        expect(page.get_by_role("heading", name="下一步")).to_have_count(0)
        expect(page.get_by_role("link", name="下载证明")).to_be_visible()
