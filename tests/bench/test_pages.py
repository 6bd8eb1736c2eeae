"""Pages beside the API calls that they stand on, and in a ledger of 100,000 leads beside 1,000: the
processor's time of one request, in this process."""

from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import pytest
from werkzeug.test import create_environ

from api import create_app
from api.pages.session import COOKIE
from tests.bench.conftest import ledger_of, settings_for, token_for
from tests.bench.harness import Limit, Report, check
from tests.pages.visitor import Visitor

pytestmark = pytest.mark.bench
MANY, FEW = 100_000, 1_000
ROUNDS, TIMES = 7, 20
NO_MORE = Limit(at_most=3)
# page → the calls of the API that tell as much
PAGES: Mapping[str, tuple[str, ...]] = {
    "/leads": ("/v1/leads",),
    "/leads?stage=negotiating&sort=-amount": ("/v1/leads?stage=negotiating&sort=-amount",),
    "/leads?q=%E9%A1%B9%E7%9B%AE&min_cny=100000000": (
        "/v1/leads?q=%E9%A1%B9%E7%9B%AE&min_cny=100000000",
    ),
    "/leads/{lead}": ("/v1/leads/{lead}", "/v1/leads/{lead}/history"),
    "/leads/{lead}/do/revision": ("/v1/leads/{lead}",),
    "/board": (
        "/v1/pipeline",
        "/v1/leads?stage=tip&sort=-recorded&limit=20",
        "/v1/leads?stage=negotiating&sort=-recorded&limit=20",
        "/v1/leads?stage=signed&sort=-recorded&limit=20",
        "/v1/leads?stage=groundbroken&sort=-recorded&limit=20",
        "/v1/leads?stage=closed&sort=-recorded&limit=20",
    ),
}


class Served(NamedTuple):
    """An application on a ledger, a token and a browser's cookie of the same administrator."""

    app: Any
    token: str
    cookie: str
    lead: str

    def seconds(self, *paths: str) -> float:
        """The processor's time of one request of each path, as a browser or a client asks."""
        environs = [self._environ(path.format(lead=self.lead)) for path in paths]
        began = process_time()
        for _ in range(TIMES):
            for environ in environs:
                self._ask(environ)
        return (process_time() - began) / TIMES

    def _environ(self, path: str) -> dict[str, Any]:
        where, _, query = path.partition("?")
        headers = {"Authorization": f"Bearer {self.token}"}
        if not path.startswith("/v1"):
            headers = {"Cookie": f"{COOKIE}={self.cookie}", "Accept-Encoding": "gzip"}
        return create_environ(where, query_string=query, headers=headers)

    def _ask(self, environ: Mapping[str, Any]) -> None:
        said = []
        sent = {**environ, "wsgi.input": BytesIO()}
        answer = self.app(sent, lambda status, _headers, _exc=None: said.append(status))
        b"".join(answer)
        assert said == ["200 OK"], (said, environ["PATH_INFO"])


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
    listed = client.get("/v1/leads?limit=1", headers={"Authorization": f"Bearer {token}"})
    return Served(app, token, cookie.value, (listed.json or {})["items"][0]["id"])


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


@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_little_more_than_its_calls_of_the_api(
    ledgers: dict[int, Served], report: Report, path: str
) -> None:
    many = ledgers[MANY]
    ratios, detail = compared(lambda: many.seconds(path), lambda: many.seconds(*PAGES[path]))
    check(report.add(f"page {path} over its API calls, CPU", ratios, NO_MORE, detail))


@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_as_long_with_many_leads_as_with_few(
    ledgers: dict[int, Served], report: Report, path: str
) -> None:
    many, few = ledgers[MANY], ledgers[FEW]
    ratios, detail = compared(lambda: many.seconds(path), lambda: few.seconds(path))
    name = f"page {path} with {MANY:,} leads over {FEW:,}, CPU"
    check(report.add(name, ratios, NO_MORE, detail))
