"""Every page of the register, in a real browser: read and sent without scripts, and by WCAG 2.2 AA.

What is walked is the register itself, `api.pages.site.ACTIONS`. A page more is walked without being
named here, unless its address has a place to fill: then the walk asks for an example of it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page

from api.pages import PAGES
from api.pages.commands import FORMS
from api.pages.exports import KINDS
from api.pages.site import ACTIONS
from domain.actor import today_in_china
from service.application import Ledger
from service.settings import Settings
from tests.browser.browsing import DESKTOP, PHONE, Desk, check_accessible, needs_chromium
from tests.exports.shelf import exported
from tests.faults.serving import DISTRICT, environment, until

pytestmark = needs_chromium
_PAPER = "编号,项目名称,提供委员,区划代码,提供日期\n{0},步行项目{0}号,QJP-001,320812,{1}\n"
_PERIODS = {"annual": "2025", "monthly": "2025-03", "weekly": "2025-W12"}
# A rule with places → examples of it, as far as {names} of the ground.
EXAMPLES: Mapping[str, Sequence[str]] = {
    "/behind/<what>": ["/behind/tips?as_of=2025-12-29", "/behind/closed"],
    "/leads/<lead_id>": ["/leads/{lead}", "/leads/{lead}?version=1"],
    "/leads/<lead_id>/do/<name>": [
        *(f"/leads/{{lead}}/do/{form.name}" for form in FORMS),
        "/leads/{lead}/do/correction?version=1",
        "/leads/{lead}/do/correction?version=2",
    ],
    "/leads/<lead_id>/proof": ["/leads/{lead}/proof"],
    "/members/<member_id>": ["/members/{member}"],
    "/tokens/<token_id>": ["/tokens/{token}"],
    "/exports/<day>": ["/exports/{day}", "/exports/{day}?check=yes"],
    "/exports/<day>/<name>": ["/exports/{day}/manifest.json"],
    "/reports/<kind>": [f"/reports/{kind}?period={_PERIODS[kind]}" for kind in KINDS],
    "/import/<upload_id>": ["{overtaken}", "{recorded}", "{bad}"],
    "/import/<upload_id>/progress": ["{bad}/progress"],
    "/import/<upload_id>/marked.xlsx": ["{bad}/marked.xlsx"],
}
# States of pages that an address tells of, besides the page as it is.
STATES = (
    "/?as_of=2025-12-29",
    "/?as_of=nonsense",
    "/leads?q=nobody",
    "/leads?min_cny=-1",
    "/leads?as_of=2025-12-29&sort=-amount&stage=negotiating",
    "/worklist?due_by=2099-01-01",
    "/members?tipped=false",
    "/members?sector=nobody",
    "/board?stage=tip",
    "/tokens/nobody",
    "/nothing",
)
# A form sent as it stands is done; these would end what the walk stands on.
_ENDS = {
    "/signout",
    "/tokens/<token_id>/rotation",
    "/tokens/<token_id>/revocation",
    "/import/<upload_id>/removal",
}
_NUMBERS = count(1)


class Ground(NamedTuple):
    """A desk, and what there is to be seen at it by an administrator."""

    desk: Desk
    names: Mapping[str, str]

    def addresses(self) -> Iterator[str]:
        """Examples of every page of the register, and the states."""
        for method, rule in ACTIONS:
            if method == "GET":
                examples = EXAMPLES[rule] if "<" in rule else [rule]
                for example in examples:
                    yield example.format(**self.names)
        yield from STATES


@pytest.fixture(scope="module")
def names(desk: Desk) -> Mapping[str, str]:
    """A lead with somebody to call, a member, a token, and a night's export."""
    with desk.server.client() as office:
        member = office.member("WALK-1")
        lead = office.post(
            "/v1/leads",
            {
                "title": "走一遍的项目",
                "members": [member],
                "district": DISTRICT,
                "occurred_on": f"{today_in_china()}",
                "contact": {"name": "李先生", "phone": "13800000001"},
            },
        ).body["id"]
        talks = {"occurred_on": f"{today_in_china()}", "responsible_unit": "商务局"}
        office.post(f"/v1/leads/{lead}/negotiation", talks)
        token = office.post("/v1/tokens", {"role": "auditor", "name": "走一遍"}).body["token"]
    with Ledger(Settings.from_environment(environment(desk.server.folder))) as ledger:
        ledger.create_tables()
        exported(ledger)
    names = {"lead": lead, "member": member, "token": token.split("_")[1]}
    return {**names, "day": f"{today_in_china()}"}


@pytest.fixture
def ground(desk: Desk, names: Mapping[str, str]) -> Ground:
    """The same with three uploads: a bad one, one that is recorded, and one that this overtook."""
    today, number = f"{today_in_china()}", next(_NUMBERS)
    with desk.visit("admin") as (page, _):
        bad, overtaken, recorded = (_uploaded(page, number, day) for day in ("2025", today, today))
        page.get_by_role("button", name="确认，整份入账").click()
        page.get_by_text("已整份入账").wait_for()
    return Ground(desk, {**names, "bad": bad, "overtaken": overtaken, "recorded": recorded})


def _uploaded(page: Page, number: int, day: str) -> str:
    """The address of what is found in a ledger on paper with that day in it."""
    page.goto("/import")
    data = _PAPER.format(number, day).encode()
    file: Any = {"name": "台账.csv", "mimeType": "text/csv", "buffer": data}
    page.locator("input[type=file]").set_input_files([file])
    page.get_by_role("button", name="检查").click()
    page.wait_for_url(re.compile(r"/import/[0-9a-f]{32}$"))
    return urlsplit(page.url).path


@contextmanager
def walking(ground: Ground, **about: Any) -> Iterator[Page]:
    """An administrator's browser, in which everything may be refused."""
    with ground.desk.visit("admin", **about) as (page, watch):
        watch.expects(401, 403, 404, 409, 412, 422)
        yield page


def shown(ground: Ground, page: Page) -> Iterator[str]:
    """Every address that shows a page, with that page open."""
    for address in ground.addresses():
        answer = page.request.get(address, max_redirects=0)
        if answer.headers.get("content-type", "").startswith("text/html"):
            page.goto(address)
            yield address


def lines(page: Page) -> list[str]:
    """What is seen of the page; without the request's number."""
    text = re.sub("[0-9a-f]{32}", "…", page.locator("body").inner_text())
    return [line.strip() for line in text.splitlines() if line.strip()]


def check_fits_a_phone(page: Page) -> None:
    """Fail where one would have to push the page aside to see all of it there."""
    page.set_viewport_size(PHONE)
    # A picture is drawn anew a moment later.
    until(
        lambda: page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"],
        f"{page.url} to be no wider than a phone",
    )
    page.set_viewport_size(DESKTOP)


def test_every_module_of_pages_is_in_the_register() -> None:
    declared = {f"{view.__name__}" for view in PAGES}
    assert len(declared) == len(PAGES) and ACTIONS
    assert {rule for method, rule in ACTIONS if method == "GET" and "<" in rule} == set(EXAMPLES)


def test_every_page_meets_wcag_and_has_all_of_it_without_scripts_too(ground: Ground) -> None:
    """And every form, sent without scripts."""
    with_scripts = {}
    with walking(ground) as page:
        for address in shown(ground, page):
            with_scripts[address] = lines(page)
            check_accessible(page)
            check_fits_a_phone(page)
    lacking, unsent = {}, forms()
    with walking(ground, java_script_enabled=False) as page:
        for address in shown(ground, page):
            there = lines(page)
            lacking[address] = [one for one in with_scripts[address] if one not in "\n".join(there)]
            for rule in sent_from(page, unsent):
                # Not what one is told whose form was not taken for one's own.
                assert "没有权限" not in page.title() and page.locator("h1").count(), rule
    assert len(with_scripts) > len(EXAMPLES) and unsent == set()
    assert {address: missed for address, missed in lacking.items() if missed} == {}


def test_what_comes_of_every_form_meets_wcag(ground: Ground) -> None:
    unsent = forms()
    with walking(ground) as page:
        for _ in shown(ground, page):
            for _ in sent_from(page, unsent):
                check_accessible(page)
            if not unsent:
                break
    assert unsent == set()


def forms() -> set[str]:
    """The rules of the register that forms go to."""
    return {rule for method, rule in ACTIONS if method == "POST"}


def sent_from(page: Page, unsent: set[str]) -> Iterator[str]:
    """Send the page's forms that go where none was sent before, as they stand; and those of what
    comes of it, which may be a refusal with a way out. Each rule with what came of it open."""
    address, here = page.url, _rules_of(page)
    unsent -= here & _ENDS
    for rule in sorted(here & unsent):
        unsent.remove(rule)
        _send(page, rule)
        yield rule
        for then in sorted(_rules_of(page) & unsent - here)[:1]:
            unsent.remove(then)
            _send(page, then)
            yield then
        page.goto(address)


def _rules_of(page: Page) -> set[str]:
    """The rules of the register that the page's forms go to."""
    told = page.locator("form[method=post], button[formaction]").evaluate_all(
        "all => all.map(one => one.getAttribute('formaction') || one.getAttribute('action'))"
    )
    return {_rule(action) for action in told}


def _rule(action: str) -> str:
    """The rule of the register that is meant by an address."""
    for method, rule in ACTIONS:
        if method == "POST" and re.fullmatch(re.sub("<[^>]+>", "[^/]+", rule), action):
            return rule
    raise AssertionError(f"No form goes to {action}.")


def _send(page: Page, rule: str) -> None:
    """Send the first form that goes there as it stands, as a browser does by itself."""
    for form in page.locator("form[method=post]").all():
        for button in [None, *form.locator("button[formaction]").all()]:
            if _rule(_action(button or form)) == rule:
                sends = "form => HTMLFormElement.prototype.submit.call(form)"
                if button:
                    form.evaluate("(form, to) => { form.action = to }", _action(button))
                with page.expect_navigation():
                    form.evaluate(sends)
                return


def _action(one: Locator) -> str:
    return one.get_attribute("formaction") or one.get_attribute("action") or ""
