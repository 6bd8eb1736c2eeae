"""Contacts over HTTP: masked for everybody, shown for a reason, erased for ever."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.api.office import (
    NOBODY,
    Body,
    Caller,
    Office,
    a_tip,
    open_office,
    problem_of,
    settings_in,
)

CONTACT = {"name": "李先生", "phone": "13800000001"}
MASKED = {"name": "李**", "phone": "138****0001"}
GONE = {"name": "已删除", "phone": "已删除"}
WHY = {"reason": "本人要求"}


@pytest.fixture
def lead(officer: Caller, member_id: str) -> Any:
    """A lead with somebody to call."""
    return officer.tip(member_id, contact=CONTACT)


def named(contact: Body) -> Body:
    """A contact without the subject's id."""
    return {name: value for name, value in contact.items() if name != "subject"}


def erase(office: Office, lead: Body) -> Any:
    """Erase the lead's person."""
    return office.one("admin").ok(f"/v1/subjects/{lead['contact']['subject']}/erasure", WHY)


def everywhere(office: Office, lead: Body) -> Iterator[Any]:
    """Every contact that reads tell of the lead."""
    for role in ("officer", "auditor", "admin"):
        caller = office.one(role)
        path = f"/v1/leads/{lead['id']}"
        yield caller.ok(path)["contact"]
        yield caller.ok(f"{path}?version=1")["contact"]
        yield caller.ok(f"{path}?as_of=2026-01-01")["contact"]
        yield from (one["contact"] for one in caller.ok("/v1/leads")["items"] if one["contact"])
        yield from (one["contact"] for one in caller.ok("/v1/leads?as_of=2026-01-01")["items"])
        for step in caller.ok(f"{path}/history")["items"]:
            facts = step["facts"]
            yield facts.get("contact") or (facts.get("facts") or {}).get("contact")
            for change in step["changes"]:
                if change["fact"] == "contact":
                    yield from (change["from"], change["to"])


def test_every_read_and_answer_is_masked(office: Office, lead: Body) -> None:
    assert named(lead["contact"]) == MASKED
    subject = lead["contact"]["subject"]
    noted = office.officer.command(lead, "follow-ups")
    assert noted["contact"] == {"subject": subject, **MASKED}
    found = [one for one in everywhere(office, lead) if one]
    assert len(found) > 20
    assert [one for one in found if one != {"subject": subject, **MASKED}] == []


def test_a_member_sees_the_contact_of_its_own_tip_masked_and_no_subject(office: Office) -> None:
    member_id = office.officer.register()["id"]
    member = office.one("member", member_id)
    lead = member.tip(member_id, contact=CONTACT)
    assert lead["contact"] == MASKED
    path = f"/v1/leads/{lead['id']}"
    assert member.ok(path)["contact"] == MASKED
    assert [one["contact"] for one in member.ok("/v1/leads")["items"]] == [MASKED]
    assert member.ok(f"{path}/history")["items"][0]["facts"]["contact"] == MASKED
    without = member.tip(member_id, title="没有人")
    assert without["contact"] is None


def test_an_officer_sees_the_contact_for_a_reason_which_is_recorded(
    office: Office, lead: Body
) -> None:
    path = f"/v1/leads/{lead['id']}?contact=plain&reason=回电"
    answer = office.officer.get(path, If_None_Match='"1"')
    told: Body = answer.json or {}
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert told["contact"] == {"subject": lead["contact"]["subject"], **CONTACT}
    assert {**told, "contact": lead["contact"]} == lead
    (noted, *_) = office.ledger.access.listed(1)[0]
    kept = ("kind", "action", "subject", "reason")
    assert [noted[name] for name in kept] == ["personal-data", "read a contact", lead["id"], "回电"]
    assert noted["name"] == "officer None"
    then = office.one("admin").ok(f"{path}&version=1&as_of=2026-01-01")
    assert named(then["contact"]) == CONTACT


@pytest.mark.parametrize("role", ["auditor", "member"])
def test_other_roles_do_not_and_are_recorded_trying(office: Office, role: str) -> None:
    member_id = office.officer.register()["id"]
    lead = office.officer.tip(member_id, contact=CONTACT)
    caller = office.one(role, member_id if role == "member" else None)
    answer = caller.get(f"/v1/leads/{lead['id']}?contact=plain&reason=x")
    problem_of(answer, 403, "forbidden")
    office.ledger.access.flush()
    assert office.ledger.access.listed(1)[0][0]["kind"] == "refusal"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("contact=plain", "reason"),
        ("reason=x", "contact"),
        ("contact=plain&reason=", "reason"),
        ("contact=plain&reason=%20", "reason"),
        ("contact=all&reason=x", "contact"),
        (f"contact=plain&reason={'x' * 201}", "reason"),
    ],
)
def test_without_a_reason_nothing_is_shown(
    office: Office, lead: Body, query: str, field: str
) -> None:
    answer = office.officer.get(f"/v1/leads/{lead['id']}?{query}")
    assert field in problem_of(answer, 422, "invalid")["errors"]
    assert CONTACT["phone"] not in answer.text


def test_the_same_contact_again_records_nothing(officer: Caller, lead: Body) -> None:
    again = officer.command(lead, "revision", title=lead["title"], contact=CONTACT)
    assert again["version"] == 1
    other = {**CONTACT, "name": "李女士"}
    assert officer.command(lead, "revision", title=lead["title"], contact=other)["version"] == 2
    back = officer.command(lead, "revision", title=lead["title"], contact=CONTACT)
    assert (back["version"], back["contact"]) == (3, lead["contact"])
    right = {"version": 1, "facts": {"contact": CONTACT}}
    assert officer.command(lead, "corrections", **right)["version"] == 3


def test_a_person_is_one_on_several_leads_and_an_erasure_reaches_all(
    office: Office, lead: Body, member_id: str
) -> None:
    other = office.officer.tip(member_id, contact={"name": "李总", "phone": "+86 138 0000 0001"})
    office.officer.command(lead, "revision", contact={**CONTACT, "name": "李女士"})
    office.officer.command(lead, "corrections", facts={"contact": {**CONTACT, "name": "李某"}})
    assert other["contact"]["subject"] == lead["contact"]["subject"]
    told = erase(office, lead)
    assert (told["subject"], told["reason"]) == (lead["contact"]["subject"], "本人要求")
    assert told["actor"].startswith("admin") and told["exports"] == []
    for one in (lead, other):
        found = [contact for contact in everywhere(office, one) if contact]
        assert found and {orjson.dumps(named(contact)) for contact in found} == {orjson.dumps(GONE)}
    plain = office.officer.ok(f"/v1/leads/{lead['id']}?contact=plain&reason=x")
    assert named(plain["contact"]) == GONE


def test_an_erasure_asked_for_again_is_told_of_the_first(office: Office, lead: Body) -> None:
    told, before = erase(office, lead), office.position
    admin, path = office.one("admin"), f"/v1/subjects/{lead['contact']['subject']}/erasure"
    assert admin.ok(path, {"reason": "又一次"}) == told
    assert office.position == before
    one = admin.post(path, WHY, Idempotency_Key="k")
    two = admin.post(path, WHY, Idempotency_Key="k")
    assert (one.json, two.json) == (told, told)
    assert two.headers["Idempotent-Replay"] == "true"


def test_there_is_no_erasure_of_nobody_nor_without_a_reason(office: Office, lead: Body) -> None:
    admin, before = office.one("admin"), office.position
    for unknown in (NOBODY, lead["id"], "index"):
        problem_of(admin.post(f"/v1/subjects/{unknown}/erasure", WHY), 404, "not-found")
    path = f"/v1/subjects/{lead['contact']['subject']}/erasure"
    numbers = ({"reason": f"{number}本人要求"} for number in (CONTACT["phone"], "0517-83590000"))
    for body in ({}, {"reason": " "}, {"reason": "x", "more": 1}, *numbers):
        problem_of(admin.post(path, body), 422, "invalid")
    assert office.position == before
    assert named(office.officer.ok(f"/v1/leads/{lead['id']}")["contact"]) == MASKED


def test_whoever_held_the_lead_is_not_told_that_it_is_the_same(office: Office, lead: Body) -> None:
    path = f"/v1/leads/{lead['id']}"
    assert office.officer.get(path, If_None_Match='"1"').status_code == 304
    listed = office.officer.get("/v1/leads").headers["ETag"]
    erase(office, lead)
    answer = office.officer.get(path, If_None_Match='"1"')
    assert (answer.status_code, answer.headers["ETag"]) == (200, '"1"')
    assert office.officer.get("/v1/leads", If_None_Match=listed).status_code == 200


def test_a_later_tip_with_the_same_number_is_of_another_subject(
    office: Office, lead: Body, member_id: str
) -> None:
    erase(office, lead)
    later = office.officer.tip(member_id, contact=CONTACT)
    assert later["contact"]["subject"] != lead["contact"]["subject"]
    assert named(later["contact"]) == MASKED
    assert named(office.officer.ok(f"/v1/leads/{lead['id']}")["contact"]) == GONE
    # Of what was said again, the old is not believed to be the same.
    again = office.officer.command(lead, "revision", title=lead["title"], contact=CONTACT)
    assert (again["version"], named(again["contact"])) == (2, MASKED)


def test_every_worker_notices_an_erasure_at_once(tmp_path: Path) -> None:
    one, other = open_office(settings_in(tmp_path)), open_office(settings_in(tmp_path))
    member_id = one.officer.register()["id"]
    lead = one.officer.tip(member_id, contact=CONTACT)
    here, there = one.officer, other.officer
    for caller in (here, there):
        # Now kept in memory.
        assert named(caller.ok(f"/v1/leads/{lead['id']}")["contact"]) == MASKED
    erase(one, lead)
    for caller in (here, there):
        assert named(caller.ok(f"/v1/leads/{lead['id']}")["contact"]) == GONE
        assert [named(found["contact"]) for found in caller.ok("/v1/leads")["items"]] == [GONE]
    later = there.tip(member_id, contact=CONTACT)
    assert named(here.ok(f"/v1/leads/{later['id']}")["contact"]) == MASKED
    one.close()
    other.close()


@pytest.mark.parametrize("contact", [CONTACT, {"name": "李先生", "phone": None}])
def test_a_key_is_answered_as_the_first_time(
    officer: Caller, member_id: str, contact: Body
) -> None:
    body = a_tip(member_id, contact=contact)
    first = officer.post("/v1/leads", body, Idempotency_Key="tip")
    again = officer.post("/v1/leads", body, Idempotency_Key="tip")
    assert (again.status_code, again.json) == (201, first.json)
    assert again.headers["Idempotent-Replay"] == "true"
    other = {**body, "contact": {**contact, "name": "王"}}
    problem_of(officer.post("/v1/leads", other, Idempotency_Key="tip"), 422, "key-reused")


def test_what_a_client_did_not_know_of_is_told_masked(officer: Caller, lead: Body) -> None:
    officer.command(lead, "revision", contact={"name": "赵女士", "phone": "13900000002"})
    path = f"/v1/leads/{lead['id']}/revision"
    answer = officer.post(path, {"title": "x", "occurred_on": "2025-04-01"}, If_Match='"1"')
    (step,) = problem_of(answer, 412, "stale")["events"]
    assert named(step["facts"]["facts"]["contact"]) == {"name": "赵**", "phone": "139****0002"}


def test_a_text_that_looks_like_a_contact_is_left_alone(officer: Caller, member_id: str) -> None:
    title = '"contact":{"subject":"x"} }'
    lead = officer.tip(member_id, title=title, contact={"name": '}{"', "phone": None})
    found = officer.ok(f"/v1/leads/{lead['id']}")
    assert (found["title"], named(found["contact"])) == (title, {"name": "}**", "phone": None})
    assert officer.ok(f"/v1/leads/{lead['id']}") == lead


def test_what_is_wrong_with_a_contact_is_told_without_it(officer: Caller, member_id: str) -> None:
    wrong = a_tip(member_id, contact={"name": "李", "phone": "138x0000y0001"})
    answer = officer.post("/v1/leads", wrong)
    problem_of(answer, 422, "invalid")
    assert "0001" not in answer.text


def test_no_event_is_kept_without_a_key(office: Office, lead: Body) -> None:
    """What is refused may leave a key that nobody uses; what is recorded has one."""
    keys, before = office.ledger.personal.keys, office.ledger.personal.keys.count()
    refused = {**a_tip(NOBODY), "contact": {"name": "王", "phone": "13700000003"}}
    problem_of(office.officer.post("/v1/leads", refused), 422, "invalid")
    assert keys.count() == before + 1
    assert keys.there([lead["contact"]["subject"]]) == [lead["contact"]["subject"]]
