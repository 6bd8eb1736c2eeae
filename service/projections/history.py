"""Which event of which lead stands at which position of the log, and what day it is about."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from domain.correction import CORRECTED, effective
from service.projections.leads import leads
from service.projections.store import Happened, inserting, metadata

# Activity is kept like the book: ``active`` is 1 for an event of that day, and a correction that
# moves the event to another day, or voids it, adds −1 there and 1 where it belongs.
history = sa.Table(
    "history",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True),
    sa.Column("active", sa.Integer, primary_key=True),
    sa.Column("day", sa.String(10), nullable=False),
    sqlite_with_rowid=False,
)


class History:
    """Answers: at which position was each version recorded, and which was known at one? When was
    the last activity, as known then?"""

    name = "history"
    tables: Sequence[sa.Table] = (history,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Note every event of every lead."""
        rows: list[tuple[Any, ...]] = []
        for happened in batch:
            position, lead, event, _ = happened
            if not lead:
                continue
            corrected = event.TOPIC == CORRECTED
            active = 0 if corrected else 1
            rows.append((lead, event.originator_version, position, active, event.occurred_on))
            if corrected:
                rows += _moved(happened)
        _KEEP.many(connection, rows)


def _moved(corrected: Happened) -> list[tuple[Any, ...]]:
    """The activity that the correction takes from one day, and gives to another."""
    position, lead, event, past = corrected
    events = past(event)
    before, after = (
        {(e.originator_version, e.occurred_on) for e in effective(told)}
        for told in (events[:-1], events)
    )
    gone = [(lead, version, position, -1, day) for version, day in sorted(before - after)]
    come = [(lead, version, position, 1, day) for version, day in sorted(after - before)]
    return [*gone, *come]


_KEEP = inserting(history)
_NUMBER = sa.select(leads.c.number).where(leads.c.id == sa.bindparam("lead")).scalar_subquery()
_POSITIONS = (
    sa.select(history.c.version, sa.func.min(history.c.position).label("position"))
    .where(history.c.lead == _NUMBER)
    .group_by(history.c.version)
    .order_by(history.c.version)
)
_KNOWN = sa.select(sa.func.max(history.c.version)).where(
    history.c.lead == _NUMBER, history.c.position <= sa.bindparam("position")
)


def positions(connection: sa.Connection, lead_id: str) -> dict[int, int]:
    """Version → position of the lead's events."""
    found = connection.execute(_POSITIONS, {"lead": lead_id})
    return {row.version: row.position for row in found}


def version_known_at(connection: sa.Connection, lead_id: str, position: int) -> int | None:
    """The lead's last version recorded up to ``position``; None when it was not known yet."""
    known: int | None = connection.execute(
        _KNOWN, {"lead": lead_id, "position": position}
    ).scalar_one()
    return known
