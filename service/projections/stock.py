"""The book lead by lead, for whoever groups leads: where each stands at a window's end, what moved
within the window, and who reported it."""

from typing import Any

import sqlalchemy as sa

from domain.posting import FIRST, RECOGNISED, RETURN
from service.projections.choosing import FILTERS, Selection
from service.projections.district_book import crossing, district_entries, places_across
from service.projections.entries import entries
from service.projections.fates import Window
from service.projections.leads import lead_members
from service.projections.moment import rows_at

_PLACE = ("stage", "fen")
_NONE: frozenset[str | None] = frozenset()


def standing(
    connection: sa.Connection, chosen: Selection, window: Window
) -> list[tuple[int, str, int]]:
    """(lead, stage, fen) of every lead that had been tipped by the window's end.

    ``chosen`` by what they were then, as known at the window's position; of a district also those
    that crossed its border.
    """
    rows = rows_at(_PLACE)
    asked = sa.select(rows.c.number, rows.c.stage, sa.func.coalesce(rows.c.fen, 0))
    asked = asked.where(*(FILTERS[name](rows) for name in chosen.values()))
    if chosen.book:
        asked = asked.where(rows.c.number.not_in(crossing(chosen.book)))
    values = {**chosen.values(), "as_of": window.end, "known_at": window.known_at}
    across = places_across(connection, chosen.book, values)
    found: list[tuple[int, str, int]] = list(map(tuple, connection.execute(asked, values)))
    return [*found, *((lead, stage, fen) for lead, stage, _, fen in across)]


def moves(connection: sa.Connection, chosen: Selection, window: Window) -> list[Any]:
    """(lead, source, target, leads, fen) of what entered and left accounts within the window: of
    ``chosen`` leads, and of others.

    Plans and other amounts are no moves; what was reversed on its day is none any more.
    """
    asked = [_moves(entries, window)]
    if chosen.book:
        asked[0] = asked[0].where(entries.c.lead.not_in(crossing(chosen.book)))
        own = district_entries.c.prefix == chosen.book
        asked.append(_moves(district_entries, window).where(own))
    return [move for moved in asked for move in connection.execute(moved)]


def _moves(book: sa.Table, window: Window) -> sa.Select[Any]:
    e = book.c
    key = (e.lead, e.source, e.target)
    return (
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


def sectors_at(connection: sa.Connection, known_at: int) -> dict[int, frozenset[str | None]]:
    """Lead → the sectors of those who reported it, as known at the position; None among them
    where a member has none."""
    m = lead_members.c
    reported = sa.select(m.lead, m.sector).where(m.since <= known_at, m.until > known_at)
    found: dict[int, frozenset[str | None]] = {}
    for lead, sector in connection.execute(reported).all():
        found[lead] = found.get(lead, _NONE) | {sector}
    return found
