"""Which unit was responsible for a lead, as of any day as known at any moment.

It is named when negotiation is opened. A row says that from a day on it is this one, for each
knowledge of it: as of D as known at K holds, of the rows known by K, that of the last day up to D,
and of these the last one known.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from domain.correction import CORRECTED, effective
from service.projections.store import Happened, begun_before, inserting, metadata, rows_of
from service.projections.timelines import as_of

units = sa.Table(
    "units",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True),
    sa.Column("day", sa.String(10), primary_key=True),
    # The position at which it became known.
    sa.Column("position", sa.BigInteger, primary_key=True),
    # None where the paper named none, or where the opening is no longer believed.
    sa.Column("unit", sa.String(200)),
    sqlite_with_rowid=False,
)
OPENED = "lead.negotiation_opened"
# day → the unit from then on
Timeline = dict[str, str | None]

_KEEP = inserting(units)
_IN_ORDER = sa.select(units).order_by(units.c.lead, units.c.day, units.c.position)


class Units:
    """Answers: who was responsible for a lead on a day, as known then?"""

    name = "units"
    tables: Sequence[sa.Table] = (units,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Note every unit that is named, or named otherwise."""
        told = [h for h in batch if h.event.TOPIC in (OPENED, CORRECTED)]
        known: dict[int, Timeline] = {h.lead: {} for h in told}
        before = begun_before(batch, known)
        for lead, day, _, unit in rows_of(connection, _IN_ORDER, units.c.lead, before):
            known[lead][day] = unit
        rows: list[tuple[Any, ...]] = []
        for happened in told:
            rows += _changes(happened, known[happened.lead])
        _KEEP.many(connection, rows)


def _changes(happened: Happened, known: Timeline) -> list[tuple[Any, ...]]:
    """The rows that the event adds; ``known``, the units as known before, follows."""
    position, lead, event, past = happened
    if event.TOPIC == CORRECTED:
        # Of what named no unit yet, a correction puts none right.
        now = timeline(effective(past(event))) if known else {}
    elif all(day <= event.occurred_on for day in known):
        now = {**known, event.occurred_on: event.responsible_unit}
    else:
        now = timeline(effective(past(event)))
    rows: list[tuple[Any, ...]] = []
    for day in sorted({*known, *now}):
        unit = as_of(now, day)
        if day not in known or unit != as_of(known, day):
            rows.append((lead, day, position, unit))
            known[day] = unit
    return rows


def timeline(events: Iterable[Any]) -> Timeline:
    """The unit by the day from which on it was responsible; of several of a day, and of what came
    before it, the one recorded last."""
    opened = [event for event in events if event.TOPIC == OPENED]
    return {
        day: next(e.responsible_unit for e in reversed(opened) if e.occurred_on <= day)
        for day in {event.occurred_on for event in opened}
    }


def units_at(
    connection: sa.Connection, days: Collection[str], known_at: int
) -> dict[str, dict[int, str | None]]:
    """Day → lead → who was responsible for it at the end of the day, as known at the position."""
    held = sa.select(units.c.lead, units.c.day, units.c.unit)
    held = held.where(units.c.day <= max(days), units.c.position <= known_at)
    in_order = held.order_by(units.c.lead, units.c.day, units.c.position)
    found: dict[str, dict[int, str | None]] = {day: {} for day in days}
    for lead, since, unit in connection.execute(in_order).all():
        for day, of in found.items():
            if since <= day:
                of[lead] = unit
    return found
