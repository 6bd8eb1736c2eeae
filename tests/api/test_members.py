"""Members: registered once in a district, read with what came of their tips, retired."""

import pytest

from tests.api.office import DISTRICT, NOBODY, Caller, Office, problem_of


def test_a_registered_member_is_answered_with_its_place_and_version(officer: Caller) -> None:
    body = {"number": "QJP-001", "name": "王委员", "sector": "工商联", "district": DISTRICT}
    answer = officer.post("/v1/members", {**body, "occurred_on": "2025-01-02"})
    assert answer.status_code == 201
    member = answer.json
    assert member is not None
    assert {name: member[name] for name in body} == body
    assert (member["version"], member["registered_on"]) == (1, "2025-01-02")
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"/v1/members/{member['id']}"


def test_the_day_of_registration_is_today_where_none_is_given(office: Office) -> None:
    body = {"number": "QJP-001", "name": "王委员", "district": DISTRICT}
    member = office.officer.ok("/v1/members", body)
    assert member["sector"] is None
    assert member["recorded_at"][:4] == member["registered_on"][:4]


def test_a_member_is_found_under_its_location(officer: Caller) -> None:
    member = officer.register()
    found = officer.ok(f"/v1/members/{member['id']}")
    assert found == {**member, "tips": 0, "landed": 0, "credit": "0"}


def test_the_etag_of_a_member_names_its_version_and_what_came_of_its_tips(officer: Caller) -> None:
    path = f"/v1/members/{officer.register()['id']}"
    first = officer.get(path).headers["ETag"]
    officer.tip(path.rpartition("/")[2])
    second = officer.get(path).headers["ETag"]
    assert first != second and first[:5] == second[:5] == 'W/"1-'
    body = {"occurred_on": "2026-03-01"}
    assert officer.post(f"{path}/retirement", body, If_Match=second).status_code == 200
    stale = officer.post(f"{path}/retirement", body, If_Match=second)
    problem_of(stale, 412, "stale")


def test_a_number_is_taken_in_its_district_only(office: Office) -> None:
    officer = office.officer
    officer.register("QJP-001")
    before = office.position
    again = {"number": "QJP-001", "name": "李委员", "district": DISTRICT}
    problem = problem_of(officer.post("/v1/members", again), 409, "refused")
    assert "QJP-001" in problem["detail"] and DISTRICT in problem["detail"]
    assert office.position == before
    officer.register("QJP-001", district="320803")


def test_spaces_around_a_number_do_not_make_another_member(officer: Caller) -> None:
    officer.register("QJP-001")
    again = {"number": "  QJP-001 ", "name": "李委员", "district": DISTRICT}
    problem_of(officer.post("/v1/members", again), 409, "refused")


def test_a_member_shows_what_came_of_its_tips(officer: Caller) -> None:
    first, second = officer.register("1")["id"], officer.register("2")["id"]
    alone = officer.tip(first)
    officer.tip(first, members=[second, first])
    for command in ("negotiation", "signing"):
        officer.command(alone, command)
    found = officer.ok(f"/v1/members/{first}")
    assert (found["tips"], found["landed"], found["credit"]) == (2, 1, "3/2")
    found = officer.ok(f"/v1/members/{second}")
    assert (found["tips"], found["landed"], found["credit"]) == (1, 0, "1/2")


def test_members_are_listed_in_the_order_they_came(officer: Caller) -> None:
    ids = [officer.register(f"{n}", sector="科技" if n % 2 else "工商联")["id"] for n in range(5)]
    officer.register("9", district="320803")
    listed = officer.ok("/v1/members?district=320812")
    assert [m["id"] for m in listed["items"]] == ids
    assert listed["next"] is None
    listed = officer.ok("/v1/members?district=3208&sector=科技")
    assert [m["id"] for m in listed["items"]] == ids[1::2]
    assert officer.ok("/v1/members?district=31")["items"] == []


def test_members_are_paged_without_a_gap_while_others_come(officer: Caller) -> None:
    ids = [officer.register(f"{n}")["id"] for n in range(5)]
    seen: list[str] = []
    path: str | None = "/v1/members?limit=2"
    while path is not None:
        page = officer.ok(path)
        seen += [m["id"] for m in page["items"]]
        if len(ids) < 8:
            ids.append(officer.register(f"{len(ids)}")["id"])
        path = page["next"] and f"/v1/members?limit=2&cursor={page['next']}"
    assert seen == ids


def test_a_member_retires_once(office: Office) -> None:
    officer = office.officer
    member = officer.register()
    path = f"/v1/members/{member['id']}/retirement"
    answer = officer.post(path, {"occurred_on": "2025-06-01"})
    assert answer.status_code == 200
    assert answer.headers["ETag"] == '"2"'
    assert (answer.json or {})["retired_on"] == "2025-06-01"
    assert officer.ok(f"/v1/members/{member['id']}")["retired_on"] == "2025-06-01"
    before = office.position
    officer.ok(path, {"occurred_on": "2025-06-01"})
    problem_of(officer.post(path, {"occurred_on": "2025-06-02"}), 409, "refused")
    assert office.position == before


def test_a_stale_retirement_is_told_the_present_version(officer: Caller) -> None:
    path = f"/v1/members/{officer.register()['id']}/retirement"
    officer.ok(path, {"occurred_on": "2025-06-01"}, If_Match='"1"')
    answer = officer.post(path, {"occurred_on": "2025-06-02"}, If_Match='"1"')
    problem = problem_of(answer, 412, "stale")
    assert [e["version"] for e in problem["events"]] in ([], [2])


def test_a_retired_member_tips_no_more_but_its_tips_of_before_are_taken(officer: Caller) -> None:
    member = officer.register()["id"]
    officer.ok(f"/v1/members/{member}/retirement", {"occurred_on": "2025-06-01"})
    late = {"title": "迟到", "members": [member], "district": DISTRICT}
    answer = officer.post("/v1/leads", {**late, "occurred_on": "2025-06-02"})
    assert "members" in problem_of(answer, 422, "invalid")["errors"]
    officer.tip(member, occurred_on="2025-06-01")


def test_a_member_typed_in_late_retires_on_the_real_day_but_not_before_its_last_tip(
    officer: Caller,
) -> None:
    facts = {"number": "L1", "name": "王委员", "sector": "经济", "district": DISTRICT}
    member = officer.ok("/v1/members", facts)["id"]
    lead = officer.tip(member, occurred_on="2025-03-18")
    officer.tip(member, occurred_on="2025-02-01")
    path = f"/v1/members/{member}/retirement"
    problem = problem_of(officer.post(path, {"occurred_on": "2025-03-17"}), 422, "invalid")
    assert problem["errors"] == {
        "occurred_on": ["2025-03-17 is before the last tip of 王委员 on 2025-03-18."]
    }
    right = {"version": 1, "reason": "日期", "facts": {"occurred_on": "2025-03-16"}}
    officer.ok(f"/v1/leads/{lead['id']}/corrections", {**right, "occurred_on": "2025-12-01"})
    assert officer.ok(path, {"occurred_on": "2025-03-17"})["retired_on"] == "2025-03-17"


@pytest.mark.parametrize("path", [f"/v1/members/{NOBODY}", "/v1/members/x", "/v1/members/%00"])
def test_an_unknown_member_is_not_found(officer: Caller, path: str) -> None:
    problem_of(officer.get(path), 404, "not-found")
    problem_of(officer.post(f"{path}/retirement", {"occurred_on": "2025-01-02"}), 404, "not-found")


def test_a_lead_is_no_member_and_a_member_no_lead(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id)["id"]
    problem_of(officer.get(f"/v1/members/{lead}"), 404, "not-found")
    problem_of(officer.get(f"/v1/leads/{member_id}"), 404, "not-found")
    body = {"occurred_on": "2025-06-01"}
    problem_of(officer.post(f"/v1/members/{lead}/retirement", body), 404, "not-found")
    problem_of(officer.post(f"/v1/leads/{member_id}/resumption", body), 404, "not-found")
