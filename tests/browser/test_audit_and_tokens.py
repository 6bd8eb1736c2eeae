"""Audit and tokens, in a real browser."""

import re

from playwright.sync_api import expect

from tests.browser.browsing import Desk, check_accessible, needs_chromium

pytestmark = needs_chromium


def test_an_auditor_verifies_and_sees_it_hold(desk: Desk) -> None:
    with desk.visit("auditor") as (page, _):
        page.goto("/audit")
        check_accessible(page)
        page.get_by_role("button", name="开始核对").click()
        expect(page.get_by_text("核对通过")).to_be_visible()
        expect(page.locator("[data-told=size]")).to_have_text(re.compile(r"^\d+$"))
        check_accessible(page)
        page.get_by_text("最近一个检查点的签名原文").click()
        expect(page.locator("pre")).to_contain_text("leadledger/")


def test_without_scripts_the_verdict_comes_as_a_page(desk: Desk) -> None:
    with desk.visit("auditor", java_script_enabled=False) as (page, _):
        page.goto("/audit")
        page.get_by_role("button", name="开始核对").click()
        expect(page.get_by_text("核对通过")).to_be_visible()


def test_an_administrator_issues_a_token_and_revokes_it(desk: Desk) -> None:
    with desk.visit("admin") as (page, watch):
        page.goto("/tokens")
        check_accessible(page)
        page.get_by_label("持有人").fill("钱科长")
        page.get_by_label("有效天数（可不填）").fill("x")
        watch.expects(422)
        page.get_by_role("button", name="签发").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.get_by_label("持有人")).to_have_value("钱科长")
        # What was typed stays over a reload of the form as well.
        page.goto("/tokens")
        expect(page.get_by_label("持有人")).to_have_value("钱科长")
        page.get_by_label("有效天数（可不填）").fill("30")
        page.get_by_role("button", name="签发").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("新令牌")
        check_accessible(page)
        secret = page.locator(".secret code").inner_text()
        page.get_by_role("link", name="已抄下").click()
        expect(page.get_by_label("持有人")).to_have_value("")
        page.get_by_role("link", name="钱科长").click()
        check_accessible(page)
        page.get_by_role("button", name="撤销这个令牌").click()
        expect(page.get_by_role("row", name="钱科长")).to_contain_text("已失效")
    with desk.server.client(secret) as ended:
        assert ended.get("/v1/leads").status == 401


def test_a_form_that_is_sent_after_the_sign_in_ended_loses_nothing(desk: Desk) -> None:
    with desk.visit("admin") as (page, watch):
        page.goto("/tokens")
        page.get_by_label("持有人").fill("孙科长")
        page.context.clear_cookies()
        watch.expects(401)
        page.get_by_role("button", name="签发").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("请先登录")
        check_accessible(page)
        page.locator("main").get_by_role("link", name="登录").click()
        page.get_by_label("访问令牌").fill(desk.token("admin"))
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{desk.address}/tokens")
        expect(page.get_by_label("持有人")).to_have_value("孙科长")
