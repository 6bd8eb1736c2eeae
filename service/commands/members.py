"""Commands on members, and which of them may tip."""

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

from domain.errors import Invalid, NotFound, Refused, none_such
from domain.member import Member
from service.commands.carrying import Answer, Carrying, Facts, aggregate_of
from service.requests import Call
from service.scope import Scope


class MemberCommands(Carrying):
    """Registered once, retired once."""

    # As they last were; one is replaced when it changes and never changed in place.
    _members: dict[str, Member]

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
        member: Member = aggregate_of(self._stream(Member, UUID(member_id)))
        return member
