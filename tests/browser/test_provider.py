"""Signing in through a provider, in a real browser: away, there, and back with a cookie."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.api.issuer import SECRET, providing
from tests.browser.browsing import Desk, check_accessible, needs_chromium
from tests.faults.serving import serving

pytestmark = needs_chromium

PERSON = {"roles": ["ledger-office"], "name": "赵科长"}


@pytest.fixture
def believing(browser: Browser, tmp_path: Path) -> Iterator[Desk]:
    """A server that believes a provider."""
    with providing(clients={"pages": {}}, people={"zhao": PERSON}) as issuer:
        settings = {
            "LEDGER_OIDC_ISSUER": issuer.address,
            "LEDGER_OIDC_AUDIENCE": "lead-ledger",
            "LEDGER_OIDC_ROLES": "ledger-office=officer",
            "LEDGER_OIDC_CLIENT": "pages",
            "LEDGER_OIDC_CLIENT_SECRET": SECRET,
            "LEDGER_WORKERS": "2",
        }
        with serving(tmp_path, **settings) as server:
            yield Desk(server, browser)


def test_whoever_signs_in_at_the_provider_comes_back_signed_in(believing: Desk) -> None:
    with believing.visit() as (page, _):
        page.goto("/behind/tips?as_of=2025-12-29")
        check_accessible(page)
        page.get_by_role("link", name="用统一身份认证登录").click()
        page.get_by_role("button", name="zhao").click()
        expect(page).to_have_url(f"{believing.address}/behind/tips?as_of=2025-12-29")
        expect(page.get_by_text("赵科长")).to_be_visible()
        page.get_by_text("赵科长").click()
        page.get_by_role("button", name="退出登录").click()
        expect(page.get_by_role("status")).to_have_text("已退出登录。")
