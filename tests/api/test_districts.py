"""A token limited to a district sees and touches nothing outside: tried by every way in."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple

import pytest

from service.projections.sqlite_store import SQLiteStore
from tests.api.office import (
    BODIES,
    DISTRICT,
    NOBODY,
    Body,
    Caller,
    Office,
    open_office,
    problem_of,
    settings_in,
)
from tests.api.test_roles import told
from tests.databases import folder_for
from tests.proof.ground import signed
from tests.service.helpers import sqlite_log

pytestmark = pytest.mark.both_databases

CITY, ABROAD = "3208", "440106"
WORDS = "12英寸大晶圆项目"
YEAR = "from=2025-01-01&to=2025-12-29"


class Ground(NamedTuple):
    """Leads of two districts, all alike, who may see all of them, and who those of one."""

    office: Office
    admin: Caller
    officer: Caller
    auditor: Caller
    member: str
    lead: str
    foreign_member: str
    foreign_lead: str
    foreign_report: str


def limited(office: Office, role: str = "officer", district: str = DISTRICT) -> Caller:
    """A caller of that role who is limited to the district."""
    return office.holding(office.ledger.tokens.issue(role, role, district=district))


@pytest.fixture(scope="module")
def ground(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Two districts, in each a member, a tip, and a lead that was signed; and a member of ours
    with a tip abroad."""
    office = open_office(settings_in(folder_for(database, tmp_path_factory, "districts")))
    admin = office.one("admin")
    ours = admin.register("1")["id"]
    theirs = admin.register("1", district=ABROAD, name="别人", sector="外地")["id"]
    leads = {}
    for member, district in ((ours, DISTRICT), (theirs, ABROAD)):
        leads[district] = admin.tip(member, district=district, investor={"name": "晶合集成"})
        deal = admin.tip(member, district=district, title=f"{district}签了的", industry="C397")
        for command in ("negotiation", "signing"):
            admin.command(deal, command)
        admin.ok(f"/v1/reports/annual/2025?district={district}", {})
    admin.tip(ours, district=ABROAD, title="给别处的")
    report = admin.ok(f"/v1/reports?district={ABROAD}")["items"][0]["id"]
    admin.ok("/v1/reports/annual/2025", {})
    signed(office.ledger)
    yield Ground(
        office,
        admin,
        limited(office),
        limited(office, "auditor"),
        ours,
        leads[DISTRICT]["id"],
        theirs,
        leads[ABROAD]["id"],
        report,
    )
    office.close()


# By identifier


@pytest.mark.parametrize(
    "path",
    [
        "/v1/leads/{id}",
        "/v1/leads/{id}?version=1",
        "/v1/leads/{id}?version=99",
        "/v1/leads/{id}?known_at=3",
        "/v1/leads/{id}?known_at=1",
        "/v1/leads/{id}?as_of=2025-01-01",
        "/v1/leads/{id}/history",
        "/v1/leads/{id}/history?known_at=1",
        "/v1/audit/leads/{id}/proof",
    ],
)
def test_a_foreign_lead_is_read_as_one_that_does_not_exist(ground: Ground, path: str) -> None:
    assert ground.admin.get(path.format(id=ground.lead)).status_code in (200, 404)
    for headers in ({}, {"If_None_Match": '"1"'}, {"If_None_Match": "*"}):
        foreign = ground.auditor.get(path.format(id=ground.foreign_lead), **headers)
        missing = ground.auditor.get(path.format(id=NOBODY), **headers)
        assert foreign.status_code == 404
        assert told(foreign, ground.foreign_lead) == told(missing, NOBODY)
    assert ground.auditor.get(path.format(id=ground.lead)).status_code in (200, 404)


@pytest.mark.parametrize("command", BODIES)
def test_a_command_on_a_foreign_lead_is_refused_as_on_none(ground: Ground, command: str) -> None:
    before = ground.office.position
    for headers in ({}, {"If_Match": '"1"'}, {"If_Match": '"7"'}, {"Idempotency_Key": command}):
        foreign, missing = (
            ground.officer.post(f"/v1/leads/{id}/{command}", BODIES[command], **headers)
            for id in (ground.foreign_lead, NOBODY)
        )
        assert foreign.status_code == 404
        assert told(foreign, ground.foreign_lead) == told(missing, NOBODY)
    assert ground.office.position == before


def test_a_foreign_member_is_as_one_that_does_not_exist(ground: Ground) -> None:
    body = {"occurred_on": "2025-06-01"}
    for path, sent in (("/v1/members/{id}", None), ("/v1/members/{id}/retirement", body)):
        foreign, missing = (
            ground.officer.get(path.format(id=id))
            if sent is None
            else ground.officer.post(path.format(id=id), sent)
            for id in (ground.foreign_member, NOBODY)
        )
        assert foreign.status_code == 404
        assert told(foreign, ground.foreign_member) == told(missing, NOBODY)


def test_a_foreign_report_is_as_one_that_does_not_exist(ground: Ground) -> None:
    of_all = next(r["id"] for r in ground.admin.ok("/v1/reports")["items"] if r["district"] is None)
    for path in ("/v1/reports/{id}", "/v1/reports/{id}/drift"):
        for id in (ground.foreign_report, of_all):
            assert ground.admin.get(path.format(id=id)).status_code == 200
            foreign, missing = (ground.officer.get(path.format(id=at)) for at in (id, NOBODY))
            assert foreign.status_code == 404
            assert told(foreign, id) == told(missing, NOBODY)


def queries(ground: Ground, ask: Callable[[], Any]) -> list[str]:
    """The statements that answering ``ask`` carries out in the ledger's files."""
    ledger = ground.office.ledger
    assert isinstance(ledger.reads.store, SQLiteStore)
    opened = ledger.reads.store._current()
    driven: list[Any] = [
        connection.connection.dbapi_connection for connection in (opened.single, opened.shared)
    ]
    driven += [c for c in (sqlite_log(ledger)._connection, sqlite_log(ledger)._beside) if c]
    found: list[str] = []
    for connection in driven:
        connection.set_trace_callback(found.append)
    ask()
    for connection in driven:
        connection.set_trace_callback(None)
    return found


@pytest.mark.sqlite_alone("its driver tells the statements; they are the same ones")
@pytest.mark.parametrize("kind", ["lead", "history", "command", "duplicate_of", "member", "tip"])
def test_what_is_foreign_costs_the_same_questions_as_what_is_missing(
    ground: Ground, kind: str
) -> None:
    officer, follow_up = ground.officer, BODIES["follow-ups"]
    duplicate = {"verdict": "duplicate", "reason": "同一家", "occurred_on": "2025-03-20"}
    screening = f"/v1/leads/{ground.lead}/screening"
    ways: dict[str, Callable[[str, str], Any]] = {
        "lead": lambda lead, _: officer.get(f"/v1/leads/{lead}"),
        "history": lambda lead, _: officer.get(f"/v1/leads/{lead}/history"),
        "command": lambda lead, _: officer.post(f"/v1/leads/{lead}/follow-ups", follow_up),
        "duplicate_of": lambda lead, _: officer.post(
            screening, {**duplicate, "duplicate_of": lead}
        ),
        "member": lambda _, member: officer.get(f"/v1/members/{member}"),
        "tip": lambda _, member: officer.post("/v1/leads", tip_of(member)),
    }
    asked = []
    for lead, member in ((ground.foreign_lead, ground.foreign_member), (NOBODY, NOBODY)):
        ways[kind](lead, member)
        said = queries(ground, partial(ways[kind], lead, member))
        # The log has them without dashes.
        ids = "|".join({lead, member, lead.replace("-", ""), member.replace("-", "")})
        asked.append([re.sub(ids, "<id>", line) for line in said])
    assert asked[0] == asked[1]
    assert any("<id>" in line for line in asked[0]), "the trace sees nothing"


def tip_of(member: str, **facts: Any) -> Body:
    """A tip in the district that is ours."""
    known = {"title": "新的", "members": [member], "district": DISTRICT}
    return {**known, "occurred_on": "2025-03-18", **facts}


# By what a body names


def test_no_tip_and_no_member_is_entered_outside(ground: Ground) -> None:
    before = ground.office.position
    member = {"number": "9", "name": "王", "district": ABROAD}
    for path, body in (
        ("/v1/leads", tip_of(ground.member, district=ABROAD)),
        ("/v1/members", member),
    ):
        problem = problem_of(ground.officer.post(path, body), 403, "forbidden")
        assert problem["detail"] == (
            f"This token is limited to district {DISTRICT}, and {ABROAD} is outside of it."
        )
    assert ground.office.position == before


def test_a_foreign_member_in_a_tip_is_unknown(ground: Ground) -> None:
    foreign, missing = (
        ground.officer.post("/v1/leads", tip_of(ground.member, members=[ground.member, id]))
        for id in (ground.foreign_member, NOBODY)
    )
    assert foreign.status_code == 422
    assert told(foreign, ground.foreign_member) == told(missing, NOBODY)


@pytest.mark.parametrize("command", ["screening", "corrections"])
def test_a_lead_is_no_duplicate_of_a_foreign_one(ground: Ground, command: str) -> None:
    lead = ground.officer.tip(ground.member)
    ruled = {"verdict": "duplicate", "reason": "同一家", "occurred_on": "2025-03-20"}
    if command == "corrections":
        ground.officer.command(lead, "screening", **ruled, duplicate_of=ground.lead)

    def asked(other: str) -> Any:
        if command == "screening":
            return ground.officer.post(
                f"/v1/leads/{lead['id']}/screening", {**ruled, "duplicate_of": other}
            )
        body = {**BODIES["corrections"], "version": 2, "facts": {"duplicate_of": other}}
        return ground.officer.post(f"/v1/leads/{lead['id']}/corrections", body)

    foreign, missing = asked(ground.foreign_lead), asked(NOBODY)
    assert foreign.status_code == 422
    assert told(foreign, ground.foreign_lead) == told(missing, NOBODY)


def test_a_lead_is_not_corrected_out_of_the_district(ground: Ground) -> None:
    lead = ground.officer.tip(ground.member)
    body = {**BODIES["corrections"], "facts": {"district": ABROAD}}
    before = ground.office.position
    answer = ground.officer.post(f"/v1/leads/{lead['id']}/corrections", body)
    assert ABROAD in problem_of(answer, 403, "forbidden")["detail"]
    assert ground.office.position == before
    city = limited(ground.office, district=CITY)
    body["facts"] = {"district": "320804"}
    assert city.ok(f"/v1/leads/{lead['id']}/corrections", body)["district"] == "320804"


# By lists, filters and search


def ids(listed: Any) -> set[str]:
    """The ids in a list."""
    return {one["id"] for one in listed["items"]}


def foreign_ids(ground: Ground) -> set[str]:
    """The leads that are not ours."""
    return ids(ground.admin.ok(f"/v1/leads?limit=200&district={ABROAD}"))


@pytest.mark.parametrize(
    "query",
    [
        "",
        "q=晶圆",
        "q=晶合",
        "q=给别处的",
        "stage=signed",
        "sort=-amount",
        "sector=外地",
        "sector=工商联",
        "industry=C",
        "min_cny=1",
        "max_cny=9000000000000",
        "from=2025-01-01",
        "district=44",
        f"district={ABROAD}",
        "as_of=2025-12-01",
        "known_at={position}",
        "known_at={position}&as_of=2025-03-18&district=440106",
        "member={foreign_member}",
        "member={member}",
    ],
)
def test_no_question_finds_a_foreign_lead(ground: Ground, query: str) -> None:
    words = {"position": ground.office.position, **ground._asdict()}
    path = f"/v1/leads?limit=200&{query.format(**words)}"
    outside = foreign_ids(ground)
    assert ids(ground.admin.ok(path)) & outside, "there is nothing to be found"
    found = ids(ground.officer.ok(path))
    assert not found & outside
    if "district" not in query:
        own = ids(ground.admin.ok(f"{path}&district={DISTRICT}"))
        assert found == own


def test_lists_of_members_work_and_reports_hold_nothing_foreign(ground: Ground) -> None:
    officer = ground.officer
    assert ground.foreign_member in ids(ground.admin.ok("/v1/members"))
    for query in ("", f"?district={ABROAD}", "?district=44", "?sector=外地"):
        assert ground.foreign_member not in ids(officer.ok(f"/v1/members{query}"))
        reports = officer.ok(f"/v1/reports{query.replace('?sector=外地', '')}")["items"]
        assert all(report["district"] == DISTRICT for report in reports)
    assert officer.ok("/v1/members?district=44")["items"] == []
    assert officer.ok(f"/v1/reports?district={ABROAD}")["items"] == []
    due = {item["lead"]["id"] for item in officer.ok("/v1/worklist?limit=200")["items"]}
    assert due and not due & foreign_ids(ground)
    assert officer.ok(f"/v1/worklist?district={ABROAD}")["items"] == []


def test_a_members_results_are_those_within(ground: Ground) -> None:
    path = f"/v1/members/{ground.member}"
    whole, within = ground.admin.ok(path), ground.officer.ok(path)
    leads = f"/v1/leads?limit=200&member={ground.member}"
    assert whole["tips"] == len(ids(ground.admin.ok(leads)))
    assert within["tips"] == len(ids(ground.admin.ok(f"{leads}&district={DISTRICT}")))
    assert within["tips"] < whole["tips"]
    (listed,) = (m for m in ground.officer.ok("/v1/members")["items"] if m["id"] == ground.member)
    assert listed == within
    member = ground.office.one("member", ground.member)
    assert member.ok(path) == whole, "its own tips, wherever they are"


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/pipeline?{YEAR}",
        f"/v1/pipeline?{YEAR}&known_at=9",
        f"/v1/pipeline?{YEAR}&by=recognised",
        f"/v1/pipeline?{YEAR}&min_cny=1",
        f"/v1/pipeline/movements?{YEAR}",
        f"/v1/pipeline/series?{YEAR}&step=month",
        f"/v1/pipeline/times?{YEAR}",
        "/v1/pipeline/credit?by=member",
        "/v1/pipeline/credit?as_of=2025-12-29",
        "/v1/reports/annual/2025?to=2025-12-29",
        "/v1/reports/monthly/2025-03?",
        "/v1/reports/weekly/2025-W12?",
    ],
)
def test_numbers_are_those_of_the_district(ground: Ground, path: str) -> None:
    own = ground.admin.ok(f"{path}&district={DISTRICT}")
    assert ground.officer.ok(path) == own
    assert ground.officer.ok(f"{path}&district={DISTRICT}") == own
    assert ground.admin.ok(path) != own
    city = limited(ground.office, district=CITY)
    assert city.ok(f"{path}&district={DISTRICT}") == own
    outside = ground.officer.get(f"{path}&district={ABROAD}")
    if "reports" in path:
        assert f"district {ABROAD}" in problem_of(outside, 404, "not-found")["detail"]
        assert ground.officer.get(f"{path}&district={CITY}").status_code == 404
    else:
        nowhere = ground.admin.ok(f"{path}&district=110101")
        assert outside.json == nowhere
        assert ground.officer.ok(f"{path}&district={CITY}") == own


def test_a_report_is_sealed_for_the_own_district(ground: Ground) -> None:
    sealed = ground.officer.ok("/v1/reports/annual/2025", {})
    assert sealed["district"] == DISTRICT
    for other in (ABROAD, CITY):
        answer = ground.officer.post(f"/v1/reports/annual/2025?district={other}", {})
        assert answer.status_code == 404
    again = ground.officer.ok(f"/v1/reports/{sealed['id']}")
    assert again["verified"] is True


def test_what_a_tip_may_be_the_same_as_is_looked_for_within(ground: Ground) -> None:
    outside = foreign_ids(ground)
    body = tip_of(ground.member, title=WORDS)
    lead = ground.officer.ok("/v1/leads", body, Idempotency_Key="like")
    again = ground.officer.ok("/v1/leads", body, Idempotency_Key="like")
    path = f"/v1/leads/{lead['id']}"
    position = ground.office.position
    answers = [
        lead,
        again,
        *map(ground.officer.ok, (path, f"{path}?version=1", f"{path}?known_at={position}")),
    ]
    for answer in [*answers, ground.officer.ok(path)]:
        alike = {one["id"] for one in answer["possible_duplicates"]}
        assert ground.lead in alike
        assert not alike & outside
    of_all = {one["id"] for one in ground.admin.ok(path)["possible_duplicates"]}
    assert ground.foreign_lead in of_all


# By what others hold


def test_a_cursor_of_another_leads_nowhere(ground: Ground) -> None:
    for path in ("/v1/leads", "/v1/members", "/v1/worklist", "/v1/reports"):
        cursor = ground.admin.ok(f"{path}?limit=1")["next"]
        answer = ground.officer.get(f"{path}?cursor={cursor}")
        assert problem_of(answer, 422, "invalid")["errors"]["cursor"]
        own = ground.officer.ok(f"{path}?limit=1")["next"]
        assert own is None or ground.officer.get(f"{path}?limit=1&cursor={own}").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/leads", "/v1/members", "/v1/worklist", "/v1/reports", f"/v1/pipeline?{YEAR}"],
)
def test_what_another_was_shown_is_no_old_news(ground: Ground, path: str) -> None:
    shown, own = ground.admin.get(path), ground.officer.get(path)
    assert shown.json != own.json
    again = ground.officer.get(path, If_None_Match=shown.headers["ETag"])
    assert (again.status_code, again.json) == (200, own.json)
    assert ground.officer.get(path, If_None_Match=own.headers["ETag"]).status_code == 304


def test_a_key_of_another_answers_nothing(ground: Ground) -> None:
    body = tip_of(ground.foreign_member, title="键", district=ABROAD)
    ground.admin.ok("/v1/leads", body, Idempotency_Key="k")
    assert ground.officer.post("/v1/leads", body, Idempotency_Key="k").status_code == 403
    path = f"/v1/leads/{ground.foreign_lead}/follow-ups"
    ground.admin.ok(path, BODIES["follow-ups"], Idempotency_Key="f")
    answer = ground.officer.post(path, BODIES["follow-ups"], Idempotency_Key="f")
    assert answer.status_code == 404
    assert "Idempotent-Replay" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/v1/exports", "/v1/exports/2025-12-29", "/v1/audit/events", "/v1/audit/alarms"]
)
def test_what_holds_all_districts_is_refused_and_says_so(ground: Ground, path: str) -> None:
    problem = problem_of(ground.auditor.get(path), 403, "forbidden")
    assert f"limited to district {DISTRICT}" in problem["detail"]
    assert "of all districts" in problem["detail"]


# A lead that was corrected into another district


def test_a_lead_that_went_elsewhere_is_seen_there_and_here_no_more(office: Office) -> None:
    admin, officer = office.one("admin"), limited(office)
    there = limited(office, district=ABROAD)
    lead = officer.tip(officer.register()["id"])
    officer.command(lead, "negotiation")
    known = office.position
    report = officer.ok("/v1/reports/annual/2025", {})
    replayed = {"Idempotency_Key": "before"}
    noted = officer.ok(f"/v1/leads/{lead['id']}/follow-ups", BODIES["follow-ups"], **replayed)
    moved = {**BODIES["corrections"], "facts": {"district": ABROAD}}
    admin.ok(f"/v1/leads/{lead['id']}/corrections", moved)
    for path in ("", "/history", "?version=1", f"?known_at={known}"):
        assert officer.get(f"/v1/leads/{lead['id']}{path}").status_code == 404
        assert there.get(f"/v1/leads/{lead['id']}{path}").status_code == 200
    for asked in ("", f"&known_at={known}", "&as_of=2025-12-29"):
        assert officer.ok(f"/v1/leads?limit=9{asked}")["items"] == []
        assert officer.ok(f"/v1/pipeline?{YEAR}{asked}")["tips"] == 0
    told = officer.ok(f"/v1/reports/annual/2025?known_at={known}")["claims"]
    assert [claim["leads"] for claim in told] == [[] for _ in told]
    march = officer.ok(f"/v1/reports/monthly/2025-03?known_at={known}")
    assert (march["tips"]["now"], march["stages"][0]["standing"]["now"]["count"]) == (0, 0)
    assert admin.ok(f"/v1/reports/monthly/2025-03?known_at={known}")["tips"]["now"] == 1
    # As known then it belonged to the district that it had: so no number of theirs changes.
    assert there.ok(f"/v1/pipeline?{YEAR}&known_at={known}")["tips"] == 0
    assert there.ok(f"/v1/pipeline?{YEAR}")["tips"] == 1
    # What was published stays, and what changed its numbers is told to who sees that lead.
    assert officer.ok(f"/v1/reports/{report['id']}")["claims"] == report["claims"]
    drifts = [who.ok(f"/v1/reports/{report['id']}/drift")["claims"][0] for who in (officer, admin)]
    assert [(d["published"], d["now"], len(d["events"])) for d in drifts] == [(1, 0, 0), (1, 0, 1)]
    # A request that comes again is answered as it was the first time.
    path = f"/v1/leads/{lead['id']}/follow-ups"
    assert officer.ok(path, BODIES["follow-ups"], **replayed) == noted
    assert officer.post(path, BODIES["follow-ups"]).status_code == 404


def test_credit_in_a_foreign_lead_is_not_told(office: Office) -> None:
    admin, officer = office.one("admin"), limited(office)
    mine, theirs = admin.register("1")["id"], admin.register("2", district=ABROAD)["id"]
    lead, other = admin.tip(mine), admin.tip(theirs, district=ABROAD)
    ruled = {"verdict": "duplicate", "reason": "同一家", "duplicate_of": other["id"]}
    admin.command(lead, "screening", **ruled)
    path = f"/v1/members/{mine}"
    assert [who.ok(path)["credit"] for who in (admin, officer)] == ["1/2", "0"]
    assert officer.ok(path)["tips"] == 1


def test_a_ruling_that_would_change_a_foreign_lead_is_not_undone(office: Office) -> None:
    admin, officer = office.one("admin"), limited(office)
    member = officer.register()["id"]
    one, other = officer.tip(member), officer.tip(member)
    ruled = {"verdict": "duplicate", "reason": "同一家", "duplicate_of": other["id"]}
    officer.command(one, "screening", **ruled)
    moved = {**BODIES["corrections"], "facts": {"district": ABROAD}}
    admin.ok(f"/v1/leads/{other['id']}/corrections", moved)
    before = office.position
    answer = officer.post(f"/v1/leads/{one['id']}/reopening", BODIES["reopening"])
    assert other["id"] in problem_of(answer, 403, "forbidden")["detail"]
    assert office.position == before
    admin.command(one, "reopening")
