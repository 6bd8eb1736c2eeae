"""A lead (项目): followed from its first tip to groundbreaking, or to its closure.

Every public command checks its rules and then records one event, whose class stands directly
beneath it. An event only assigns when it is applied, so that a rule made stricter later never
makes old history unreadable. The tables that the rules read are in `domain.stage`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import itemgetter
from typing import Any, NamedTuple, Self
from uuid import UUID

from eventsourcing.domain import Aggregate

from domain.actor import acting, current_actor
from domain.aggregate import Recorded, check_day
from domain.correction import (
    CORRECTABLE,
    CORRECTED,
    HAPPENS,
    JOINED,
    LEFT,
    REVISABLE,
    Correction,
    chain_of,
    effective,
    may_be_right,
    voided_by,
)
from domain.credit import CreditRuling, checked_shares, ruled
from domain.errors import Forbidden, Invalid, Refused
from domain.hold import Hold, begun, ended, hold_on
from domain.money import parse_money
from domain.sentences import Sentence
from domain.stage import (
    CLOSED,
    CLOSING_FACTS,
    CLOSURE_OUTCOMES,
    EVIDENCE_KINDS,
    FOLLOW_UP_FORMS,
    GROUNDBROKEN,
    LANDED,
    NAMED,
    NAMED_OUTCOME,
    NEGOTIATING,
    OUTCOMES,
    SIGNED,
    STARTS,
    STEPS,
    TIP,
    TRANSFERABLE,
    VERDICT_OUTCOME,
    VERDICTS,
    missing_facts,
)
from domain.values import NEVER, NOTE, check_text, district_fault, parse_day

Facts = Mapping[str, Any]

# What an event says that no command is given.
_NOT_GIVEN = frozenset(
    "originator_id originator_version originator_topic timestamp recorded_at actor request".split()
)

# Since when a day is: the end of "2025-01-01 is before … on 2025-03-18."
_TIPPED = Sentence("the lead was tipped")
_PLANNED = Sentence("the last plan was made")
_MOVED = Sentence("its last step, which no suspended lead takes,")
_SETTLED = Sentence("the last transfer was answered, or the lead reopened")
_PROPOSED = Sentence("the transfer was proposed")
_FLAGGED = Sentence("it was last suspended or resumed")
# The names in a contact: sealed, as it is given and kept; in plain, as it was recorded before.
_SEALED, _PLAIN = ("subject", "alg", "sealed"), ("name", "phone")

TITLE_LENGTH = 200
AUTHORITY_LENGTH = 200
MOST_MEMBERS = 20


class Ruling(NamedTuple):
    """A lead is a duplicate ``of`` another since ``day``: with its ``members``, in order of first
    report, and ``reported_on``, the day of its tip."""

    of: str
    day: str
    reported_on: str
    members: tuple[str, ...]


class Proposal(NamedTuple):
    """Since ``day`` it is proposed that the lead pass to another ``district``."""

    district: str
    day: str
    reason: str


class Lead(Recorded):
    """One lead. Keeps what its own rules ask for; what people look at is a projection's."""

    @classmethod
    def tip(
        cls,
        *,
        members: Sequence[str],
        district: str,
        occurred_on: str,
        note: str | None = None,
        id: UUID | None = None,
        source: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> Self:
        """A member's tip. ``members`` are ids in order of first report; ``facts`` as in REVISABLE.

        ``source`` says which row of an imported ledger it came from, if it did.
        """
        check_day(occurred_on)
        if not 1 <= len(members) <= MOST_MEMBERS:
            raise Invalid.of(
                "members",
                "{count} were named; 1 to {most_members} may be.",
                count=len(members),
                most_members=MOST_MEMBERS,
            )
        if len(set(members)) < len(members):
            raise Invalid.of("members", "One member is named twice.")
        fault = district_fault(district)
        if fault:
            raise Invalid({"district": [fault]})
        known = _checked({name: facts.get(name) for name in REVISABLE})
        return cls._create(
            cls.Tipped,
            id=id,
            members=list(members),
            district=district,
            occurred_on=occurred_on,
            note=note,
            source=dict(source) if source else None,
            **known,
        )

    class Tipped(Recorded.Event, Aggregate.Created):
        """A member reported the lead."""

        TOPIC = "lead.tipped"
        members: list[str]
        district: str
        title: str
        summary: str | None
        investor: dict[str, str | None] | None
        industry: str | None
        investment: dict[str, str] | None
        contact: dict[str, str | None] | None
        source: dict[str, str] | None

        def apply(self, aggregate: Any) -> None:
            """Begin the lead."""
            aggregate._begin(self.occurred_on, {name: getattr(self, name) for name in REVISABLE})
            aggregate.reporters = list(self.members)
            aggregate.district = self.district

    def screen(
        self,
        *,
        verdict: str,
        occurred_on: str,
        reason: str | None = None,
        duplicate_of: str | None = None,
        waivers: Sequence[Mapping[str, str]] = (),
        note: str | None = None,
    ) -> None:
        """The office's verdict on a tip (研判): pursue, decline, or a duplicate of another."""
        _check_word("verdict", verdict, VERDICTS)
        if self.stage != TIP:
            raise Refused(
                "Only a tip is screened; this lead is {standing}.", standing=self._standing
            )
        self._check_after_entry(occurred_on)
        if verdict == "pursue" and self.screened == verdict:
            return
        if duplicate_of and verdict != "duplicate":
            raise Invalid.of(
                "duplicate_of", "It goes with verdict duplicate, not {verdict}.", verdict=verdict
            )
        given = {"reason": reason, "duplicate_of": duplicate_of}
        waived = _check_given(
            VERDICTS[verdict], given, waivers, Sentence("A verdict of {verdict}", verdict=verdict)
        )
        if duplicate_of == str(self.id):
            raise Invalid.of("duplicate_of", "A lead is no duplicate of itself.")
        self.trigger_event(
            self.Screened,
            verdict=verdict,
            reason=reason,
            duplicate_of=duplicate_of,
            waived=waived,
            occurred_on=occurred_on,
            note=note,
        )

    class Screened(Recorded.Event):
        """The tip was judged; unless pursued it is closed."""

        TOPIC = "lead.screened"
        verdict: str
        reason: str | None
        duplicate_of: str | None
        waived: list[dict[str, str]]

        def apply(self, aggregate: Any) -> None:
            """Keep the verdict."""
            aggregate.screened = self.verdict
            if self.verdict in VERDICT_OUTCOME:
                aggregate._enter(CLOSED, self.occurred_on)
                aggregate.duplicate_of = self.duplicate_of

    @property
    def ruling(self) -> Ruling | None:
        """What it is a duplicate of, and whom it brings there; None if it is none."""
        if not self.duplicate_of:
            return None
        return Ruling(self.duplicate_of, self.entered_on, self.tipped_on, self.members)

    @property
    def members(self) -> tuple[str, ...]:
        """Whoever has a share in it, in the order of first report."""
        joined = [member for _, members in in_order(self.joined) for member in members]
        return tuple(dict.fromkeys([*self.reporters, *joined]))

    def check_survives(self) -> None:
        """Refused if nothing can be a duplicate of it, because it is one itself."""
        if self.duplicate_of:
            raise Refused(
                "Lead {id} is itself a duplicate of {duplicate_of}; name that one.",
                id=self.id,
                duplicate_of=self.duplicate_of,
            )

    def join_members(self, duplicate: str, ruling: Ruling) -> None:
        """The members of a lead that was ruled a duplicate of this one keep a later place in its
        credit order: after its own, by the days of their reports."""
        check_day(
            ruling.day,
            not_before=self.tipped_on,
            since=Sentence("lead {lead} was tipped", lead=self.id),
        )
        self.trigger_event(
            self.MembersJoined,
            duplicate=duplicate,
            members=list(ruling.members),
            reported_on=ruling.reported_on,
            occurred_on=ruling.day,
            note=None,
        )

    class MembersJoined(Recorded.Event):
        """Another lead was ruled a duplicate of this one."""

        TOPIC = JOINED
        duplicate: str
        members: list[str]
        reported_on: str

        def apply(self, aggregate: Any) -> None:
            """Keep who came with it."""
            aggregate.joined[self.duplicate] = (self.reported_on, self.members)

    def part_members(self, duplicate: str, occurred_on: str) -> None:
        """That lead is a duplicate of this one no more; nothing if its members never joined."""
        if duplicate in self.joined:
            self.trigger_event(
                self.MembersLeft, duplicate=duplicate, occurred_on=occurred_on, note=None
            )

    class MembersLeft(Recorded.Event):
        """The ruling that brought them was undone."""

        TOPIC = LEFT
        duplicate: str

        def apply(self, aggregate: Any) -> None:
            """Forget who came with it."""
            aggregate.joined.pop(self.duplicate, None)

    def rule_credit(
        self,
        *,
        shares: Sequence[Mapping[str, str]],
        reason: str,
        occurred_on: str,
        note: str | None = None,
    ) -> None:
        """Who has which share of its credit (首报): ``shares`` as in `domain.credit`. The order of
        first report stays as it is."""
        check_day(occurred_on, not_before=self.tipped_on, since=_TIPPED)
        if self.duplicate_of:
            raise Refused(
                "The lead is a duplicate of {duplicate_of}; its members have their "
                "shares there, so rule on that one.",
                duplicate_of=self.duplicate_of,
            )
        told = checked_shares(shares, self.members)
        reason = check_text("reason", reason or "", NOTE, lines=True)
        now = ({each["member"]: each["share"] for each in told}, reason)
        holds = ruled(self.credit_rulings, self.members)
        if holds and (holds.shares, holds.reason) == now and holds.day <= occurred_on:
            return
        self.trigger_event(
            self.CreditRuled, shares=told, reason=reason, occurred_on=occurred_on, note=note
        )

    class CreditRuled(Recorded.Event):
        """Somebody ruled on the shares of the members that the lead had."""

        TOPIC = "lead.credit_ruled"
        shares: list[dict[str, str]]
        reason: str

        def apply(self, aggregate: Any) -> None:
            """Keep the ruling, beside earlier ones on other members."""
            aggregate.credit_rulings = (*aggregate.credit_rulings, CreditRuling.of(self))

    def open_negotiation(
        self,
        *,
        occurred_on: str,
        responsible_unit: str | None = None,
        manager: str | None = None,
        waivers: Sequence[Mapping[str, str]] = (),
        note: str | None = None,
    ) -> None:
        """The office is in talks (洽谈). A tip not screened counts as pursued on that day."""
        waived = self._check_step(
            "negotiation", occurred_on, {"responsible_unit": responsible_unit}, waivers
        )
        self.trigger_event(
            self.NegotiationOpened,
            responsible_unit=responsible_unit,
            manager=manager,
            waived=waived,
            occurred_on=occurred_on,
            note=note,
        )

    class NegotiationOpened(Recorded.Event):
        """Talks began."""

        TOPIC = "lead.negotiation_opened"
        responsible_unit: str | None
        manager: str | None
        waived: list[dict[str, str]]

        def apply(self, aggregate: Any) -> None:
            """Move on."""
            aggregate.screened = "pursue"
            aggregate._move_on(self.occurred_on)
            aggregate._enter(NEGOTIATING, self.occurred_on)

    def follow_up(
        self,
        *,
        form: str,
        occurred_on: str,
        result: str | None = None,
        reason: str | None = None,
        next_on: str | None = None,
        note: str | None = None,
    ) -> None:
        """A dated contact with its result, or no progress (``none``) with a reason (跟进)."""
        self._check_open()
        _check_word("form", form, FOLLOW_UP_FORMS)
        check_day(occurred_on, not_before=self.tipped_on, since=_TIPPED)
        needed, given, other = (
            ("reason", reason, result) if form == "none" else ("result", result, reason)
        )
        if not given:
            raise Invalid.of(needed, "A follow-up of form {form} needs it.", form=form)
        if other:
            unwanted = "result" if needed == "reason" else "reason"
            raise Invalid.of(unwanted, "A follow-up of form {form} has none.", form=form)
        if next_on and parse_day("next_on", next_on).isoformat() < occurred_on:
            raise Invalid.of(
                "next_on",
                "{next_on} is before the follow-up on {occurred_on}.",
                next_on=next_on,
                occurred_on=occurred_on,
            )
        self.trigger_event(
            self.FollowedUp,
            form=form,
            result=result,
            reason=reason,
            next_on=next_on,
            occurred_on=occurred_on,
            note=note,
        )

    class FollowedUp(Recorded.Event):
        """Somebody was in touch, or said why not."""

        TOPIC = "lead.followed_up"
        form: str
        result: str | None
        reason: str | None
        next_on: str | None

    def tell_members(self, *, occurred_on: str, note: str | None = None) -> None:
        """The members who reported the lead were told what became of it (反馈)."""
        check_day(occurred_on, not_before=self.tipped_on, since=_TIPPED)
        self.trigger_event(self.MembersTold, occurred_on=occurred_on, note=note)

    class MembersTold(Recorded.Event):
        """Whoever reported the lead knows what became of it by then."""

        TOPIC = "lead.members_told"

    def plan_signing(
        self, *, expected_on: str | None, occurred_on: str, note: str | None = None
    ) -> None:
        """Terms are agreed and a day is expected (即将签约); None withdraws the plan."""
        self._check_moving(Sentence("signing plan"), NEGOTIATING, occurred_on)
        self._check_after_entry(occurred_on)
        if expected_on == self.expected_on:
            return
        if self.planned_on:
            check_day(occurred_on, not_before=self.planned_on, since=_PLANNED)
        if expected_on and parse_day("expected_on", expected_on).isoformat() < occurred_on:
            raise Invalid.of(
                "expected_on",
                "{expected_on} is before the plan of {occurred_on} itself.",
                expected_on=expected_on,
                occurred_on=occurred_on,
            )
        self.trigger_event(
            self.SigningPlanned, expected_on=expected_on, occurred_on=occurred_on, note=note
        )

    class SigningPlanned(Recorded.Event):
        """A signing is expected, or (None) no longer."""

        TOPIC = "lead.signing_planned"
        expected_on: str | None

        def apply(self, aggregate: Any) -> None:
            """Keep the expected day."""
            aggregate.expected_on = self.expected_on
            aggregate.planned_on = self.occurred_on

    def agree_framework(
        self,
        *,
        occurred_on: str,
        number: str | None = None,
        investment: Facts | None = None,
        document_sha256: str | None = None,
        note: str | None = None,
    ) -> None:
        """A framework agreement (框架协议): recorded, and the lead stays in negotiation."""
        self._check_moving(Sentence("framework agreement"), NEGOTIATING, occurred_on)
        self._check_after_entry(occurred_on)
        _checked({"investment": investment})
        self.trigger_event(
            self.FrameworkAgreed,
            number=number,
            investment=dict(investment) if investment else None,
            document_sha256=document_sha256,
            occurred_on=occurred_on,
            note=note,
        )

    class FrameworkAgreed(Recorded.Event):
        """A framework agreement was made; it moves nothing and changes no amount."""

        TOPIC = "lead.framework_agreed"
        number: str | None
        investment: dict[str, str] | None
        document_sha256: str | None

    def sign(
        self,
        *,
        occurred_on: str,
        number: str | None = None,
        investment: Facts | None = None,
        document_sha256: str | None = None,
        waivers: Sequence[Mapping[str, str]] = (),
        note: str | None = None,
    ) -> None:
        """The investment contract (投资合同), at the agreed amount: only it makes a lead signed."""
        given = {"contract": True, "investment": investment}
        waived = self._check_step("signing", occurred_on, given, waivers)
        _checked({"investment": investment})
        self.trigger_event(
            self.Signed,
            number=number,
            investment=dict(investment) if investment else None,
            document_sha256=document_sha256,
            waived=waived,
            occurred_on=occurred_on,
            note=note,
        )

    class Signed(Recorded.Event):
        """The contract was signed."""

        TOPIC = "lead.signed"
        number: str | None
        investment: dict[str, str] | None
        document_sha256: str | None
        waived: list[dict[str, str]]

        def apply(self, aggregate: Any) -> None:
            """Move on, at the agreed amount."""
            aggregate._move_on(self.occurred_on)
            aggregate._enter(SIGNED, self.occurred_on)
            if self.investment:
                aggregate._learn("investment", self.investment, self.occurred_on)

    def break_ground(
        self,
        *,
        occurred_on: str,
        start: str | None = None,
        evidence: Sequence[Mapping[str, str]] = (),
        waivers: Sequence[Mapping[str, str]] = (),
        note: str | None = None,
    ) -> None:
        """Main works started, equipment delivered or business opened (开工), with evidence."""
        if start is not None:
            _check_word("start", start, STARTS)
        for piece in evidence:
            _check_word("evidence.kind", piece["kind"], EVIDENCE_KINDS)
        given = {"start": start, "evidence": evidence}
        waived = self._check_step("groundbreaking", occurred_on, given, waivers)
        self.trigger_event(
            self.Groundbroken,
            start=start,
            evidence=[dict(piece) for piece in evidence],
            waived=waived,
            occurred_on=occurred_on,
            note=note,
        )

    class Groundbroken(Recorded.Event):
        """Ground was broken."""

        TOPIC = "lead.groundbroken"
        start: str | None
        evidence: list[dict[str, str]]
        waived: list[dict[str, str]]

        def apply(self, aggregate: Any) -> None:
            """Move on."""
            aggregate._move_on(self.occurred_on)
            aggregate._enter(GROUNDBROKEN, self.occurred_on)

    def recognise(
        self, *, stage: str, authority: str, occurred_on: str, note: str | None = None
    ) -> None:
        """A higher office accepted the signing or the groundbreaking (认定), on that day."""
        _check_word("stage", stage, LANDED)
        self._check_open()
        if stage not in self.entered:
            raise Refused(
                "The lead was never {stage}; it is {standing}.",
                stage=NAMED[stage],
                standing=self._standing,
            )
        since = Sentence("the lead became {stage}", stage=stage)
        check_day(occurred_on, not_before=self.entered[stage], since=since)
        authority = check_text("authority", authority, AUTHORITY_LENGTH)
        before = self.recognised.get(stage)
        if before == (occurred_on, authority):
            return
        if before:
            raise Refused(
                "{authority} recognised it as {stage} on {day} already; if that is "
                "wrong, correct it.",
                authority=before[1],
                stage=stage,
                day=before[0],
            )
        self.trigger_event(
            self.Recognised, stage=stage, authority=authority, occurred_on=occurred_on, note=note
        )

    class Recognised(Recorded.Event):
        """A higher office accepted a claim."""

        TOPIC = "lead.recognised"
        stage: str
        authority: str

        def apply(self, aggregate: Any) -> None:
            """Keep who accepted it, and when."""
            aggregate.recognised[self.stage] = (self.occurred_on, self.authority)

    def suspend(
        self, *, reason: str, review_on: str, occurred_on: str, note: str | None = None
    ) -> None:
        """Put on hold (暂缓) until a review; said again it moves the review date or the reason."""
        self._check_open()
        check_day(occurred_on, not_before=self.tipped_on, since=_TIPPED)
        if self.suspension == (reason, review_on):
            return
        self._check_flag_day(occurred_on)
        check_day(occurred_on, not_before=self.moved_on, since=_MOVED)
        if parse_day("review_on", review_on).isoformat() < occurred_on:
            raise Invalid.of(
                "review_on",
                "{review_on} is before the suspension, {occurred_on}.",
                review_on=review_on,
                occurred_on=occurred_on,
            )
        check_text("reason", reason, NOTE, lines=True)
        self.trigger_event(
            self.Suspended, reason=reason, review_on=review_on, occurred_on=occurred_on, note=note
        )

    class Suspended(Recorded.Event):
        """The lead was put on hold."""

        TOPIC = "lead.suspended"
        reason: str
        review_on: str

        def apply(self, aggregate: Any) -> None:
            """Raise the flag."""
            aggregate.suspension = (self.reason, self.review_on)
            aggregate.holds = begun(aggregate.holds, self.occurred_on)
            aggregate.flagged_on = self.occurred_on

    def resume(
        self, *, occurred_on: str, reason: str | None = None, note: str | None = None
    ) -> None:
        """Take up again what was on hold."""
        self._check_open()
        if not self.suspension:
            raise Refused("The lead is not suspended, so there is nothing to resume.")
        self._check_flag_day(occurred_on)
        self.trigger_event(self.Resumed, reason=reason, occurred_on=occurred_on, note=note)

    class Resumed(Recorded.Event):
        """The lead is followed again."""

        TOPIC = "lead.resumed"
        reason: str | None

        def apply(self, aggregate: Any) -> None:
            """Lower the flag."""
            aggregate.suspension = None
            aggregate.holds = ended(aggregate.holds, self.occurred_on)
            aggregate.flagged_on = self.occurred_on

    def close(
        self,
        *,
        outcome: str,
        occurred_on: str,
        reason: str | None = None,
        lost_to: str | None = None,
        waivers: Sequence[Mapping[str, str]] = (),
        note: str | None = None,
    ) -> None:
        """Close it (终止) with an outcome that its stage allows."""
        self._check_open()
        _check_word("outcome", outcome, OUTCOMES)
        stages, named = OUTCOMES[outcome][1], NAMED_OUTCOME[outcome]
        if outcome not in CLOSURE_OUTCOMES:
            raise Refused(
                "{outcome} is no closure: it comes by a ruling of its own.",
                outcome=named,
            )
        if self.stage not in stages:
            raise Refused(
                "{outcome} closes a lead that is {stages}; this lead is {standing}.",
                outcome=named,
                stages=stages,
                standing=self._standing,
            )
        if lost_to and outcome != "lost":
            raise Invalid.of(
                "lost_to", "It goes with outcome lost, not {outcome}.", outcome=outcome
            )
        self._check_after_entry(occurred_on)
        waived = _check_given(CLOSING_FACTS, {"reason": reason}, waivers, Sentence("A closure"))
        self.trigger_event(
            self.Closed,
            outcome=outcome,
            reason=reason,
            lost_to=lost_to,
            waived=waived,
            occurred_on=occurred_on,
            note=note,
        )

    class Closed(Recorded.Event):
        """The lead came to an end without groundbreaking."""

        TOPIC = "lead.closed"
        outcome: str
        reason: str | None
        lost_to: str | None
        waived: list[dict[str, str]]

        def apply(self, aggregate: Any) -> None:
            """Leave the stage."""
            aggregate._enter(CLOSED, self.occurred_on)

    def reopen(self, *, reason: str, occurred_on: str, note: str | None = None) -> None:
        """Bring a closed lead back into the stage it left."""
        if self.stage != CLOSED:
            raise Refused(
                "Only a closed lead is reopened; this lead is {standing}.", standing=self._standing
            )
        self._check_after_entry(occurred_on)
        check_text("reason", reason, NOTE, lines=True)
        self.trigger_event(self.Reopened, reason=reason, occurred_on=occurred_on, note=note)

    class Reopened(Recorded.Event):
        """The lead is back."""

        TOPIC = "lead.reopened"
        reason: str

        def apply(self, aggregate: Any) -> None:
            """Return to the stage it left; a tip is to be screened again."""
            aggregate._enter(aggregate.left, self.occurred_on)
            aggregate._settle(self.occurred_on)
            if aggregate.stage == TIP:
                aggregate.screened = None

    def propose_transfer(
        self, *, district: str, reason: str, occurred_on: str, note: str | None = None
    ) -> None:
        """Propose that it pass to another district (流转), which that one accepts or refuses."""
        self._check_open()
        if self.stage not in TRANSFERABLE:
            raise Refused(
                "Only a lead that is {stages} passes to another district; this lead is {standing}.",
                stages=TRANSFERABLE,
                standing=self._standing,
            )
        fault = district_fault(district)
        if fault or district == self.district:
            raise Invalid(
                {
                    "district": [
                        fault or Sentence("The lead is in {district} already.", district=district)
                    ]
                }
            )
        reason = check_text("reason", reason or "", NOTE, lines=True)
        asked = Proposal(district, occurred_on, reason)
        if self.proposal == asked:
            return
        if self.proposal:
            raise Refused(
                "Its transfer to {district} was proposed on {day} and is not answered "
                "yet; one at a time.",
                district=self.proposal.district,
                day=self.proposal.day,
            )
        check_day(occurred_on, not_before=self.tipped_on, since=_TIPPED)
        check_day(occurred_on, not_before=self.settled_on, since=_SETTLED)
        self.trigger_event(
            self.TransferProposed,
            district=district,
            reason=reason,
            occurred_on=occurred_on,
            note=note,
        )

    class TransferProposed(Recorded.Event):
        """The district it stands in would pass it to another one."""

        TOPIC = "lead.transfer_proposed"
        district: str
        reason: str

        def apply(self, aggregate: Any) -> None:
            """Keep what waits for an answer."""
            aggregate.proposal = Proposal(self.district, self.occurred_on, self.reason)

    def accept_transfer(
        self, *, occurred_on: str, district: str | None = None, note: str | None = None
    ) -> None:
        """The other district takes it over: from that day on it stands there. ``district``: which,
        where it is said."""
        proposal = self._proposed(occurred_on)
        if district not in (None, proposal.district):
            raise Refused(
                "Its transfer is proposed to {district}, not to {other}.",
                district=proposal.district,
                other=district,
            )
        if self.stage not in TRANSFERABLE:
            raise Refused(
                "The lead is {standing} by now and stays where it is: refuse the transfer.",
                standing=self._standing,
            )
        self.trigger_event(
            self.Transferred, district=proposal.district, occurred_on=occurred_on, note=note
        )

    class Transferred(Recorded.Event):
        """It passed to that district, in the stage and with the amount that it has."""

        TOPIC = "lead.transferred"
        district: str

        def apply(self, aggregate: Any) -> None:
            """Stand there."""
            aggregate.district = self.district
            aggregate._settle(self.occurred_on)

    def refuse_transfer(self, *, reason: str, occurred_on: str, note: str | None = None) -> None:
        """The other district does not take it; it stays where it is."""
        self._proposed(occurred_on)
        reason = check_text("reason", reason or "", NOTE, lines=True)
        self.trigger_event(self.TransferRefused, reason=reason, occurred_on=occurred_on, note=note)

    class TransferRefused(Recorded.Event):
        """The other district did not want it."""

        TOPIC = "lead.transfer_refused"
        reason: str

        def apply(self, aggregate: Any) -> None:
            """Nothing waits any more."""
            aggregate._settle(self.occurred_on)

    def transfer(
        self, *, district: str, reason: str, occurred_on: str, note: str | None = None
    ) -> None:
        """A transfer that is over, as old paper tells it: proposed and accepted on one day."""
        self.propose_transfer(district=district, reason=reason, occurred_on=occurred_on, note=note)
        self.accept_transfer(occurred_on=occurred_on, note=note)

    def _proposed(self, occurred_on: str) -> Proposal:
        """The proposal that is answered; Refused when none is open."""
        if self.proposal is None:
            raise Refused(
                "No transfer of this lead is open; it stands in {district}, and is {standing}.",
                district=self.district,
                standing=self._standing,
            )
        check_day(occurred_on, not_before=self.proposal.day, since=_PROPOSED)
        return self.proposal

    def revise(
        self,
        *,
        occurred_on: str,
        facts: Facts,
        reason: str | None = None,
        note: str | None = None,
    ) -> None:
        """Facts changed on that day. ``facts`` holds any of REVISABLE; None says: not known."""
        check_day(occurred_on, not_before=self.tipped_on, since=_TIPPED)
        for name in facts:
            _check_word("facts", name, REVISABLE)
        changed = {
            name: value
            for name, value in _checked(facts).items()
            # What stands now but came later stood not yet on that day.
            if value != self.facts[name] or occurred_on < self.dated[name]
        }
        if not changed:
            return
        if "investment" in changed and not reason:
            raise Invalid.of("reason", "A change of the investment needs its reason.")
        self.trigger_event(
            self.Revised, facts=changed, reason=reason, occurred_on=occurred_on, note=note
        )

    class Revised(Recorded.Event):
        """Some facts are others since that day; ``facts`` holds the changed ones only."""

        TOPIC = "lead.revised"
        facts: dict[str, Any]
        reason: str | None

        def apply(self, aggregate: Any) -> None:
            """Each fact stands unless one of a later day is known."""
            for name, value in self.facts.items():
                aggregate._learn(name, value, self.occurred_on)

    def correct(
        self,
        *,
        version: int,
        reason: str,
        occurred_on: str,
        facts: Facts | None = None,
        void: bool = False,
        note: str | None = None,
    ) -> None:
        """Put right the facts of an earlier event, or (``void``) say that it never happened.

        ``facts`` holds the right values, ``occurred_on`` and ``note`` among them;
        ``occurred_on`` itself is the day of the correction. Refused when what was recorded
        after the event could then not have happened, naming it.
        """
        check_day(occurred_on)
        reason = check_text("reason", reason, NOTE, lines=True)
        if not 1 <= version <= len(self.past):
            raise Invalid.of(
                "version",
                "There is no event {version}; the last is {last}.",
                version=version,
                last=self.version,
            )
        if bool(facts) == void:
            raise Invalid.of("facts", "Give the right facts, or say void: true; one of the two.")
        self._check_correctable(version, facts or {}, void=void)
        correction = Correction(self.version + 1, version, dict(facts or {}), void)
        right = effective(self.past, [correction])
        if list(map(vars, right)) == list(map(vars, effective(self.past))):
            return
        _check_history(right, chain_of(self.past, version)[-1])
        self.trigger_event(
            self.Corrected,
            corrects=version,
            facts=dict(facts) if facts else None,
            void=void,
            reason=reason,
            occurred_on=occurred_on,
            note=note,
        )

    class Corrected(Recorded.Event):
        """An earlier event is to be read otherwise: with other facts, or as if it never was."""

        TOPIC = CORRECTED
        corrects: int
        facts: dict[str, Any] | None
        void: bool
        reason: str

        def apply(self, aggregate: Any) -> None:
            """Tell the lead again, as if it had been right from the start."""
            _retell(aggregate, effective([*aggregate.past, self]))

    def _check_correctable(self, version: int, facts: Facts, *, void: bool) -> None:
        """Whether the table allows it."""
        chain = chain_of(self.past, version)
        for at in chain:
            by = voided_by(self.past, at)
            if by and by not in chain:
                raise Refused(
                    "Version {at} was voided by version {by}; void that to have it back.",
                    at=at,
                    by=by,
                )
        root = self.past[chain[-1] - 1]
        if root.TOPIC in (JOINED, LEFT):
            raise Refused(
                "Version {version} follows from a ruling on lead {duplicate}; reopen or "
                "correct that one.",
                version=version,
                duplicate=root.duplicate,
            )
        event = self.past[version - 1]
        if void and event.TOPIC != CORRECTED and not CORRECTABLE[event.TOPIC].void:
            raise Refused("A tip is counted once, for ever: decline it, or rule it a duplicate.")
        if facts and event.TOPIC == CORRECTED and event.void:
            raise Refused(
                "Version {version} voided an event and has no facts; void it instead.",
                version=version,
            )
        allowed = may_be_right(root)
        for name in facts:
            if name not in allowed:
                reason = Sentence(
                    "It cannot be put right in version {version} ({event} on {day}); there it "
                    "may be {facts}.",
                    version=chain[-1],
                    event=_name_of(root),
                    day=root.occurred_on,
                    facts=allowed,
                )
                raise Invalid({f"facts.{name}": [reason]})

    @property
    def _standing(self) -> Sentence:
        return Sentence("{stage} since {day}", stage=NAMED[self.stage], day=self.entered_on)

    def _begin(self, occurred_on: str, facts: dict[str, Any]) -> None:
        self.stage = TIP
        self.tipped_on = occurred_on
        # The day it entered the stage it stands in, and the stage it left when it was closed.
        self.entered_on = occurred_on
        self.left: str | None = None
        # Stage → the day it first came there; and what a higher office recognised, when.
        self.entered = {TIP: occurred_on}
        self.recognised: dict[str, tuple[str, str]] = {}
        self.screened: str | None = None
        # The lead that it is a duplicate of; and lead → (day of its tip, members) of those that
        # are duplicates of this one.
        self.reporters: list[str] = []
        self.duplicate_of: str | None = None
        self.joined: dict[str, tuple[str, list[str]]] = {}
        # The district it stands in; what is proposed of another one; since when nothing was.
        self.district = ""
        self.proposal: Proposal | None = None
        self.settled_on: str | None = None
        # What was ruled on the shares of its members, in the order of recording.
        self.credit_rulings: tuple[CreditRuling, ...] = ()
        self.expected_on: str | None = None
        self.planned_on: str | None = None
        # (reason, review date) while on hold; the day of the last suspension or resumption.
        self.suspension: tuple[str, str] | None = None
        self.flagged_on: str | None = None
        # When it was on hold; and the day of its last step, which is not to fall into a hold.
        self.holds: tuple[Hold, ...] = ()
        self.moved_on: str | None = None
        # Revisable fact → its value, and the business date it is from.
        self.facts = facts
        self.dated = dict.fromkeys(REVISABLE, occurred_on)

    def _enter(self, stage: str, occurred_on: str) -> None:
        self.left = self.stage if stage == CLOSED else None
        self.duplicate_of = None
        self.stage = stage
        self.entered_on = occurred_on
        self.entered.setdefault(stage, occurred_on)
        self.expected_on = self.planned_on = None
        if stage == CLOSED:
            self.suspension = None
            self.holds = ended(self.holds, occurred_on)
            # Who closes a lead withdraws what was proposed of it.
            self.proposal = None

    def _settle(self, occurred_on: str) -> None:
        self.proposal = None
        self.settled_on = occurred_on

    def _move_on(self, occurred_on: str) -> None:
        self.moved_on = max(self.moved_on or occurred_on, occurred_on)

    def _learn(self, name: str, value: Any, occurred_on: str) -> None:
        if occurred_on >= self.dated[name]:
            self.facts[name] = value
            self.dated[name] = occurred_on

    def _impossible(self, event: Any) -> Sentence | None:
        """Why ``event`` cannot have happened to the lead as it stands; None if it can."""
        stages, since, on_hold = HAPPENS[event.TOPIC]
        if event.TOPIC == "lead.closed":
            stages = OUTCOMES[event.outcome][1]
        if self.stage not in stages:
            return Sentence("the lead would be {stage}", stage=self.stage)
        fault = self._untransferable(event)
        if fault:
            return fault
        if on_hold and not self.suspension:
            return Sentence("nothing to resume")
        if on_hold is False and hold_on(self.holds, event.occurred_on):
            return Sentence("the lead would be suspended")
        first = max(filter(None, (getattr(self, name) for name in since)))
        if event.TOPIC == "lead.recognised":
            first = self.entered.get(event.stage, NEVER)
        if event.occurred_on < first:
            return Sentence("its day, {day}, would be too early", day=event.occurred_on)
        return None

    def _untransferable(self, event: Any) -> Sentence | None:
        """Why an event of a transfer cannot have happened to the lead as it stands; None of any
        other event."""
        proposal = self.proposal
        if event.TOPIC == "lead.transfer_proposed":
            if event.district == self.district:
                return Sentence("the lead would be in {district} already", district=event.district)
            return Sentence("another transfer would be open") if proposal else None
        if event.TOPIC not in ("lead.transferred", "lead.transfer_refused"):
            return None
        if proposal is None:
            return Sentence("no transfer would be open")
        if event.TOPIC == "lead.transferred" and event.district != proposal.district:
            return Sentence("the transfer would be to {district}", district=proposal.district)
        early = Sentence("its day, {day}, would be before the proposal", day=event.occurred_on)
        return early if event.occurred_on < proposal.day else None

    def _check_open(self) -> None:
        if self.stage == CLOSED:
            raise Refused("The lead is {standing}; reopen it first.", standing=self._standing)

    def _check_moving(self, what: Sentence, stage: str, occurred_on: str) -> None:
        """Refused unless the lead stands in ``stage`` and was not on hold on that day."""
        if self.stage != stage:
            raise Refused(
                "A {what} needs a lead that is {stage}; this one is {standing}.",
                what=what,
                stage=stage,
                standing=self._standing,
            )
        hold = hold_on(self.holds, occurred_on)
        if hold and hold.until:
            raise Refused(
                "The lead was suspended from {since} until {until}; no {what} is of {occurred_on}.",
                since=hold.since,
                until=hold.until,
                what=what,
                occurred_on=occurred_on,
            )
        if hold and self.suspension:
            raise Refused(
                "The lead is suspended ({reason}); resume it first.",
                reason=self.suspension[0],
            )

    def _check_after_entry(self, occurred_on: str) -> None:
        since = Sentence("the lead became {stage}", stage=self.stage)
        check_day(occurred_on, not_before=self.entered_on, since=since)

    def _check_flag_day(self, occurred_on: str) -> None:
        check_day(occurred_on, not_before=self.tipped_on, since=_TIPPED)
        check_day(occurred_on, not_before=self.flagged_on, since=_FLAGGED)

    def _check_step(
        self, command: str, occurred_on: str, given: Facts, waivers: Sequence[Mapping[str, str]]
    ) -> list[dict[str, str]]:
        """Check one step of the stage table; the waivers it needs, each with who and why."""
        step = STEPS[command]
        self._check_moving(Sentence("{step}", step=command), step.source, occurred_on)
        self._check_after_entry(occurred_on)
        return _check_given(
            step.facts, given, waivers, Sentence("To become {stage}", stage=NAMED[step.target])
        )


def _retell(lead: Any, events: Iterable[Any]) -> None:
    """Make ``lead`` what it is when these events, and only they, happened to it."""
    for event in events:
        event.apply(lead)


def _told(events: Sequence[Any]) -> Any:
    """A lead to try something on: what these events make of it."""
    lead = events[0].mutate(None)
    _retell(lead, events[1:])
    return lead


def _check_history(events: Sequence[Any], version: int) -> None:
    """Refused, or Invalid, unless the event ``version``, where it is still told, meets the rules
    of its command, and those after it can still have happened."""
    here = [event for event in events if event.originator_version == version]
    upto = [event for event in events if event.originator_version <= version]
    for event in here:
        _carry_out_again(event, upto[:-1])
    lead = _told(upto)
    impossible: list[Sentence] = []
    for event in events[len(upto) :]:
        fault = lead._impossible(event)
        if fault:
            impossible.append(
                Sentence(
                    "version {version} ({event} on {day}: {fault})",
                    version=event.originator_version,
                    event=_name_of(event),
                    day=event.occurred_on,
                    fault=fault,
                )
            )
        else:
            event.apply(lead)
    if impossible:
        raise Refused(
            "What was recorded later could then not have happened. Void or correct "
            "first, in this order: {impossible}.",
            impossible=[*reversed(impossible)],
        )


def _carry_out_again(event: Any, before: Sequence[Any]) -> None:
    """Check ``event`` as its command does, on the lead that the events ``before`` it tell of."""
    facts = {name: value for name, value in vars(event).items() if name not in _NOT_GIVEN}
    if "waived" in facts:
        waived = facts.pop("waived")
        facts["waivers"] = [{"fact": w["fact"], "reason": w["why"]} for w in waived]
    command = CORRECTABLE[event.TOPIC].command
    # What was waived when it was recorded stays waived.
    with acting(replace(current_actor(), may_waive=True)):
        getattr(_told(before) if before else Lead, command)(**facts)


def _name_of(event: Any) -> str:
    name: str = event.TOPIC.partition(".")[2]
    return name


def in_order(joined: Mapping[str, Any]) -> list[Any]:
    """(day of the tip, members) of each duplicate, by the days; of one day as they joined."""
    return sorted(joined.values(), key=itemgetter(0))


def _check_word(field: str, word: str, words: Iterable[str]) -> None:
    if word not in words:
        raise Invalid.of(field, "'{word}' is none of {words}.", word=word[:40], words=words)


def _check_given(
    needed: Sequence[str], given: Facts, waivers: Sequence[Mapping[str, str]], what: Sentence
) -> list[dict[str, str]]:
    """The waivers, as recorded, for the ``needed`` facts not ``given``; Refused if one lacks."""
    missing = missing_facts(needed, given)
    waived = [_waiver(needed, waiver) for waiver in waivers]
    if len({waiver["fact"] for waiver in waived}) < len(waived):
        raise Invalid.of("waivers", "One fact is waived twice.")
    unneeded = [waiver["fact"] for waiver in waived if waiver["fact"] not in missing]
    if unneeded:
        raise Invalid.of("waivers", "{facts} is given, so nothing is waived.", facts=unneeded)
    absent = [fact for fact in missing if fact not in {w["fact"] for w in waived}]
    if absent:
        raise Refused("{what} needs {facts}.", what=what, facts=absent, missing=absent)
    return waived


def _waiver(facts: Sequence[str], waiver: Mapping[str, str]) -> dict[str, str]:
    """One waiver as it is recorded: which fact, who overrode it, and why."""
    actor = current_actor()
    if not actor.may_waive:
        raise Forbidden("Only an administrator, or an import of old paper, waives a fact.")
    if not waiver["reason"].strip():
        raise Invalid.of("waivers", "The waiver of {fact} gives no reason.", fact=waiver["fact"])
    if waiver["fact"] not in facts:
        raise Invalid.of("waivers", "'{fact}' is no fact this step requires.", fact=waiver["fact"])
    return {"fact": waiver["fact"], "by": actor.name, "why": waiver["reason"]}


def _check_named(field: str, found: Facts, names: Sequence[str], needed: str | None) -> None:
    """Invalid unless ``found`` has exactly ``names``, ``needed`` among those with a value."""
    if set(found) != set(names):
        raise Invalid.of(
            field, "It has {facts}, not {found}.", facts=names, found=[*map(str, found)]
        )
    if needed and not found[needed]:
        raise Invalid.of(f"{field}.{needed}", "It is empty.")


def _checked(facts: Facts) -> dict[str, Any]:
    """``facts`` as they are kept; Invalid when a revisable one that is present cannot be."""
    kept = dict(facts)
    if "title" in kept:
        kept["title"] = check_text("title", kept["title"] or "", TITLE_LENGTH)
    if facts.get("investor") is not None:
        _check_named("investor", facts["investor"], ("name", "uscc", "country"), "name")
    if facts.get("contact") is not None:
        shape = _SEALED if "sealed" in facts["contact"] else _PLAIN
        _check_named("contact", facts["contact"], shape, None)
    money = facts.get("investment")
    if money:
        parse_money("investment", money["amount"], money["unit"])
    return kept
