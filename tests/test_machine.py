"""Random commands through the application on real files; after each, everything still holds."""

import sys
from collections.abc import Callable
from datetime import date, timedelta
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)

from domain.actor import acting
from domain.errors import KeyReused, LedgerError, Stale
from service.application import Ledger
from service.commands.carrying import Answer
from service.projections.choosing import Selection
from service.projections.lead_list import Question
from service.requests import Call
from service.scope import Scope
from tests import databases
from tests.holds import moved_on_hold
from tests.machine_model import STAGES, Fact, Model, ModelLead, fen, plain
from tests.postgres import drop_databases_in
from tests.service.helpers import (
    call,
    check_projections,
    ledger_in,
    register,
    settings_in,
    somebody,
    tip,
)

# Of which leads, from and to
Asked = tuple[Selection, date, date]
DISTRICTS = ("320812", "320871", "110101")
FIRST = date(2025, 1, 1)
LAST_DAY = 60
LONG_AFTER = FIRST + timedelta(500)
BAD_DAYS = ("2025-02-30", "2999-01-01", "1900-01-01", "")

# Days are offsets from something known, so that most commands are allowed and some are not.
SOON = st.sampled_from([0, 0, 1, 1, 2, 3, 5, 8, 0, 1, -1, -3])
ANY_DAY = st.integers(0, LAST_DAY)
AMOUNTS = st.sampled_from(
    [
        {"amount": "1", "unit": "亿元"},
        {"amount": "30", "unit": "亿元"},
        {"amount": "0.01", "unit": "元"},
        {"amount": "1200", "unit": "万美元"},
        {"amount": "5000.5", "unit": "万元"},
        None,
    ]
)
TEXTS = st.sampled_from(["示例", "冷链物流园", "a", "", "x" * 201])
WINDOWS = st.tuples(ANY_DAY, ANY_DAY).map(sorted)
REASONS = st.sampled_from(["没有用地", "没有用地", None])

# The stage that each event leaves behind, and the ones it may come from.
FORWARD = {
    "negotiation_opened": ("tip", "negotiating"),
    "signed": ("negotiating", "signed"),
    "groundbroken": ("signed", "groundbroken"),
}


def text(day: int) -> str:
    """The day's date; a negative one is no date at all."""
    return BAD_DAYS[-day % len(BAD_DAYS)] if day < 0 else f"{FIRST + timedelta(day)}"


def check_no_stage_is_skipped(history: list[dict[str, Any]]) -> None:
    """Forward one stage at a time; away only to closed, and back only to where it came from."""
    stage, left = "tip", None
    for event in history:
        name, facts = event["event"], event["facts"]
        if name in FORWARD:
            assert FORWARD[name][0] == stage, f"{name} of a lead that is {stage}"
            stage = FORWARD[name][1]
        elif name == "closed" or (name == "screened" and facts["verdict"] != "pursue"):
            assert stage not in ("closed", "groundbroken"), f"{name} of a lead that is {stage}"
            stage, left = "closed", stage
        elif name == "reopened":
            assert stage == "closed" and left
            stage, left = left, None
        else:
            anywhere = ("revised", "members_joined", "members_left", "credit_ruled")
            assert stage != "closed" or name in anywhere, f"{name} of a closed lead"
    # No command of this office corrects, so what is recorded is what happened.
    assert moved_on_hold((event["event"], event["occurred_on"]) for event in history) == []


class Office(RuleBasedStateMachine):
    """An office of two workers on one ledger, and the model beside it."""

    members = Bundle("members")
    leads = Bundle("leads")
    database = databases.SQLITE

    def __init__(self) -> None:
        """An empty ledger on real files."""
        super().__init__()
        self.folder = TemporaryDirectory(prefix="machine-")
        if self.database == databases.POSTGRESQL:
            databases.put_on_postgresql(Path(self.folder.name))
        place = settings_in(Path(self.folder.name))
        self.workers = [Ledger(place), Ledger(place)]
        self.workers[0].create_tables()
        self.model = Model()
        # lead → version → the answer of the command that made it
        self.said: dict[str, dict[int, Any]] = {}
        self.entered: dict[str, int] = {}
        # key → (digest, answer, command); what the pipeline said at a position
        self.keys: dict[str, tuple[str, Answer, Callable[[Call], Any]]] = {}
        self.published: list[tuple[int, Asked, Any]] = []
        self.turn = 0

    def teardown(self) -> None:
        """Whatever was said once is still said, and the log alone gives the same tables."""
        try:
            # After a failure it is that failure that is of interest.
            if self.position and sys.exc_info()[0] is None:
                self.check_everything()
        finally:
            for ledger in self.workers:
                ledger.close()
            drop_databases_in(Path(self.folder.name))
            self.folder.cleanup()

    @property
    def ledger(self) -> Ledger:
        """The worker whose turn it is."""
        return self.workers[self.turn % 2]

    @property
    def position(self) -> int:
        """The last position of the log."""
        return self.workers[0].recorder.max_notification_id() or 0

    # Carrying out

    def carry_out(
        self,
        method: str,
        subject: str | None,
        facts: dict[str, Any],
        *,
        key: str | None = None,
        known: int | None = None,
        may_waive: bool = False,
    ) -> Answer | None:
        """The answer if something was recorded now; None if it was refused or changed nothing."""
        digest = sha256(repr((method, subject, facts)).encode()).hexdigest()

        def command(call: Call) -> Any:
            arguments = (UUID(subject), call, facts) if subject else (call, facts)
            with acting(somebody(may_waive)):
                return getattr(self.ledger, method)(*arguments)

        return self.send(command, digest, subject, key, known)

    def send(
        self,
        command: Callable[[Call], Any],
        digest: str,
        subject: str | None,
        key: str | None,
        known: int | None,
    ) -> Answer | None:
        """Send it, and check what every command promises."""
        self.turn += 1
        before = self.position
        first = self.keys.get(key) if key else None
        versions = self.said.get(subject or "", {})
        stale = known is not None and bool(versions) and known != max(versions)
        known_versions = None if known is None else frozenset({known})
        try:
            answer: Answer = command(Call("token", digest, key, known_versions))
        except LedgerError as why:
            assert self.position == before, "it was refused, and yet recorded"
            other_request = first is not None and first[0] != digest
            self.check_refusal(why, other_request, first is not None, stale, known, versions)
            return None
        if first is not None:
            assert first[0] == digest, "a key that named another request was taken"
            assert answer.replayed and self.position == before
            same = (first[1].subject, first[1].version, first[1].status, first[1].body)
            assert (answer.subject, answer.version, answer.status, answer.body) == same
            return None
        assert not stale, "a stale version was taken"
        assert not answer.replayed
        if key:
            self.keys[key] = (digest, answer, command)
        if answer.position is None:
            assert self.position == before
            return None
        assert answer.position == self.position > before
        new_version = answer.version not in versions
        self.note(answer)
        self.note_survivors()
        return answer if new_version else None

    def check_refusal(
        self,
        why: LedgerError,
        other_request: bool,
        repeated: bool,
        stale: bool,
        known: int | None,
        versions: dict[int, Any],
    ) -> None:
        """It is refused for the reason that comes first, and says so."""
        assert str(why).strip()
        assert isinstance(why, KeyReused) == other_request == repeated
        if repeated:
            return
        assert isinstance(why, Stale) == stale
        if isinstance(why, Stale):
            present = max(versions)
            told = [event["version"] for event in why.events]
            assert told == (list(range(known + 1, present + 1)) if known else [])

    def note(self, answer: Answer) -> None:
        """Remember what a lead's command said."""
        if "stage" in answer.body:
            said = self.said.setdefault(str(answer.subject), {})
            shown = orjson.loads(orjson.dumps(answer.body))
            assert said.setdefault(answer.version, shown) == shown
            assert sorted(said) == list(range(1, answer.version + 1))

    def note_survivors(self) -> None:
        """Remember what became of leads that the members of another joined or left."""
        for lead, said in self.said.items():
            last = max(said)
            for step in self.ledger.reads.history(UUID(lead), last):
                assert step["event"] in ("members_joined", "members_left")
                found = self.ledger.reads.lead_at(UUID(lead), step["version"])
                said[step["version"]] = orjson.loads(found.body)

    def move(
        self, method: str, lead: str, day: int, facts: dict[str, Any], **how: Any
    ) -> Answer | None:
        """A command on a lead, ``day`` days after it entered its stage."""
        at = max(self.entered[lead] + day, -1)
        facts = {"occurred_on": text(at), **facts}
        answer = self.carry_out(method, lead, facts, **how)
        if (
            answer is not None
            and answer.body["stage"] != self.said[lead][answer.version - 1]["stage"]
        ):
            self.entered[lead] = at
        return answer

    def learn(self, lead: str, answer: Answer | None, **fact: Any) -> None:
        """Tell the model, if the command recorded something; compare where it stands now."""
        if answer is None:
            return
        day = self.ledger.reads.history(UUID(lead), answer.version - 1)[0]["occurred_on"]
        assert answer.position is not None
        self.model.leads[lead].facts.append(Fact(day, answer.position, **fact))
        self.compare(lead, answer)

    def compare(self, lead: str, answer: Answer) -> None:
        """The answer's lead is the model's."""
        state, body = self.model.leads[lead].now(), answer.body
        shown = (body["stage"], body["outcome"], body["about_to_sign"])
        assert shown == (state.stage, state.outcome, state.planned)
        model = self.model.leads[lead]
        assert body["district"] == [model.district, *model.passed][-1]
        assert sum(Fraction(member["share"]) for member in body["members"]) == 1
        money = body["investment"]
        assert (money and {"amount": money["amount"], "unit": money["unit"]}) == state.amount

    # The commands

    @rule(
        target=members,
        number=st.integers(1, 9),
        district=st.sampled_from(DISTRICTS),
        day=st.integers(-1, 10),
        key=st.sampled_from([None, None, "m1"]),
    )
    def register(self, number: int, district: str, day: int, key: str | None) -> Any:
        """A member, perhaps one that is there already."""
        facts = {"number": f"M{number}", "name": f"委员{number}", "sector": "经济"}
        facts |= {"district": district, "occurred_on": text(day)}
        answer = self.carry_out("register_member", None, facts, key=key)
        return str(answer.subject) if answer else multiple()

    @initialize(target=members)
    def begin_with_members(self) -> Any:
        """Members, so that there is somebody to tip."""
        return multiple(*(self.register(number, DISTRICTS[0], 0, None) for number in (6, 7, 8)))

    @rule(member=members, day=st.integers(5, LAST_DAY))
    def retire(self, member: str, day: int) -> None:
        """A member's term ends."""
        self.carry_out("retire_member", member, {"occurred_on": text(day)})

    @rule(
        target=leads,
        reporters=st.lists(members, min_size=1, max_size=3),
        district=st.sampled_from(DISTRICTS),
        title=st.sampled_from(["示例项目", "示例项目", "12英寸", ""]),
        investment=AMOUNTS,
        day=st.integers(-1, 20),
        key=st.sampled_from([None, None, None, "t1", "t2"]),
    )
    def tip(
        self,
        reporters: list[str],
        district: str,
        title: str,
        investment: Any,
        day: int,
        key: str | None,
    ) -> Any:
        """A tip, perhaps of a retired member or of one named twice."""
        facts = {"members": reporters, "district": district, "title": title}
        facts |= {"investment": investment, "occurred_on": text(day)}
        answer = self.carry_out("tip", None, facts, key=key)
        if answer is None:
            return multiple()
        lead = str(answer.subject)
        self.entered[lead] = day
        assert answer.position is not None
        amount = None if investment is None else (investment,)
        fact = Fact(text(day), answer.position, "tip", amount=amount)
        self.model.leads[lead] = ModelLead(district, reporters, [fact])
        self.compare(lead, answer)
        return lead

    @initialize(
        target=leads,
        investment=AMOUNTS,
        day=st.integers(0, 10),
        reporters=st.lists(members, min_size=1, max_size=2, unique=True),
    )
    def begin_with_a_lead(self, investment: Any, day: int, reporters: list[str]) -> Any:
        """A lead, so that there is something to follow."""
        return self.tip(reporters, DISTRICTS[0], "示例项目", investment, day, None)

    @rule(
        lead=leads,
        days=st.lists(SOON, min_size=1, max_size=5),
        investment=AMOUNTS,
        expected=st.sampled_from([None, 5, 20]),
    )
    def advance(self, lead: str, days: list[int], investment: Any, expected: int | None) -> None:
        """Step after step, whatever comes next for a lead that stands where this one does."""
        for day in days:
            state = self.model.leads[lead].now()
            if state.stage == "tip":
                self.negotiate(lead, day, "开发区", False, False, None, None)
            elif state.stage == "negotiating" and expected and not state.planned:
                self.plan(lead, day, expected)
            elif state.stage == "negotiating":
                self.sign(lead, day, investment, investment is None, None, None)
            elif state.stage == "signed":
                self.break_ground(lead, day, True)
            elif state.stage == "closed":
                self.reopen(lead, day)

    @rule(
        lead=leads,
        days=st.lists(st.integers(0, 30), min_size=2, max_size=4),
        amounts=st.lists(AMOUNTS, min_size=4, max_size=4),
    )
    def revise_out_of_order(self, lead: str, days: list[int], amounts: list[Any]) -> None:
        """Several amounts, learnt in no order of days."""
        for day, investment in zip(days, amounts, strict=False):
            self.revise_the_investment(lead, day, investment, "改", None)

    @rule(member=members, day=ANY_DAY)
    def tip_of_an_unknown_member(self, member: str, day: int) -> None:
        """One of the members was never registered."""
        facts = {"members": [member, str(uuid4())], "district": DISTRICTS[0], "title": "示例"}
        assert self.carry_out("tip", None, {**facts, "occurred_on": text(day)}) is None

    @rule(
        lead=leads,
        other=leads,
        day=SOON,
        verdict=st.sampled_from(["pursue", "decline", "duplicate"]),
        reason=REASONS,
        named=st.booleans(),
    )
    def screen(
        self, lead: str, other: str, day: int, verdict: str, reason: str | None, named: bool
    ) -> None:
        """A verdict, perhaps without what it needs, or on the lead itself."""
        facts = {"verdict": verdict, "reason": reason}
        facts["duplicate_of"] = other if named and verdict == "duplicate" else None
        answer = self.move("screen", lead, day, facts)
        outcomes = {"decline": "declined", "duplicate": "duplicate"}
        if verdict in outcomes:
            self.learn(lead, answer, stage="closed", outcome=outcomes[verdict])
        elif answer:
            self.compare(lead, answer)

    @rule(
        lead=leads,
        day=SOON,
        unit=st.sampled_from(["开发区", "开发区", None]),
        waived=st.sampled_from([False, False, True]),
        may_waive=st.booleans(),
        key=st.sampled_from([None, None, None, "n1", "n2"]),
        known=st.sampled_from([None, None, 0, 1, 2]),
    )
    def negotiate(
        self,
        lead: str,
        day: int,
        unit: str | None,
        waived: bool,
        may_waive: bool,
        key: str | None,
        known: int | None,
    ) -> None:
        """Talks begin."""
        facts: dict[str, Any] = {"responsible_unit": unit, "manager": None}
        facts["waivers"] = [{"fact": "responsible_unit", "reason": "旧账"}] if waived else []
        how = {"key": key, "known": known, "may_waive": may_waive}
        self.learn(
            lead, self.move("open_negotiation", lead, day, facts, **how), stage="negotiating"
        )

    @rule(
        lead=leads,
        day=SOON,
        form=st.sampled_from(["visit", "none"]),
        result=st.sampled_from(["去了", None]),
        key=st.sampled_from([None, "f1"]),
    )
    def follow(self, lead: str, day: int, form: str, result: str | None, key: str | None) -> None:
        """A contact; the stage stays."""
        facts = {"form": form, "result": result, "reason": None if result else "休假"}
        answer = self.move("follow_up", lead, day, facts, key=key)
        if answer:
            self.compare(lead, answer)

    @rule(lead=leads, day=SOON, expected=st.sampled_from([5, 5, 20, 0, None, None]))
    def plan(self, lead: str, day: int, expected: int | None) -> None:
        """A signing is expected, or no longer."""
        then = None if expected is None else text(self.entered[lead] + expected)
        answer = self.move("plan_signing", lead, day, {"expected_on": then})
        self.learn(lead, answer, planned=then is not None)

    @rule(lead=leads, day=SOON, investment=AMOUNTS)
    def agree(self, lead: str, day: int, investment: Any) -> None:
        """A framework agreement moves nothing."""
        answer = self.move("agree_framework", lead, day, {"investment": investment})
        if answer:
            self.compare(lead, answer)

    @rule(
        lead=leads,
        day=SOON,
        investment=AMOUNTS,
        waived=st.sampled_from([False, False, True]),
        known=st.sampled_from([None, None, None, -1, 0]),
        key=st.sampled_from([None, None, "s1"]),
    )
    def sign(
        self,
        lead: str,
        day: int,
        investment: Any,
        waived: bool,
        known: int | None,
        key: str | None,
    ) -> None:
        """A contract, ``known`` versions back from the present one."""
        facts: dict[str, Any] = {"investment": investment}
        facts["waivers"] = [{"fact": "investment", "reason": "旧账"}] if waived else []
        present = max(self.said[lead])
        version = None if known is None else present + known
        how = {"known": version, "key": key, "may_waive": True}
        answer = self.move("sign", lead, day, facts, **how)
        amount = (investment,) if investment else None
        self.learn(lead, answer, stage="signed", amount=amount)

    @rule(lead=leads, day=SOON, proven=st.sampled_from([True, True, False]))
    def break_ground(self, lead: str, day: int, proven: bool) -> None:
        """Works start."""
        evidence = [{"kind": "permit", "reference": "施-1"}] if proven else []
        facts = {"start": "construction", "evidence": evidence}
        self.learn(lead, self.move("break_ground", lead, day, facts), stage="groundbroken")

    @rule(lead=leads, day=SOON, review=st.sampled_from([10, 10, 20, -1]))
    def suspend(self, lead: str, day: int, review: int) -> None:
        """On hold."""
        review_on = text(max(self.entered[lead] + review, -1))
        answer = self.move("suspend", lead, day, {"reason": "等土地", "review_on": review_on})
        if answer:
            self.compare(lead, answer)

    @rule(lead=leads, day=SOON)
    def resume(self, lead: str, day: int) -> None:
        """No longer on hold."""
        answer = self.move("resume", lead, day, {"reason": None})
        if answer:
            self.compare(lead, answer)

    @rule(
        lead=leads,
        day=SOON,
        outcome=st.sampled_from(["declined", "lost", "withdrawn", "rescinded"]),
        reason=REASONS,
    )
    def close(self, lead: str, day: int, outcome: str, reason: str | None) -> None:
        """The end."""
        answer = self.move("close_lead", lead, day, {"outcome": outcome, "reason": reason})
        self.learn(lead, answer, stage="closed", outcome=outcome)

    @rule(lead=leads, day=SOON)
    def close_as_the_stage_allows(self, lead: str, day: int) -> None:
        """The end that this stage has."""
        ends = {"tip": "declined", "negotiating": "lost", "signed": "rescinded"}
        outcome = ends.get(self.model.leads[lead].now().stage or "", "lost")
        self.close(lead, day, outcome, "没有用地")

    @rule(lead=leads, day=SOON)
    def reopen(self, lead: str, day: int) -> None:
        """Back into the stage it left."""
        answer = self.move("reopen", lead, day, {"reason": "又回来了"})
        if answer is not None:
            # By the order of recording: a lead is closed from where it stood then.
            versions = self.said[lead]
            left = versions[
                max(v for v in versions if versions[v]["stage"] != "closed" and v < answer.version)
            ]
            self.learn(lead, answer, stage=left["stage"])

    @rule(
        lead=leads,
        day=st.sampled_from([0, 0, 1, 2, 3, 5, 8, 13, 21, 34, -1]),
        investment=AMOUNTS,
        reason=REASONS,
        key=st.sampled_from([None, None, None, "r1"]),
    )
    def revise_the_investment(
        self, lead: str, day: int, investment: Any, reason: str | None, key: str | None
    ) -> None:
        """Another amount since a day, in or out of the order of days."""
        tipped = min(fact.day for fact in self.model.leads[lead].facts)
        at = (date.fromisoformat(tipped) - FIRST).days + day
        facts = {"facts": {"investment": investment}, "reason": reason}
        facts["occurred_on"] = text(max(at, -1))
        before = self.position
        answer = self.carry_out("revise", lead, facts, key=key)
        if answer is not None:
            self.learn(lead, answer, amount=(investment,))
            return
        # Not recorded: then it was refused, or a replay, or it says what was known already.
        model = self.model.leads[lead]
        told = Fact(str(facts["occurred_on"]), 2**61, amount=(investment,))
        news = ModelLead("", [], [*model.facts, told]).amounts() != model.amounts()
        allowed = reason and day >= 0 and (key is None or key not in self.keys)
        assert not (news and allowed), f"{facts} was answered, and not recorded at {before}"

    @rule(lead=leads, day=st.integers(-1, 40), title=TEXTS)
    def revise_the_title(self, lead: str, day: int, title: str) -> None:
        """Another title."""
        tipped = min(fact.day for fact in self.model.leads[lead].facts)
        at = (date.fromisoformat(tipped) - FIRST).days + day
        facts = {"facts": {"title": title}, "occurred_on": text(max(at, -1))}
        answer = self.carry_out("revise", lead, facts)
        if answer:
            self.compare(lead, answer)

    @rule(lead=leads, day=SOON, district=st.sampled_from(DISTRICTS))
    def propose_a_transfer(self, lead: str, day: int, district: str) -> None:
        """To another district, or to the one where it is."""
        facts = {"district": district, "reason": "用地在对方"}
        answer = self.move("propose_transfer", lead, day, facts)
        if answer:
            assert answer.body["transfer_to"] == district
            self.compare(lead, answer)

    @rule(lead=leads, day=SOON, accepted=st.sampled_from([True, True, False]))
    def answer_a_transfer(self, lead: str, day: int, accepted: bool) -> None:
        """Perhaps of one that nobody proposed."""
        proposed = self.said[lead][max(self.said[lead])]["transfer_to"]
        if accepted:
            answer = self.move("accept_transfer", lead, day, {})
        else:
            answer = self.move("refuse_transfer", lead, day, {"reason": "没有用地"})
        if answer:
            self.model.leads[lead].passed += [proposed] if accepted else []
            assert answer.body["transfer_to"] is None
            self.compare(lead, answer)

    @rule(lead=leads, days=st.tuples(SOON, SOON), district=st.sampled_from(DISTRICTS))
    def pass_on(self, lead: str, days: tuple[int, int], district: str) -> None:
        """Proposed and accepted."""
        self.propose_a_transfer(lead, days[0], district)
        self.answer_a_transfer(lead, days[1], True)

    @rule(
        lead=leads,
        day=SOON,
        weights=st.lists(st.sampled_from([0, 1, 1, 2, 3]), min_size=6, max_size=6),
        too_much=st.sampled_from([False, False, True]),
    )
    def rule_the_credit(self, lead: str, day: int, weights: list[int], too_much: bool) -> None:
        """Shares by weight, which sum to 1 or are refused."""
        members = [member["id"] for member in self.said[lead][max(self.said[lead])]["members"]]
        parts = weights[: len(members)]
        whole = sum(parts) + too_much or 1
        told = {m: f"{Fraction(p, whole)}" for m, p in zip(members, parts, strict=False)}
        facts = {"shares": [{"member": m, "share": s} for m, s in told.items()], "reason": "裁定"}
        answer = self.move("rule_credit", lead, day, facts)
        if answer:
            assert not too_much and any(parts)
            self.compare(lead, answer)

    @rule(key=st.sampled_from(["m1", "t1", "t2", "n1", "n2", "f1", "s1", "r1"]))
    def repeat(self, key: str) -> None:
        """The same request with the same key, some time later."""
        if key in self.keys:
            digest, answer, command = self.keys[key]
            assert self.send(command, digest, str(answer.subject), key, None) is None

    # The questions

    @precondition(lambda self: self.position)
    @rule(
        window=WINDOWS,
        district=st.sampled_from(["", "", "32", "3208", "320871"]),
        member=st.one_of(st.none(), members),
    )
    def ask(self, window: list[int], district: str, member: str | None) -> None:
        """The pipeline says what the model says; remember it for later."""
        start, end = (FIRST + timedelta(day) for day in window)
        chosen = Selection(district=district or None, member=member)
        answer = self.ledger.reads.pipeline(chosen, start, end, None)
        assert answer["balanced"] is True
        assert answer["position"] == self.position
        if not any(lead.crossed(district) for lead in self.model.leads.values()):
            expected = self.model.pipeline(f"{start}", f"{end}", district=district, member=member)
            assert plain(answer) == expected
            self.check_sums(answer, f"{end}", district, member)
        self.check_movements(chosen, start, end)
        self.published.append((self.position, (chosen, start, end), plain(answer)))

    @rule(at=st.integers(0, 50))
    def ask_as_known_then(self, at: int) -> None:
        """What was published can be published again."""
        if self.published:
            self.check_published(*self.published[at % len(self.published)])

    @rule(lead=leads)
    def ask_for_old_versions(self, lead: str) -> None:
        """Each version is what the command's answer was."""
        self.check_versions(lead)
        check_no_stage_is_skipped(self.ledger.reads.history(UUID(lead)))

    @precondition(lambda self: self.position)
    @rule(day=ANY_DAY, member=st.one_of(st.none(), members))
    def compare_the_districts(self, day: int, member: str | None) -> None:
        """What stands in the books of all districts is what stands in the book of all."""
        self.check_districts(FIRST + timedelta(day), member)

    @precondition(lambda self: self.position)
    @rule(member=members)
    def add_up_the_credit(self, member: str) -> None:
        """Every lead is shared out whole, and what a member is told is what the book has."""
        self.check_credit(member)

    @rule()
    def rebuild(self) -> None:
        """The projections, made from the log alone, are the live ones."""
        if self.position:
            check_projections(self.ledger)

    # The checks

    def check_sums(self, answer: Any, end: str, district: str, member: str | None) -> None:
        """Every tip ever stands in exactly one place."""
        standing = sum(stage["standing"]["count"] for stage in answer["stages"])
        tipped = [
            lead
            for lead in self.model.leads.values()
            if min(fact.day for fact in lead.facts) <= end
            and lead.district.startswith(district)
            and member in (None, *lead.members)
        ]
        assert standing == len(tipped)

    def check_districts(self, end: date, member: str | None) -> None:
        """Each lead stands in one district, or was closed there; each tip was given in one."""
        ask = self.ledger.reads.pipeline
        whole = plain(ask(Selection(member=member), FIRST, end, None))
        parts = []
        for district in DISTRICTS:
            answer = ask(Selection(district=district, member=member), FIRST, end, None)
            assert answer["balanced"] is True
            parts.append(plain(answer))
            standing = sum(parts[-1][stage]["standing"][0] for stage in STAGES)
            assert standing == answer["tips"] + answer["received"]
        assert sum(part["tips"] for part in parts) == whole["tips"]
        for stage in (stage for stage in STAGES if stage != "closed"):
            figures = [part[stage]["standing"] for part in parts]
            assert tuple(map(sum, zip(*figures, strict=True))) == whole[stage]["standing"]
        for outcome, leads in whole["outcomes"].items():
            if outcome != "transferred":
                assert sum(part["outcomes"][outcome] for part in parts) == leads
        assert whole["outcomes"]["transferred"] == 0

    def check_credit(self, member: str) -> None:
        """The parts sum to the leads without duplicates, in all and in each district."""
        reads = self.ledger.reads
        chosen = [Selection(), *(Selection(district=district) for district in DISTRICTS)]
        for by in ("member", "sector"):
            sums = []
            for one in chosen:
                told = reads.credit(one, None, None, by)
                sums.append(sum(Fraction(line["credit"]) for line in told["lines"]))
                assert sums[-1] == Fraction(told["credit"])
            outcomes = [lead.now().outcome for lead in self.model.leads.values()]
            assert sums[0] == len(outcomes) - outcomes.count("duplicate")
            assert sums[0] == sum(sums[1:])
        lines = reads.credit(Selection(), None, None, "member")["lines"]
        mine = next((line["credit"] for line in lines if line["key"] == member), "0")
        assert reads.member(UUID(member))["credit"] == mine
        home = reads.member(UUID(member))["district"]
        told = reads.member(UUID(member), Scope(district=home))
        by_book = reads.pipeline(Selection(within=home, member=member), FIRST, LONG_AFTER, None)
        assert told["tips"] == by_book["tips"]

    def check_movements(self, chosen: Selection, start: date, end: date) -> None:
        """opening + in − out = closing, in leads and in money."""
        moved = self.ledger.reads.movements(chosen, start, end, None)
        closing = self.ledger.reads.pipeline(chosen, start, end, None)
        for line, stage in zip(moved["stages"], closing["stages"], strict=True):
            for unit in ("count", "cny"):
                figure = {n: fen_of(line[n][unit]) for n in ("opening", "in", "out", "closing")}
                assert figure["opening"] + figure["in"] - figure["out"] == figure["closing"]
            assert line["closing"] == stage["standing"]
        assert moved["balanced"] is True

    def check_published(self, position: int, question: Asked, said: Any) -> None:
        """The answer as known at ``position`` is the answer given then."""
        answer: Any = self.ledger.reads.pipeline(*question, position)
        assert answer["balanced"] is True
        assert plain(answer) == said

    def check_versions(self, lead: str) -> None:
        """Every version by number, and by the position it was recorded at."""
        reads = self.ledger.reads
        for version, said in self.said[lead].items():
            found = reads.lead_at(UUID(lead), version)
            assert found.version == version
            assert orjson.loads(found.body) == said
        for event in reads.history(UUID(lead)):
            found = reads.lead_at(UUID(lead), known_at=event["position"])
            assert orjson.loads(found.body) == self.said[lead][event["version"]]

    def check_everything(self) -> None:
        """At the end: every version, every publication, the balance of every day, all rows."""
        for lead in self.said:
            self.check_versions(lead)
            check_no_stage_is_skipped(self.ledger.reads.history(UUID(lead)))
        for published in self.published[-20:]:
            self.check_published(*published)
        ends = (FIRST, FIRST + timedelta(LAST_DAY + 30))
        points = self.ledger.reads.series(Selection(), *ends, None, "day")["points"]
        for point in points:
            expected = self.model.pipeline(point["on"], point["on"])
            shown = {s: (f["count"], fen_of(f["cny"])) for s, f in point["stages"].items()}
            assert shown == {stage: expected[stage]["standing"] for stage in shown}
        for member in sorted({m for lead in self.model.leads.values() for m in lead.members}):
            self.check_credit(member)
        for day in range(0, LAST_DAY + 30, 3):
            self.check_districts(FIRST + timedelta(day), None)
            end = FIRST + timedelta(day)
            assert self.ledger.reads.pipeline(Selection(), FIRST, end, None)["balanced"] is True
        assert self.ledger.reads.whole_book_balances()
        check_projections(self.ledger)


def fen_of(cny: str | int) -> int:
    """A figure in whole units, to add up."""
    return cny if isinstance(cny, int) else fen({"amount": cny, "unit": "元"})


NORMAL = settings(
    derandomize=True,
    max_examples=30,
    stateful_step_count=40,
    database=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.generate, Phase.shrink),
)


def test_whatever_the_office_does_everything_still_holds() -> None:
    run_state_machine_as_test(Office, settings=NORMAL)


class OfficeOnPostgresql(Office):
    """The same with the ledger on PostgreSQL."""

    database = databases.POSTGRESQL


def test_whatever_the_office_does_everything_still_holds_on_postgresql() -> None:
    fewer = settings(NORMAL, max_examples=4)
    run_state_machine_as_test(OfficeOnPostgresql, settings=fewer)


@pytest.mark.fault
def test_whatever_the_office_does_for_a_long_time_everything_still_holds() -> None:
    longer = settings(NORMAL, derandomize=False, max_examples=1_500, stateful_step_count=80)
    run_state_machine_as_test(Office, settings=longer)


WHOLE = (date(2025, 1, 1), date(2025, 12, 31))


def revise(ledger: Ledger, lead: UUID, amount: str, day: str) -> Answer:
    """So much 亿元 since that day."""
    facts = {"investment": {"amount": amount, "unit": "亿元"}}
    with acting(somebody()):
        return ledger.revise(lead, call(), {"facts": facts, "reason": "改", "occurred_on": day})


def test_an_amount_that_stands_now_may_still_be_news_of_an_earlier_day(tmp_path: Path) -> None:
    """1 since January, 30 since March; then it is learnt that it was 30 since February."""
    with ledger_in(tmp_path) as ledger:
        first = {"amount": "1", "unit": "亿元"}
        member = register(ledger).subject
        lead = tip(ledger, member, occurred_on="2025-01-10", investment=first).subject
        revise(ledger, lead, "30", "2025-03-01")
        late = revise(ledger, lead, "30", "2025-02-01")
        asked = ledger.reads.pipeline(Selection(), WHOLE[0], date(2025, 2, 15), None)
    assert late.position is not None, "it was answered as done, and not recorded"
    assert asked["stages"][0]["standing"]["cny"] == "3000000000"


def test_a_number_of_large_projects_can_be_published_again_after_their_amounts_changed(
    tmp_path: Path,
) -> None:
    """招引亿元以上项目: the selection is as known then, not as known now."""
    large = Selection(least_fen=10**10)
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        answer = tip(ledger, member, investment={"amount": "1.6", "unit": "亿元"})
        then = ledger.reads.pipeline(large, *WHOLE, None)
        assert then["tips"] == 1
        revise(ledger, answer.subject, "0.5", "2025-11-01")
        again = ledger.reads.pipeline(large, *WHOLE, then["position"])
    assert plain(again) == plain(then)


def test_an_empty_ledger_stands_at_position_0(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        assert ledger.reads.pipeline(Selection(), *WHOLE, None)["position"] == 0
        page = ledger.reads.leads(Question())
        assert (page.bodies, page.reflects) == ([], 0)
