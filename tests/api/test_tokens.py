"""Tokens over HTTP: told once, listed without their secrets, refused at the next request."""

from pathlib import Path

import pytest

from tests.api.office import NOBODY, Caller, Office, open_office, problem_of, settings_in


@pytest.fixture
def admin(office: Office) -> Caller:
    """An administrator without a limit."""
    return office.one("admin")


def test_a_token_is_told_once_and_listed_without_its_secret(office: Office, admin: Caller) -> None:
    body = {"role": "officer", "name": "赵科长", "district": "3208", "days": 30}
    answer = admin.post("/v1/tokens", body)
    assert answer.status_code == 201
    assert answer.headers["Cache-Control"] == "no-store"
    made = answer.json or {}
    secret = made.pop("token")
    assert (made["role"], made["name"], made["district"]) == ("officer", "赵科长", "3208")
    assert made["expires_at"] > made["issued_at"]
    assert made["last_used_at"] is None
    assert admin.ok(answer.headers["Location"]) == made
    assert office.holding(secret).ok("/v1/leads")["items"] == []
    listed = admin.get("/v1/tokens")
    assert [one["id"] for one in (listed.json or {})["items"]][-1] == made["id"]
    assert secret.split("_", 2)[2] not in listed.text
    assert admin.ok(f"/v1/tokens/{made['id']}")["last_used_at"]


def test_tokens_are_listed_page_by_page(office: Office, admin: Caller) -> None:
    for number in range(5):
        office.ledger.tokens.issue("auditor", f"{number}")
    found, path = [], "/v1/tokens?limit=2"
    while path:
        page = admin.ok(path)
        found += [one["name"] for one in page["items"]]
        path = page["next"] and f"/v1/tokens?limit=2&cursor={page['next']}"
    assert found == ["admin None", *"01234"]


def test_a_members_token_is_issued_for_a_member_that_there_is(
    office: Office, admin: Caller
) -> None:
    member = admin.register()["id"]
    made = admin.ok("/v1/tokens", {"role": "member", "member": member})
    assert made["member"] == member
    assert office.holding(made["token"]).ok(f"/v1/members/{member}")["id"] == member
    answer = admin.post("/v1/tokens", {"role": "member", "member": NOBODY})
    errors = problem_of(answer, 422, "invalid")["errors"]
    assert errors == {"member": [f"There is no member {NOBODY}."]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "role"),
        ({"role": "root"}, "role"),
        ({"role": "member"}, "member"),
        ({"role": "officer", "member": NOBODY}, "member"),
        ({"role": "officer", "district": "320"}, "district"),
        ({"role": "officer", "days": 0}, "days"),
        ({"role": "officer", "days": "30"}, "days"),
        ({"role": "officer", "days": True}, "days"),
        ({"role": "officer", "secret": "x"}, "secret"),
    ],
)
def test_what_makes_no_token_is_named(admin: Caller, body: dict[str, object], field: str) -> None:
    before = admin.ok("/v1/tokens")["items"]
    assert field in problem_of(admin.post("/v1/tokens", body), 422, "invalid")["errors"]
    assert admin.ok("/v1/tokens")["items"] == before


def test_a_revoked_or_rotated_token_is_refused_by_every_worker_at_once(tmp_path: Path) -> None:
    one, other = open_office(settings_in(tmp_path)), open_office(settings_in(tmp_path))
    admin = one.one("admin")
    revoked = admin.ok("/v1/tokens", {"role": "auditor"})
    rotated = admin.ok("/v1/tokens", {"role": "auditor", "district": "32", "name": "审计"})
    for office in (one, other):
        for made in (revoked, rotated):
            assert office.holding(made["token"]).get("/v1/leads").status_code == 200
    ended = admin.ok(f"/v1/tokens/{revoked['id']}/revocation", {})
    assert ended["revoked_at"] and "token" not in ended
    fresh = admin.ok(f"/v1/tokens/{rotated['id']}/rotation", {"days": 9})
    assert {n: fresh[n] for n in ("role", "name", "district")} == {
        n: rotated[n] for n in ("role", "name", "district")
    }
    for office in (one, other):
        for made in (revoked, rotated):
            answer = office.holding(made["token"]).get("/v1/leads")
            assert "was revoked at" in problem_of(answer, 401, "unauthenticated")["detail"]
        assert office.holding(fresh["token"]).get("/v1/leads").status_code == 200
    assert admin.post(f"/v1/tokens/{revoked['id']}/revocation", {}).status_code == 409
    assert admin.post(f"/v1/tokens/{revoked['id']}/rotation", {}).status_code == 409
    kept = admin.ok("/v1/tokens", {"role": "auditor"})
    admin.ok(f"/v1/tokens/{kept['id']}/rotation", {"overlap_hours": 1})
    assert other.holding(kept["token"]).get("/v1/leads").status_code == 200
    one.close()
    other.close()


@pytest.mark.parametrize("path", ["", "/rotation", "/revocation"])
def test_an_unknown_token_is_not_found(admin: Caller, path: str) -> None:
    at = f"/v1/tokens/0123{path}"
    answer = admin.post(at, {}) if path else admin.get(at)
    assert "There is no token 0123" in problem_of(answer, 404, "not-found")["detail"]


def test_an_idempotency_key_makes_one_token_and_revokes_once(admin: Caller) -> None:
    body, key = {"role": "auditor"}, {"Idempotency_Key": "once"}
    made = admin.ok("/v1/tokens", body, **key)
    again = problem_of(admin.post("/v1/tokens", body, **key), 409, "refused")
    assert made["id"] in again["detail"] and made["token"] not in again["detail"]
    other = admin.post("/v1/tokens", {"role": "officer"}, **key)
    problem_of(other, 422, "key-reused")
    assert [one["id"] for one in admin.ok("/v1/tokens")["items"]][1:] == [made["id"]]
    path = f"/v1/tokens/{made['id']}/revocation"
    first, second = (admin.post(path, {}, Idempotency_Key="end") for _ in range(2))
    assert (first.status_code, first.json) == (second.status_code, second.json)
    assert second.headers["Idempotent-Replay"] == "true"
    assert "Idempotent-Replay" not in first.headers


def test_an_administrator_of_a_district_handles_no_tokens(office: Office) -> None:
    token = office.ledger.tokens.issue("admin", district="320812")
    limited = office.holding(token)
    own = token.split("_")[1]
    answers = [limited.get("/v1/tokens"), limited.post("/v1/tokens", {"role": "admin"})]
    answers += [limited.post(f"/v1/tokens/{own}/{what}", {}) for what in ("rotation", "revocation")]
    for answer in answers:
        assert "limited to district 320812" in problem_of(answer, 403, "forbidden")["detail"]
    assert limited.get("/v1/leads").status_code == 200
