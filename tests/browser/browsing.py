"""A real browser before a real server, and what nothing may do in it.

Whatever a page does, no test passes with an error in the console, a request that failed, or
something that the page's policy forbade.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Playwright,
    Request,
    ViewportSize,
    expect,
)

from tests.faults.serving import Server

# The one without a window does the same in four fifths of the time.
_KINDS = ("chromium-headless-shell", "chromium")
CHROMIUM = next(filter(None, map(shutil.which, _KINDS)), None)
# Where one machine must have it, so that nothing is left out there on the quiet.
_REQUIRED = bool(os.environ.get("CI"))
_FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
).split()
_AXE = (Path(__file__).parent / "vendor" / "axe.min.js").read_text("utf-8")
_LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
# Of what holds nothing is asked, nor how to find again what does not.
_ASKED = {"resultTypes": ["violations"], "selectors": False, "preload": False, "iframes": False}
_TELL = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`))"""
# Milliseconds that anything may take before a test gives up; nothing comes near it.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)
DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}

needs_chromium = pytest.mark.skipif(
    not _REQUIRED and CHROMIUM is None,
    reason="Chromium is not on this machine: README, Tests, says how to get it",
)


def launched(playwright: Playwright) -> Browser:
    """A browser with a profile of its own, which goes with it."""
    return playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)


@dataclass
class Watch:
    """What went wrong in one context. A test that is refused on purpose ``expects`` it: such a
    status, of which a browser's console says that it failed to load."""

    said: list[str] = field(default_factory=list)
    _expected: set[int] = field(default_factory=set)

    def expects(self, *statuses: int) -> None:
        """These are no fault."""
        self._expected.update(statuses)

    def console(self, message: ConsoleMessage) -> None:
        """Take note of what it is told."""
        if message.type in ("error", "warning"):
            self.said.append(f"{message.text} ({message.location.get('url', '')})")

    def error(self, error: Any) -> None:
        """Take note of a script's error."""
        self.said.append(f"script: {error}")

    def failed(self, request: Request) -> None:
        """Take note, unless the page went away meanwhile."""
        if request.failure != "net::ERR_ABORTED":
            self.said.append(f"{request.method} {request.url}: {request.failure}")

    @property
    def wrong(self) -> list[str]:
        """What nobody expected."""
        marks = [f"the server responded with a status of {status}" for status in self._expected]
        return [said for said in self.said if not any(mark in said for mark in marks)]


@dataclass
class Desk:
    """A server, and browsers before it."""

    server: Server
    browser: Browser
    # Role → what a browser in which somebody of that role signed in keeps.
    _kept: dict[str, Any] = field(default_factory=dict)
    _tokens: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server.port}"

    def token(self, role: str, **more: str) -> str:
        """A token of that role, the same one when asked again; of role member that of the first
        member, unless ``more`` names another."""
        key = f"{role} {more}"
        if key not in self._tokens:
            with self.server.client() as admin:
                if role == "member" and "member" not in more:
                    more["member"] = admin.get("/v1/members").body["items"][0]["id"]
                body = {"role": role, "name": f"{role} 同志", **more}
                reply = admin.post("/v1/tokens", body)
            assert reply.status == 201, reply.body
            self._tokens[key] = reply.body["token"]
        return self._tokens[key]

    @contextmanager
    def visit(self, role: str | None = None, **about: Any) -> Iterator[tuple[Page, Watch]]:
        """A browser in which somebody of that ``role`` is signed in, or nobody; and what goes wrong
        in it, which ends the test if it is anything. ``about``: Playwright's words on it."""
        kept = self._kept_of(role) if role else None
        with self._context(storage_state=kept, **about) as (context, watch):
            yield context.new_page(), watch
        assert watch.wrong == [], "\n".join(watch.wrong)

    def _kept_of(self, role: str) -> Any:
        if role not in self._kept:
            with self._context() as (context, _):
                page = context.new_page()
                sign_in(page, self.token(role))
                page.wait_for_url(f"{self.address}/**")
                self._kept[role] = context.storage_state()
        return self._kept[role]

    @contextmanager
    def _context(self, **about: Any) -> Iterator[tuple[BrowserContext, Watch]]:
        words: dict[str, Any] = {"base_url": self.address, "locale": "zh-CN", "viewport": DESKTOP}
        # A colour that is on its way is none to judge.
        words |= {"reduced_motion": "reduce", **about}
        context = self.browser.new_context(**words)
        context.set_default_timeout(PATIENCE)
        context.add_init_script(_TELL)
        watch = Watch()
        context.on("console", watch.console)
        context.on("weberror", lambda error: watch.error(error.error))
        context.on("requestfailed", watch.failed)
        try:
            yield context, watch
        finally:
            context.close()


def sign_in(page: Page, token: str, path: str = "/signin") -> None:
    """By typing a token."""
    page.goto(path)
    page.get_by_label("访问令牌").fill(token)
    page.locator("main").get_by_role("button", name="登录", exact=True).click()


def check_accessible(page: Page) -> None:
    """Fail, naming each, where the page as it is now breaks WCAG 2.2 AA, in light or in dark."""
    before = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    page.evaluate(f"{_AXE}; true")
    found = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        # Only the colours are other ones.
        rules = {"type": "tag", "values": _LEVELS}
        if scheme == "dark":
            rules = {"type": "rule", "values": ["color-contrast"]}
        result = page.evaluate("asked => axe.run(document, asked)", {**_ASKED, "runOnly": rules})
        found += [
            f"{scheme}: {one['id']}: {node['html'][:200]}: {node['failureSummary'][:300]}"
            for one in result["violations"]
            for node in one["nodes"]
        ]
    page.emulate_media(color_scheme="dark" if before else "light")
    assert found == [], "\n".join(found)
