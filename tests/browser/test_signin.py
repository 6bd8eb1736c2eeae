"""Signing in, in a real browser."""

from playwright.sync_api import expect

from api.pages.session import COOKIE
from tests.browser.browsing import PHONE, Desk, check_accessible, needs_chromium, sign_in

pytestmark = needs_chromium


def test_who_comes_to_a_page_signs_in_and_sees_it(desk: Desk) -> None:
    with desk.visit() as (page, _):
        page.goto("/behind/tips?as_of=2025-12-29")
        expect(page).to_have_url(f"{desk.address}/signin?next=/behind/tips%3Fas_of%3D2025-12-29")
        check_accessible(page)
        page.get_by_label("访问令牌").fill(desk.token("officer"))
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{desk.address}/behind/tips?as_of=2025-12-29")
        expect(page.get_by_role("heading", level=1)).to_have_text("提供项目信息")


def test_the_cookie_is_one_that_scripts_and_other_hosts_never_see(desk: Desk) -> None:
    with desk.visit() as (page, _):
        sign_in(page, desk.token("officer"))
        expect(page.get_by_role("heading", level=1)).to_contain_text("总览")
        (kept,) = [one for one in page.context.cookies() if one["name"] == COOKIE]
        assert (kept["secure"], kept["httpOnly"], kept["sameSite"]) == (True, True, "Lax")
        assert kept["expires"] == -1 and kept["domain"] == "127.0.0.1"
        assert page.evaluate("document.cookie") == ""


def test_a_wrong_token_is_refused_in_a_sentence(desk: Desk) -> None:
    with desk.visit() as (page, watch):
        watch.expects(401)
        sign_in(page, "ll_wrong")
        expect(page.get_by_role("alert")).to_be_visible()
        check_accessible(page)


def test_signing_out_is_for_good_and_back_shows_nothing(desk: Desk) -> None:
    with desk.visit() as (page, _):
        sign_in(page, desk.token("officer"))
        page.get_by_text("officer 同志").click()
        check_accessible(page)
        page.get_by_role("button", name="退出登录").click()
        expect(page.get_by_role("status")).to_have_text("已退出登录。")
        page.go_back()
        expect(page).to_have_url(f"{desk.address}/signin")


def test_language_and_colours_are_chosen_and_stay(desk: Desk) -> None:
    with desk.visit("officer") as (page, _):
        page.goto("/?as_of=2025-12-29")
        page.get_by_text("officer 同志").click()
        page.get_by_role("button", name="English").click()
        expect(page).to_have_url(f"{desk.address}/?as_of=2025-12-29")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview 2025")
        assert page.locator("html").get_attribute("lang") == "en"
        page.get_by_text("officer 同志").click()
        page.get_by_role("button", name="Dark").click()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview 2025")
        check_accessible(page)


def test_it_goes_by_keyboard_alone(desk: Desk) -> None:
    with desk.visit() as (page, _):
        page.goto("/signin")
        page.keyboard.press("Tab")
        expect(page.get_by_text("跳到正文")).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.get_by_label("访问令牌")).to_be_focused()
        page.keyboard.type(desk.token("auditor"))
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("总览")


def test_it_goes_without_scripts_on_a_phone(desk: Desk) -> None:
    with desk.visit(java_script_enabled=False, viewport=PHONE) as (page, _):
        sign_in(page, desk.token("officer"))
        expect(page.get_by_role("heading", level=1)).to_contain_text("总览")
        page.get_by_text("officer 同志").click()
        page.get_by_role("button", name="退出登录").click()
        expect(page.get_by_role("status")).to_be_visible()


def test_no_such_page_is_said_on_a_page(desk: Desk) -> None:
    with desk.visit("officer") as (page, watch):
        watch.expects(404)
        page.goto("/nothing")
        expect(page.get_by_role("heading", level=1)).to_have_text("没有找到")
        check_accessible(page)
