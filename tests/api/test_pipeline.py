"""The pipeline over HTTP: the year 2025, its movements, series and times, as of and as known."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.actor import Actor, acting, now
from service.cli import DEMO
from service.imports import import_paper
from tests.api.office import Caller, Office, open_office, problem_of, settings_in
from tests.service.helpers import check_projections

YEAR = "from=2025-01-01&to=2025-12-29"
VIEWS = ("", "/movements", "/series", "/times")


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """The office with the ledger of 2025, which these tests only read."""
    office = open_office(settings_in(Path(tmp_path_factory.mktemp("year"))))
    actor = Actor("import", datetime(2026, 1, 5, tzinfo=UTC), "import", may_waive=True)
    with acting(actor):
        import_paper(office.ledger, DEMO)
    yield office
    office.close()


@pytest.fixture
def reader(year: Office) -> Caller:
    """An auditor."""
    return year.one("auditor")


def counts(answer: Any, figure: str = "standing") -> dict[str, int]:
    """Stage → count."""
    return {stage["stage"]: stage[figure]["count"] for stage in answer["stages"]}


def test_the_year_2025_comes_out_right(reader: Caller) -> None:
    answer = reader.ok(f"/v1/pipeline?{YEAR}")
    assert answer["tips"] == 11
    assert counts(answer) == {
        "tip": 3,
        "negotiating": 6,
        "signed": 1,
        "groundbroken": 1,
        "closed": 0,
    }
    assert answer["about_to_sign"] == {"count": 1, "cny": "3000000000"}
    assert answer["landed"]["count"] == 2
    assert answer["balanced"] is True
    assert (answer["from"], answer["to"], answer["known_at"]) == ("2025-01-01", "2025-12-29", None)
    assert answer["rule"] == "1"
    labels = [stage["label"] for stage in answer["stages"]]
    assert labels == ["信息", "在谈", "签约", "开工", "终止"]


def test_only_closed_leads_have_outcomes(reader: Caller) -> None:
    stages = reader.ok(f"/v1/pipeline?{YEAR}")["stages"]
    assert [stage["stage"] for stage in stages if "outcomes" in stage] == ["closed"]
    outcomes = stages[-1]["outcomes"]
    assert set(outcomes) == {
        *("declined", "duplicate", "lost", "withdrawn", "rescinded", "transferred"),
    }
    assert set(outcomes.values()) == {0}


def test_the_window_is_the_year_of_its_end_where_nothing_else_is_asked(reader: Caller) -> None:
    answer = reader.ok("/v1/pipeline?to=2025-12-29")
    assert (answer["from"], answer["to"]) == ("2025-01-01", "2025-12-29")
    answer = reader.ok("/v1/pipeline")
    assert answer["from"] == f"{answer['to'][:4]}-01-01"


def test_every_tip_stands_in_one_place_on_every_day(reader: Caller) -> None:
    for point in reader.ok(f"/v1/pipeline/series?{YEAR}&step=week")["points"]:
        on = point["on"]
        answer = reader.ok(f"/v1/pipeline?from=1978-01-01&to={on}")
        assert sum(counts(answer).values()) == answer["tips"]
        assert point["stages"] == {s["stage"]: s["standing"] for s in answer["stages"]}


@pytest.mark.parametrize(("step", "points"), [("day", 363), ("week", 53), ("month", 12)])
def test_a_series_has_one_point_for_each_step_and_ends_with_the_window(
    reader: Caller, step: str, points: int
) -> None:
    answer = reader.ok(f"/v1/pipeline/series?{YEAR}&step={step}")
    assert (answer["step"], len(answer["points"])) == (step, points)
    days = [point["on"] for point in answer["points"]]
    assert days == sorted(set(days))
    assert days[-1] == "2025-12-29"


def test_opening_and_in_less_out_is_closing(reader: Caller) -> None:
    answer = reader.ok("/v1/pipeline/movements?from=2025-04-01&to=2025-09-30")
    standing = reader.ok("/v1/pipeline?to=2025-09-30")
    for stage, stands in zip(answer["stages"], standing["stages"], strict=True):
        for name in ("count", "cny"):
            figures = {key: float(stage[key][name]) for key in ("opening", "in", "out", "closing")}
            assert figures["opening"] + figures["in"] - figures["out"] == figures["closing"]
        assert stage["closing"] == stands["standing"]
    assert answer["balanced"] is True


def test_times_count_every_lead_that_stood_in_a_stage(reader: Caller) -> None:
    stages = {s["stage"]: s for s in reader.ok(f"/v1/pipeline/times?{YEAR}")["stages"]}
    assert stages["tip"]["leads"] == 11
    assert stages["tip"]["waiting"] == 3
    assert stages["tip"]["conversion"] == round(8 / 11, 4)
    assert stages["groundbroken"]["conversion"] is None
    assert stages["negotiating"]["longest_waiting_days"] > 0


@pytest.mark.parametrize("view", VIEWS)
def test_a_selection_counts_the_selected_leads_only(reader: Caller, view: str) -> None:
    leads = reader.ok("/v1/leads?limit=200")["items"]
    member = leads[0]["members"][0]["id"]
    sector = reader.ok(f"/v1/members/{member}")["sector"]
    choices = {
        "district=320812": lambda lead: lead["district"] == "320812",
        "district=32": lambda lead: lead["district"].startswith("32"),
        "district=11": lambda lead: False,
        "industry=C": lambda lead: (lead["industry"] or "").startswith("C"),
        f"member={member}": lambda lead: member in {m["id"] for m in lead["members"]},
        "min_cny=100000000": lambda lead: (
            float((lead["investment"] or {"cny": 0})["cny"] or 0) >= 100_000_000
        ),
    }
    for chosen, holds in choices.items():
        answer = reader.ok(f"/v1/pipeline{view}?{YEAR}&{chosen}")
        expected = sum(map(holds, leads))
        if view == "/times":
            assert {s["stage"]: s["leads"] for s in answer["stages"]}["tip"] == expected
        elif view == "/series":
            last = answer["points"][-1]["stages"] if answer["points"] else {}
            assert sum(figure["count"] for figure in last.values()) == expected
        else:
            figure = "closing" if view == "/movements" else "standing"
            assert sum(counts(answer, figure).values()) == expected
    if sector:
        answer = reader.ok(f"/v1/pipeline{view}?{YEAR}&sector={sector}")
        assert answer["stages" if view != "/series" else "points"]


def test_the_pipeline_is_told_as_it_was_known(office: Office) -> None:
    officer = office.officer
    member = officer.register()["id"]
    lead = officer.tip(member)
    then = office.position
    late = officer.command(lead, "negotiation")
    now = officer.ok(f"/v1/pipeline?{YEAR}")
    assert counts(now)["negotiating"] == 1
    for known in (f"{then}", lead["recorded_at"]):
        answer = officer.ok(f"/v1/pipeline?{YEAR}&known_at={known}")
        assert answer["known_at"] == then
        assert counts(answer)["tip"] == 1
        moved = officer.ok(f"/v1/pipeline/movements?{YEAR}&known_at={known}")
        assert counts(moved, "closing")["tip"] == 1
        points = officer.ok(f"/v1/pipeline/series?{YEAR}&known_at={known}")["points"]
        assert points[-1]["stages"]["tip"]["count"] == 1
    known = late["recorded_at"]
    assert counts(officer.ok(f"/v1/pipeline?{YEAR}&known_at={known}"))["negotiating"] == 1
    empty = officer.ok(f"/v1/pipeline?{YEAR}&known_at=0")
    assert (empty["known_at"], empty["tips"]) == (0, 0)


def test_what_was_known_can_be_asked_for_at_any_moment_there_was(officer: Caller) -> None:
    for moment in (
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00%2B14:00",
        "2025-12-29T16:00:00.123456789Z",
    ):
        officer.ok(f"/v1/pipeline?{YEAR}&known_at={moment}")


KNOWING = (
    *(f"/v1/pipeline{view}" for view in VIEWS),
    *("/v1/leads", "/v1/leads/{lead}", "/v1/leads/{lead}/history"),
    *("/v1/reports/annual/2025", "/v1/reports/weekly/2025-W52", "/v1/reports/monthly/2025-12"),
)


@pytest.mark.parametrize("path", KNOWING)
def test_what_is_yet_to_be_recorded_cannot_be_asked_for(office: Office, path: str) -> None:
    """It would be answered otherwise once something is recorded."""
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    path, last = path.format(lead=lead["id"]), office.position
    officer.ok(f"{path}?known_at={last}")
    problem = problem_of(officer.get(f"{path}?known_at={last + 1}"), 422, "invalid")
    assert problem["errors"] == {"known_at": [f"{last + 1} is past the last log position, {last}."]}
    for moment in ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-14:00", in_seconds(90)):
        problem = problem_of(officer.get(f"{path}?known_at={moment}"), 422, "invalid")
        assert f"'{moment}' is to come; it is 20" in problem["errors"]["known_at"][0]


def test_a_clock_that_is_a_little_ahead_asks_for_what_is_known_now(office: Office) -> None:
    officer = office.officer
    officer.tip(officer.register()["id"])
    answer = officer.ok(f"/v1/pipeline?{YEAR}&known_at={in_seconds(30)}")
    assert (answer["known_at"], answer["tips"]) == (office.position, 1)


def in_seconds(seconds: int) -> str:
    """The moment so many seconds from now."""
    return f"{now() + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def test_an_answer_reflects_a_command_answered_before_it(office: Office) -> None:
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    for command, stage in (
        ("negotiation", "negotiating"),
        ("signing", "signed"),
        ("groundbreaking", "groundbroken"),
    ):
        officer.command(lead, command)
        answer = officer.get(f"/v1/pipeline?{YEAR}")
        assert answer.json is not None
        assert counts(answer.json)[stage] == 1
        assert answer.json["position"] == office.position
        assert answer.headers["Ledger-Position"] == f"{office.position}"


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2025-12-30&to=2025-01-01", "from"),
        ("from=2025-02-30", "from"),
        ("to=2025-13-01", "to"),
        ("to=20251229", "to"),
        ("from=1977-12-31", "from"),
        ("district=3208120", "district"),
        ("district=99", "district"),
        ("industry=Z", "industry"),
        ("member=x", "member"),
        ("min_cny=-1", "min_cny"),
        ("min_cny=1.5", "min_cny"),
        ("min_cny=１", "min_cny"),
        ("min_cny=99999999999999999999", "min_cny"),
        ("sector=%00", "sector"),
        ("sector=", "sector"),
        ("known_at=yesterday", "known_at"),
        ("known_at=2025-12-29T16:00:00", "known_at"),
        ("nonsense=1", "nonsense"),
        ("to=2025-12-29&to=2025-12-30", "to"),
    ],
)
def test_a_wrong_question_names_its_parameter(
    reader: Caller, view: str, query: str, field: str
) -> None:
    problem = problem_of(reader.get(f"/v1/pipeline{view}?{query}"), 422, "invalid")
    assert list(problem["errors"]) == [field]


@pytest.mark.parametrize("view", VIEWS)
def test_the_last_day_of_the_calendar_can_be_asked_for(reader: Caller, view: str) -> None:
    reader.ok(f"/v1/pipeline{view}?from=9999-12-01&to=9999-12-31")
    reader.ok(f"/v1/pipeline{view}?from=9999-12-31&to=9999-12-31")


def test_the_last_weeks_and_days_of_the_calendar_can_be_asked_for(reader: Caller) -> None:
    for step in ("day", "week", "month"):
        path = f"/v1/pipeline/series?from=9999-12-01&to=9999-12-31&step={step}"
        assert reader.ok(path)["points"][-1]["on"] == "9999-12-31"


def test_a_series_of_too_many_steps_is_refused(reader: Caller) -> None:
    path = "/v1/pipeline/series?from=1978-01-01&to=2025-12-29&step=day"
    problem = problem_of(reader.get(path), 422, "invalid")
    assert list(problem["errors"]) == ["step"]
    reader.ok("/v1/pipeline/series?from=1978-01-01&to=2025-12-29&step=month")


def test_whatever_was_imported_is_as_the_document_says(reader: Caller) -> None:
    for lead in reader.ok("/v1/leads")["items"]:
        assert reader.ok(f"/v1/leads/{lead['id']}") == lead
        assert reader.ok(f"/v1/leads/{lead['id']}/history")["items"]
        for member in lead["members"]:
            assert reader.ok(f"/v1/members/{member['id']}")["tips"] > 0


def test_what_happens_after_a_recognition_was_read_is_posted_as_if_all_came_at_once(
    office: Office,
) -> None:
    """Each step is taken in by itself, from what the book kept of the lead."""
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    for command in ("negotiation", "signing", "recognition", "groundbreaking"):
        officer.command(lead, command)
        officer.ok("/v1/pipeline?by=recognised")
    # The signing's day: what was posted of its recognition moves with it, once.
    facts = {"version": 3, "facts": {"occurred_on": "2025-06-02"}}
    officer.command(lead, "corrections", **facts)
    found = officer.ok(f"/v1/pipeline/movements?{YEAR}&by=recognised")
    assert counts(found, "in")["signed"] == 1
    assert officer.ok("/v1/pipeline?by=recognised")["balanced"]
    check_projections(office.ledger)
