"""Who may do what: every operation of the document, for every role, in every state of a token."""

from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any, NamedTuple

import pytest

from api.auth import MAY
from domain.actor import today_in_china
from service.tokens import ROLES
from tests.api.office import (
    BODIES,
    DISTRICT,
    NOBODY,
    Caller,
    Office,
    a_tip,
    open_office,
    send,
    settings_in,
)
from tests.exports.shelf import exported
from tests.proof.ground import signed
from tests.service.sheets import row, text

# operation → the action of api.auth.MAY that it is; None: no token is asked for.
ACTIONS: dict[tuple[str, str], str | None] = {
    ("GET", "/healthz"): None,
    ("GET", "/readyz"): None,
    ("GET", "/metrics"): "read metrics",
    ("GET", "/openapi.json"): None,
    ("GET", "/v1/members"): "read members",
    ("POST", "/v1/members"): "write members",
    ("GET", "/v1/members/{member_id}"): "read a member",
    ("POST", "/v1/members/{member_id}/retirement"): "write members",
    ("POST", "/v1/members/{member_id}/link"): "hand out personal links",
    ("GET", "/v1/leads"): "read leads",
    ("POST", "/v1/leads"): "tip",
    ("GET", "/v1/leads/{lead_id}"): "read leads",
    ("GET", "/v1/leads/{lead_id}/history"): "read leads",
    **{("POST", f"/v1/leads/{{lead_id}}/{command}"): "write leads" for command in BODIES},
    ("POST", "/v1/subjects/{subject_id}/erasure"): "erase personal data",
    ("GET", "/v1/pipeline"): "read the pipeline",
    ("GET", "/v1/pipeline/movements"): "read the pipeline",
    ("GET", "/v1/pipeline/series"): "read the pipeline",
    ("GET", "/v1/pipeline/times"): "read the pipeline",
    ("GET", "/v1/pipeline/credit"): "read the pipeline",
    ("GET", "/v1/pipeline/groups"): "read the pipeline",
    ("POST", "/v1/imports"): "import",
    ("GET", "/v1/imports/template.xlsx"): "import",
    ("GET", "/v1/imports/{import_id}/marked.xlsx"): "import",
    ("GET", "/v1/worklist"): "read the worklist",
    ("GET", "/v1/reports/annual/{year}"): "read reports",
    ("POST", "/v1/reports/annual/{year}"): "seal reports",
    ("GET", "/v1/reports/monthly/{month}"): "read reports",
    ("GET", "/v1/reports/weekly/{week}"): "read reports",
    ("GET", "/v1/reports"): "read reports",
    ("GET", "/v1/reports/{report_id}"): "read reports",
    ("GET", "/v1/reports/{report_id}/drift"): "read reports",
    ("GET", "/v1/exports"): "read exports",
    ("GET", "/v1/exports/{day}"): "read exports",
    ("GET", "/v1/exports/{day}/{name}"): "read exports",
    ("GET", "/v1/audit/events"): "read the log",
    ("GET", "/v1/audit/access"): "read the log",
    ("GET", "/v1/audit/checkpoint"): "audit",
    ("GET", "/v1/audit/checkpoints"): "audit",
    ("GET", "/v1/audit/verification"): "read the log",
    ("GET", "/v1/audit/keys"): "audit",
    ("GET", "/v1/audit/alarms"): "read the log",
    ("GET", "/v1/audit/leads/{lead_id}/proof"): "audit",
    ("GET", "/v1/audit/consistency"): "audit",
    ("GET", "/v1/tokens"): "handle tokens",
    ("POST", "/v1/tokens"): "handle tokens",
    ("GET", "/v1/tokens/{token_id}"): "handle tokens",
    ("POST", "/v1/tokens/{token_id}/rotation"): "handle tokens",
    ("POST", "/v1/tokens/{token_id}/revocation"): "handle tokens",
    # It holds nothing of the ledger's: auditors fetch it from wherever they trust.
    ("GET", "/v1/audit/verifier"): None,
}


# state of a token → the district it is limited to; the ground is in 320812.
LIMITS = {"unlimited": None, "own": "320812", "parent": "3208", "foreign": "440106"}
ENDED = {"expired": "This token expired at", "revoked": "This token was revoked at"}
OUT = f"This token is limited to district 440106, and {DISTRICT} is outside of it."
# state of a token that sees nothing of the ground → what of it is told that is in no path.
OUTSIDE: dict[str, dict[tuple[str, str], tuple[int, str]]] = {
    "foreign": {
        ("POST", "/v1/members"): (403, OUT),
        ("POST", "/v1/leads"): (403, OUT),
        ("POST", "/v1/imports"): (422, OUT),
    },
    "another's": {("POST", "/v1/leads"): (403, "This token tips for its own member only")},
}
# What a path is about, and so is not there for whoever may not see it.
OF_THE_GROUND = ("{lead_id}", "{member_id}", "{report_id}")
WALKERS = [
    *((role, state) for role in ROLES if role != "member" for state in (*LIMITS, "expired")),
    *((role, "revoked") for role in ROLES if role != "member"),
    *(("member", state) for state in ("unlimited", "another's", "expired", "revoked")),
]
WALKS = [
    (*walker, *operation)
    for walker in WALKERS
    for operation in ACTIONS
    # Each import takes a process of its own: of the limited ones officers show how they go.
    if operation != ("POST", "/v1/imports") or walker[0] != "admin" or walker[1] == "unlimited"
]


class Ground(NamedTuple):
    """Two members of an office, each with a lead, and one lead of both."""

    office: Office
    mine: str
    theirs: str
    my_lead: str
    their_lead: str
    our_lead: str
    report: str
    subject: str
    walkers: dict[tuple[str, str], Caller]

    def walker(self, role: str, state: str) -> Caller:
        """Who holds a token of this role in this state; the same one when asked again."""
        if (role, state) not in self.walkers:
            self.walkers[role, state] = self.office.holding(self._token(role, state))
        return self.walkers[role, state]

    def _token(self, role: str, state: str) -> str:
        member = None
        if role == "member":
            member = self.theirs if state == "another's" else self.mine
        tokens = self.office.ledger.tokens
        token = tokens.issue(role, role, member, days=1, district=LIMITS.get(state))
        token_id = token.split("_")[1]
        if state == "revoked":
            tokens.revoke(token_id)
        if state == "expired":
            with tokens.store.writing() as connection:
                table = tokens.store.tables.tables["tokens"]
                ends = table.update().where(table.c.id == token_id)
                connection.execute(ends.values(expires_at=table.c.issued_at))
        return token


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The ledger that everybody asks for something."""
    office = open_office(settings_in(Path(tmp_path_factory.mktemp("roles"))))
    officer = office.officer
    mine, theirs = officer.register("1")["id"], officer.register("2")["id"]
    leads = [
        officer.tip(mine, title="我的")["id"],
        officer.tip(theirs, title="别人的")["id"],
        officer.tip(theirs, title="一起的", members=[theirs, mine])["id"],
    ]
    signed(office.ledger)
    exported(office.ledger)
    report = officer.ok(f"/v1/reports/annual/2025?district={DISTRICT}", {})["id"]
    contact = {"name": "李先生", "phone": "13800000001"}
    subject = officer.tip(theirs, title="有人联系的", contact=contact)["contact"]["subject"]
    yield Ground(office, mine, theirs, leads[0], leads[1], leads[2], report, subject, {})
    office.close()


def request_for(ground: Ground, method: str, template: str) -> tuple[str, Any]:
    """A path and body that the operation takes, from one who may; made anew for each."""
    spare = ""
    if template.startswith("/v1/tokens/"):
        spare = ground.office.ledger.tokens.issue("auditor").split("_")[1]
    member = ground.mine
    if template.endswith("/link"):
        # The tokens of those who walk stay.
        member = ground.office.officer.register(f"L{token_hex(4)}")["id"]
    path = template.format(
        token_id=spare,
        lead_id=ground.my_lead,
        member_id=member,
        report_id=ground.report,
        subject_id=ground.subject,
        year=2025,
        month="2025-03",
        week="2025-W12",
        import_id=NOBODY,
        day=today_in_china(),
        name="leads.csv",
    )
    if method == "GET":
        return f"{path}?from=1" if template == "/v1/audit/consistency" else path, None
    last = template.partition("{lead_id}/")[2] or template.rpartition("/")[2]
    bodies = {
        "/v1/leads": a_tip(ground.mine),
        "/v1/reports/annual/{year}": {},
        "/v1/members": {"number": f"N{ground.office.position}", "name": "王", "district": DISTRICT},
        "/v1/leads/{lead_id}/credit": {
            **BODIES["credit"],
            "shares": [{"member": ground.mine, "share": "1"}],
        },
        "/v1/subjects/{subject_id}/erasure": {"reason": "本人要求"},
        "/v1/tokens": {"role": "auditor"},
        "/v1/tokens/{token_id}/rotation": {},
        "/v1/tokens/{token_id}/revocation": {},
        "/v1/members/{member_id}/link": {"days": 30},
    }
    return path, bodies.get(template, BODIES.get(last, {"occurred_on": "2025-06-01"}))


def test_the_table_names_every_operation_of_the_document(ground: Ground) -> None:
    described = {(o.method, o.template) for o in ground.office.contract.operations}
    assert described == set(ACTIONS)
    assert {action for action in ACTIONS.values() if action} == set(MAY) - {
        "waive facts",
        "read personal data",
    }


def test_the_document_says_which_operations_ask_for_a_token(ground: Ground) -> None:
    for operation in ground.office.contract.operations:
        action = ACTIONS[operation.method, operation.template]
        assert bool(operation.described.get("security")) == (action is not None)


def refusal(role: str, state: str, method: str, template: str) -> tuple[int, str] | None:
    """What the table MAY makes of a walker: the status, and what is told; None: it is let in."""
    action = ACTIONS[method, template]
    if action is None:
        return None
    if state in ENDED:
        return 401, ENDED[state]
    rule, limit = MAY[action], LIMITS.get(state)
    if role not in rule.roles:
        return 403, f"A token of role {role} may not {action}."
    if limit and rule.whole:
        return 403, f"A token limited to district {limit} may not {action}: {rule.whole}."
    if state in OUTSIDE and any(part in template for part in OF_THE_GROUND):
        return 404, "There is no "
    return OUTSIDE.get(state, {}).get((method, template))


@pytest.mark.parametrize(("role", "state", "method", "template"), WALKS)
def test_a_token_may_what_the_table_says_and_nothing_else(
    ground: Ground, role: str, state: str, method: str, template: str
) -> None:
    caller = ground.walker(role, state)
    path, body = request_for(ground, method, template)
    before = ground.office.position
    if template == "/v1/imports":
        answer = send(caller, text([row(1)]).encode())
    else:
        answer = caller.get(path) if body is None else caller.post(path, body)
    refused = refusal(role, state, method, template)
    if refused:
        assert answer.status_code == refused[0], answer.text
        assert refused[1] in (answer.json or {})["detail"]
        assert ground.office.position == before
    elif template.endswith("/marked.xlsx"):
        # There is none, for whoever may ask.
        assert answer.status_code == 404
    else:
        # The lead has moved on meanwhile, or past that day; the role was let through.
        past = set((answer.json or {}).get("errors", ())) == {"occurred_on"}
        moved_on = answer.status_code == 409 or (answer.status_code == 422 and past)
        assert moved_on or answer.status_code in (200, 201), answer.text
        if method == "POST":
            assert moved_on or ground.office.position >= before


@pytest.mark.parametrize("role", sorted(set(ROLES) - MAY["write leads"].roles))
def test_a_role_that_may_not_write_learns_nothing_from_trying(ground: Ground, role: str) -> None:
    caller = ground.office.one(role, ground.mine if role == "member" else None)
    bodies: list[Any] = [BODIES["screening"], {}, []]
    answers = {
        caller.post(f"/v1/leads/{lead}/screening", body).status_code
        for lead in (ground.my_lead, ground.their_lead, NOBODY, "x")
        for body in bodies
    }
    assert answers == {403}


def garbage(ground: Ground) -> list[str]:
    """Authorization headers that prove nothing."""
    good = ground.office.officer.token or ""
    _, token_id, secret = good.split("_", 2)
    other = (ground.office.one("admin").token or "").split("_", 2)
    return [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer ll_",
        "Bearer ll__",
        f"Bearer ll_{token_id}",
        f"Bearer ll_{token_id}_",
        f"Bearer ll_{token_id}_{secret[:-1]}",
        f"Bearer ll_{token_id}_{secret}x",
        f"Bearer ll_{token_id}_{secret.swapcase()}",
        f"Bearer ll_{token_id}_{other[2]}",
        f"Bearer ll_{other[1]}_{secret}",
        f"Bearer LL_{token_id}_{secret}",
        f"Bearer {secret}",
        f"Bearer ll_' OR 1=1 --_{secret}",
        f"Bearer ll_{token_id}_é",
        "Bearer ll_é_é",
        f"Bearer {'x' * 5_000}",
        f"Basic {good}",
        f"Token {good}",
        good,
    ]


@pytest.mark.parametrize(("method", "template"), ACTIONS)
def test_without_a_token_that_was_issued_nothing_is_answered(
    ground: Ground, method: str, template: str
) -> None:
    path, body = request_for(ground, method, template)
    before = ground.office.position
    nobody = ground.office.holding(None)
    for header in (None, "Bearer ll_000000000000_nothing", "Basic b2ZmaWNlcjo="):
        headers = {} if header is None else {"Authorization": header}
        answer = nobody.get(path, **headers) if body is None else nobody.post(path, body, **headers)
        if ACTIONS[method, template] is None:
            assert answer.status_code == 200
        else:
            assert answer.status_code == 401
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert ground.office.position == before


def test_garbage_is_no_token(ground: Ground) -> None:
    nobody = ground.office.holding(None)
    answers = {header: nobody.get("/v1/leads", Authorization=header) for header in garbage(ground)}
    assert {header: a.status_code for header, a in answers.items() if a.status_code != 401} == {}
    secret = (ground.office.officer.token or "").split("_", 2)[2]
    assert not [header for header, a in answers.items() if secret in a.text]


def test_a_token_is_asked_for_before_anything_else_is_told(ground: Ground) -> None:
    nobody = ground.office.holding(None)
    for path in (f"/v1/leads/{ground.my_lead}", f"/v1/leads/{NOBODY}", "/v1/leads?nonsense=1"):
        assert nobody.get(path).status_code == 401
    assert nobody.call("POST", "/v1/leads", b"no json").status_code == 401


def test_a_token_issued_by_another_process_is_known_at_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    one, other = open_office(settings), open_office(settings)
    officer = one.officer
    assert officer.ok("/v1/leads")["items"] == []
    token = other.ledger.tokens.issue("auditor", "auditor")
    assert one.holding(token).ok("/v1/leads")["items"] == []
    one.close()
    other.close()


def test_the_scheme_is_read_in_any_case(ground: Ground) -> None:
    token = ground.office.officer.token
    nobody = ground.office.holding(None)
    for scheme in ("bearer", "BEARER", "Bearer "):
        assert nobody.get("/v1/leads", Authorization=f"{scheme} {token}").status_code == 200


# A member's token


def test_a_member_tips_for_itself_only(ground: Ground) -> None:
    member = ground.office.one("member", ground.mine)
    before = ground.office.position
    for named in (
        [ground.theirs],
        [ground.mine, ground.theirs],
        [ground.theirs, ground.mine],
        [NOBODY],
    ):
        answer = member.post("/v1/leads", a_tip(ground.mine, members=named))
        assert answer.status_code == 403
    assert ground.office.position == before
    lead = member.tip(ground.mine)
    assert [m["id"] for m in lead["members"]] == [ground.mine]
    history = member.ok(f"/v1/leads/{lead['id']}/history")["items"]
    assert history[0]["actor"].startswith("member")


def test_a_member_does_not_learn_of_leads_that_resemble_its_own(ground: Ground) -> None:
    member, officer = ground.office.one("member", ground.mine), ground.office.officer
    officer.tip(ground.theirs, title="没有别人知道的项目")
    lead = member.tip(ground.mine, title="没有别人知道的项目")
    path = f"/v1/leads/{lead['id']}"
    told = [lead, member.ok(path), member.ok(f"{path}?version=1")]
    assert [shown["possible_duplicates"] for shown in told] == [[], [], []]
    assert len(officer.ok(path)["possible_duplicates"]) == 1
    assert len(officer.ok(f"{path}?version=1")["possible_duplicates"]) == 1


def test_a_member_sees_its_own_leads_and_nothing_else(ground: Ground) -> None:
    member = ground.office.one("member", ground.mine)
    seen = {lead["id"] for lead in member.ok("/v1/leads?limit=200")["items"]}
    assert {ground.my_lead, ground.our_lead} <= seen
    assert ground.their_lead not in seen
    officer = ground.office.officer
    mine = officer.ok(f"/v1/leads?limit=200&member={ground.mine}")["items"]
    assert seen == {lead["id"] for lead in mine}
    for lead in (ground.my_lead, ground.our_lead):
        assert member.ok(f"/v1/leads/{lead}")["id"] == lead
        assert member.ok(f"/v1/leads/{lead}/history")["items"]
    assert member.ok(f"/v1/members/{ground.mine}")["id"] == ground.mine


@pytest.mark.parametrize(
    "query",
    ["q=别人", "district=32", "stage=tip", "sort=-amount", "sector=工商联", "from=2025-01-01"],
)
def test_no_question_of_a_member_finds_a_foreign_lead(ground: Ground, query: str) -> None:
    member = ground.office.one("member", ground.mine)
    listed = member.ok(f"/v1/leads?limit=200&{query}")["items"]
    assert ground.their_lead not in {lead["id"] for lead in listed}


def test_a_members_question_for_another_member_tells_nothing(ground: Ground) -> None:
    member = ground.office.one("member", ground.mine)
    answers = [
        told(member.get(f"/v1/leads?member={other}"), other) for other in (ground.theirs, NOBODY)
    ]
    assert answers[0] == answers[1]
    assert answers[0][0] in (200, 422)


def test_the_cursor_of_an_officer_leads_a_member_to_its_own_leads_only(ground: Ground) -> None:
    officer, member = ground.office.officer, ground.office.one("member", ground.mine)
    cursor = officer.ok("/v1/leads?limit=1")["next"]
    answer = member.get(f"/v1/leads?limit=200&cursor={cursor}")
    items = (answer.json or {}).get("items", [])
    assert ground.their_lead not in {lead["id"] for lead in items}


def told(answer: Any, id: str) -> tuple[Any, ...]:
    """All that an answer tells, but for the id that was asked for and the request's name."""
    headers = {k: v for k, v in answer.headers.items() if k not in ("X-Request-Id",)}  # noqa: FURB171
    body = {k: v for k, v in (answer.json or {}).items() if k != "instance"}
    return answer.status_code, headers, repr(body).replace(id, "<id>")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/leads/{id}",
        "/v1/leads/{id}?version=1",
        "/v1/leads/{id}?version=99",
        "/v1/leads/{id}?known_at=3",
        "/v1/leads/{id}?known_at=x",
        "/v1/leads/{id}?nonsense=1",
        "/v1/leads/{id}/history",
    ],
)
def test_a_foreign_lead_cannot_be_told_from_a_missing_one(ground: Ground, path: str) -> None:
    member = ground.office.one("member", ground.mine)
    for headers in ({}, {"If_None_Match": '"1"'}, {"If_None_Match": "*"}):
        foreign = member.get(path.format(id=ground.their_lead), **headers)
        missing = member.get(path.format(id=NOBODY), **headers)
        assert foreign.status_code in (404, 422)
        assert told(foreign, ground.their_lead) == told(missing, NOBODY)


def test_a_foreign_member_cannot_be_told_from_a_missing_one(ground: Ground) -> None:
    member = ground.office.one("member", ground.mine)
    foreign = member.get(f"/v1/members/{ground.theirs}")
    missing = member.get(f"/v1/members/{NOBODY}")
    assert foreign.status_code == 404
    assert told(foreign, ground.theirs) == told(missing, NOBODY)


def test_nobody_but_an_administrator_waives_a_fact(ground: Ground) -> None:
    office = ground.office
    waivers = [{"fact": "responsible_unit", "reason": "旧账没有"}]
    body = {"occurred_on": "2025-04-02", "waivers": waivers}
    for role in ("officer", "admin"):
        lead = office.officer.tip(ground.theirs)["id"]
        answer = office.one(role).post(f"/v1/leads/{lead}/negotiation", body)
        assert answer.status_code == (200 if role in MAY["waive facts"].roles else 403)
