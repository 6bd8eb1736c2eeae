"""Reports over HTTP: the sentence, sealing, and drift."""

import pytest

from tests.api.office import NOBODY, Caller, Office

YEAR = "/v1/reports/annual/2025"
END = "2025-12-29"


@pytest.fixture
def lead(office: Office) -> str:
    """A lead in talks."""
    officer = office.officer
    tipped = officer.tip(officer.register()["id"])
    officer.command(tipped, "negotiation")
    return str(tipped["id"])


def test_the_sentence_comes_with_the_leads_behind_each_number(officer: Caller, lead: str) -> None:
    answer = officer.get(f"{YEAR}?to={END}")
    told = answer.json
    assert told is not None
    assert told["text"] == "政协委员累计提供项目信息1条，跟踪洽谈1个。"
    assert {claim["name"]: claim["leads"] for claim in told["claims"]} == {
        "tips": [lead],
        "groundbroken": [],
        "groundbroken_smaller": [],
        "signed": [],
        "negotiating": [lead],
        "about_to_sign": [],
    }
    assert (told["from"], told["to"], told["rule"]) == ("2025-01-01", END, "1")
    assert answer.headers["Ledger-Position"] == f"{told['position']}"
    assert officer.get(f"{YEAR}?to={END}", If_None_Match=answer.headers["ETag"]).status_code == 304


def test_what_was_known_earlier_is_told_as_it_was(officer: Caller, lead: str) -> None:
    then = officer.ok(f"{YEAR}?to={END}&known_at=2")
    assert then["text"] == "政协委员累计提供项目信息1条。"
    assert (then["known_at"], then["position"]) == (2, 2)
    assert officer.ok(f"{YEAR}?to={END}")["claims"][4]["leads"] == [lead]


def test_a_report_is_sealed_with_and_without_a_body(officer: Caller, lead: str) -> None:
    first = officer.call("POST", f"{YEAR}?to={END}")
    assert first.status_code == 201 and first.json is not None
    assert first.headers["Location"] == f"/v1/reports/{first.json['id']}"
    second = officer.ok(f"{YEAR}?to={END}", {"note": "年度工作报告"})
    assert (second["note"], second["follows"]) == ("年度工作报告", first.json["id"])
    read = officer.ok(first.headers["Location"])
    assert read == {**first.json, "followed_by": second["id"], "verified": True}
    assert lead in read["claims"][0]["leads"]


def test_sealing_again_with_the_same_key_seals_once(officer: Caller, lead: str) -> None:
    assert lead
    answers = [
        officer.call("POST", f"{YEAR}?to={END}", headers={"Idempotency-Key": "k"}) for _ in "12"
    ]
    assert answers[0].json == answers[1].json
    assert answers[1].headers["Idempotent-Replay"] == "true"
    assert len(officer.ok("/v1/reports")["items"]) == 1
    other = officer.call("POST", f"{YEAR}?to=2025-12-28", headers={"Idempotency-Key": "k"})
    assert other.status_code == 422 and "key-reused" in other.text


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/v1/reports/annual/1977", 422, "none of the years"),
        ("/v1/reports/annual/25", 404, "name a year"),
        (f"{YEAR}?to=2024-12-31", 422, "is not in 2025"),
        (f"{YEAR}?to=2025-02-30", 422, "no day of the calendar"),
        (f"{YEAR}?district=99", 422, "district"),
        (f"{YEAR}?industry=C", 422, "Unknown field"),
        ("/v1/reports/monthly/2025-13", 404, "name it like 2025-03"),
        ("/v1/reports/weekly/2025-W53", 404, "name it like 2025-W12"),
        ("/v1/reports/monthly/9999-01", 422, "still to come"),
        ("/v1/reports/weekly/2025-W12?district=99", 422, "district"),
        ("/v1/reports/monthly/2025-03?to=2025-03-10", 422, "Unknown field"),
        (f"/v1/reports/{NOBODY}", 404, "There is no report"),
        (f"/v1/reports/{NOBODY}/drift", 404, "There is no report"),
    ],
)
def test_what_cannot_be_reported_is_refused_in_words(
    officer: Caller, path: str, status: int, says: str
) -> None:
    answer = officer.get(path)
    assert (answer.status_code, says in answer.text) == (status, True), answer.text


def test_nothing_is_sealed_of_a_body_that_says_what_the_query_says(officer: Caller) -> None:
    answer = officer.post(YEAR, {"to": END})
    assert answer.status_code == 422 and (answer.json or {})["errors"] == {"to": ["Unknown field."]}
    assert officer.ok("/v1/reports") == {"items": [], "next": None}


def test_sealed_reports_are_listed_page_by_page_the_last_one_first(
    officer: Caller, lead: str
) -> None:
    assert lead
    sealed = [officer.ok(f"{YEAR}?to={END}", {})["id"] for _ in range(3)]
    page = officer.ok("/v1/reports?limit=2")
    rest = officer.ok(f"/v1/reports?limit=2&cursor={page['next']}")
    assert [report["id"] for report in page["items"] + rest["items"]] == sealed[::-1]
    assert rest["next"] is None
    assert officer.ok("/v1/reports?year=2024")["items"] == []
    assert officer.ok("/v1/reports?district=32")["items"] == []


def test_drift_names_the_late_signing(officer: Caller, lead: str) -> None:
    report = officer.ok(f"{YEAR}?to={END}", {})
    assert all(
        not claim["events"] for claim in officer.ok(f"/v1/reports/{report['id']}/drift")["claims"]
    )
    signed = officer.command({"id": lead}, "signing")
    drift = officer.ok(f"/v1/reports/{report['id']}/drift")
    events = {claim["name"]: claim["events"] for claim in drift["claims"] if claim["events"]}
    assert events.keys() == {"signed", "negotiating"}
    (event,) = events["signed"]
    assert (event["lead"], event["event"], event["version"]) == (lead, "signed", signed["version"])
    assert event in events["negotiating"]


def test_a_month_and_a_week_are_told_by_stage_and_by_group(officer: Caller, lead: str) -> None:
    answer = officer.get("/v1/reports/monthly/2025-03")
    month = answer.json or {}
    assert (month["tips"]["now"], month["compared"]["previous"]["period"]) == (1, "2025-02")
    assert [table["by"] for table in month["tables"]] == ["sector", "unit", "band"]
    assert (
        officer.get("/v1/reports/monthly/2025-03", If_None_Match=answer.headers["ETag"]).status_code
        == 304
    )
    week = officer.ok("/v1/reports/weekly/2025-W52?district=32")
    (unit,) = (line for line in week["tables"][1]["lines"])
    body = officer.ok(f"/v1/leads/{lead}")
    assert unit["key"] == body["responsible_unit"]
    talks = unit["stages"][1]["standing"]["now"]
    assert talks == {"count": 1, "cny": body["investment"]["cny"]}
    assert officer.ok("/v1/reports/weekly/2025-W52?district=11")["tables"][1]["lines"] == []
    assert (
        officer.ok("/v1/reports/weekly/2025-W52?known_at=2")["tables"][1]["lines"][0]["key"] == ""
    )
