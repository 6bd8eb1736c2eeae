"""The 2025 ledger on a real server, and Chromium before it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.browser.browsing import Desk, launched
from tests.faults.serving import Server, serving


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two workers on the 2025 ledger."""
    folder = Path(tmp_path_factory.mktemp("pages"))
    how = {"LEDGER_WORKERS": "2", "LEDGER_FAILURES_A_MINUTE": "0"}
    with serving(folder, "--demo", **how) as found:
        yield found


# Of one file's tests: while it is there its event loop is too, which others would meet.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with sync_playwright() as playwright:
        found = launched(playwright)
        yield found
        found.close()


@pytest.fixture(scope="module")
def desk(server: Server, browser: Browser) -> Desk:
    """Both."""
    return Desk(server, browser)
