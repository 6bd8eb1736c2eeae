"""Leads: tipped, moved by every command, read now, as they were, and as they were known."""

from typing import Any

import pytest

from tests.api.office import (
    BODIES,
    DISTRICT,
    MONEY,
    NOBODY,
    Body,
    Caller,
    Office,
    a_tip,
    problem_of,
)

USCC = "91110000600037341L"
TO_STAGE = {
    "tip": (),
    "negotiating": ("negotiation",),
    "signed": ("negotiation", "signing"),
    "groundbroken": ("negotiation", "signing", "groundbreaking"),
    "closed": ("closure",),
}


def lead_in(officer: Caller, member: str, stage: str) -> Any:
    """A lead of that member, brought to ``stage``."""
    lead = officer.tip(member)
    for command in TO_STAGE[stage]:
        lead = officer.command(lead, command)
    assert lead["stage"] == stage
    return lead


def test_a_tip_is_answered_with_the_whole_lead(officer: Caller, member_id: str) -> None:
    body = a_tip(
        member_id,
        summary="一期\n二期",
        investor={"name": "晶圆公司", "uscc": USCC, "country": "CN"},
        industry="C397",
        contact={"name": "李", "phone": "0517-83590000"},
        note="会上报的",
    )
    answer = officer.post("/v1/leads", body)
    lead: Body = answer.json or {}
    assert answer.status_code == 201
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == f"/v1/leads/{lead['id']}"
    same = ("title", "summary", "investor", "district", "industry")
    assert {name: lead[name] for name in same} == {name: body[name] for name in same}
    assert (lead["contact"]["name"], lead["contact"]["phone"]) == ("李**", "051****0000")
    assert lead["investment"] == {**MONEY, "cny": "3000000000"}
    assert lead["members"] == [{"id": member_id, "name": "王委员", "share": "1"}]
    assert lead["dates"]["tip"] == lead["last_activity_on"] == "2025-03-18"
    assert (lead["stage"], lead["version"], lead["outcome"]) == ("tip", 1, None)
    assert lead["missing"] == ["responsible_unit"]
    assert lead["recorded_at"].endswith("Z")
    assert officer.ok(answer.headers["Location"]) == lead


def test_a_tip_needs_no_more_than_title_members_district_and_day(
    officer: Caller, member_id: str
) -> None:
    least = {"title": "线索", "members": [member_id], "district": DISTRICT}
    lead = officer.ok("/v1/leads", {**least, "occurred_on": "2025-03-18"})
    unknown = ("summary", "investor", "industry", "investment", "contact", "source")
    assert {lead[name] for name in unknown} == {None}


def test_members_stay_in_the_order_of_first_report(officer: Caller) -> None:
    ids = [officer.register(f"{n}")["id"] for n in range(3)]
    order = [ids[2], ids[0], ids[1]]
    lead = officer.tip(ids[0], members=order)
    assert [(m["id"], m["share"]) for m in lead["members"]] == [(id, "1/3") for id in order]


@pytest.mark.parametrize(
    ("amount", "unit", "cny"),
    [
        ("30", "亿元", "3000000000"),
        ("1.6", "亿元", "160000000"),
        ("0.01", "元", "0.01"),
        ("0", "元", "0"),
        ("12000.5", "万元", "120005000"),
        ("3.5", "亿美元", None),
        ("100", "万美元", None),
    ],
)
def test_money_comes_back_as_stated_and_in_yuan(
    officer: Caller, member_id: str, amount: str, unit: str, cny: str | None
) -> None:
    stated = {"amount": amount, "unit": unit}
    lead = officer.tip(member_id, investment=stated)
    assert lead["investment"] == {**stated, "cny": cny}


def test_a_lead_goes_from_its_tip_to_groundbreaking(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id)
    lead = officer.command(lead, "screening")
    assert (lead["stage"], lead["screened"]) == ("tip", "pursue")
    lead = officer.command(lead, "negotiation", manager="赵")
    assert (lead["stage"], lead["responsible_unit"], lead["manager"]) == (
        "negotiating",
        "商务局",
        "赵",
    )
    assert lead["missing"] == ["contract", "investment"]
    lead = officer.command(lead, "follow-ups")
    assert lead["last_activity_on"] == "2025-04-10"
    lead = officer.command(lead, "signing-plan")
    assert (lead["about_to_sign"], lead["expected_signing_on"]) == (True, "2026-01-15")
    lead = officer.command(lead, "signing")
    assert (lead["stage"], lead["about_to_sign"], lead["expected_signing_on"]) == (
        "signed",
        False,
        None,
    )
    assert lead["investment"]["cny"] == "3125000000"
    assert lead["missing"] == ["start", "evidence"]
    lead = officer.command(lead, "groundbreaking")
    assert (lead["stage"], lead["missing"], lead["version"]) == ("groundbroken", [], 7)
    assert lead["dates"] == {
        "tip": "2025-03-18",
        "negotiating": "2025-04-02",
        "signed": "2025-06-01",
        "groundbroken": "2025-09-01",
        "closed": None,
    }
    assert officer.ok(f"/v1/leads/{lead['id']}") == lead


def test_a_framework_agreement_does_not_make_a_lead_signed(officer: Caller, member_id: str) -> None:
    lead = lead_in(officer, member_id, "negotiating")
    after = officer.command(lead, "signing", agreement="framework", document_sha256="ab" * 32)
    assert (after["stage"], after["investment"]) == ("negotiating", lead["investment"])
    items = officer.ok(f"/v1/leads/{lead['id']}/history")["items"]
    assert items[-1]["event"] == "framework_agreed"


def test_a_plan_is_withdrawn_with_null(officer: Caller, member_id: str) -> None:
    lead = lead_in(officer, member_id, "negotiating")
    assert officer.command(lead, "signing-plan")["about_to_sign"]
    lead = officer.command(lead, "signing-plan", expected_on=None, occurred_on="2025-05-02")
    assert (lead["about_to_sign"], lead["expected_signing_on"]) == (False, None)


def test_a_lead_is_suspended_and_resumed(officer: Caller, member_id: str) -> None:
    lead = lead_in(officer, member_id, "negotiating")
    lead = officer.command(lead, "suspension")
    assert (lead["suspended"], lead["review_on"]) == (True, "2025-08-01")
    signing = officer.post(f"/v1/leads/{lead['id']}/signing", BODIES["signing"])
    assert "suspended" in problem_of(signing, 409, "refused")["detail"]
    lead = officer.command(lead, "resumption")
    assert (lead["suspended"], lead["review_on"]) == (False, None)


def test_a_lead_does_not_move_on_a_day_on_which_it_was_suspended(
    officer: Caller, member_id: str
) -> None:
    """Whatever was typed first: its resumption, or the step that is dated before that."""
    lead = officer.tip(member_id)
    hold = {"reason": "等待用地", "review_on": "2025-12-01", "occurred_on": "2025-04-01"}
    officer.command(lead, "suspension", **hold)
    path = f"/v1/leads/{lead['id']}"
    talks = {**BODIES["negotiation"], "occurred_on": "2025-05-01"}
    during = officer.post(f"{path}/negotiation", talks)
    assert "resume it first" in problem_of(during, 409, "refused")["detail"]
    officer.command(lead, "resumption", occurred_on="2025-08-01")
    after = officer.post(f"{path}/negotiation", talks)
    assert problem_of(after, 409, "refused")["detail"] == (
        "The lead was suspended from 2025-04-01 until 2025-08-01; no negotiation is of 2025-05-01."
    )
    lead = officer.command(lead, "negotiation", occurred_on="2025-08-01")
    assert lead["stage"] == "negotiating"
    then = officer.ok(f"{path}?as_of=2025-06-15")
    assert (then["stage"], then["suspended"]) == ("tip", True)


@pytest.mark.parametrize(
    ("stage", "outcome"),
    [
        ("tip", "declined"),
        ("negotiating", "lost"),
        ("negotiating", "withdrawn"),
        ("signed", "rescinded"),
    ],
)
def test_a_closed_lead_reopens_into_the_stage_it_left(
    officer: Caller, member_id: str, stage: str, outcome: str
) -> None:
    lead = lead_in(officer, member_id, stage)
    lead = officer.command(lead, "closure", outcome=outcome, occurred_on="2025-10-01")
    assert (lead["stage"], lead["outcome"], lead["dates"]["closed"]) == (
        "closed",
        outcome,
        "2025-10-01",
    )
    lead = officer.command(lead, "reopening", occurred_on="2025-10-02")
    assert (lead["stage"], lead["outcome"], lead["dates"]["closed"]) == (stage, None, None)


def test_a_tip_is_answered_and_read_with_what_it_may_be_the_same_as(
    officer: Caller, member_id: str
) -> None:
    company = {"investor": {"name": "某某半导体有限公司"}}
    first = officer.tip(member_id, title="某某晶圆厂", **company)
    again = officer.tip(member_id, title="另一个题目", **company)
    (found,) = again["possible_duplicates"]
    assert found == {
        "id": first["id"],
        "title": "某某晶圆厂",
        "stage": "tip",
        "score": 0.85,
        "reasons": ["investor"],
    }
    path = f"/v1/leads/{again['id']}"
    assert officer.ok(path) == officer.ok(f"{path}?version=1") == again
    assert officer.ok(f"/v1/leads/{first['id']}")["possible_duplicates"][0]["id"] == again["id"]


def test_a_duplicate_is_closed_and_names_the_lead_it_repeats(
    officer: Caller, member_id: str
) -> None:
    first, again = officer.tip(member_id), officer.tip(member_id)
    same = {"verdict": "duplicate", "duplicate_of": first["id"], "reason": "同一家公司"}
    lead = officer.command(again, "screening", **same)
    assert (lead["stage"], lead["outcome"]) == ("closed", "duplicate")
    assert lead["duplicate_of"] == first["id"]


def test_a_lead_passes_to_another_district_when_that_accepts(
    officer: Caller, member_id: str
) -> None:
    lead = officer.tip(member_id)
    asked = officer.command(lead, "transfer")
    assert (asked["district"], asked["transfer_to"]) == ("320812", "320871")
    assert asked["transfer_proposed_on"] == "2025-04-16"
    lead = officer.command(lead, "transfer/acceptance")
    assert (lead["district"], lead["transfer_to"], lead["stage"]) == ("320871", None, "tip")
    assert lead["transfers"] == [{"from": "320812", "to": "320871", "on": "2025-04-18"}]
    names = [e["event"] for e in officer.ok(f"/v1/leads/{lead['id']}/history")["items"]]
    assert names == ["tipped", "transfer_proposed", "transferred"]
    window = "from=2025-01-01&to=2025-12-31"
    told = officer.ok(f"/v1/pipeline?{window}&district=320812")
    assert (told["tips"], told["received"]) == (1, 0)
    assert told["stages"][-1]["outcomes"]["transferred"] == 1
    told = officer.ok(f"/v1/pipeline?{window}&district=320871")
    assert (told["tips"], told["received"]) == (0, 1)
    answer = officer.post(f"/v1/leads/{lead['id']}/transfer/refusal", BODIES["transfer/refusal"])
    assert "No transfer of this lead is open" in problem_of(answer, 409, "refused")["detail"]


def test_credit_is_ruled_on_in_exact_fractions(office: Office) -> None:
    officer = office.officer
    one, other = (officer.register(number)["id"] for number in ("Q-1", "Q-2"))
    lead = officer.tip(one, members=[one, other])
    shares = [{"member": one, "share": "2/3"}, {"member": other, "share": "2/6"}]
    ruled = officer.command(lead, "credit", shares=shares)
    assert [member["share"] for member in ruled["members"]] == ["2/3", "1/3"]
    assert (ruled["credit_ruled_on"], ruled["credit_ruling_needed"]) == ("2025-04-15", False)
    assert officer.ok(f"/v1/members/{other}")["credit"] == "1/3"
    told = officer.ok("/v1/pipeline/credit?by=member&as_of=2025-12-31")
    assert told["credit"] == "1"
    assert [line["credit"] for line in told["lines"]] == ["2/3", "1/3"]
    assert officer.ok("/v1/pipeline/credit?district=11")["lines"] == []
    path, body = f"/v1/leads/{lead['id']}/credit", {"reason": "再议", "occurred_on": "2025-05-01"}
    short = [{"member": one, "share": "2/3"}, {"member": other, "share": "1/4"}]
    problem = problem_of(officer.post(path, {**body, "shares": short}), 422, "invalid")
    reasons = ["2/3 + 1/4 is 11/12; the shares of a lead sum to 1."]
    assert problem["errors"] == {"shares": reasons}
    half = [{"member": one, "share": "0.5"}, {"member": other, "share": 0.5}]
    problem = problem_of(officer.post(path, {**body, "shares": half}), 422, "invalid")
    assert len(problem["errors"]) == 2, "a float is no share, nor is what looks like one"


@pytest.mark.parametrize("of", ["itself", NOBODY])
def test_a_duplicate_repeats_another_lead_that_is_there(
    officer: Caller, member_id: str, of: str
) -> None:
    lead = officer.tip(member_id)
    original = lead["id"] if of == "itself" else of
    body = {"verdict": "duplicate", "duplicate_of": original, "reason": "重复"}
    answer = officer.post(
        f"/v1/leads/{lead['id']}/screening", {**body, "occurred_on": "2025-03-20"}
    )
    assert list(problem_of(answer, 422, "invalid")["errors"]) == ["duplicate_of"]


def test_a_revision_changes_what_it_names_and_nothing_else(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id, industry="C397", summary="一期")
    after = officer.command(
        lead,
        "revision",
        title="新标题",
        summary=None,
        investor={"name": "晶圆公司"},
        investment={"amount": "28", "unit": "亿元"},
        reason="重新谈的",
    )
    assert (after["title"], after["summary"], after["industry"]) == ("新标题", None, "C397")
    assert after["investor"] == {"name": "晶圆公司", "uscc": None, "country": None}
    assert after["investment"]["cny"] == "2800000000"


def test_another_investment_needs_its_reason(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id)
    body = {"investment": {"amount": "28", "unit": "亿元"}, "occurred_on": "2025-04-01"}
    answer = officer.post(f"/v1/leads/{lead['id']}/revision", body)
    assert list(problem_of(answer, 422, "invalid")["errors"]) == ["reason"]


# What each stage refuses.
REFUSED = {
    "tip": ("signing-plan", "signing", "groundbreaking", "resumption", "reopening"),
    "negotiating": ("screening", "negotiation", "groundbreaking", "closure", "reopening"),
    "signed": ("screening", "negotiation", "signing-plan", "signing", "closure", "reopening"),
    "groundbroken": ("screening", "negotiation", "signing", "groundbreaking", "closure"),
    "closed": (
        *("screening", "negotiation", "follow-ups", "signing-plan", "signing"),
        *("groundbreaking", "suspension", "resumption", "closure"),
    ),
}


@pytest.mark.parametrize("stage", REFUSED)
def test_a_stage_refuses_what_does_not_follow_it(office: Office, stage: str) -> None:
    officer = office.officer
    lead = lead_in(officer, officer.register()["id"], stage)
    before = office.position
    for command in REFUSED[stage]:
        body = {**BODIES[command], "occurred_on": "2025-11-01"}
        answer = officer.post(f"/v1/leads/{lead['id']}/{command}", body)
        assert stage in problem_of(answer, 409, "refused")["detail"] or command == "resumption"
    assert office.position == before
    assert officer.ok(f"/v1/leads/{lead['id']}") == lead


@pytest.mark.parametrize(
    ("stage", "command", "absent", "missing"),
    [
        ("tip", "negotiation", ["responsible_unit"], ["responsible_unit"]),
        ("negotiating", "signing", ["investment"], ["investment"]),
        ("signed", "groundbreaking", ["start", "evidence"], ["start", "evidence"]),
    ],
)
def test_a_step_without_its_facts_lists_them(
    office: Office, stage: str, command: str, absent: list[str], missing: list[str]
) -> None:
    officer = office.officer
    lead = lead_in(officer, officer.register()["id"], stage)
    body = {name: value for name, value in BODIES[command].items() if name not in absent}
    path = f"/v1/leads/{lead['id']}/{command}"
    before = office.position
    assert problem_of(officer.post(path, body), 409, "refused")["missing"] == missing
    waivers = [{"fact": fact, "reason": "旧账没有"} for fact in missing]
    problem_of(officer.post(path, {**body, "waivers": waivers}), 403, "forbidden")
    assert office.position == before
    waived = office.one("admin").ok(path, {**body, "waivers": waivers})["waivers"]
    assert [(w["fact"], w["why"]) for w in waived] == [(fact, "旧账没有") for fact in missing]
    assert all(w["by"].startswith("admin") for w in waived)


@pytest.mark.parametrize("command", BODIES)
def test_a_command_on_an_unknown_lead_is_not_found(office: Office, command: str) -> None:
    for unknown in (NOBODY, "x", NOBODY.replace("8", "A")):
        answer = office.officer.post(f"/v1/leads/{unknown}/{command}", BODIES[command])
        problem_of(answer, 404, "not-found")
    assert office.position == 0


def test_a_command_that_changes_nothing_records_nothing(office: Office) -> None:
    officer = office.officer
    lead = lead_in(officer, officer.register()["id"], "negotiating")
    lead = officer.command(lead, "signing-plan")
    before = office.position
    assert officer.command(lead, "signing-plan", occurred_on="2025-05-09") == lead
    assert officer.command(lead, "revision", title=lead["title"]) == lead
    assert office.position == before


def test_an_old_version_is_what_was_answered_then(officer: Caller, member_id: str) -> None:
    versions = [officer.tip(member_id)]
    for command in ("screening", "negotiation", "signing-plan", "signing", "groundbreaking"):
        versions.append(officer.command(versions[-1], command))
    path = f"/v1/leads/{versions[0]['id']}"
    for number, lead in enumerate(versions, 1):
        answer = officer.get(f"{path}?version={number}")
        assert answer.json == lead
        assert answer.headers["ETag"] == f'"{number}"'
    problem_of(officer.get(f"{path}?version=7"), 404, "not-found")


def test_a_lead_is_read_as_it_was_known_at_a_position_or_moment(
    officer: Caller, member_id: str
) -> None:
    tipped = officer.post("/v1/leads", a_tip(member_id))
    lead: Body = tipped.json or {}
    after = officer.command(lead, "screening")
    path = f"/v1/leads/{lead['id']}"
    position = int(tipped.headers["Ledger-Position"])
    assert officer.ok(f"{path}?known_at={position}") == lead
    assert officer.ok(f"{path}?known_at={lead['recorded_at']}") == lead
    assert officer.ok(f"{path}?known_at={after['recorded_at']}") == after
    problem_of(officer.get(f"{path}?known_at={position + 99}"), 422, "invalid")
    assert officer.ok(f"{path}?known_at={position}&version=2") == lead
    problem_of(officer.get(f"{path}?known_at={position - 1}"), 404, "not-found")
    problem_of(officer.get(f"{path}?known_at=2020-01-01T00:00:00Z"), 404, "not-found")


def test_history_tells_what_happened_oldest_first(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id)
    for command in ("screening", "negotiation", "follow-ups", "signing-plan", "suspension"):
        lead = officer.command(lead, command)
    lead = officer.command(lead, "resumption")
    for command in ("signing", "groundbreaking"):
        lead = officer.command(lead, command)
    lead = officer.command(lead, "revision", occurred_on="2025-10-01", note="名称变更")
    items = officer.ok(f"/v1/leads/{lead['id']}/history")["items"]
    assert [item["event"] for item in items] == [
        "tipped",
        "screened",
        "negotiation_opened",
        "followed_up",
        "signing_planned",
        "suspended",
        "resumed",
        "signed",
        "groundbroken",
        "revised",
    ]
    assert [item["version"] for item in items] == list(range(1, 11))
    positions = [item["position"] for item in items]
    assert positions == sorted(set(positions))
    assert {item["corrects"] for item in items} == {None}
    assert all(item["actor"].startswith("officer") for item in items)
    assert items[0]["facts"]["title"] == "12英寸大晶圆项目"
    assert items[1]["facts"] == {
        "verdict": "pursue",
        "reason": None,
        "duplicate_of": None,
        "waived": [],
        "note": None,
    }
    assert items[-1]["facts"]["facts"] == {"title": "新标题"}
    assert items[-1]["facts"]["note"] == "名称变更"
    assert (items[-1]["occurred_on"], items[-1]["recorded_at"]) == (
        "2025-10-01",
        lead["recorded_at"],
    )


def test_the_closing_and_reopening_of_a_lead_are_in_its_history(
    officer: Caller, member_id: str
) -> None:
    lead = lead_in(officer, member_id, "closed")
    officer.command(lead, "reopening")
    items = officer.ok(f"/v1/leads/{lead['id']}/history")["items"]
    assert [item["event"] for item in items] == ["tipped", "closed", "reopened"]


@pytest.mark.parametrize("unknown", [NOBODY, "x", "%00", "%ff", "A" * 2000, "..%2fleads"])
def test_an_unknown_lead_is_not_found(officer: Caller, unknown: str) -> None:
    for path in (f"/v1/leads/{unknown}", f"/v1/leads/{unknown}/history"):
        problem_of(officer.get(path), 404, "not-found")
    problem_of(officer.get(f"/v1/leads/{unknown}?version=1"), 404, "not-found")


def test_a_contract_with_a_waiver_beside_a_framework_agreement_is_refused(office: Office) -> None:
    officer = office.officer
    lead = lead_in(officer, officer.register()["id"], "negotiating")
    waivers = [{"fact": "contract", "reason": "旧账没有"}]
    body = {**BODIES["signing"], "agreement": "framework", "waivers": waivers}
    answer = office.one("admin").post(f"/v1/leads/{lead['id']}/signing", body)
    assert list(problem_of(answer, 422, "invalid")["errors"]) == ["waivers"]


def test_the_day_of_a_step_is_neither_in_the_future_nor_before_the_stage(office: Office) -> None:
    officer = office.officer
    lead = lead_in(officer, officer.register()["id"], "negotiating")
    before = office.position
    for day in ("2999-01-01", "2025-04-01", "2025-02-30"):
        body = {**BODIES["signing"], "occurred_on": day}
        answer = officer.post(f"/v1/leads/{lead['id']}/signing", body)
        problem = problem_of(answer, 422, "invalid")
        assert list(problem["errors"]) == ["occurred_on"]
        assert day in problem["errors"]["occurred_on"][0]
    assert office.position == before
