"""What every aggregate of the ledger shares: events that say who, when and for which request."""

from datetime import date, datetime
from typing import Any, Self
from uuid import UUID

from eventsourcing.domain import Aggregate, CanInitAggregate, CanMutateAggregate

from domain.actor import current_actor
from domain.errors import Invalid
from domain.sentences import Sentence
from domain.values import parse_day


class Recorded(Aggregate):
    """An aggregate whose events carry the actor, the request and the business date."""

    class Event(Aggregate.Event):
        """``timestamp`` is when it was recorded (UTC); ``occurred_on`` the day it happened."""

        occurred_on: str
        actor: str
        request: str
        note: str | None

        def mutate(self, aggregate: Any) -> Any:
            """The aggregate after this event, which it keeps among those of its past."""
            aggregate = super().mutate(aggregate)
            aggregate.remember(self)
            return aggregate

    def remember(self, event: Any) -> None:
        """Keep ``event`` in ``past``, oldest first: what a correction is measured against."""
        if event.originator_version == self.INITIAL_VERSION:
            self.past: list[Any] = []
        self.past.append(event)

    @classmethod
    def _create(
        cls, event_class: type[CanInitAggregate[UUID]], *, id: UUID | None = None, **facts: Any
    ) -> Self:
        return super()._create(event_class, id=id, **_who(), **facts)

    def trigger_event(self, event_class: type[CanMutateAggregate[UUID]], **facts: Any) -> None:
        """Record ``event_class`` with ``facts``, for whoever is acting."""
        super().trigger_event(event_class, **_who(), **facts)


def _who() -> dict[str, str | datetime]:
    actor = current_actor()
    return {"timestamp": actor.moment, "actor": actor.name, "request": actor.request}


def check_day(
    occurred_on: str,
    *,
    not_before: str | None = None,
    since: Sentence | None = None,
    field: str = "occurred_on",
) -> date:
    """The day something happened: not in the future, not before what had to come first.

    ``since`` ends the sentence "2025-01-01 is before …" for ``not_before``.
    """
    day = parse_day(field, occurred_on)
    today = current_actor().today
    if day > today:
        raise Invalid.of(
            field,
            "{day} is in the future; today is {today} in China.",
            day=day,
            today=today,
        )
    if not_before and occurred_on < not_before:
        raise Invalid.of(
            field,
            "{day} is before {since} on {not_before}.",
            day=day,
            since=since,
            not_before=not_before,
        )
    return day
