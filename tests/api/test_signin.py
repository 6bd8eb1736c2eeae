"""Signed tokens of an OpenID Connect provider: a real one, started here, and all that is none."""

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import RSAKey

from domain.actor import now
from domain.errors import NotReady
from service.access.callers import Unauthenticated
from service.settings import Settings, WrongSetting
from service.signin import keys as keys_module
from service.signin.provider import Provider
from tests.api.issuer import Issuer, asking, providing
from tests.api.office import Office, open_office, problem_of

MEMBER = "5b3c1b8e-0000-4000-8000-000000000001"
PAST, FAR = 1_000_000_000, 9_000_000_000
# client → what its tokens say besides
CLIENTS: dict[str, dict[str, Any]] = {
    "office": {"roles": ["ledger-office"], "name": "赵科长", "district": "*"},
    "audit": {"roles": "other ledger-audit", "district": "*"},
    "both": {"roles": ["ledger-audit", "ledger-admin"], "district": "*"},
    "list": {"roles": ["ledger-office"], "aud": ["x", "lead-ledger"], "district": "*"},
    "member": {"roles": ["member"], "member": MEMBER},
    "city": {"roles": ["ledger-office"], "district": "3208"},
    # Each of these is refused.
    "expired": {"roles": ["ledger-office"], "exp": PAST},
    "unending": {"roles": ["ledger-office"], "exp": None},
    "nan": {"roles": ["ledger-office"], "exp": float("nan")},
    "infinite": {"roles": ["ledger-office"], "exp": float("inf")},
    "far": {"roles": ["ledger-office"], "exp": FAR},
    "early": {"roles": ["ledger-office"], "nbf": FAR},
    "future": {"roles": ["ledger-office"], "iat": FAR},
    "other audience": {"roles": ["ledger-office"], "aud": "another"},
    "no audience": {"roles": ["ledger-office"], "aud": None},
    "other issuer": {"roles": ["ledger-office"], "iss": "https://sso.example"},
    "nobody": {"roles": ["ledger-office"], "sub": None},
    "id token": {"roles": ["ledger-office"], "nonce": "x"},
    "id token of some": {"roles": ["ledger-office"], "typ": "ID"},
    "bound": {"roles": ["ledger-office"], "cnf": {"jkt": "x"}},
    "logout": {"roles": ["ledger-office"], "events": {}},
    "no role": {"roles": []},
    "no roles": {},
    "odd roles": {"roles": {"ledger-office": True}},
    "other role": {"roles": ["officer", "LEDGER-OFFICE"]},
    "no member": {"roles": ["member"]},
    "odd member": {"roles": ["member"], "member": "x"},
    "no district": {"roles": ["ledger-office"]},
    "odd district": {"roles": ["ledger-office"], "district": "3"},
    "odd name": {"roles": ["ledger-office"], "name": "a\nb", "client_id": "\u202e", "sub": "\n"},
}
GOOD = ("office", "audit", "both", "list", "member", "city")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    """The provider of all tests here."""
    with providing(clients=CLIENTS) as found:
        yield found


@pytest.fixture(scope="module")
def office(issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office that believes the provider."""
    found = open_office(asking(tmp_path_factory.mktemp("signin"), issuer.address))
    yield found
    found.close()


@pytest.mark.parametrize(
    ("client", "role"),
    [("office", "officer"), ("audit", "auditor"), ("both", "admin"), ("list", "officer")],
)
def test_whoever_the_provider_vouches_for_has_the_role_of_the_map(
    office: Office, issuer: Issuer, client: str, role: str
) -> None:
    person = office.holding(issuer.token(client))
    assert person.get("/v1/leads").status_code == 200
    may_audit = person.get("/v1/audit/access").status_code == 200
    assert may_audit == (role in ("auditor", "admin"))
    assert office.one("auditor").ok("/v1/audit/access?kind=sign-in")["items"][0]["action"] == (
        f"take a provider's token as {role}"
    )


def test_what_they_do_is_recorded_under_their_name_and_a_hash_of_who_they_are(
    office: Office, issuer: Issuer
) -> None:
    person = office.holding(issuer.token("office"))
    member = person.register("SSO-1")["id"]
    lead = person.tip(member)
    actor = person.ok(f"/v1/leads/{lead['id']}/history")["items"][0]["actor"]
    assert actor.startswith("赵科长 (oidc")
    again = office.holding(issuer.token("office"))
    answers = [
        one.post("/v1/leads", {**BODY, "members": [member]}, Idempotency_Key="same")
        for one in (person, again)
    ]
    assert answers[0].json == answers[1].json, "one person, two tokens"
    assert answers[1].headers["Idempotent-Replay"] == "true"


BODY = {"title": "一个项目", "district": "320812", "occurred_on": "2025-03-18"}


def test_a_sign_in_is_recorded_once_for_each_token(office: Office, issuer: Issuer) -> None:
    auditor, path = office.one("auditor"), "/v1/audit/access?kind=sign-in&limit=200"
    before = len(auditor.ok(path)["items"])
    token = issuer.token("office")
    for _ in range(3):
        assert office.holding(token).get("/v1/leads").status_code == 200
    rows = auditor.ok(path)["items"]
    assert len(rows) == before + 1
    assert (rows[0]["name"], rows[0]["origin"]) == ("赵科长", "127.0.0.1")
    assert rows[0]["holder"].startswith("oidc")


def test_a_member_and_a_district_are_what_the_claims_say(office: Office, issuer: Issuer) -> None:
    assert office.ledger.provider
    member = office.ledger.provider.holder(issuer.token("member"), now()).holder
    assert (member.role, member.member_id, member.district) == ("member", MEMBER, None)
    city = office.ledger.provider.holder(issuer.token("city"), now()).holder
    assert (city.role, city.district) == ("officer", "3208")


def test_a_person_of_a_district_sees_and_touches_nothing_outside(
    office: Office, issuer: Issuer
) -> None:
    everywhere, city = (office.holding(issuer.token(client)) for client in ("office", "city"))
    inside = everywhere.tip(everywhere.register("IN-1")["id"])["id"]
    outsider = everywhere.register("OUT-1", district="320102")["id"]
    outside = everywhere.tip(outsider, district="320102")["id"]
    assert city.get(f"/v1/leads/{inside}").status_code == 200
    assert city.get(f"/v1/leads/{outside}").status_code == 404
    seen = {lead["id"] for lead in city.ok("/v1/leads?limit=200")["items"]}
    assert inside in seen and outside not in seen


@pytest.mark.parametrize("client", sorted(set(CLIENTS) - set(GOOD)))
def test_a_token_that_is_not_for_this_or_not_for_now_is_refused(
    office: Office, issuer: Issuer, client: str
) -> None:
    token = issuer.token(client)
    answer = office.holding(token).get("/v1/leads")
    problem = problem_of(answer, 401, "unauthenticated")
    assert "provider" in problem["detail"]
    assert token not in answer.text


def parts_of(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a token."""
    header, claims, _ = token.split(".")
    return decoded(header), decoded(claims)


def decoded(part: str) -> Any:
    """What a part of a token says."""
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def encoded(said: Any) -> str:
    """A part of a token that says this."""
    return base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


def forged(issuer: Issuer) -> dict[str, str]:
    """Tokens that say what a good one says, and are not signed by the provider."""
    good = issuer.token("office")
    header, claims = parts_of(good)
    head, body, signature = good.split(".")
    (public,) = issuer.ask("/keys")["keys"]
    pem = RSAKey.import_key(public).as_pem(private=False)
    shared = f"{encoded({**header, 'alg': 'HS256'})}.{body}"
    mac = hmac.digest(pem, shared.encode(), "sha256")
    told = base64.urlsafe_b64encode(mac).decode().rstrip("=")
    stranger = RSAKey.generate_key(2048, {"kid": header["kid"]})
    admin = encoded({**claims, "roles": ["ledger-admin"]})
    return {
        "no signature": f"{head}.{body}.",
        "algorithm none": f"{encoded({**header, 'alg': 'none'})}.{body}.",
        "algorithm None": f"{encoded({**header, 'alg': 'None'})}.{body}.{signature}",
        "the public key as a shared secret": f"{shared}.{told}",
        "a key of one's own": jwt.encode(header, claims, stranger),
        "a key of one's own in the header": jwt.encode(
            {**header, "jwk": stranger.as_dict(private=False)},
            claims,
            stranger,
        ),
        "another key's id": f"{encoded({**header, 'kid': 'x'})}.{body}.{signature}",
        "no key's id": f"{encoded({'alg': 'RS256'})}.{body}.{signature}",
        "a key's id that is none": f"{encoded({**header, 'kid': 7})}.{body}.{signature}",
        "another algorithm": f"{encoded({**header, 'alg': 'PS256'})}.{body}.{signature}",
        "another role": f"{head}.{admin}.{signature}",
        "another type": f"{encoded({**header, 'typ': 'logout+jwt'})}.{body}.{signature}",
        "a type that is none": f"{encoded({**header, 'typ': ['JWT']})}.{body}.{signature}",
        "a critical header": f"{encoded({**header, 'crit': ['x']})}.{body}.{signature}",
        "half of it": good[: len(good) // 2],
        "five parts": f"{good}.x.y",
        "too long": good + "A" * 20_000,
        "no JSON": f"{head}.AAAA.{signature}",
        "a list": f"{encoded([])}.{encoded([])}.{signature}",
        "deep": f"{head}.{base64.urlsafe_b64encode(b'[' * 9000).decode()}.{signature}",
        "one letter": good[:-3] + ("A" if good[-3] != "A" else "B") + good[-2:],
    }


def test_a_token_that_the_provider_did_not_sign_is_refused(office: Office, issuer: Issuer) -> None:
    found = {
        how: office.holding(token).get("/v1/leads").status_code
        for how, token in forged(issuer).items()
    }
    assert found == dict.fromkeys(found, 401)
    assert office.holding(issuer.token("office")).get("/v1/leads").status_code == 200


@given(st.text(max_size=300), st.binary(max_size=200), st.binary(max_size=200))
@example("eyJ9.e30.", b"[]", b"{}")
@example("..", b'{"alg":{}}', b"null")
@example("..", b'{"alg":"RS256","kid":[]}', b"null")
def test_whatever_comes_as_a_token_is_refused_and_breaks_nothing(
    text: str, head: bytes, body: bytes
) -> None:
    provider = Provider(asking(Path(), "http://127.0.0.1:1"))
    dressed = ".".join(base64.urlsafe_b64encode(p).decode().rstrip("=") for p in (head, body, b"x"))
    for token in (text, dressed):
        with pytest.raises(Unauthenticated):
            provider.holder(token, now())


def test_a_token_ends_while_it_is_known(issuer: Issuer, tmp_path: Path) -> None:
    provider = Provider(asking(tmp_path, issuer.address))
    token = issuer.token("office")
    holder, fresh = provider.holder(token, now())
    assert fresh
    provider.keep(token, holder)
    assert provider.holder(token, now()) == (holder, False)
    assert holder.ended(now()) is None
    later = datetime.fromtimestamp(parts_of(token)[1]["exp"] + 31, UTC)
    assert (holder.ended(later) or "").startswith("This token expired at")


def test_without_the_providers_keys_its_tokens_have_to_wait_and_ours_do_not(
    issuer: Issuer, tmp_path: Path
) -> None:
    office = open_office(asking(tmp_path, "http://127.0.0.1:1"))
    answer = office.holding(issuer.token("office")).get("/v1/leads")
    assert "provider" in problem_of(answer, 503, "not-ready")["detail"]
    assert office.officer.get("/v1/leads").status_code == 200
    office.close()


def test_the_provider_is_not_asked_for_every_key_that_somebody_invents(
    issuer: Issuer, tmp_path: Path
) -> None:
    provider = Provider(asking(tmp_path, issuer.address))
    good = issuer.token("office")
    head, body, signature = good.split(".")
    provider.holder(good, now())
    before = issuer.ask("/asked")
    for number in range(50):
        invented = encoded({**decoded(head), "kid": f"{number}"})
        with pytest.raises(Unauthenticated):
            provider.holder(f"{invented}.{body}.{signature}", now())
    assert issuer.ask("/asked") == before


def test_a_new_key_is_taken_and_a_withdrawn_one_is_not_for_ever(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [1000.0]
    monkeypatch.setattr("service.signin.keys.time.monotonic", lambda: moment[0])
    provider = Provider(asking(tmp_path, issuer.address))
    old = issuer.token("office")
    provider.keep(old, provider.holder(old, now()).holder)
    issuer.ask("/rotate", b"")
    new = issuer.token("office")
    moment[0] += keys_module.REST + 1
    assert provider.holder(new, now()).fresh
    with pytest.raises(Unauthenticated):
        provider.holder(old, now())
    # Known, and checked by nobody any more: until the keys are looked at again.
    provider.keep(old, provider.holder(new, now()).holder)
    moment[0] += keys_module.STALE + 1
    with pytest.raises(Unauthenticated):
        provider.holder(old, now())


def test_keys_that_cannot_be_fetched_again_are_good_for_a_day(
    issuer: Issuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = [1000.0]
    monkeypatch.setattr("service.signin.keys.time.monotonic", lambda: moment[0])
    provider = Provider(asking(tmp_path, issuer.address))
    token = issuer.token("office")
    provider.holder(token, now())
    monkeypatch.setattr(provider.keys, "_issuer", "http://127.0.0.1:1")
    moment[0] += keys_module.OLD - 1
    assert provider.holder(token, now()).holder.role == "officer"
    moment[0] += 2
    with pytest.raises(NotReady):
        provider.holder(token, now())


ISSUER = {"LEDGER_OIDC_ISSUER": "https://sso.example/realms/office"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"LEDGER_OIDC_ISSUER": "http://sso.example"}, "LEDGER_OIDC_ISSUER"),
        ({"LEDGER_OIDC_ISSUER": "sso.example"}, "LEDGER_OIDC_ISSUER"),
        ({"LEDGER_OIDC_ISSUER": "https://a:b@sso.example"}, "LEDGER_OIDC_ISSUER"),
        (ISSUER, "LEDGER_OIDC_AUDIENCE"),
        ({**ISSUER, "LEDGER_OIDC_AUDIENCE": "x"}, "LEDGER_OIDC_ROLES"),
        ({"LEDGER_OIDC_ROLES": "x=root"}, "LEDGER_OIDC_ROLES"),
        ({"LEDGER_OIDC_ROLES": "officer"}, "LEDGER_OIDC_ROLES"),
    ],
)
def test_a_provider_that_is_told_by_halves_stops_the_start(
    wrong: dict[str, str], named: str
) -> None:
    with pytest.raises(WrongSetting, match=named):
        Settings.from_environment(wrong)


def test_the_map_of_roles_is_read_in_its_order() -> None:
    told = {**ISSUER, "LEDGER_OIDC_AUDIENCE": "x", "LEDGER_OIDC_ROLES": "/a=b=admin, /c=officer"}
    assert list(Settings.from_environment(told).oidc_roles.items()) == [
        ("/a=b", "admin"),
        ("/c", "officer"),
    ]
