"""Commands on leads: each one method, which checks what lies outside of the lead and lets it
decide."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4, uuid5

from domain.correction import effective
from domain.errors import Invalid, NotFound
from domain.lead import Lead
from service.commands.carrying import Answer, Facts
from service.commands.members import MemberCommands
from service.commands.people import PersonalCommands
from service.commands.rulings import Rulings
from service.requests import Call
from service.scope import Scope
from service.similar import Similar


class LeadCommands(MemberCommands, PersonalCommands, Rulings):
    """From the tip to groundbreaking, and whatever else becomes of a lead."""

    similar: Similar

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

    def _lead(self, lead_id: UUID, call: Call, decide: Callable[[Lead], None]) -> Answer:
        def touch(lead: Lead) -> None:
            # One that is proposed to another district is seen there, and not touched.
            call.scope.check_district(lead.district)
            decide(lead)

        return self._change(Lead, lead_id, call, touch)

    def _check_lead(self, scope: Scope, lead_id: str) -> None:
        try:
            self._seen(Lead, UUID(lead_id), scope)
        except NotFound:
            raise Invalid.of("duplicate_of", "There is no lead {id}.", id=lead_id) from None
