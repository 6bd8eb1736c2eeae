"""What held of a lead from which day on, and what an event changes of that.

Most leads keep what they began with. Of the others a row says that from a day on something else
held, for each knowledge of it: as of D as known at K holds, of the rows known by K, that of the
last day up to D, and of these the last one known.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from domain.correction import effective
from service.projections.store import Happened

Held = TypeVar("Held")
# What events amount to; None without the tip.
Amount = Callable[[Sequence[Any]], Held | None]
# The day of what a lead begins with.
EVER = ""


def timeline(events: Iterable[Any], amount: Amount[Held]) -> dict[str, Held]:
    """What held by the day from which on it did, in the order of days."""
    told = list(events)
    days: dict[str, Held] = {}
    last: Held | None = None
    for day in sorted({event.occurred_on for event in told}):
        held = amount([event for event in told if event.occurred_on <= day])
        if held is not None and held != last:
            days[day] = last = held
    return days


def as_of(days: Mapping[str, Held], day: str) -> Held | None:
    """What held on ``day``, of what held from each of ``days`` on; None before the first."""
    begun = [begins for begins in days if begins <= day]
    return days[max(begun)] if begun else None


def changes(
    happened: Happened, known: dict[str, Held], told: Callable[[Iterable[Any]], dict[str, Held]]
) -> list[tuple[str, int, Held]]:
    """(day, position, what held from then on) of each row that an event adds; ``known``, what was
    known before by day, follows. ``told`` gives the timeline of a lead's events."""
    position, lead, event, past = happened
    events = past(event)
    now = told(effective(events))
    rows: list[tuple[str, int, Held]] = []
    if not known:
        (first,) = told(effective(events[:-1])).values()
        if list(now.values()) == [first]:
            # Still what the tip said, whatever its day.
            return []
        # Since when it was a tip, and was known as one, is not asked here.
        rows = [(EVER, lead, first)]
        known[EVER] = first
    for day in sorted({*known, *now}):
        held = as_of(now, day)
        if held is not None and held != as_of(known, day):
            rows.append((day, position, held))
            known[day] = held
    return rows
