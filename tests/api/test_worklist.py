"""The worklist over HTTP."""

from base64 import urlsafe_b64decode, urlsafe_b64encode

import orjson
import pytest

from service.projections.clocks import RULES
from tests.api.office import Caller

TIP = {"occurred_on": "2025-03-18"}


def test_what_is_due_is_listed_with_its_lead_and_a_sentence(
    officer: Caller, member_id: str
) -> None:
    lead = officer.tip(member_id, title="晶圆", **TIP)
    found = officer.ok("/v1/worklist?due_by=2025-03-19")
    assert found == {
        "items": [
            {
                "rule": "answer",
                "label": "答复",
                "lead": {
                    "id": lead["id"],
                    "title": "晶圆",
                    "district": lead["district"],
                    "stage": "tip",
                    "responsible_unit": None,
                    "manager": None,
                },
                "since": "2025-03-18",
                "due_on": "2025-03-19",
                "days_overdue": 0,
                "slips": 0,
                "sentence": "《晶圆》2025-03-18提供的信息尚未答复提供人，今日到期。",
            }
        ],
        "next": None,
        "due_by": "2025-03-19",
        "warning": None,
        "by_rule": {**{rule.name: 0 for rule in RULES}, "answer": 1},
    }


def test_a_notice_stops_the_clock_of_telling(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id, **TIP)
    officer.command(lead, "negotiation")
    (item,) = officer.ok("/v1/worklist?rule=tell")["items"]
    assert item["lead"]["id"] == lead["id"]
    told = officer.command(lead, "notice")
    assert officer.ok("/v1/worklist?rule=tell")["items"] == []
    (*_, step) = officer.ok(f"/v1/leads/{lead['id']}/history")["items"]
    assert (step["event"], step["version"]) == ("members_told", told["version"])
    void = {"version": told["version"], "void": True, "reason": "打错了"}
    officer.ok(f"/v1/leads/{lead['id']}/corrections", {**void, "occurred_on": "2025-10-02"})
    assert len(officer.ok("/v1/worklist?rule=tell")["items"]) == 1


def test_the_list_is_paged_and_filtered_as_others_are(officer: Caller, member_id: str) -> None:
    for number in range(3):
        officer.tip(member_id, title=f"项目{number}", **TIP)
    page = officer.ok("/v1/worklist?limit=4")
    rest = officer.ok(f"/v1/worklist?limit=4&cursor={page['next']}")
    assert [len(page["items"]), len(rest["items"]), rest["next"]] == [4, 2, None]
    assert len(officer.ok(f"/v1/worklist?member={member_id}&rule=screen")["items"]) == 3
    assert officer.ok("/v1/worklist?district=11")["items"] == []


def test_a_place_that_is_none_is_refused(officer: Caller, member_id: str) -> None:
    for number in range(2):
        officer.tip(member_id, title=f"项目{number}", **TIP)
    cursor = officer.ok("/v1/worklist?limit=1")["next"]
    question, *place = orjson.loads(urlsafe_b64decode(cursor + "=="))
    for day, number in (("2025-02-30", 1), (place[0], -1)):
        forged = urlsafe_b64encode(orjson.dumps([question, day, 0, number])).decode().rstrip("=")
        answer = officer.get(f"/v1/worklist?limit=1&cursor={forged}")
        assert (answer.status_code, list((answer.json or {})["errors"])) == (422, ["cursor"])


def test_the_same_question_on_another_day_has_another_etag(officer: Caller, member_id: str) -> None:
    officer.tip(member_id, **TIP)
    tags = {
        officer.get(f"/v1/worklist?due_by={day}").headers["ETag"]
        for day in ("2025-03-19", "2025-03-20")
    }
    assert len(tags) == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [("rule=x", "rule"), ("due_by=2025-02-30", "due_by"), ("due_by=2099-01-01", "due_by")],
)
def test_a_wrong_question_is_refused_by_name(officer: Caller, query: str, field: str) -> None:
    answer = officer.get(f"/v1/worklist?{query}")
    assert answer.status_code == 422 and field in (answer.json or {})["errors"]
