"""Signing in to the pages: what the browser keeps, and for how long it is good."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.pages.session import COOKIE, CSRF_FIELD, CSRF_HEADER
from api.pages.site import ours
from domain import actor
from service import sessions as sessions_module
from service.tokens import id_of
from tests.api.office import Office, open_office, settings_in
from tests.pages.visitor import Visitor, cookie


@pytest.fixture
def token(office: Office) -> str:
    """An officer's."""
    return office.ledger.tokens.issue("officer", "赵科长")


def test_nobody_sees_a_page_without_signing_in_and_is_led_there(visitor: Visitor) -> None:
    answer = visitor.get("/behind/tips?as_of=2025-12-29")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/signin?next=/behind/tips%3Fas_of%3D2025-12-29"
    visitor.get("/signin")


def test_a_token_signs_in_and_leads_on(visitor: Visitor, token: str) -> None:
    answer = visitor.sign_in(token, next="/behind/tips")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/behind/tips")
    line = cookie(answer, COOKIE)
    for part in ("; Secure", "; HttpOnly", "; Path=/", "; SameSite=Lax"):
        assert part in line
    # Until the browser is closed.
    assert "Max-Age" not in line and "Expires" not in line and "Domain" not in line
    assert token not in line
    assert "赵科长" in visitor.see("/").text


def test_a_page_is_kept_by_nobody_on_the_way(visitor: Visitor, token: str) -> None:
    visitor.sign_in(token)
    answer = visitor.get("/")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src")
    assert "unsafe" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("wrong", ["a-wrong-one", "ll_000000000000_" + "a" * 51, "错误令牌"])
def test_a_wrong_token_is_refused_in_a_sentence_and_recorded(
    office: Office, visitor: Visitor, wrong: str
) -> None:
    answer = visitor.sign_in(wrong)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text and wrong not in answer.text
    assert COOKIE not in "".join(answer.headers.getlist("Set-Cookie"))
    office.ledger.access.flush()
    (record,), _ = office.ledger.access.listed(1)
    assert (record["kind"], record["action"]) == ("refusal", "POST /signin")


def test_a_sign_in_and_a_sign_out_are_recorded(
    office: Office, visitor: Visitor, token: str
) -> None:
    visitor.sign_in(token)
    assert visitor.send("/signout", on="/").status_code == 303
    out, into, *_ = office.ledger.access.listed(5)[0]
    assert [into["kind"], into["action"]] == ["sign-in", "sign in with a token as officer"]
    assert [out["kind"], out["action"]] == ["sign-in", "sign out"]
    assert {into["holder"], out["holder"]} == {id_of(token)}
    assert {into["origin"], out["origin"]} == {"127.0.0.1"}


def test_who_signed_out_is_out_wherever_the_cookie_went(
    office: Office, visitor: Visitor, token: str
) -> None:
    visitor.sign_in(token)
    thief = Visitor(office.app)
    kept = visitor.client.get_cookie(COOKIE)
    assert kept is not None
    thief.client.set_cookie(COOKIE, kept.value)
    thief.see("/")
    visitor.send("/signout", on="/")
    assert thief.get("/").status_code == 303


def test_a_session_ends_with_its_token_on_every_worker(
    tmp_path: Path,
) -> None:
    workers = [open_office(settings_in(tmp_path)) for _ in range(2)]
    token = workers[0].ledger.tokens.issue("officer")
    first, second = (Visitor(worker.app) for worker in workers)
    first.sign_in(token)
    kept = first.client.get_cookie(COOKIE)
    assert kept is not None
    second.client.set_cookie(COOKIE, kept.value)
    second.see("/")
    workers[0].ledger.tokens.revoke(id_of(token))
    for one in (second, first):
        answer = one.get("/")
        assert answer.status_code == 303
        assert answer.headers["Location"] == "/signin"
        # The browser is to forget it.
        assert "Max-Age=0" in cookie(answer, COOKIE)
    for worker in workers:
        worker.close()


@pytest.mark.parametrize(
    ("later", "good"),
    [(timedelta(minutes=59), True), (timedelta(minutes=61), False), (timedelta(hours=13), False)],
)
def test_a_session_that_idles_ends(
    office: Office,
    visitor: Visitor,
    token: str,
    monkeypatch: pytest.MonkeyPatch,
    later: timedelta,
    good: bool,
) -> None:
    visitor.sign_in(token)
    then = datetime.now(UTC) + later
    monkeypatch.setattr(sessions_module, "now", lambda: then)
    assert visitor.get("/").status_code == (200 if good else 303)


def test_a_session_that_is_used_lasts_to_its_absolute_end(
    office: Office, visitor: Visitor, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.sign_in(token)
    begun = datetime.now(UTC)
    for minutes in range(50, 12 * 60, 50):
        moment = begun + timedelta(minutes=minutes)
        monkeypatch.setattr(sessions_module, "now", lambda moment=moment: moment)
        assert visitor.get("/").status_code == 200, minutes
    moment = begun + timedelta(hours=12, minutes=1)
    monkeypatch.setattr(sessions_module, "now", lambda: moment)
    assert visitor.get("/").status_code == 303


def test_nobody_makes_an_old_cookie_younger(
    office: Office, visitor: Visitor, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.sign_in(token)
    kept = visitor.client.get_cookie(COOKIE)
    assert kept is not None
    id, secret, _, mark = kept.value.split(".")
    then = datetime.now(UTC) + timedelta(hours=2)
    monkeypatch.setattr(sessions_module, "now", lambda: then)
    young = f"{int(then.timestamp()) // 60:x}"
    for forged in (f"{id}.{secret}.{young}.{mark}", f"{id}.{secret}.{young}", f"{id}.{secret}"):
        visitor.client.set_cookie(COOKIE, forged)
        assert visitor.get("/").status_code == 303, forged


@pytest.mark.parametrize("forged", ["", "x", "....", "0" * 16 + ".a.b.c", "汉.字.x.y", "." * 3000])
def test_a_cookie_that_is_none_signs_nobody_in(visitor: Visitor, forged: str) -> None:
    visitor.client.set_cookie(COOKIE, forged)
    assert visitor.get("/").status_code == 303


def test_another_sign_in_in_the_same_browser_ends_the_first(
    office: Office, visitor: Visitor, token: str
) -> None:
    visitor.sign_in(token)
    kept = visitor.client.get_cookie(COOKIE)
    assert kept is not None
    other = office.ledger.tokens.issue("admin", "another")
    assert visitor.send("/signin", on="/", token=other).status_code == 303
    assert "another" in visitor.see("/").text
    thief = Visitor(office.app)
    thief.client.set_cookie(COOKIE, kept.value)
    assert thief.get("/").status_code == 303


@pytest.mark.parametrize(
    ("headers", "values"),
    [
        ({}, {CSRF_FIELD: ""}),
        ({}, {CSRF_FIELD: "AAAA"}),
        ({}, {CSRF_FIELD: "汉字"}),
        ({"Sec-Fetch-Site": "cross-site"}, {}),
        ({"Sec-Fetch-Site": "same-site"}, {}),
        ({"Sec-Fetch-Site": "none"}, {}),
        ({"Origin": "https://elsewhere.example"}, {}),
        ({"Origin": "null"}, {}),
    ],
)
def test_a_form_from_elsewhere_is_refused(
    visitor: Visitor, token: str, headers: dict[str, str], values: dict[str, str]
) -> None:
    visitor.sign_in(token)
    sent = {CSRF_FIELD: visitor.csrf("/"), **values}
    assert visitor.client.post("/signout", data=sent, headers=headers).status_code == 403
    visitor.see("/")


def test_a_form_of_somebody_elses_browser_is_refused(
    office: Office, visitor: Visitor, token: str
) -> None:
    visitor.sign_in(token)
    other = Visitor(office.app)
    other.sign_in(token)
    answer = visitor.client.post("/signout", data={CSRF_FIELD: other.csrf("/")})
    assert answer.status_code == 403


def test_a_form_is_ours_by_header_as_well(visitor: Visitor, token: str) -> None:
    visitor.sign_in(token)
    headers = {CSRF_HEADER: visitor.csrf("/"), "Sec-Fetch-Site": "same-origin", "Origin": "null"}
    assert visitor.client.post("/signout", headers=headers).status_code == 303


def test_a_form_carries_its_mark_another_way_each_time(visitor: Visitor, token: str) -> None:
    visitor.sign_in(token)
    assert visitor.csrf("/") != visitor.csrf("/")


def test_who_is_signed_in_needs_no_sign_in_page(visitor: Visitor, token: str) -> None:
    visitor.sign_in(token)
    assert visitor.get("/signin?next=/behind/tips").headers["Location"] == "/behind/tips"


@pytest.mark.parametrize(
    "elsewhere", ["https://x.example", "//x.example", "/\\x.example", "x", "/\r\nSet-Cookie: a=b"]
)
def test_nobody_is_led_elsewhere(visitor: Visitor, token: str, elsewhere: str) -> None:
    assert ours(elsewhere) == "/"
    assert visitor.sign_in(token, next=elsewhere).headers["Location"] == "/"


def test_who_fails_too_often_is_slowed_down(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    object.__setattr__(settings, "failures_a_minute", 3)
    office = open_office(settings)
    visitor = Visitor(office.app)
    statuses = [visitor.sign_in("ll_wrong").status_code for _ in range(5)]
    assert statuses == [401, 401, 401, 429, 429]
    slowed = visitor.sign_in("ll_wrong")
    assert slowed.headers["Retry-After"] and "过于频繁" in slowed.text
    # Who has a good one is not.
    assert visitor.sign_in(office.ledger.tokens.issue("officer")).status_code == 303
    office.close()


def test_what_is_over_is_swept_away_at_the_next_sign_in(
    office: Office, visitor: Visitor, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.sign_in(token)
    then = actor.now() + timedelta(days=8)
    monkeypatch.setattr(sessions_module, "now", lambda: then)
    Visitor(office.app).sign_in(token)
    with office.ledger.sessions.store.reading() as connection:
        kept = connection.execute(sessions_module.sessions.select()).all()
    assert len(kept) == 1
