"""Tokens: issued once, rotated, revoked, by administrators alone."""

import re

import pytest

from service.tokens import PATTERN, id_of
from tests.api.office import NOBODY, Office
from tests.pages.visitor import Seen, Visitor


@pytest.fixture
def admin(office: Office, visitor: Visitor) -> Visitor:
    """An administrator."""
    visitor.sign_in(office.ledger.tokens.issue("admin", "王主任"))
    return visitor


def key_on(visitor: Visitor, path: str) -> str:
    """The key of the form there, by which it is done once."""
    value = Seen(visitor.get(path).text).all("input", name="_key")[0]["value"]
    assert value
    return value


def test_a_new_token_is_shown_once_and_is_good(office: Office, admin: Visitor) -> None:
    answer = admin.send(
        "/tokens", on="/tokens", role="officer", name="赵科长", district="3208", days="30"
    )
    assert answer.status_code == 200
    (secret,) = set(re.findall(PATTERN, answer.text))
    made = office.ledger.tokens.one(id_of(secret))
    assert (made.name, made.role, made.district) == ("赵科长", "officer", "3208")
    assert made.expires_at is not None
    assert office.holding(secret).get("/v1/leads").status_code == 200
    page = admin.see("/tokens")
    assert "赵科长" in page.text and secret not in page.text


def test_sent_twice_it_is_made_once(office: Office, admin: Visitor) -> None:
    words = {"_key": key_on(admin, "/tokens"), "role": "officer"}
    first = admin.send("/tokens", on="/tokens", **words)
    second = admin.send("/tokens", on="/tokens", **words)
    assert (first.status_code, second.status_code) == (200, 409)
    assert 'role="alert"' in second.text and not re.findall(PATTERN, second.text)
    assert len(office.ledger.tokens.listed()) == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "king"},
        {"role": "officer", "days": "0"},
        {"role": "officer", "days": "x"},
        {"role": "officer", "district": "1"},
        {"role": "member"},
        {"role": "member", "member": NOBODY},
        {"role": "officer", "member": NOBODY},
        {"role": "officer", "who": "x"},
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_stays(
    office: Office, admin: Visitor, wrong: dict[str, str]
) -> None:
    answer = admin.send("/tokens", on="/tokens", name="赵科长", **wrong)
    assert answer.status_code == 422
    page = Seen(answer.text)
    assert page.all("div", role="alert")
    assert page.all("input", name="name")[0]["value"] == "赵科长"
    assert len(office.ledger.tokens.listed()) == 1


def test_a_rotated_token_gives_way_to_another(office: Office, admin: Visitor) -> None:
    old = office.ledger.tokens.issue("officer", "赵科长")
    place = f"/tokens/{id_of(old)}"
    answer = admin.send(f"{place}/rotation", on=place)
    (new,) = set(re.findall(PATTERN, answer.text))
    assert office.holding(old).get("/v1/leads").status_code == 401
    assert office.holding(new).get("/v1/leads").status_code == 200
    again = admin.send(f"{place}/rotation", on="/tokens")
    assert again.status_code == 409 and "已失效" in again.text


def test_a_revoked_token_signs_its_holder_out(office: Office, admin: Visitor) -> None:
    token = office.ledger.tokens.issue("officer", "赵科长")
    other = Visitor(office.app)
    other.sign_in(token)
    other.see("/")
    place = f"/tokens/{id_of(token)}"
    assert admin.send(f"{place}/revocation", on=place).headers["Location"] == "/tokens"
    assert other.get("/").status_code == 303
    page = admin.see(place)
    assert not page.all("form", action=f"{place}/revocation")


def test_a_token_that_there_is_not_is_not_found(admin: Visitor) -> None:
    admin.see("/tokens/000000000000", 404)


def test_many_tokens_come_page_by_page(office: Office, admin: Visitor) -> None:
    for number in range(101):
        office.ledger.tokens.issue("officer", f"科员{number}")
    page = admin.see("/tokens")
    (more,) = [a["href"] for a in page.all("a") if (a["href"] or "").startswith("/tokens?after=")]
    assert more
    assert "科员100" not in page.text and "科员100" in admin.see(more).text


@pytest.mark.parametrize("role", ["officer", "auditor"])
def test_nobody_else_handles_tokens(office: Office, visitor: Visitor, role: str) -> None:
    visitor.sign_in(office.ledger.tokens.issue(role))
    assert not visitor.see("/").all("a", href="/tokens")
    visitor.see("/tokens", 403)
    assert visitor.send("/tokens", on="/", role="admin").status_code == 403
