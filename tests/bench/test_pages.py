"""Pages beside the API calls that they stand on, and in a ledger of 100,000 leads beside 1,000: the
processor's time of one request, in this process; and what goes over the wire."""

import gzip
import re
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import pytest
from werkzeug.test import create_environ

from api import create_app
from api.pages.session import COOKIE
from domain.actor import today_in_china
from tests.bench.conftest import ledger_of, settings_for, token_for
from tests.bench.harness import Limit, Report, check
from tests.pages.visitor import Visitor

pytestmark = pytest.mark.bench
MANY, FEW = 100_000, 1_000
ROUNDS, TIMES = 5, 6
# Seconds after which nothing is asked for once more in a round.
LONG = 1.0
NO_MORE = Limit(at_most=3)
# Kilobytes that go over the wire for a page and all it loads, by a browser that has nothing yet.
PLAIN, WITH_CHARTS = Limit(at_most=150), Limit(at_most=700)
_LOADED = re.compile(r'(?:href|src)="(/static/[^"]+)"')
_YEAR = today_in_china().year
_STAGES = ("tip", "negotiating", "signed", "groundbroken", "closed")
_THEN = "as_of=2025-12-29"
# page → the calls of the API that tell as much
PAGES: Mapping[str, tuple[str, ...]] = {
    "/": (
        f"/v1/reports/annual/{_YEAR}",
        "/v1/pipeline",
        "/v1/pipeline/series?step=week",
        "/v1/pipeline/groups?by=industry",
        "/v1/pipeline/groups?by=sector",
        "/v1/leads?about_to_sign=true&sort=-amount&limit=6",
    ),
    f"/?{_THEN}": (
        "/v1/reports/annual/2025?to=2025-12-29",
        f"/v1/pipeline?{_THEN}",
        f"/v1/pipeline/series?step=week&{_THEN}",
        f"/v1/pipeline/groups?by=industry&{_THEN}",
        f"/v1/pipeline/groups?by=sector&{_THEN}",
        f"/v1/leads?about_to_sign=true&sort=-amount&limit=6&{_THEN}",
    ),
    "/behind/negotiating": ("/v1/leads?stage=negotiating&sort=-amount&limit=200",),
    f"/behind/negotiating?{_THEN}": (
        f"/v1/leads?stage=negotiating&sort=-amount&limit=200&{_THEN}",
    ),
    "/leads": ("/v1/leads",),
    "/leads?stage=negotiating&sort=-amount": ("/v1/leads?stage=negotiating&sort=-amount",),
    "/leads?district=320102&sort=-activity": ("/v1/leads?district=320102&sort=-activity",),
    "/leads?q=%E9%A1%B9%E7%9B%AE&min_cny=100000000": (
        "/v1/leads?q=%E9%A1%B9%E7%9B%AE&min_cny=100000000",
    ),
    f"/leads?{_THEN}": (f"/v1/leads?{_THEN}",),
    "/leads/{lead}": ("/v1/leads/{lead}", "/v1/leads/{lead}/history"),
    "/leads/{lead}/do/revision": ("/v1/leads/{lead}",),
    "/board": (
        "/v1/pipeline",
        *(f"/v1/leads?stage={stage}&sort=-recorded&limit=20" for stage in _STAGES),
    ),
    "/members": ("/v1/members?limit=100",),
    "/members/{member}": (
        "/v1/members/{member}",
        "/v1/leads?member={member}&sort=-occurred&limit=200",
    ),
    "/worklist": ("/v1/worklist",),
    "/exports": ("/v1/exports",),
    "/audit": ("/v1/audit/checkpoints", "/v1/audit/alarms"),
    "/tokens": ("/v1/tokens",),
    # What asks for nothing but who looks.
    "/tip": (),
    "/import": (),
}
# A page that asks for nothing but who looks, and those whose call of the API takes a fraction of
# what that does: they are held against it, and their call is told beside.
PLAINEST = "/import"
SLIGHT = ("/leads/{lead}/do/revision", "/exports")
# Of which the whole book is a part: asked for right after something was recorded.
AFRESH = ("/", f"/?{_THEN}", "/leads", "/board")


class Served(NamedTuple):
    """An application on a ledger, a token and a browser's cookie of the same administrator."""

    app: Any
    token: str
    cookie: str
    lead: str
    member: str

    def seconds(self, *paths: str) -> float:
        """The processor's time of one request of each path, as a browser or a client asks."""
        environs = [self._environ(self._named(path)) for path in paths]
        began, done = process_time(), 0
        while done < TIMES and process_time() - began < LONG:
            for environ in environs:
                self._ask(environ)
            done += 1
        return (process_time() - began) / done

    def seconds_afresh(self, path: str) -> float:
        """The same of a page, each time right after a follow-up, which is not counted."""
        took = 0.0
        for _ in range(TIMES):
            facts = {"form": "call", "result": "已联系", "occurred_on": f"{today_in_china()}"}
            headers = {"Authorization": f"Bearer {self.token}"}
            where = f"/v1/leads/{self.lead}/follow-ups"
            answer = self.app.test_client().post(where, json=facts, headers=headers)
            assert answer.status_code == 200, answer.text
            environ = self._environ(path)
            began = process_time()
            self._ask(environ)
            took += process_time() - began
        return took / TIMES

    def weight(self, path: str) -> tuple[float, float]:
        """Kilobytes of the page itself, and of the page with everything that it loads."""
        environ = self._environ(self._named(path))
        own = self._ask(environ)
        addresses = set(_LOADED.findall(gzip.decompress(own).decode()))
        loaded = [self._ask(self._environ(address)) for address in addresses]
        return len(own) / 1000, (len(own) + sum(map(len, loaded))) / 1000

    def _named(self, path: str) -> str:
        return path.replace("{lead}", self.lead).replace("{member}", self.member)

    def _environ(self, path: str) -> dict[str, Any]:
        where, _, query = path.partition("?")
        headers = {"Authorization": f"Bearer {self.token}"}
        if not path.startswith("/v1"):
            headers = {"Cookie": f"{COOKIE}={self.cookie}", "Accept-Encoding": "gzip"}
        return create_environ(where, query_string=query, headers=headers)

    def _ask(self, environ: Mapping[str, Any]) -> bytes:
        said = []
        sent = {**environ, "wsgi.input": BytesIO()}
        answer = self.app(sent, lambda status, _headers, _exc=None: said.append(status))
        body = b"".join(answer)
        assert said == ["200 OK"], (said, environ["PATH_INFO"])
        return body


def serve(folder: Path, rows: int) -> Served:
    """A ledger of so many leads."""
    database = ledger_of(folder, rows=rows)
    token = token_for(database)
    app = create_app(settings_for(database))
    visitor = Visitor(app)
    visitor.sign_in(token)
    cookie = visitor.client.get_cookie(COOKIE)
    assert cookie is not None
    client = app.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    # One that still stands somewhere, and so is followed up.
    lead, member = (
        (client.get(path, headers=headers).json or {})["items"][0]["id"]
        for path in ("/v1/leads?stage=negotiating&limit=1", "/v1/members?limit=1")
    )
    return Served(app, token, cookie.value, lead, member)


@pytest.fixture(scope="module")
def ledgers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, Served]]:
    """Both ledgers."""
    made = {rows: serve(tmp_path_factory.mktemp("pages"), rows) for rows in (FEW, MANY)}
    yield made
    for one in made.values():
        one.app.extensions["ledger"].close()


def compared(first: Callable[[], float], second: Callable[[], float]) -> tuple[list[float], str]:
    """The ratio in each round, and the times of the middle one."""
    found: list[tuple[float, float]] = []
    for number in range(ROUNDS + 1):
        # Every other round begins with the second, so that a drift favours neither.
        turn = [first, second] if number % 2 else [second, first]
        took = {side: side() for side in turn}
        found.append((took[first], took[second]))
    # The first round warms both up.
    del found[0]
    one, other = sorted(found, key=lambda two: two[0] / two[1])[len(found) // 2]
    return [a / b for a, b in found], f"{one * 1e3:.2f} ms beside {other * 1e3:.2f} ms"


@pytest.mark.parametrize(
    "path", [path for path, calls in PAGES.items() if calls and path not in SLIGHT]
)
def test_a_page_takes_little_more_than_its_calls_of_the_api(
    ledgers: dict[int, Served], report: Report, path: str
) -> None:
    many = ledgers[MANY]
    ratios, detail = compared(lambda: many.seconds(path), lambda: many.seconds(*PAGES[path]))
    check(report.add(f"page {path} over its API calls, CPU", ratios, NO_MORE, detail))


@pytest.mark.parametrize("path", SLIGHT)
def test_a_page_of_a_slight_call_takes_little_more_than_one_of_none(
    ledgers: dict[int, Served], report: Report, path: str
) -> None:
    many = ledgers[MANY]
    ratios, detail = compared(lambda: many.seconds(path), lambda: many.seconds(PLAINEST))
    called = min(many.seconds(*PAGES[path]) for _ in range(ROUNDS))
    detail += f"; its call of the API {called * 1e3:.2f} ms"
    name = f"page {path} over {PLAINEST}, which asks for nothing, CPU"
    check(report.add(name, ratios, NO_MORE, detail))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_as_long_with_many_leads_as_with_few(
    ledgers: dict[int, Served], report: Report, path: str
) -> None:
    many, few = ledgers[MANY], ledgers[FEW]
    ratios, detail = compared(lambda: many.seconds(path), lambda: few.seconds(path))
    name = f"page {path} with {MANY:,} leads over {FEW:,}, CPU"
    check(report.add(name, ratios, NO_MORE, detail))


@pytest.mark.parametrize("path", AFRESH)
def test_a_page_right_after_a_command_takes_as_long_with_many_leads(
    ledgers: dict[int, Served], report: Report, path: str
) -> None:
    many, few = ledgers[MANY], ledgers[FEW]
    ratios, detail = compared(lambda: many.seconds_afresh(path), lambda: few.seconds_afresh(path))
    name = f"page {path} right after a command, {MANY:,} leads over {FEW:,}, CPU"
    check(report.add(name, ratios, NO_MORE, detail))


def test_pages_weigh_little(ledgers: dict[int, Served], report: Report) -> None:
    weights = {path: ledgers[MANY].weight(path) for path in PAGES}
    charts = {path for path in PAGES if path.partition("?")[0] == "/"}
    found = []
    for name, which, limit in (
        ("pages without charts, the heaviest", PAGES.keys() - charts, PLAIN),
        ("pages with charts, the heaviest", charts, WITH_CHARTS),
    ):
        heaviest = max(which, key=lambda path: weights[path][1])
        own, whole = weights[heaviest]
        detail = f"{heaviest}, of which the page itself {own:.0f} kB; the others' own: "
        detail += ", ".join(f"{path} {weights[path][0]:.0f}" for path in sorted(which))
        found.append(report.add(f"{name}, transferred", [whole], limit, detail, " kB"))
    check(*found)
