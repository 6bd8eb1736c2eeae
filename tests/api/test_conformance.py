"""Schemathesis against the served document: what it allows is taken, what it forbids refused.

Requests that the document allows are aimed at things that exist: ids of members and of leads
that stand where the command wants them, and days in the past. So most of them are carried out,
which is counted; the rest is refused by rules that OpenAPI cannot say, each named below.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import count, cycle
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import schemathesis
from schemathesis import Case, GenerationMode, HookContext, Response, engine, hooks
from schemathesis.engine import events
from schemathesis.generation.meta import REQUEST_SHAPE_PROBES, coverage_scenario

from api import schemas
from domain.actor import now, today_in_china
from domain.correction import ALWAYS as ALWAYS_RIGHT
from domain.correction import CORRECTABLE
from service.tokens import id_of
from tests.api.office import MONEY, NOBODY, Caller, Office, open_office, send, settings_in
from tests.exports.shelf import exported
from tests.proof.ground import signed
from tests.service.sheets import row, text

USCC = "91110000600037341L"
# The days that leads reach their stages on, of this year; each command comes after them.
DAY, LATER = "2025-11-01", "2026-11-01"
CUT_OFF = "2025-12-29"

# operation → (status, field or fact): why a request that the document allows is refused all the
# same. Whatever else is refused fails.
_MONEY = {
    (422, "investment.amount"): "finer than a fen, over 16 digits, or more than a project costs"
}
_WAIVERS = {(422, "waivers"): "only the facts that are missing from the step are waived"}
_UNLESS_WAIVED = "the step needs it unless it is waived"
UNSAYABLE: dict[str, dict[tuple[int, str], str]] = {
    "POST /v1/leads": _MONEY,
    "POST /v1/leads/{lead_id}/screening": {
        (409, "reason"): "needed unless the verdict is pursue",
        (409, "duplicate_of"): "needed with the verdict duplicate",
        (422, "duplicate_of"): "goes with the verdict duplicate only",
    },
    "POST /v1/leads/{lead_id}/negotiation": {
        **_WAIVERS,
        (409, "responsible_unit"): _UNLESS_WAIVED,
    },
    "POST /v1/leads/{lead_id}/follow-ups": {
        (422, "result"): "needed with every form but none, and goes with those only",
        (422, "reason"): "needed with the form none, and goes with it only",
    },
    "POST /v1/leads/{lead_id}/signing": {
        **_MONEY,
        **_WAIVERS,
        (409, "investment"): _UNLESS_WAIVED,
    },
    "POST /v1/leads/{lead_id}/groundbreaking": {
        **_WAIVERS,
        (409, "start"): _UNLESS_WAIVED,
        (409, "evidence"): _UNLESS_WAIVED,
    },
    "POST /v1/leads/{lead_id}/credit": {
        (422, "shares"): "every member of the lead once and nobody else, summing to 1",
    },
    "POST /v1/leads/{lead_id}/transfer": {(422, "district"): "the lead is in it already"},
    "POST /v1/leads/{lead_id}/closure": {(422, "lost_to"): "goes with the outcome lost only"},
    "POST /v1/leads/{lead_id}/revision": {
        **_MONEY,
        (422, "reason"): "needed when the investment changes",
    },
    "POST /v1/leads/{lead_id}/corrections": {
        **_MONEY,
        (422, "facts"): "either facts or void",
        **{
            (422, f"facts.{name}"): "each event has facts of its own that may be put right"
            for name in schemas.RightFacts().fields
        },
    },
    "POST /v1/tokens": {
        (422, "member"): "goes with the role member, and only with it",
        (422, "district"): "goes with the other roles",
    },
    "GET /v1/leads/{lead_id}": {
        (422, "reason"): "needed with contact=plain",
        (422, "contact"): "needed with a reason",
    },
    "GET /v1/members": {(422, "year"): "needed with tipped"},
    "GET /v1/pipeline/series": {(422, "step"): "more than a thousand steps"},
    "GET /v1/audit/consistency": {(422, "from"): "more events than a checkpoint covers yet"},
}
# The share of the allowed requests of an operation that must be carried out.
LEAST_TAKEN = 0.6
# Requests of an operation that are made up, besides those of schemathesis's coverage phase.
EXAMPLES = 6
COMMANDS_TO = {
    "screening": (),
    "negotiation": (),
    "follow-ups": (),
    "notice": (),
    "signing-plan": ("negotiation",),
    "signing": ("negotiation",),
    "groundbreaking": ("negotiation", "signing"),
    "recognition": ("negotiation", "signing"),
    "credit": (),
    "corrections": (),
    "suspension": (),
    "resumption": ("suspension",),
    "closure": (),
    "reopening": ("closure",),
    "transfer": (),
    "acceptance": ("transfer",),
    "refusal": ("transfer",),
    "revision": (),
}
# command → facts that it needs and the document cannot ask for
NEEDED: dict[str, dict[str, Any]] = {
    "screening": {"reason": "同一家公司", "duplicate_of": NOBODY},
    "negotiation": {"responsible_unit": "商务局"},
    "follow-ups": {"result": "去了一次", "reason": "没去"},
    "signing": {"investment": MONEY},
    "groundbreaking": {
        "start": "construction",
        "evidence": [{"kind": "permit", "reference": "施-1"}],
    },
    "revision": {"reason": "重新谈的"},
}
COMMANDS_TO_CLOSE = {"declined": (), "rescinded": ("negotiation", "signing")}


class Aim:
    """Turns what the document allows into requests for things that exist, and keeps the score."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.caller = office.one("admin")
        self._numbers, self._turns, self._corrections = count(), count(), count()
        self.member = self.caller.register()["id"]
        self.lead = self.caller.tip(self.member)["id"]
        contact = {"name": "李先生", "phone": "13800000001"}
        self.subject = self.caller.tip(self.member, contact=contact)["contact"]["subject"]
        signed(office.ledger)
        refused = send(self.caller, text([row(1, 区划代码="1")]).encode())
        self.marked = str(refused.json["marked"] if refused.json else "").split("/")[3]
        files = [path.name for path in exported(office.ledger).folder.iterdir()]
        self._files = cycle(sorted(files))
        self.report = self.caller.ok("/v1/reports/annual/2025", {})["id"]
        # operation → how often each status was answered to what the document allows.
        self.answered: dict[str, Counter[int]] = {}
        self.unexplained: list[str] = []

    def before(self, case: "Case[Any]") -> None:
        """Aim a request that the document allows."""
        self._spare_the_caller(case)
        if not allowed(case):
            return
        self._aim_headers(case.headers or {})
        if isinstance(case.body, dict):
            self._aim_body(case.body, case.operation.label)
        if case.path_parameters:
            self._aim_path(case)
        if case.query and case.operation.path.endswith("/consistency"):
            case.query["from"] = 1 if next(self._turns) % 5 else case.query["from"]
        elif case.query:
            self._aim_query(case.query)
            _aim_days(case)

    def _aim_headers(self, headers: Any) -> None:
        if "Idempotency-Key" in headers:
            headers["Idempotency-Key"] = f"{next(self._numbers)}-{headers['Idempotency-Key']}"[:128]
        for name, there in (("If-Match", "*"), ("If-Ledger-Position", "1")):
            if name in headers:
                headers[name] = there

    def _spare_the_caller(self, case: "Case[Any]") -> None:
        """Schemathesis reads ids in lists, and would revoke the token that it holds itself."""
        if (case.path_parameters or {}).get("token_id") == id_of(self.caller.token or ""):
            case.path_parameters["token_id"] = NOBODY

    def _aim_body(self, body: dict[str, Any], operation: str) -> None:
        replaced = {
            "occurred_on": DAY,
            "expected_on": LATER,
            "next_on": LATER,
            "review_on": LATER,
            "members": [self.member],
            "duplicate_of": self.lead,
        }
        whole = {"POST /v1/imports": _aim_import, "POST /v1/tokens": self._aim_token}
        if operation in whole:
            whole[operation](body)
            return
        self._complete(body, operation.rpartition("/")[2])
        for name, value in replaced.items():
            if body.get(name):
                body[name] = value
        self._aim_at_the_lead(body, operation.rpartition("/")[2])
        investor = body.get("investor")
        if isinstance(investor, dict) and investor.get("uscc"):
            investor["uscc"] = USCC
        if operation == "POST /v1/members":
            body["number"] = f"{next(self._numbers)}-{body['number']}"[:40].strip()

    def _aim_at_the_lead(self, body: dict[str, Any], command: str) -> None:
        """What has to fit the lead that there is."""
        if command == "recognition":
            body["stage"] = "signed"
        elif command == "credit" and next(self._turns) % 5:
            body["shares"] = [{"member": self.member, "share": "1"}]
        elif command == "transfer" and next(self._turns) % 5:
            body["district"] = "320871"
        elif command == "corrections":
            self._aim_correction(body)

    def _aim_token(self, body: dict[str, Any]) -> None:
        """Four times of five a member's names its member, and the others' have their district."""
        if body.get("member"):
            body["member"] = self.member
        if next(self._turns) % 5:
            of_member = body["role"] == "member"
            body["member"] = self.member if of_member else None
            body["district"] = None if of_member else body.get("district")

    def _aim_correction(self, body: dict[str, Any]) -> None:
        """Of the tip, mostly, and of facts that a tip has."""
        body["version"], body["void"] = 1, False
        facts = body.get("facts") or {"title": "更正后的标题"}
        if next(self._corrections) % 3:
            facts = {name: facts[name] for name in facts if name in may_be_right_in_a_tip()}
        self._aim_body(facts, "the facts of a tip")
        body["facts"] = facts or {"title": "更正后的标题"}

    def _complete(self, body: dict[str, Any], command: str) -> None:
        """Four times of five, what the fields ask of each other; the fifth shows the refusal."""
        if not next(self._turns) % 5:
            return
        money = body.get("investment")
        if isinstance(money, dict) and len(str(money.get("amount"))) > 4:
            money["amount"] = "12.5"
        body.pop("waivers", None)
        for name, value in NEEDED.get(command, {}).items():
            if not body.get(name):
                body[name] = value
        if command == "screening" and body.get("verdict") != "duplicate":
            body.pop("duplicate_of", None)
        if command == "follow-ups":
            body.pop("result" if body.get("form") == "none" else "reason", None)
        if command == "closure" and body.get("outcome") != "lost":
            body.pop("lost_to", None)

    def _aim_path(self, case: "Case[Any]") -> None:
        parameters, path = case.path_parameters, case.operation.path
        command = path.rpartition("/")[2]
        there = {
            "day": f"{today_in_china()}",
            "name": next(self._files),
            "member_id": self.member,
            "year": "2025",
            "month": "2025-03",
            "week": "2025-W12",
            "import_id": self.marked,
            "report_id": self.report,
            "lead_id": self.lead,
            "subject_id": self.subject,
        }
        if "token_id" in parameters:
            there["token_id"] = id_of(self.office.ledger.tokens.issue("auditor"))
        if path.endswith("/retirement"):
            there["member_id"] = self.caller.register(f"R{next(self._numbers)}")["id"]
        elif command in COMMANDS_TO and isinstance(case.body, dict):
            there["lead_id"] = self._lead_for(command, case.body)
        parameters.update({name: there[name] for name in there if name in parameters})

    def _lead_for(self, command: str, body: dict[str, Any]) -> str:
        before = COMMANDS_TO[command]
        if command == "closure":
            before = COMMANDS_TO_CLOSE.get(body.get("outcome", ""), ("negotiation",))
        # Another title each time: of what is alike more would be told with each.
        number = next(self._numbers)
        title = "".join(chr(ord("一") + (number * 7_919 + at * 1_009) % 20_000) for at in range(8))
        lead = self.caller.tip(self.member, title=title)
        for earlier in before:
            self.caller.command(lead, earlier)
        return str(lead["id"])

    def _aim_query(self, query: dict[str, Any]) -> None:
        query.pop("cursor", None)
        if "version" in query:
            query["version"] = 1
        if query.get("known_at"):
            # Past, and after whatever is asked for was recorded.
            query["known_at"] = f"{now():%Y-%m-%dT%H:%M:%S.%fZ}"
        if "member" in query:
            query["member"] = self.member
        if "due_by" in query:
            query["due_by"] = LATER
        if "as_of" in query:
            query["as_of"] = DAY if "from" in query else max(query["as_of"], "1978-01-01")
        days = sorted(query[name] for name in ("from", "to") if name in query)
        for name, day in zip([n for n in ("from", "to") if n in query], days, strict=True):
            # A window that has no end ends today, and begins before.
            query[name] = max(day if _ends(query) else min(day, DAY), "1978-01-01")

    def after(self, case: "Case[Any]", response: Response) -> None:
        """Count the answer to what the document allows; note what nothing explains."""
        if not allowed(case):
            return
        operation, status = case.operation.label, response.status_code
        self.answered.setdefault(operation, Counter())[status] += 1
        if status >= 400:
            problem = response.json()
            named = {*problem.get("errors", {}), *problem.get("missing", [])}
            explained = {field for of, field in UNSAYABLE.get(operation, {}) if of == status}
            if not named or named - explained:
                self.unexplained.append(f"{case.as_curl_command()}\n{problem}")


def _aim_import(body: dict[str, Any]) -> None:
    body["file"] = text([row(1)]).encode()


def _aim_days(case: "Case[Any]") -> None:
    """In the year of the report, and past; of one lead, after its tip."""
    if "/annual/" in case.operation.path and "to" in case.query:
        case.query["to"] = CUT_OFF
    if "{lead_id}" in case.operation.path and "as_of" in case.query:
        case.query["as_of"] = LATER


def _ends(query: dict[str, Any]) -> bool:
    """Whether the window ends where the query says, and nowhere before."""
    return "to" in query and "as_of" not in query


def may_be_right_in_a_tip() -> set[str]:
    """The facts of a tip that a correction may put right."""
    return {*ALWAYS_RIGHT, *CORRECTABLE["lead.tipped"].facts}


def allowed(case: "Case[Any]") -> bool:
    """Whether the document allows the request, as it was meant to."""
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return False
    # A probe of the shape of requests, like a method that there is none of, is no such thing.
    return coverage_scenario(case) not in REQUEST_SHAPE_PROBES


def statuses_for(operation: str) -> list[str]:
    """What may be answered to a request for it that the document allows."""
    refused = sorted({f"{status}" for status, _ in UNSAYABLE.get(operation, {})})
    return ["2xx", "304", *refused]


def config_for(caller: Caller) -> schemathesis.Config:
    """Everything on, the same requests each time, and no more of them than a minute takes."""
    strict = {
        "positive_data_acceptance": {"expected-statuses": statuses_for("")},
        # Its second request fails within schemathesis 4.32 (it hands WSGI a word that only
        # sockets know); test_roles asks every operation without a token, and with a bad one.
        "ignored_auth": {"enabled": False},
    }
    return schemathesis.Config.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": f"Bearer {caller.token}"},
            "generation": {"deterministic": True, "max-examples": EXAMPLES, "no-shrink": True},
            # Words out of our own source would make the requests change with every edit.
            "analysis": {"constants": {"enabled": False}},
            "checks": strict,
            "phases": {"stateful": {"enabled": False}},
            "operations": [
                # Each is a process of its own; and a file that could be taken in is none of the
                # texts that schemathesis takes for one: test_imports tries what is refused.
                {
                    "include-name": "POST /v1/imports",
                    "generation": {"max-examples": 8},
                    "checks": {"negative_data_rejection": {"enabled": False}},
                },
                *(
                    {
                        "include-name": name,
                        "checks": {
                            "positive_data_acceptance": {"expected-statuses": statuses_for(name)}
                        },
                    }
                    for name in UNSAYABLE
                ),
            ],
        }
    )


class Run(NamedTuple):
    """What came of it: each failure in words, and how often each check was made, by operation."""

    aim: Aim
    failures: list[str]
    checks: Counter[str]
    operations: Counter[str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Schemathesis, run once through all of its phases."""
    office = open_office(settings_in(Path(tmp_path_factory.mktemp("conformance"))))
    aim = Aim(office)
    schema = schemathesis.openapi.from_wsgi(
        "/openapi.json", office.app, config=config_for(aim.caller)
    )

    @schemathesis.hook
    def before_call(context: HookContext, case: "Case[Any]", kwargs: dict[str, Any]) -> None:
        aim.before(case)

    @schemathesis.hook
    def after_call(context: HookContext, case: "Case[Any]", response: Response) -> None:
        aim.after(case, response)

    found = Run(aim, [], Counter(), Counter())
    for event in engine.from_schema(schema).execute():
        if isinstance(event, events.ScenarioFinished):
            note(found, event)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            found.failures.append(f"{event}")
    hooks.unregister(before_call)
    hooks.unregister(after_call)
    yield found
    office.close()


def note(found: Run, event: events.ScenarioFinished) -> None:
    """Take down one operation's part of a phase."""
    recorder = event.recorder
    found.operations[recorder.label] += len(recorder.cases)
    for case_id, checks in recorder.checks.items():
        for check in checks:
            found.checks[check.name] += 1
            if check.failure_info is not None:
                answer = recorder.find_response(case_id=case_id)
                found.failures.append(
                    f"{event.phase.value}: {recorder.label}: {check.name}\n"
                    f"{check.failure_info.failure}\n{check.failure_info.code_sample}\n"
                    f"{answer and answer.text[:600]}"
                )


# The checks that each request must have gone through, and those that some must.
ALWAYS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "positive_data_acceptance",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
)


def test_what_the_document_says_is_true(run: Run) -> None:
    apart = sorted(set(run.failures))
    assert not apart, f"{len(apart)} failures\n" + "\n\n".join(apart[:20])


def test_every_operation_was_called_in_every_way(run: Run) -> None:
    described = {f"{o.method} {o.template}" for o in run.aim.office.contract.operations}
    # Schemathesis leaves out the document itself.
    assert described - {"GET /openapi.json"} <= set(run.operations)
    assert min(run.operations.values()) >= 5, run.operations
    for check in ALWAYS:
        assert run.checks[check] >= len(described), f"{check}: {run.checks}"


def test_what_the_document_allows_is_refused_for_the_reasons_named_only(run: Run) -> None:
    assert run.aim.unexplained == []


def test_most_of_what_the_document_allows_is_carried_out(run: Run) -> None:
    posts = [name for name in run.aim.answered if name.startswith("POST ")]
    # All but the import, which is asked in its own tests.
    assert len(posts) == 27
    for operation, answers in run.aim.answered.items():
        taken = sum(n for status, n in answers.items() if status < 400)
        assert taken >= LEAST_TAKEN * answers.total(), f"{operation}: {dict(answers)}"
    assert sum(run.aim.answered[name][201] + run.aim.answered[name][200] for name in posts) > 200
