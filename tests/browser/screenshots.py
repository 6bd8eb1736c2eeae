"""``make screenshots``: every page as the README shows it, from the 2025 ledger.

A page more is a line more in ``SHOTS``; ``{lead}`` in a path is the lead about to sign.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from playwright.sync_api import sync_playwright

from service.settings import HOME
from tests.browser.browsing import DESKTOP, PHONE, Desk, launched
from tests.faults.serving import serving

FOLDER = HOME / "docs" / "pages"


class Shot(NamedTuple):
    """A picture: its name, the page, who looks at it (None: nobody signed in), what it shows, and
    Playwright's words on the browser. ``whole``: down to its end."""

    name: str
    path: str
    role: str | None
    caption: str
    about: dict[str, Any] | None = None
    whole: bool = True


_YEAR = "/?as_of=2025-12-29"
_PHONE: dict[str, Any] = {"viewport": PHONE, "device_scale_factor": 2, "is_mobile": True}
SHOTS = (
    Shot("overview", _YEAR, "admin", "总览"),
    Shot("overview-dark", _YEAR, "admin", "总览（深色）", {"color_scheme": "dark"}),
    Shot("overview-phone", _YEAR, "officer", "总览（手机）", _PHONE, whole=False),
    Shot("behind", "/behind/negotiating?as_of=2025-12-29", "officer", "一个数字背后的项目"),
    Shot("leads", "/leads", "officer", "台账"),
    Shot("board", "/board", "officer", "看板"),
    Shot("lead", "/leads/{lead}", "officer", "一个项目"),
    Shot("worklist", "/worklist", "officer", "待办", whole=False),
    Shot("members", "/members", "officer", "委员"),
    Shot("tip-phone", "/tip", "member", "提供信息（手机）", _PHONE),
    Shot("import", "/import", "officer", "导入", whole=False),
    Shot("exports", "/exports", "officer", "导出"),
    Shot("audit", "/audit", "auditor", "审计"),
    Shot("tokens", "/tokens", "admin", "令牌"),
    Shot("signin", "/signin", None, "登录", whole=False),
)


def main() -> None:
    """Take them all."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        serving(Path(folder) / "ledger", "--demo", LEDGER_WORKERS="1") as server,
        sync_playwright() as playwright,
    ):
        desk = Desk(server, launched(playwright))
        with server.client() as admin:
            found = admin.get("/v1/leads?about_to_sign=true").body["items"]
        for shot in SHOTS:
            take(desk, shot, found[0]["id"])
        desk.browser.close()


def take(desk: Desk, shot: Shot, lead: str) -> None:
    """One of them."""
    about = {"viewport": DESKTOP, **(shot.about or {})}
    with desk.visit(shot.role, **about) as (page, _):
        page.goto(shot.path.format(lead=lead))
        page.wait_for_load_state("networkidle")
        page.screenshot(path=FOLDER / f"{shot.name}.png", full_page=shot.whole)


if __name__ == "__main__":
    main()
