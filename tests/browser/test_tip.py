"""A member's tip, from a phone: by a personal link, on a bad connection, once."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.browsing import PHONE, Desk, Watch, check_accessible, needs_chromium
from tests.faults.serving import serving

pytestmark = needs_chromium
OFFLINE = "net::ERR_INTERNET_DISCONNECTED"


class Member:
    """A member of the office's, and the link that an officer made."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        with desk.server.client() as admin:
            self.id = admin.member(f"P-{uuid4().hex[:8]}")
            self.token = admin.post(f"/v1/members/{self.id}/link", {}).body["token"]

    def titles(self) -> list[str]:
        """What the ledger has of the member's."""
        with self.desk.server.client() as admin:
            found = admin.get(f"/v1/leads?member={self.id}").body["items"]
        return [one["title"] for one in found]

    @contextmanager
    def phone(self, **about: Any) -> Iterator[tuple[Page, Watch]]:
        """The form, opened by the link on a phone."""
        words = {"viewport": PHONE, "has_touch": True, **about}
        with self.desk.visit(**words) as (page, watch):
            page.goto(f"/tip#{self.token}")
            expect(page.get_by_role("heading", level=1)).to_have_text("提供信息")
            expect(page.get_by_role("button", name="提交")).to_be_visible()
            yield page, watch


@pytest.fixture
def member(desk: Desk) -> Member:
    """One of them."""
    return Member(desk)


def draft_of(page: Page) -> str:
    """All that the browser keeps."""
    return str(page.evaluate("JSON.stringify({...localStorage, ...sessionStorage})"))


def test_a_tip_by_a_personal_link_takes_a_title_and_a_tap(member: Member) -> None:
    with member.phone() as (page, _):
        assert page.url == f"{member.desk.address}/tip"
        check_accessible(page)
        page.get_by_label("项目名称").fill("12英寸大晶圆项目")
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_role("status").filter(has_text="已记录")).to_be_visible()
        expect(page.locator(".mine")).to_contain_text("已收到，待研判")
        check_accessible(page)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert "draft:" not in draft_of(page)
    assert member.titles() == ["12英寸大晶圆项目"]


def test_the_links_secret_reaches_no_address_that_a_server_is_asked_for(member: Member) -> None:
    asked: list[str] = []
    with member.desk.visit() as (page, _):
        page.on("request", lambda request: asked.append(request.url.partition("#")[0]))
        page.goto(f"/tip#{member.token}")
        expect(page.get_by_role("button", name="提交")).to_be_visible()
        assert not [one for one in asked if "ll_" in one]
        assert member.token not in page.content() + draft_of(page)
        page.go_back()
        assert "ll_" not in page.url


def test_a_link_that_ended_is_said(member: Member) -> None:
    with member.desk.server.client() as admin:
        admin.post(f"/v1/members/{member.id}/link", {})
    with member.desk.visit(viewport=PHONE) as (page, watch):
        watch.expects(401)
        page.goto(f"/tip#{member.token}")
        expect(page.get_by_text("这个个人链接无效或已停用")).to_be_visible()
        assert "ll_" not in page.url
        check_accessible(page)


def test_a_draft_survives_a_reload_but_for_the_contact(member: Member) -> None:
    with member.phone() as (page, _):
        page.get_by_label("项目名称").fill("冷链物流园")
        page.get_by_label("情况说明").fill("两行\n文字")
        page.get_by_text("联系人、日期等").tap()
        page.get_by_label("联系人", exact=False).first.fill("李先生")
        page.get_by_label("联系电话").fill("13800000001")
        assert "李先生" not in draft_of(page) and "13800000001" not in draft_of(page)
        page.reload()
        expect(page.get_by_label("项目名称")).to_have_value("冷链物流园")
        expect(page.get_by_label("情况说明")).to_have_value("两行\n文字")
        expect(page.get_by_text("已恢复上次没有提交的内容")).to_be_visible()
        check_accessible(page)
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_text("已记录：《冷链物流园》")).to_be_visible()
    assert member.titles() == ["冷链物流园"]


def test_signing_out_leaves_no_draft_behind(member: Member) -> None:
    with member.phone() as (page, _):
        page.get_by_label("项目名称").fill("没有提交的")
        page.locator("details.menu summary").tap()
        page.get_by_role("button", name="退出登录").tap()
        expect(page.get_by_text("已退出登录")).to_be_visible()
        assert "draft:" not in draft_of(page) and "没有提交的" not in draft_of(page)


def test_offline_it_says_so_keeps_all_and_is_then_recorded_once(member: Member) -> None:
    with member.phone() as (page, watch):
        page.get_by_label("项目名称").fill("断网时提供的")
        page.get_by_text("联系人、日期等").tap()
        page.get_by_label("联系电话").fill("13800000001")
        page.context.set_offline(True)
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_text("没有送达：网络不通")).to_be_visible()
        expect(page.get_by_label("项目名称")).to_have_value("断网时提供的")
        expect(page.get_by_label("联系电话")).to_have_value("13800000001")
        check_accessible(page)
        page.context.set_offline(False)
        expect(page.get_by_text("网络已恢复")).to_be_visible()
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_text("已记录：《断网时提供的》")).to_be_visible()
        watch.said[:] = [said for said in watch.said if OFFLINE not in said]
    assert member.titles() == ["断网时提供的"]


def test_when_only_the_answer_is_lost_it_is_recorded_once(member: Member) -> None:
    with member.phone() as (page, watch):
        page.get_by_label("项目名称").fill("答复丢了的")
        arrived: list[int] = []

        def lost(route: Any) -> None:
            arrived.append(route.fetch().status)
            route.abort("internetdisconnected")

        page.route("**/tip", lost, times=1)
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_text("没有送达：网络不通")).to_be_visible()
        assert arrived == [204] and member.titles() == ["答复丢了的"]
        page.reload()
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_text("已记录：《答复丢了的》")).to_be_visible()
        watch.said[:] = [said for said in watch.said if OFFLINE not in said]
    assert member.titles() == ["答复丢了的"]


def test_a_double_click_records_once(member: Member) -> None:
    with member.phone(has_touch=False) as (page, _):
        page.get_by_label("项目名称").fill("点了两下的")
        page.get_by_role("button", name="提交").dblclick()
        expect(page.get_by_text("已记录：《点了两下的》")).to_be_visible()
    assert member.titles() == ["点了两下的"]


def test_when_the_sign_in_ends_in_mid_form_nothing_typed_is_lost(member: Member) -> None:
    with member.phone() as (page, watch):
        watch.expects(401)
        page.get_by_label("项目名称").fill("登录结束时的")
        page.context.clear_cookies()
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_text("没有送达：登录已结束")).to_be_visible()
        check_accessible(page)
        page.get_by_role("link", name="重新登录").tap()
        page.get_by_label("个人链接").fill(f"{member.desk.address}/tip#{member.token}")
        page.keyboard.press("Enter")
        expect(page.get_by_label("项目名称")).to_have_value("登录结束时的")
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_text("已记录：《登录结束时的》")).to_be_visible()
    assert member.titles() == ["登录结束时的"]


def test_what_is_refused_is_said_beside_its_field(member: Member) -> None:
    with member.phone() as (page, watch):
        watch.expects(422)
        page.get_by_label("项目名称").fill("金额不对的")
        page.get_by_label("计划投资").fill("三十")
        page.get_by_role("button", name="提交").tap()
        expect(page.locator("main .refusal")).to_be_focused()
        expect(page.get_by_label("计划投资")).to_have_attribute("aria-invalid", "true")
        expect(page.get_by_label("项目名称")).to_have_value("金额不对的")
        check_accessible(page)
        page.get_by_label("计划投资").fill("30")
        page.get_by_role("button", name="提交").tap()
        expect(page.get_by_text("已记录：《金额不对的》")).to_be_visible()


def test_it_goes_by_keyboard_alone_and_in_english(member: Member) -> None:
    with member.desk.visit(locale="en-GB") as (page, _):
        page.goto(f"/tip#{member.token}")
        expect(page.get_by_role("heading", level=1)).to_have_text("Tip")
        title = page.get_by_label("Title")
        for _turn in range(12):
            page.keyboard.press("Tab")
            if title.evaluate("field => field === document.activeElement"):
                break
        page.keyboard.type("By keyboard")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Recorded: By keyboard")).to_be_visible()
        check_accessible(page)
    assert member.titles() == ["By keyboard"]


def test_it_goes_without_scripts(member: Member) -> None:
    with member.desk.visit(viewport=PHONE, java_script_enabled=False) as (page, _):
        page.goto("/tip")
        page.get_by_label("个人链接").fill(f"{member.desk.address}/tip#{member.token}")
        page.locator("main").get_by_role("button", name="登录").click()
        page.get_by_label("项目名称").fill("没有脚本的")
        page.get_by_role("button", name="提交").click()
        expect(page.get_by_text("已记录：《没有脚本的》")).to_be_visible()
    assert member.titles() == ["没有脚本的"]


def test_of_many_members_one_is_found_by_typing(tmp_path: Path, browser: Browser) -> None:
    with serving(tmp_path, LEDGER_WORKERS="1") as server:
        with server.client() as admin:
            for number in range(301):
                admin.member(f"P-{number:03}")
        desk = Desk(server, browser)
        with desk.visit("officer") as (page, _):
            page.goto("/tip")
            check_accessible(page)
            field = page.get_by_label("提供委员")
            field.press_sequentially("P-29")
            suggested = page.locator("#people > option")
            expect(suggested).to_have_count(10)
            field.fill(f"{suggested.last.get_attribute('value')}")
            page.get_by_label("项目名称").fill("冷链物流园")
            page.get_by_role("button", name="提交").click()
            expect(page.get_by_role("status").filter(has_text="已记录")).to_be_visible()
        with server.client() as admin:
            (lead,) = admin.get("/v1/leads").body["items"]
            (tipped,) = lead["members"]
            assert admin.get(f"/v1/members/{tipped['id']}").body["number"] == "P-299"
