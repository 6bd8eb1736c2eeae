"""What leads are chosen by, besides their place in the book, as of any day as known at any moment.

Most leads keep the facts of their tip; for them the row in ``leads`` holds at all times, and there
is nothing here. A lead whose facts ever changed has a row for each day on which they did, for each
knowledge of it: as of D as known at K holds, of the rows known by K, that of the last day up to D,
and of these the last one known.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

import sqlalchemy as sa

from domain.correction import CORRECTED, effective
from domain.posting import TRANSFER
from service.projections.store import Happened, inserting, metadata, rows_of
from service.projections.view import View, words_of

variants = sa.Table(
    "variants",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("day", sa.String(10), primary_key=True),
    # The position at which it became known.
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("district", sa.String(6), nullable=False),
    sa.Column("industry", sa.String(10)),
    sa.Column("suspended", sa.Boolean, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
# What a row says after its key: district, industry, whether suspended, words.
Facts = tuple[Any, ...]
Held = TypeVar("Held")
# The day of the facts that a lead begins with.
_EVER = ""
# The end of a lead also ends its being on hold.
_ENDINGS = frozenset({"lead.closed", "lead.screened"})
# What can change the facts of a lead after its tip, and what they are told from.
VARYING = frozenset(
    {"lead.revised", "lead.suspended", "lead.resumed", TRANSFER, *_ENDINGS, CORRECTED}
)
_TOLD = frozenset({"lead.tipped", *VARYING, "lead.reopened"})
_FACTS = frozenset({"title", "investor", "industry"})


class Variants:
    """Answers: which facts did a lead have on a day, as known then?"""

    name = "variants"
    tables: Sequence[sa.Table] = (variants,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Note every change of the facts."""
        varying = [h for h in batch if h.event.TOPIC in VARYING and _may_vary(h.event)]
        known: dict[int, dict[str, Facts]] = {h.lead: {} for h in varying}
        rows = rows_of(connection, _IN_ORDER, variants.c.lead, sorted(known))
        for lead, day, _, *facts in rows:
            known[lead][day] = tuple(facts)
        added: list[tuple[Any, ...]] = []
        for happened in varying:
            added += _changes(happened, known[happened.lead])
        _KEEP.many(connection, added)


_KEEP = inserting(variants)
_IN_ORDER = sa.select(variants).order_by(variants.c.lead, variants.c.day, variants.c.position)


def _may_vary(event: Any) -> bool:
    if event.TOPIC == "lead.revised":
        return not _FACTS.isdisjoint(event.facts)
    return event.TOPIC != "lead.screened" or bool(event.verdict != "pursue")


def _changes(happened: Happened, known: dict[str, Facts]) -> list[tuple[Any, ...]]:
    """The rows that the event adds; ``known``, the facts by day as known before, follows."""
    position, lead, event, past = happened
    if not known and event.TOPIC in _ENDINGS:
        # It was never on hold, so its end takes no hold away.
        return []
    events = past(event)
    now = timeline(effective(events))
    rows: list[tuple[Any, ...]] = []
    if not known:
        (first,) = timeline(effective(events[:-1])).values()
        if list(now.values()) == [first]:
            # Still the facts of the tip, whatever its day.
            return []
        # Since when it was a tip, and was known as one, is not asked here.
        rows = [(lead, _EVER, lead, *first)]
        known[_EVER] = first
    for day in sorted({*known, *now}):
        facts = as_of(now, day)
        if facts is not None and facts != as_of(known, day):
            rows.append((lead, day, position, *facts))
            known[day] = facts
    return rows


def timeline(events: Iterable[Any]) -> dict[str, Facts]:
    """The facts by the day from which on they held, in the order of days."""
    told = [event for event in events if event.TOPIC in _TOLD]
    days: dict[str, Facts] = {}
    last: Facts | None = None
    for day in sorted({event.occurred_on for event in told}):
        facts = _facts([event for event in told if event.occurred_on <= day])
        if facts is not None and facts != last:
            days[day] = last = facts
    return days


def _facts(events: Sequence[Any]) -> Facts | None:
    """What these events amount to; None without the tip."""
    if not events or events[0].TOPIC != "lead.tipped":
        return None
    view = View.begin(events[0], dict.fromkeys(events[0].members, ""), alone=True)
    for event in events[1:]:
        view.fold(event)
    lead = view.lead
    return (lead["district"], lead["industry"], lead["suspended"], words_of(lead))


def as_of(days: Mapping[str, Held], day: str) -> Held | None:
    """What held on ``day``, of what held from each of ``days`` on; None before the first."""
    begun = [begins for begins in days if begins <= day]
    return days[max(begun)] if begun else None
