"""Corrections, recognition and time travel, as a client meets them."""

from typing import Any

import pytest

from tests.api.office import BODIES, Caller, Office, problem_of

Lead = dict[str, Any]
STEPS = ("negotiation", "signing", "groundbreaking")
WINDOW = "from=2025-01-01&to=2025-12-29"
TWENTY = {"amount": "20", "unit": "亿元"}


@pytest.fixture
def lead(officer: Caller, member_id: str) -> Lead:
    """A lead that broke ground: versions 1 to 4."""
    found: Lead = officer.tip(member_id)
    for step in STEPS:
        found = officer.command(found, step)
    return found


def correct(officer: Caller, lead: Lead, version: int, **how: Any) -> Lead:
    """A correction of that version."""
    body = {"version": version, "reason": "录入有误", "occurred_on": "2025-12-01", **how}
    found: Lead = officer.ok(f"/v1/leads/{lead['id']}/corrections", body)
    return found


def standing(answer: Any) -> dict[str, int]:
    """How many stand in each stage."""
    return {stage["stage"]: stage["standing"]["count"] for stage in answer["stages"]}


def test_a_corrected_lead_reads_as_if_it_had_been_right_from_the_start(
    officer: Caller, lead: Lead
) -> None:
    found = correct(officer, lead, 3, facts={"occurred_on": "2025-06-15", "investment": TWENTY})
    assert found["version"] == 5
    assert found["dates"]["signed"] == "2025-06-15"
    assert found["investment"]["cny"] == "2000000000"
    assert officer.ok(f"/v1/leads/{lead['id']}") == found


def test_before_the_correction_it_is_as_it_was_believed(officer: Caller, lead: Lead) -> None:
    believed = officer.ok(f"/v1/leads/{lead['id']}/history")["items"][-1]["position"]
    correct(officer, lead, 3, facts={"occurred_on": "2025-06-15"})
    assert officer.ok(f"/v1/leads/{lead['id']}?known_at={believed}") == lead
    assert officer.ok(f"/v1/leads/{lead['id']}?version=4") == lead
    assert officer.ok(f"/v1/leads?known_at={believed}")["items"] == [lead]


def test_the_pipeline_travels_in_both_dates(officer: Caller, lead: Lead, office: Office) -> None:
    believed = office.position
    correct(officer, lead, 4, void=True)
    correct(officer, lead, 3, void=True)
    moment = officer.ok(f"/v1/leads/{lead['id']}/history")["items"][3]["recorded_at"]
    now = officer.ok(f"/v1/pipeline?{WINDOW}")
    then = officer.ok(f"/v1/pipeline?{WINDOW}&known_at={believed}")
    assert standing(now)["negotiating"] == 1
    assert standing(then)["groundbroken"] == 1
    assert officer.ok(f"/v1/pipeline?{WINDOW}&known_at={moment}")["stages"] == then["stages"]
    in_july = officer.ok(f"/v1/pipeline?{WINDOW}&as_of=2025-07-01&known_at={believed}")
    assert (in_july["to"], standing(in_july)["signed"]) == ("2025-07-01", 1)
    assert standing(officer.ok(f"/v1/pipeline?{WINDOW}&as_of=2025-07-01"))["signed"] == 0
    assert now["balanced"] and then["balanced"] and in_july["balanced"]


def test_a_window_ends_at_as_of_and_cannot_begin_after_it(officer: Caller) -> None:
    for path in ("/v1/pipeline", "/v1/pipeline/movements"):
        shown = officer.ok(f"{path}?{WINDOW}&as_of=2025-07-01")
        assert (shown["from"], shown["to"]) == ("2025-01-01", "2025-07-01")
        for window in ("from=2025-07-02", "from=2025-07-02&to=2025-12-29"):
            problem = problem_of(officer.get(f"{path}?{window}&as_of=2025-07-01"), 422, "invalid")
            assert set(problem["errors"]) == {"from", "as_of"}
    for window in ("from=2025-07-02&to=2025-07-01", "from=2025-07-02&to=2025-06-30"):
        problem = problem_of(officer.get(f"/v1/pipeline?{window}&as_of=2025-07-02"), 422, "invalid")
        assert set(problem["errors"]) == {"from"}
    (asked,) = (
        parameter
        for parameter in officer.ok("/openapi.json")["paths"]["/v1/pipeline"]["get"]["parameters"]
        if parameter["name"] == "as_of"
    )
    assert "ends there" in asked["description"]


def test_a_lead_as_of_a_day_shows_what_had_happened_by_then(officer: Caller, lead: Lead) -> None:
    path = f"/v1/leads/{lead['id']}"
    july = officer.ok(f"{path}?as_of=2025-07-01")
    assert (july["stage"], july["dates"]["groundbroken"]) == ("signed", None)
    assert officer.ok(f"{path}?as_of=2025-03-18")["stage"] == "tip"
    problem_of(officer.get(f"{path}?as_of=2025-03-17"), 404, "not-found")
    assert officer.ok(f"{path}?as_of=2999-01-01") == lead


def test_a_list_as_of_a_day_chooses_by_what_was_so_then(officer: Caller, lead: Lead) -> None:
    shown = officer.ok("/v1/leads?stage=signed&as_of=2025-07-01")["items"]
    assert [item["id"] for item in shown] == [lead["id"]]
    assert shown[0]["stage"] == "signed"
    assert officer.ok("/v1/leads?stage=groundbroken&as_of=2025-07-01")["items"] == []
    assert officer.ok("/v1/leads?as_of=2025-03-17")["items"] == []
    assert officer.ok("/v1/leads?stage=groundbroken")["items"] == [lead]


def test_the_pipeline_counts_by_recognised_dates_when_it_is_asked_to(
    officer: Caller, lead: Lead
) -> None:
    by = f"/v1/pipeline?{WINDOW}&by=recognised"
    assert standing(officer.ok(by))["negotiating"] == 1
    found = officer.command(lead, "recognition")
    assert found["recognised"] == {"signed": "2025-10-01", "groundbroken": None}
    assert standing(officer.ok(by))["signed"] == 1
    assert standing(officer.ok(f"{by}&as_of=2025-09-30"))["negotiating"] == 1
    assert standing(officer.ok(f"/v1/pipeline?{WINDOW}"))["groundbroken"] == 1
    moved = officer.ok(f"/v1/pipeline/movements?{WINDOW}&by=recognised")
    assert (moved["by"], moved["balanced"]) == ("recognised", True)
    times = officer.ok(f"/v1/pipeline/times?{WINDOW}&by=recognised")["stages"]
    assert [stage["leads"] for stage in times] == [1, 1, 1, 0, 0]


def test_the_history_tells_what_changed_and_what_corrects_what(officer: Caller, lead: Lead) -> None:
    correct(officer, lead, 3, facts={"investment": TWENTY})
    correct(officer, lead, 5, void=True, occurred_on="2025-12-02", note="复核")
    items = officer.ok(f"/v1/leads/{lead['id']}/history")["items"]
    assert [item["event"] for item in items][-3:] == ["groundbroken", "corrected", "corrected"]
    assert [item["corrects"] for item in items] == [None, None, None, None, 3, 5]
    assert [item["corrected_by"] for item in items] == [[], [], [5], [], [6], []]
    assert [item["voided"] for item in items] == [False] * 4 + [True, False]
    (change,) = [c for c in items[4]["changes"] if c["fact"] == "investment"]
    assert (change["from"]["amount"], change["to"]["amount"]) == ("31.25", "20")
    assert items[2]["facts"]["investment"]["amount"] == "31.25", "as it was recorded"
    before = officer.ok(f"/v1/leads/{lead['id']}/history?known_at={items[3]['position']}")["items"]
    assert len(before) == 4
    assert before[2]["corrected_by"] == []


def test_a_correction_from_under_a_groundbreaking_is_refused_naming_it(
    officer: Caller, lead: Lead, office: Office
) -> None:
    before = office.position
    body = {**BODIES["corrections"], "version": 3, "void": True}
    del body["facts"]
    problem = problem_of(officer.post(f"/v1/leads/{lead['id']}/corrections", body), 409, "refused")
    assert "version 4 (groundbroken on 2025-09-01" in problem["detail"]
    assert office.position == before
    assert officer.ok(f"/v1/leads/{lead['id']}") == lead


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"version": "3"}, "version"),
        ({"version": True}, "version"),
        ({"version": 99}, "version"),
        ({"void": 1}, "void"),
        ({"void": "true"}, "void"),
        ({"reason": " "}, "reason"),
        ({"reason": None}, "reason"),
        ({"facts": {"unknown": 1}}, "facts.unknown"),
        ({"facts": {"stage": "signed"}}, "facts.stage"),
        ({"facts": {"title": "长" * 201}}, "facts.title"),
        ({"facts": {"investment": {"amount": "NaN", "unit": "元"}}}, "facts.investment.amount"),
        ({"facts": {"responsible_unit": "商务局"}}, "facts.responsible_unit"),
        ({"facts": {"members": ["00000000-0000-4000-8000-000000000000"]}}, "members"),
        ({"facts": {"occurred_on": "2999-01-01"}}, "occurred_on"),
        ({"occurred_on": "2999-01-01"}, "occurred_on"),
    ],
)
def test_a_wrong_correction_is_refused_by_field(
    officer: Caller, lead: Lead, office: Office, changes: dict[str, Any], field: str
) -> None:
    before = office.position
    body = {**BODIES["corrections"], **changes}
    answer = officer.post(f"/v1/leads/{lead['id']}/corrections", body)
    assert list(problem_of(answer, 422, "invalid")["errors"]) == [field]
    assert office.position == before


def test_a_tip_put_right_in_its_members_counts_for_the_right_one(
    officer: Caller, member_id: str
) -> None:
    other = officer.register("QJP-002")["id"]
    lead = officer.tip(member_id)
    found = correct(officer, lead, 1, facts={"members": [other]})
    assert [member["id"] for member in found["members"]] == [other]
    assert officer.ok(f"/v1/members/{member_id}")["tips"] == 0
    assert officer.ok(f"/v1/members/{other}")["tips"] == 1
    assert officer.ok(f"/v1/leads?member={member_id}")["items"] == []
    assert officer.ok(f"/v1/leads?member={member_id}&known_at=3")["items"] == [lead]


def test_a_member_who_had_retired_by_the_right_day_is_refused(
    officer: Caller, member_id: str
) -> None:
    lead = officer.tip(member_id)
    retired = {"occurred_on": "2025-04-01"}
    officer.ok(f"/v1/members/{member_id}/retirement", retired)
    body = {**BODIES["corrections"], "facts": {"occurred_on": "2025-04-02"}}
    answer = officer.post(f"/v1/leads/{lead['id']}/corrections", body)
    assert list(problem_of(answer, 422, "invalid")["errors"]) == ["members"]


def test_a_correction_that_changes_nothing_records_nothing(
    officer: Caller, lead: Lead, office: Office
) -> None:
    before = office.position
    assert correct(officer, lead, 1, facts={"title": lead["title"]}) == lead
    assert office.position == before


def test_a_correction_heeds_if_match_and_its_idempotency_key(officer: Caller, lead: Lead) -> None:
    path, body = f"/v1/leads/{lead['id']}/corrections", BODIES["corrections"]
    stale = officer.post(path, body, If_Match='"3"')
    assert problem_of(stale, 412, "stale")["events"][0]["event"] == "groundbroken"
    first = officer.post(path, body, If_Match='"4"', Idempotency_Key="k1")
    again = officer.post(path, body, If_Match='"4"', Idempotency_Key="k1")
    assert (first.status_code, again.json) == (200, first.json)
    assert again.headers["Idempotent-Replay"] == "true"


@pytest.mark.parametrize("path", ["/v1/leads", "/v1/pipeline", "/v1/pipeline/series"])
@pytest.mark.parametrize("asked", ["as_of=2025-02-30", "as_of=x", "known_at=x", "known_at=-1"])
def test_a_moment_that_is_none_is_refused(officer: Caller, path: str, asked: str) -> None:
    problem = problem_of(officer.get(f"{path}?{asked}"), 422, "invalid")
    assert list(problem["errors"]) == [asked.partition("=")[0]]
