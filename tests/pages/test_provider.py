"""Signing in to the pages through a provider: a real one, and all that goes wrong there."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, build_opener

import pytest
from werkzeug.test import TestResponse

from api.pages.session import COOKIE, VISIT
from service.settings import Settings, WrongSetting
from tests.api.issuer import SECRET, Issuer, asking, providing
from tests.api.office import Office, open_office
from tests.pages.visitor import Visitor

GOOD: dict[str, Any] = {"roles": ["ledger-office"], "district": "*", "name": "赵科长"}
PEOPLE: dict[str, dict[str, Any]] = {
    "office": GOOD,
    "city": {**GOOD, "district": "3208"},
    "audience": {**GOOD, "id_token": {"aud": "another"}},
    "party": {**GOOD, "id_token": {"aud": ["pages", "x"], "azp": "x"}},
    "issuer": {**GOOD, "id_token": {"iss": "https://sso.example"}},
    "expired": {**GOOD, "id_token": {"exp": 1_000_000_000}},
    "nonce": {**GOOD, "id_token": {"nonce": "another"}},
    "nonceless": {**GOOD, "id_token": {"nonce": None}},
    "another": {**GOOD, "id_token": {"sub": "somebody else"}},
    "nobody": {**GOOD, "id_token": {"sub": None}},
    "roleless": {**GOOD, "roles": []},
    "elsewhere": {**GOOD, "aud": "another service"},
}
REFUSED = sorted(PEOPLE.keys() - {"office", "city"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """The provider."""
    with providing(clients={"pages": {}}, people=PEOPLE) as found:
        yield found


@pytest.fixture(scope="module")
def believing(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office that people sign in to there."""
    folder = Path(tmp_path_factory.mktemp("provider"))
    client = {"oidc_client": "pages", "oidc_client_secret": SECRET}
    found = open_office(asking(folder, issuer.address, **client))
    yield found
    found.close()


@pytest.fixture
def visitor(believing: Office) -> Visitor:
    """A browser in which nobody is signed in."""
    return Visitor(believing.app)


class _Here(HTTPRedirectHandler):
    """Goes nowhere."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Stay."""


def agreed(place: str, person: str | None) -> str:
    """Where the provider sends a browser back to, in which ``person`` agreed."""
    data = urlencode({"person": person} if person else {}).encode()
    try:
        build_opener(_Here()).open(place, data)
    except HTTPError as answer:
        back = urlsplit(answer.headers["Location"])
        answer.close()
        return f"{back.path}?{back.query}"
    raise AssertionError("It sends nobody back.")


def gone(visitor: Visitor, place: str = "") -> str:
    """Where the sign-in page leads."""
    answer = visitor.get(f"/signin/provider{place}")
    assert answer.status_code == 303
    return answer.headers["Location"]


def signed_in(visitor: Visitor, person: str | None, place: str = "") -> TestResponse:
    """The whole way."""
    return visitor.get(agreed(gone(visitor, place), person))


def test_whoever_the_provider_vouches_for_is_in(visitor: Visitor, believing: Office) -> None:
    assert visitor.see("/signin?next=/behind/tips").all(
        "a", href="/signin/provider?next=/behind/tips"
    )
    answer = signed_in(visitor, "office", "?next=/behind/tips")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/behind/tips")
    page = visitor.see("/")
    assert "赵科长" in page.text and "经办人" in page.text
    (record,), _ = believing.ledger.access.listed(1, kind="sign-in")
    assert record["action"] == "sign in through the provider as officer"
    assert record["holder"].startswith("oidc") and record["name"] == "赵科长"
    assert visitor.send("/signout", on="/").status_code == 303
    assert visitor.get("/").status_code == 303


def test_a_district_of_the_providers_limits_here_as_well(visitor: Visitor) -> None:
    signed_in(visitor, "city")
    assert "限于区划 3208" in visitor.see("/").text


def test_what_is_asked_of_the_provider_is_of_this_visit_alone(
    visitor: Visitor, believing: Office
) -> None:
    asked = [parse_qs(urlsplit(gone(v)).query) for v in (visitor, Visitor(believing.app))]
    for name in ("state", "nonce", "code_challenge"):
        assert asked[0][name] != asked[1][name]
        assert len(asked[0][name][0]) >= 43
    assert asked[0]["code_challenge_method"] == ["S256"]
    assert asked[0]["response_type"] == ["code"]
    assert asked[0]["redirect_uri"] == ["http://localhost/signin/back"]


@pytest.mark.parametrize("person", REFUSED)
def test_what_the_provider_does_not_prove_lets_nobody_in(visitor: Visitor, person: str) -> None:
    answer = signed_in(visitor, person)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert COOKIE not in "".join(answer.headers.getlist("Set-Cookie"))


def test_who_does_not_agree_is_not_in(visitor: Visitor) -> None:
    answer = signed_in(visitor, None)
    assert answer.status_code == 401 and 'role="alert"' in answer.text


def test_nobody_is_made_to_sign_in_as_somebody_else(visitor: Visitor, believing: Office) -> None:
    # What a stranger got for themselves is opened in another browser.
    back = agreed(gone(Visitor(believing.app)), "office")
    assert visitor.get(back).status_code == 401
    gone(visitor)
    assert visitor.get(back).status_code == 401


def test_a_code_is_good_once(visitor: Visitor) -> None:
    back = agreed(gone(visitor), "office")
    kept = visitor.client.get_cookie(VISIT)
    assert kept is not None
    assert visitor.get(back).status_code == 303
    visitor.client.set_cookie(VISIT, kept.value)
    visitor.client.delete_cookie(COOKIE)
    assert visitor.get(back).status_code == 401


@pytest.mark.parametrize(
    "query",
    ["", "?code=x", "?code=x&state=", "?code=x&state=a.b", "?code=x&state=汉.字", "?error=x"],
)
def test_whoever_comes_back_without_having_gone_is_not_in(visitor: Visitor, query: str) -> None:
    assert visitor.get(f"/signin/back{query}").status_code == 401


def test_without_the_provider_it_is_not_just_now_and_tokens_are_good(tmp_path: Path) -> None:
    office = open_office(asking(tmp_path, "http://127.0.0.1:1", oidc_client="pages"))
    visitor = Visitor(office.app)
    answer = visitor.get("/signin/provider")
    assert answer.status_code == 503 and answer.headers["Retry-After"]
    assert visitor.sign_in(office.ledger.tokens.issue("officer")).status_code == 303
    office.close()


def test_without_a_client_there_is_no_way_there(office: Office) -> None:
    visitor = Visitor(office.app)
    assert "统一身份认证" not in visitor.see("/signin").text
    visitor.see("/signin/provider", 404)
    visitor.see("/signin/back?code=x&state=y", 404)


def test_a_client_needs_its_provider() -> None:
    with pytest.raises(WrongSetting, match="LEDGER_OIDC_ISSUER"):
        Settings.from_environment({"LEDGER_OIDC_CLIENT": "pages"})
