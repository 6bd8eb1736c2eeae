"""The book lead by lead, for whoever groups leads: where each stands at a window's end, what moved
within the window, and who reported it."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from domain.posting import FIRST, RECOGNISED, RETURN
from service.projections.choosing import FILTERS, Selection
from service.projections.entries import entries
from service.projections.fates import Window
from service.projections.leads import lead_members
from service.projections.moment import rows_at

_PLACE = ("stage", "fen")
_NONE: frozenset[str | None] = frozenset()


def standing(
    connection: sa.Connection, chosen: Selection, window: Window
) -> Sequence[sa.Row[int, str, int]]:
    """(lead, stage, fen) of every lead that had been tipped by the window's end.

    ``chosen`` by what they were then, as known at the window's position.
    """
    rows = rows_at(_PLACE)
    asked = sa.select(rows.c.number, rows.c.stage, sa.func.coalesce(rows.c.fen, 0))
    asked = asked.where(*(FILTERS[name](rows) for name in chosen.values()))
    values = {**chosen.values(), "as_of": window.end, "known_at": window.known_at}
    return connection.execute(asked, values).all()


def moves(connection: sa.Connection, window: Window) -> Sequence[Any]:
    """(lead, source, target, leads, fen) of what entered and left accounts within the window.

    Plans and other amounts are no moves; what was reversed on its day is none any more.
    """
    e = entries.c
    key = (e.lead, e.source, e.target)
    moved = (
        sa.select(*key, sa.func.sum(e.leads), sa.func.sum(e.fen))
        .where(
            e.occurred_on >= window.start,
            e.occurred_on <= window.end,
            e.kind.in_((FIRST, RETURN)),
            e.by != RECOGNISED,
            e.position <= window.known_at,
        )
        .group_by(*key)
    )
    return connection.execute(moved).all()


def sectors_at(connection: sa.Connection, known_at: int) -> dict[int, frozenset[str | None]]:
    """Lead → the sectors of those who reported it, as known at the position; None among them
    where a member has none."""
    m = lead_members.c
    reported = sa.select(m.lead, m.sector).where(m.since <= known_at, m.until > known_at)
    found: dict[int, frozenset[str | None]] = {}
    for lead, sector in connection.execute(reported).all():
        found[lead] = found.get(lead, _NONE) | {sector}
    return found
