"""Who is slowed down, by real workers together, and from where a request is said to come."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from api.origins import origin_of
from service.access.verifying import verify
from service.tokens import id_of
from tests.api.office import Office, open_office, problem_of, settings_in
from tests.faults.serving import serving
from tests.service.helpers import ledger_in

LIMIT = 10


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Office]:
    """An office that lets ten failures and twenty requests a minute through, behind a proxy."""
    proxies = (ip_network("127.0.0.0/8"), ip_network("10.1.0.0/16"))
    settings = replace(
        settings_in(tmp_path),
        failures_a_minute=LIMIT,
        requests_a_minute=2 * LIMIT,
        trusted_proxies=proxies,
    )
    office = open_office(settings)
    yield office
    office.close()


def failing(office: Office, count: int, **headers: str) -> list[TestResponse]:
    """So many requests with a wrong token."""
    nobody = office.holding("ll_000000000000_wrong")
    return [nobody.get("/v1/leads", **headers) for _ in range(count)]


def test_who_fails_too_often_is_told_when_to_come_again(strict: Office) -> None:
    answers = failing(strict, LIMIT + 5)
    statuses = [answer.status_code for answer in answers]
    assert statuses[:LIMIT] == [401] * LIMIT
    problem = problem_of(answers[-1], 429, "slow-down")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 6
    assert answers[-1].headers["Retry-After"] in problem["detail"]


def test_a_good_token_is_good_from_an_address_that_fails(strict: Office) -> None:
    officer = strict.officer
    failing(strict, LIMIT + 1)
    assert officer.get("/v1/leads").status_code == 200


def test_a_token_that_has_ended_counts_as_a_failure(strict: Office) -> None:
    token = strict.ledger.tokens.issue("officer")
    strict.ledger.tokens.revoke(id_of(token))
    former = strict.holding(token)
    statuses = [former.get("/v1/leads").status_code for _ in range(LIMIT + 1)]
    assert statuses == [401] * LIMIT + [429]


def test_a_token_has_so_many_requests_and_another_its_own(strict: Office) -> None:
    one, other = strict.one("officer"), strict.one("auditor")
    statuses = Counter(one.get("/v1/leads").status_code for _ in range(3 * LIMIT))
    assert statuses[200] in (2 * LIMIT, 2 * LIMIT + 1)
    problem_of(one.get("/v1/leads"), 429, "slow-down")
    assert other.get("/v1/leads").status_code == 200
    rows = other.ok("/v1/audit/access?kind=refusal")["items"]
    assert {row["outcome"] for row in rows} == {"slow-down"}
    assert {row["holder"] for row in rows} == {id_of(one.token or "")}


def test_behind_a_proxy_that_is_trusted_the_client_is_slowed_down_and_no_other(
    strict: Office,
) -> None:
    nobody = strict.holding(None)
    for _ in range(LIMIT):
        nobody.get("/v1/leads", X_Forwarded_For="192.0.2.1")
    again = nobody.get("/v1/leads", X_Forwarded_For="8.8.8.8, 192.0.2.1")
    problem_of(again, 429, "slow-down")
    other = nobody.get("/v1/leads", X_Forwarded_For="192.0.2.2")
    problem_of(other, 401, "unauthenticated")
    rows = strict.one("auditor").ok("/v1/audit/access?kind=refusal")["items"]
    assert {row["origin"] for row in rows} == {"192.0.2.1", "192.0.2.2"}


PROXIES = (ip_network("10.1.0.0/16"), ip_network("fd00::/8"))


@pytest.mark.parametrize(
    ("peer", "forwarded", "origin"),
    [
        ("192.0.2.1", None, "192.0.2.1"),
        ("192.0.2.1", "198.51.100.9", "192.0.2.1"),
        ("10.1.0.1", "198.51.100.9", "198.51.100.9"),
        ("10.1.0.1", "1.1.1.1, 198.51.100.9, 10.1.7.7", "198.51.100.9"),
        ("10.1.0.1", "1.1.1.1,198.51.100.9", "198.51.100.9"),
        ("10.1.0.1", "10.1.0.2", "10.1.0.2"),
        ("10.1.0.1", None, "10.1.0.1"),
        ("10.1.0.1", "", "10.1.0.1"),
        ("10.1.0.1", "nonsense", "10.1.0.1"),
        ("10.1.0.1", "13812345678, ll_secret", "10.1.0.1"),
        ("10.1.0.1", "2001:db8::1", "2001:db8::1"),
        ("fd00::1", "::ffff:192.0.2.3", "192.0.2.3"),
        ("::ffff:10.1.0.1", "192.0.2.3", "192.0.2.3"),
        ("", "192.0.2.3", "unknown"),
    ],
)
def test_only_what_our_own_proxies_say_is_believed(
    peer: str, forwarded: str | None, origin: str
) -> None:
    assert origin_of(peer, forwarded, PROXIES) == origin


def test_all_workers_together_let_ten_through_and_make_one_record(tmp_path: Path) -> None:
    with serving(tmp_path, LEDGER_WORKERS="3") as server:
        server.booted(3)
        began, statuses = time.monotonic(), Counter[int]()
        for _ in range(30):
            # A connection each, so that any worker takes it.
            with server.client("ll_000000000000_wrong") as stranger:
                statuses[stranger.get("/v1/leads").status] += 1
        shares = int((time.monotonic() - began) / 6)
        assert LIMIT <= statuses[401] <= LIMIT + shares
        assert statuses[429] == 30 - statuses[401]
        with server.client() as admin:
            assert admin.get("/v1/leads").status == 200
        server.stop()
    with ledger_in(tmp_path) as ledger:
        assert verify(ledger.access)
        rows, _ = ledger.access.listed(100, kind="refusal")
    counted: Counter[str] = Counter()
    for row in rows:
        counted[row["outcome"]] += row["count"] or 1
    assert counted == {"unauthenticated": statuses[401], "slow-down": statuses[429]}
