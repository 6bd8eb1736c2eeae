"""The application: every command one method. It alone writes to the event log."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, cast
from uuid import UUID, uuid4, uuid5

from eventsourcing.application import Application
from eventsourcing.persistence import ApplicationRecorder, IntegrityError, StoredEvent
from eventsourcing.utils import Environment, EnvType

from domain.actor import current_actor, today
from domain.correction import effective
from domain.errors import (
    Forbidden,
    Invalid,
    KeyReused,
    LedgerError,
    NotFound,
    NotReady,
    Refused,
    Stale,
    none_such,
)
from domain.lead import Lead, Ruling
from domain.member import Member
from domain.report import Report
from domain.values import NOTE, check_text
from service.access.record import Access
from service.access.scrub import without_secrets
from service.access.slowing import Slowing
from service.audit import Audit
from service.exports.cut import SETTLED
from service.exports.shelf import Shelf
from service.figures import EVENTS as RECORDED
from service.figures import FIGURES
from service.log import LedgerMapper
from service.log_recorder import Insert, LedgerRecorder, Stream
from service.logs import check_unmoved, recorder_of
from service.personal import erasures
from service.personal.erasures import ERASURES, Erased
from service.personal.personal import Personal
from service.projections import members as member_rows
from service.projections.sealed import shown as sealed_report
from service.projections.store import Store, metadata
from service.projections.view import people_in, view_of
from service.proof.events import AUDIT, AccessesNoted, KeyRotated, Ruled
from service.proof.published import Published
from service.reads import Reads
from service.replica import answering, replica_of
from service.reports.asked import Asked
from service.requests import Answered, Call, claim
from service.scope import ALL, Scope
from service.sessions import Sessions
from service.settings import Settings
from service.signin import signing_in
from service.stores import PROJECTIONS, store_of
from service.tokens import Tokens

EVENTS = (
    Member.Registered,
    Member.Retired,
    Lead.Tipped,
    Lead.Screened,
    Lead.NegotiationOpened,
    Lead.FollowedUp,
    Lead.MembersTold,
    Lead.MembersJoined,
    Lead.MembersLeft,
    Lead.CreditRuled,
    Lead.SigningPlanned,
    Lead.FrameworkAgreed,
    Lead.Signed,
    Lead.Groundbroken,
    Lead.Recognised,
    Lead.Suspended,
    Lead.Resumed,
    Lead.Closed,
    Lead.Reopened,
    Lead.TransferProposed,
    Lead.Transferred,
    Lead.TransferRefused,
    Lead.Revised,
    Lead.Corrected,
    Report.Sealed,
    Answered,
    KeyRotated,
    Ruled,
    AccessesNoted,
    Erased,
)
BEGINNINGS = {"member.registered": Member, "lead.tipped": Lead, "report.sealed": Report}
# Each try loses only to another command on the same lead that was recorded meanwhile; who lost so
# many is alone for the next.
ATTEMPTS, POLITE = 64, 4

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Answer:
    """A command's answer: the ``subject`` as it was at ``version``, shown as ``body``.

    ``position`` is the log position it was recorded at; None when nothing was recorded now.
    """

    subject: UUID
    version: int
    status: int
    body: dict[str, Any]
    position: int | None = None
    replayed: bool = False


def _replayed(events: Iterable[Any]) -> Any:
    """The aggregate after its events (the library's own loop checks each one's type at length)."""
    aggregate = None
    for event in events:
        aggregate = event.mutate(aggregate)
    return aggregate


class Ledger(Application[UUID]):
    """The office's ledger, on the event log that the settings name."""

    name = "ledger"
    mapper: LedgerMapper

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()
        self.personal = Personal(settings, self.log_recorder, self.mapper)
        store = store_of(settings, PROJECTIONS, metadata)
        self.reads = Reads(self.log_recorder, self.mapper, store, self.personal.log_went_on)
        # Who answers what is read: from where it is written, and from a replica of that.
        self.here = answering(self.reads, self.personal, settings)
        _, self.reports, self.worklist, self.similar = self.here
        self.replica = replica_of(settings, self.log_recorder, self.mapper, self.personal)
        self.access = Access(settings)
        self.slowing = Slowing(
            settings.slowing, settings.failures_a_minute, settings.requests_a_minute
        )
        self.tokens = Tokens(settings, self.access)
        self.sessions = Sessions(settings, self.tokens, self.access)
        self.provider, self.sign_in = signing_in(settings)
        # Members as they last were; one is replaced when it changes and never changed in place.
        self._members: dict[str, Member] = {}
        self._names: dict[str, str] = {}
        self.published = Published(settings)
        self.audit = Audit(self.log_recorder, self.published, settings)

    def construct_env(self, name: str, env: EnvType | None = None) -> Environment:
        """Only what is set here: no library setting slips in from the process environment."""
        fixed = {
            "PERSISTENCE_MODULE": "eventsourcing.sqlite",
            "SQLITE_DBNAME": str(self.settings.database),
        }
        return Environment(name, {**fixed, **(env or {})})

    def construct_mapper(self) -> LedgerMapper:
        """The closed list of events that may be stored and read."""
        return LedgerMapper(EVENTS, BEGINNINGS)

    def construct_recorder(self) -> ApplicationRecorder:
        """Our recorder of the log."""
        return recorder_of(self.settings)

    @property
    def log_recorder(self) -> LedgerRecorder:
        """The recorder, as what it is."""
        return cast(LedgerRecorder, self.recorder)

    def create_tables(self, *, projections: bool = True) -> None:
        """Make every table that is missing; safe when several processes start at once."""
        check_unmoved(self.settings)
        self.log_recorder.create_table()
        self.log_recorder.check_served()
        self.create_kept()
        self.tokens.uses.create()
        self.personal.create()
        if projections:
            self.reads.store.create_tables()

    def create_kept(self) -> None:
        """Make the tables of what no log can give again."""
        for store in self.kept:
            store.create_tables()
        self.log_recorder.heed(
            name
            for beside in (self.tokens, self.sessions, self.published)
            for name in beside.store.tables.tables
        )

    @property
    def kept(self) -> list[Store]:
        """Where is what no log can give again; the log itself apart."""
        keys = self.personal.keys.store
        named = (self.access, self.tokens, self.sessions, self.published)
        return [*(each.store for each in named), keys]

    def close(self) -> None:
        """Let go of every file."""
        self.log_recorder.close()
        self.tokens.store.close()
        self.sessions.store.close()
        self.tokens.uses.close()
        self.access.close()
        self.slowing.close()
        self.published.store.close()
        self.personal.keys.close()
        self.audit.close()
        self.reads.store.close()
        if self.replica:
            self.replica.close()
        super().close()

    # Members

    def register_member(self, call: Call, facts: Facts) -> Answer:
        """A new member; Refused when the number is taken in the district."""
        call.scope.check_district(facts["district"])
        member_id = Member.create_id(facts["district"], facts["number"])

        def attempt() -> tuple[list[Any], list[Any]]:
            if self.recorder.select_events(member_id, limit=1):
                district, number = facts["district"], facts["number"]
                raise Refused(
                    "Member number {number} is taken in district {district}.",
                    number=number,
                    district=district,
                )
            return [], list(Member.register(**facts).collect_events())

        return self._carry_out(call, 201, attempt)

    def retire_member(self, member_id: UUID, call: Call, facts: Facts) -> Answer:
        """The member's term ended."""

        def decide(member: Any) -> None:
            member.retire(**facts, last_tip_on=self.reads.last_tip_of(member_id))

        return self._change(Member, member_id, call, decide)

    # Leads

    def tip(self, call: Call, facts: Facts) -> Answer:
        """A member's tip begins a lead."""
        call.scope.check_district(facts["district"])
        # The same request, sent again, is about the same lead: so it is about the same person.
        lead_id = uuid5(call.claim_id, "lead") if call.claim_id else uuid4()
        call, told = self._sealed(lead_id, call, facts)

        def attempt() -> tuple[list[Any], list[Any]]:
            self._check_members(call.scope, told["members"], told["occurred_on"])
            return [], list(Lead.tip(id=lead_id, **told).collect_events())

        return self._carry_out(call, 201, attempt)

    def enter(self, call: Call, facts: Facts) -> Answer:
        """A tip, answered with the leads that it may be the same as."""
        answer = self.tip(call, facts)
        similar = self.similar.within(call.scope)
        return replace(answer, body=similar.at_entry(answer.subject, answer.body))

    def screen(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """The verdict on a tip."""

        def decide(lead: Lead) -> None:
            if facts.get("duplicate_of"):
                self._check_lead(call.scope, facts["duplicate_of"])
            lead.screen(**facts)

        return self._rule(lead_id, call, decide)

    def rule_credit(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """A ruling on its members' shares."""
        return self._lead(lead_id, call, lambda lead: lead.rule_credit(**facts))

    def open_negotiation(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """Talks began."""
        return self._lead(lead_id, call, lambda lead: lead.open_negotiation(**facts))

    def follow_up(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """A contact, or no progress."""
        return self._lead(lead_id, call, lambda lead: lead.follow_up(**facts))

    def tell_members(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """The members were told."""
        return self._lead(lead_id, call, lambda lead: lead.tell_members(**facts))

    def plan_signing(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """A signing is expected, or no longer."""
        return self._lead(lead_id, call, lambda lead: lead.plan_signing(**facts))

    def agree_framework(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """A framework agreement."""
        return self._lead(lead_id, call, lambda lead: lead.agree_framework(**facts))

    def sign(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """The contract."""
        return self._lead(lead_id, call, lambda lead: lead.sign(**facts))

    def break_ground(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """Main works started."""
        return self._lead(lead_id, call, lambda lead: lead.break_ground(**facts))

    def recognise(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """A higher office accepted a signing or groundbreaking."""
        return self._lead(lead_id, call, lambda lead: lead.recognise(**facts))

    def suspend(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """Put on hold."""
        return self._lead(lead_id, call, lambda lead: lead.suspend(**facts))

    def resume(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """Taken up again."""
        return self._lead(lead_id, call, lambda lead: lead.resume(**facts))

    def close_lead(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """Closed with an outcome."""
        return self._lead(lead_id, call, lambda lead: lead.close(**facts))

    def reopen(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """Back in the stage it left."""
        return self._rule(
            lead_id, call, lambda lead: lead.reopen(**facts), facts.get("occurred_on")
        )

    def propose_transfer(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """Its passing to another district is proposed."""
        return self._lead(lead_id, call, lambda lead: lead.propose_transfer(**facts))

    def accept_transfer(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """The other district takes it over."""
        return self._answer(lead_id, call, lambda lead: lead.accept_transfer(**facts))

    def refuse_transfer(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """The other district does not."""
        return self._answer(lead_id, call, lambda lead: lead.refuse_transfer(**facts))

    def _answer(self, lead_id: UUID, call: Call, decide: Callable[[Lead], None]) -> Answer:
        """What the district does to which the lead is proposed, and no other."""

        def answer(lead: Lead) -> None:
            if lead.proposal:
                call.scope.check_answers(lead.proposal.district)
            decide(lead)

        return self._change(Lead, lead_id, call, answer)

    def revise(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """Facts changed."""
        call, told = self._sealed(lead_id, call, facts["facts"])

        def decide(lead: Lead) -> None:
            lead.revise(**{**facts, "facts": self._as_before(lead, told)})

        return self._lead(lead_id, call, decide)

    def correct(self, lead_id: UUID, call: Call, facts: Facts) -> Answer:
        """An earlier event was put right, or voided."""
        call, right = self._sealed(lead_id, call, facts.get("facts") or {})

        def decide(lead: Lead) -> None:
            if right.get("duplicate_of"):
                self._check_lead(call.scope, right["duplicate_of"])
            tip, known = lead.past[0], effective(lead.past)[0]
            lead.correct(**{**facts, "facts": self._as_before(lead, right)})
            told = effective(lead.past)[0]
            if told.district != known.district:
                call.scope.check_district(told.district)
            if (told.members, told.occurred_on) != (tip.members, tip.occurred_on):
                self._check_members(call.scope, told.members, told.occurred_on, known.members)

        return self._rule(lead_id, call, decide)

    # Personal data

    def erase(self, subject: UUID, call: Call, facts: Facts) -> Answer:
        """A person's key is destroyed, and with it what was sealed; NotFound, and Invalid for a
        reason with a telephone number in it, which the log would keep. Whoever asks again is told
        of the first time."""
        reason = check_text("reason", facts["reason"], NOTE, lines=True)
        if without_secrets(reason) != reason:
            raise Invalid.of(
                "reason", "It has a telephone number, which would be kept for ever: leave it out."
            )
        since = self.personal.keys.made_at(f"{subject}")
        self.access.note("personal-data", "erase a person", subject=f"{subject}", reason=reason)

        def attempt() -> tuple[list[Any], list[Any]]:
            before = self._events(ERASURES)
            for version, event in enumerate(before, 1):
                if event.subject == f"{subject}":
                    return before[:version], []
            if since is None:
                raise none_such("subject", subject)
            actor = current_actor()
            erased = Erased(
                ERASURES,
                len(before) + 1,
                actor.moment,
                actor=actor.name,
                request=actor.request,
                subject=f"{subject}",
                reason=reason,
                exports=self._exports_since(since),
                unmasked=self._unmasked_since(since),
            )
            return before, [erased]

        answer = self._carry_out(call, 200, attempt)
        self.personal.destroy_erased()
        return answer

    def _unmasked_since(self, moment: str) -> list[str]:
        """When contacts were exported unmasked since then, from the first to the last."""
        found: list[str] = []
        before: int | None = None
        while True:
            some, before = self.access.listed(200, before, "personal-data", moment)
            found += [one["at"] for one in some if one["action"] == erasures.UNMASKED]
            if before is None:
                return found[::-1]

    def _exports_since(self, since: str) -> list[str]:
        """The dates of the exports on the shelf that were made since then."""
        shelf = Shelf(self.settings.exports)
        # The event that the key was made for is dated before it.
        position = self.reads.position_known_at(datetime.fromisoformat(since) - SETTLED)
        days = sorted(shelf.days())
        return [f"{day}" for day in days if shelf.may_hold(day, position)]

    def _sealed(self, lead_id: UUID, call: Call, facts: Facts) -> tuple[Call, dict[str, Any]]:
        """Facts with the contact in them sealed, if there is one. A digest of a request that names
        a contact could be tried out on every telephone number: it is told with the person's key."""
        contact = facts.get("contact")
        if not contact:
            return call, {**facts}
        # Who was erased has another key from then on.
        self.reads.data_version()
        person = self.personal.person(contact, lead_id)
        sealed = self.personal.sealed(contact, person)
        return replace(call, digest=person.blinded(call.digest)), {**facts, "contact": sealed}

    def _as_before(self, lead: Lead, facts: Facts) -> dict[str, Any]:
        """Facts whose contact, if the lead knows it, is as it was sealed the first time."""
        if not facts.get("contact"):
            return {**facts}
        return {**facts, "contact": self.personal.as_before(facts["contact"], lead.past)}

    # Reports

    def seal(self, call: Call, asked: Asked, note: str | None = None) -> Answer:
        """The annual report as it is now, sealed; it follows the last one of its year."""

        def attempt() -> tuple[list[Any], list[Any]]:
            told = self.reports.to_seal(asked)
            return [], list(Report.seal(**told, occurred_on=today(), note=note).collect_events())

        return self._carry_out(call, 201, attempt)

    def record_all(self, stored: Iterable[StoredEvent]) -> int:
        """Append an import's events, all or none; how many. IntegrityError if one is there."""
        self.published.check_quiet(self.reads.data_version())
        return len(self.log_recorder.insert_events(stored))

    # The keeping of the proof

    def rotate_key(self, old: str, new: str, old_until: str) -> None:
        """From now on ``new`` signs; ``old`` beside it until then."""
        self._keep(KeyRotated, old=old, new=new, old_until=old_until)

    def rule(self, reason: str) -> None:
        """Whoever acts has looked into the alarms that stand; Refused when none does."""
        alarms = self.published.standing()
        if not alarms:
            raise Refused("No alarm stands, so there is nothing to rule on.")
        last = self.published.latest()
        note = last.note if last else None
        self._keep(Ruled, reason=check_text("reason", reason, 2000), alarms=alarms, checkpoint=note)
        actor = current_actor()
        self.published.rule(reason, actor.name, actor.moment)

    def note_accesses(self, head: str) -> None:
        """The keeper saw this head of the access record: the next checkpoint covers it."""
        self._keep(AccessesNoted, head=head)

    def accesses_noted(self) -> list[str]:
        """Every head of the access record that the log has."""
        kept = map(self.mapper.to_domain_event, self.recorder.select_events(AUDIT))
        return [event.head for event in kept if isinstance(event, AccessesNoted)]

    def _keep(self, event: type[Any], **facts: Any) -> None:
        """Record it, alarm or no alarm."""
        actor = current_actor()
        last = self.recorder.select_events(AUDIT, desc=True, limit=1)
        version = last[0].originator_version + 1 if last else 1
        told = {"timestamp": actor.moment, "actor": actor.name, "request": actor.request}
        self.events.put([event(AUDIT, version, **told, **facts)])

    # How every command is carried out

    def _lead(self, lead_id: UUID, call: Call, decide: Callable[[Lead], None]) -> Answer:
        def touch(lead: Lead) -> None:
            # One that is proposed to another district is seen there, and not touched.
            call.scope.check_district(lead.district)
            decide(lead)

        return self._change(Lead, lead_id, call, touch)

    def _rule(
        self, lead_id: UUID, call: Call, decide: Callable[[Lead], None], day: str | None = None
    ) -> Answer:
        """A command that may rule the lead a duplicate, or undo that (``day``: when; by default it
        never was): members join or leave the lead that survives, in the same transaction."""
        before: list[Ruling | None] = []

        def decide_and_note(lead: Lead) -> None:
            call.scope.check_district(lead.district)
            before[:] = [lead.ruling]
            decide(lead)

        def follow(lead: Lead) -> list[Any]:
            return self._follow(call.scope, lead, before[0], day)

        return self._change(Lead, lead_id, call, decide_and_note, follow)

    def _follow(
        self, scope: Scope, lead: Lead, before: Ruling | None, day: str | None
    ) -> list[Any]:
        """The events of other leads that follow from what became of a lead's ruling."""
        others: dict[str, Lead] = {}
        changed = [(lead, before)]
        while changed:
            duplicate, was = changed.pop()
            now, name = duplicate.ruling, f"{duplicate.id}"
            if now == was:
                continue
            for survivor_id in dict.fromkeys(ruling.of for ruling in (was, now) if ruling):
                if survivor_id not in others:
                    others[survivor_id] = self._survivor(scope, UUID(survivor_id))
                survivor = others[survivor_id]
                changed.append((survivor, survivor.ruling))
                if was and was.of == survivor_id:
                    survivor.part_members(name, day or was.day)
                if now and now.of == survivor_id:
                    if was is None or was.of != survivor_id:
                        survivor.check_survives()
                    survivor.join_members(name, now)
        return [event for other in others.values() for event in other.collect_events()]

    def _survivor(self, scope: Scope, lead_id: UUID) -> Any:
        """The lead of which another is, or was, ruled a duplicate; Forbidden outside of scope."""
        try:
            return _replayed(self._seen(Lead, lead_id, scope))
        except NotFound:
            raise Forbidden(
                "It is ruled a duplicate of {lead_id}, whose members would change with "
                "it; that lead is outside of district {district}, to which this token is "
                "limited.",
                lead_id=lead_id,
                district=scope.district,
            ) from None

    def _change(
        self,
        cls: type[Any],
        subject: UUID,
        call: Call,
        decide: Callable[[Any], None],
        follow: Callable[[Any], list[Any]] = lambda _aggregate: [],
    ) -> Answer:
        """Load ``subject``, check the version the caller knows, and let it decide; with the events
        of others that ``follow``."""

        def attempt() -> tuple[list[Any], list[Any]]:
            ahead = call.ahead.pop(subject, None)
            events = self._seen(cls, subject, call.scope, proposed=True, ahead=ahead)
            aggregate: Any = _replayed(events)
            self._check_version(call, cls, subject, aggregate.version)
            decide(aggregate)
            return events, [*aggregate.collect_events(), *follow(aggregate)]

        return self._carry_out(call, 200, attempt)

    def _carry_out(self, call: Call, status: int, attempt: Callable[[], tuple[Any, Any]]) -> Answer:
        """Record what ``attempt`` gives, (the events before, the new ones); again on a conflict.

        Everything is loaded anew for each try. A try whose reply was lost is known by its
        request id, so that nothing is recorded twice.
        """
        known = call.data_version
        self.published.check_quiet(self.reads.data_version() if known is None else known)
        subject: UUID | None = None
        for tries in range(ATTEMPTS):
            answer = self._answered_before(call)
            if answer is None and subject is not None:
                answer = self._recorded_by_this_request(subject, status)
            if answer is not None:
                return answer
            with self._turn(tries) as insert:
                made = self._attempted(call, attempt)
                if isinstance(made, Answer):
                    return made
                before, new = made
                subject = (before or new)[0].originator_id
                stream = [*before, *(event for event in new if event.originator_id == subject)]
                version = stream[-1].originator_version
                claims = claim(call, subject, version, status)
                if not new and not claims:
                    return Answer(subject, version, status, self._show(stream))
                stored = [self.mapper.to_stored_event(event) for event in (*new, *claims)]
                try:
                    position = insert(stored)[-1]
                except IntegrityError:
                    continue
            FIGURES.add((RECORDED,), len(stored))
            return Answer(subject, version, status, self._show(stream), position)
        raise NotReady("Too many others wrote at the same moment; nothing was recorded.")

    def _attempted(self, call: Call, attempt: Callable[[], tuple[Any, Any]]) -> Any:
        """What the attempt gives; or the first answer to the request, if it is refused perhaps
        because the same request, sent twice, was faster elsewhere."""
        try:
            return attempt()
        except LedgerError:
            answer = self._answered_before(call)
            if answer is None:
                raise
            return answer

    def _turn(self, tries: int) -> AbstractContextManager[Insert]:
        """By what is appended at a try after so many."""
        recorder = self.log_recorder
        return recorder.alone() if tries >= POLITE else nullcontext(recorder.insert_events)

    def _answered_before(self, call: Call) -> Answer | None:
        """The first answer to this idempotency key; KeyReused if it asked for something else."""
        claim_id = call.claim_id
        claimed = self._events(claim_id, ahead=call.ahead.pop(claim_id, None)) if claim_id else []
        if not claimed:
            return None
        first = cast(Answered, claimed[0])
        if first.digest != call.digest:
            raise KeyReused(
                "Idempotency-Key '{key}' came before with another request.", key=call.key
            )
        subject = UUID(first.subject)
        body = self._show(self._events(subject, upto=first.version))
        # Whatever position the answer names, it was recorded by then.
        self.reads.data_version()
        # A try of this very request, whose reply was lost, is no replay.
        replayed = first.request != current_actor().request
        return Answer(subject, first.version, first.status, body, replayed=replayed)

    def _recorded_by_this_request(self, subject: UUID, status: int) -> Answer | None:
        events = self._events(subject)
        mine = [event for event in events if event.request == current_actor().request]
        if not mine:
            return None
        version = mine[-1].originator_version
        return Answer(subject, version, status, self._show(events[:version]))

    def _stream(self, cls: type[Any], subject: UUID, ahead: Stream | None = None) -> list[Any]:
        """All events of ``subject``; NotFound unless it is a ``cls``."""
        events = self._events(subject, ahead=ahead)
        if not events or BEGINNINGS.get(events[0].TOPIC) is not cls:
            raise none_such(cls.__name__.lower(), subject)
        return events

    def _seen(
        self,
        cls: type[Any],
        subject: UUID,
        scope: Scope,
        *,
        proposed: bool = False,
        ahead: Stream | None = None,
    ) -> list[Any]:
        """All events of ``subject``; NotFound unless it is a ``cls`` that ``scope`` sees as it is
        after the last of them, or (``proposed``) that is proposed to pass there. Of what it does
        not see nothing is read."""
        if scope == ALL:
            return self._stream(cls, subject, ahead)
        for _ in range(ATTEMPTS):
            if cls is Lead:
                version = self.reads.lead_seen(subject, scope, proposed=proposed)
            else:
                version = self.reads.member_seen(subject, scope)
            events = self._stream(cls, subject)
            if events[-1].originator_version == version:
                return events
        raise NotReady("Too many others wrote at the same moment; nothing was recorded.")

    def _events(
        self, subject: UUID, upto: int | None = None, ahead: Stream | None = None
    ) -> list[Any]:
        """``ahead``: the stream, where it was read already."""
        stored = self.recorder.select_events(subject, lte=upto) if ahead is None else ahead
        return list(map(self.mapper.to_domain_event, stored))

    def _check_version(self, call: Call, cls: type[Any], subject: UUID, version: int) -> None:
        if call.if_match is None or version in call.if_match:
            return
        known = max((v for v in call.if_match if v < version), default=0)
        steps = self.reads.history(subject, after=known) if known and cls is Lead else []
        since = self.personal.steps(steps)
        wanted = ", ".join(map(str, sorted(call.if_match)))
        if wanted:
            raise Stale(
                "You know version {wanted}; the present one is {version}.",
                wanted=wanted,
                version=version,
                events=since,
            )
        raise Stale(
            "If-Match names no version; the present one is {version}.",
            version=version,
            events=since,
        )

    def _check_members(
        self, scope: Scope, ids: Iterable[str], occurred_on: str, known: Sequence[str] = ()
    ) -> None:
        """Invalid, naming each, when a member is unknown or had retired before that day. Those
        that are not ``known`` already must be in ``scope``."""
        for member_id in ids:
            try:
                # Who is limited waits for what is foreign as long as for what there is not.
                limited = scope.district is not None
                member = self._member_anew(member_id) if limited else self._member(member_id)
                if member_id not in known and not scope.sees_member(member_id, member.district):
                    raise none_such("member", member_id)
                member.may_tip(occurred_on)
            except NotFound:
                raise Invalid.of("members", "There is no member {id}.", id=member_id) from None

    def _member(self, member_id: str) -> Member:
        """The member as it stands: the one known here, unless the log has more of it."""
        known = self._members.get(member_id)
        stream = UUID(member_id)
        if known is None or self.recorder.select_events(stream, gt=known.version, limit=1):
            known = self._members[member_id] = self._member_anew(member_id)
        return known

    def _member_anew(self, member_id: str) -> Member:
        member: Member = _replayed(self._stream(Member, UUID(member_id)))
        return member

    def _check_lead(self, scope: Scope, lead_id: str) -> None:
        try:
            self._seen(Lead, UUID(lead_id), scope)
        except NotFound:
            raise Invalid.of("duplicate_of", "There is no lead {id}.", id=lead_id) from None

    def _show(self, stream: list[Any]) -> dict[str, Any]:
        """A lead or member as the API shows it after ``stream``."""
        if stream[0].TOPIC == Erased.TOPIC:
            return erasures.shown(stream[-1])
        begun = BEGINNINGS[stream[0].TOPIC]
        if begun is Report:
            return sealed_report(stream[0])
        if begun is Lead:
            view = view_of(stream, self.names_of(people_in(stream)), alone=True)
            return self.personal.shown(view.lead)
        row: dict[str, Any] = {}
        for event in stream:
            member_rows.fold(row, event)
        return row

    def names_of(self, ids: Sequence[str]) -> dict[str, str]:
        """Names by member id. A name never changes, so it is asked for once in a process."""
        for member_id in ids:
            if member_id not in self._names:
                (registered,) = self.recorder.select_events(UUID(member_id), limit=1)
                member: Any = self.mapper.to_domain_event(registered)
                self._names[member_id] = member.name
        return {member_id: self._names[member_id] for member_id in ids}
