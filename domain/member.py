"""A member of the conference (委员): registered once in a district, perhaps retired one day.

The id follows from district and number, so the log itself keeps a number unique in its
district, however many register it at once.
"""

from typing import Any, Self
from uuid import UUID, uuid5

from eventsourcing.domain import Aggregate

from domain.actor import china_day
from domain.aggregate import Recorded, check_day
from domain.errors import Invalid, Refused
from domain.sentences import Sentence
from domain.values import check_text, district_fault

_MEMBERS = UUID("5f1f5c1e-4d8e-5b0e-9d7c-1f6f0a1c2b3d")


class Member(Recorded):
    """One member: number, name, sector (界别) and district."""

    @staticmethod
    def create_id(district: str, number: str) -> UUID:
        """The id of the member with this number in this district."""
        return uuid5(_MEMBERS, f"{district}/{number.strip()}")

    @classmethod
    def register(
        cls,
        *,
        number: str,
        name: str,
        district: str,
        sector: str | None,
        occurred_on: str,
        note: str | None = None,
    ) -> Self:
        """A new member, known from ``occurred_on``."""
        check_day(occurred_on)
        fault = district_fault(district)
        if fault:
            raise Invalid({"district": [fault]})
        return cls._create(
            cls.Registered,
            number=check_text("number", number, 40),
            name=check_text("name", name, 100),
            sector=check_text("sector", sector, 100) if sector else None,
            district=district,
            occurred_on=occurred_on,
            note=note,
        )

    class Registered(Recorded.Event, Aggregate.Created):
        """The member joined the ledger."""

        TOPIC = "member.registered"
        number: str
        name: str
        sector: str | None
        district: str

        def apply(self, aggregate: Any) -> None:
            """Take over the facts."""
            aggregate._begin(self)

    def retire(
        self, *, occurred_on: str, note: str | None = None, last_tip_on: str | None = None
    ) -> None:
        """The member's term ended on ``occurred_on``; tips given until then stay theirs.

        ``last_tip_on`` is the day of the last of those recorded, if there is one.
        """
        if self.retired_on == occurred_on:
            return
        if self.retired_on:
            raise Refused(
                "{name} ({number}) retired on {retired_on} already.",
                name=self.name,
                number=self.number,
                retired_on=self.retired_on,
            )
        check_day(
            occurred_on,
            not_before=last_tip_on,
            since=Sentence("the last tip of {name}", name=self.name),
        )
        # Recorded on its own day it says when it was typed, which may be long after the term ended.
        if self.registered_on != f"{china_day(self.created_on)}":
            since = Sentence("{name} was registered", name=self.name)
            check_day(occurred_on, not_before=self.registered_on, since=since)
        self.trigger_event(self.Retired, occurred_on=occurred_on, note=note)

    class Retired(Recorded.Event):
        """The member left the conference."""

        TOPIC = "member.retired"

        def apply(self, aggregate: Any) -> None:
            """Remember since when."""
            aggregate.retired_on = self.occurred_on

    def _begin(self, registered: "Member.Registered") -> None:
        self.number = registered.number
        self.name = registered.name
        self.sector = registered.sector
        self.district = registered.district
        self.registered_on = registered.occurred_on
        self.retired_on: str | None = None

    def may_tip(self, occurred_on: str) -> None:
        """Invalid when this member had retired before that day."""
        if self.retired_on and occurred_on > self.retired_on:
            raise Invalid.of(
                "members",
                "{name} ({number}) retired on {retired_on}.",
                name=self.name,
                number=self.number,
                retired_on=self.retired_on,
            )
