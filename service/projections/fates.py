"""What became of each lead by a cut-off, as known at a position: what reports count by.

``fates`` asks the book for all leads at once; ``Retold`` tells the fate of a few from their own
entries, as known at one position after the other. A test holds one against the other.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from domain.posting import (
    ABOUT_TO_SIGN,
    ACCOUNTS,
    ELSEWHERE,
    FIRST,
    OUTSIDE,
    PASSED_ON,
    RECOGNISED,
    RETURN,
)
from domain.stage import GROUNDBROKEN, SIGNED, TIP
from service.projections.choosing import EVERYTHING, FILTERS, Selection, rows_then
from service.projections.district_book import crossing, district_entries, places_across
from service.projections.entries import entries
from service.projections.leads import amount_of, leads
from service.projections.moment import AMONG, NOW, POSITIONS, rows_at
from service.projections.store import rows_of
from service.projections.variants import variants

_COLUMNS = ("stage", "about_to_sign", "fen")
# The stages of which it is asked whether a lead entered them within the window.
_ENTERED = (TIP, SIGNED, GROUNDBROKEN)
# Whoever comes from there was no tip here, nor signed here.
_ELSEWHERE = (ELSEWHERE, PASSED_ON)


class Window(NamedTuple):
    """A report's days, both included (ISO text), and the log position that it is told from."""

    start: str
    end: str
    known_at: int


class Fate(NamedTuple):
    """Where a lead stands at the cut-off, with how much there, and which of the stages asked for
    it entered within the window. ``number`` is the position of its tip in the log."""

    number: int
    stage: str
    about_to_sign: bool
    fen: int
    entered: frozenset[str]


def fates(connection: sa.Connection, chosen: Selection, window: Window) -> list[Fate]:
    """The fate of every lead that had been tipped by the cut-off, in the order of their tips.

    ``chosen`` by what they were at the cut-off, as known then; of a district also those that it
    passed on, or that were passed to it, as they stand in its book.
    """
    rows = rows_at(_COLUMNS)
    asked = sa.select(rows.c.number, *(rows.c[name] for name in _COLUMNS))
    asked = asked.where(*(FILTERS[name](rows) for name in chosen.values()))
    if chosen.book:
        asked = asked.where(rows.c.number.not_in(crossing(chosen.book)))
    values = {**chosen.values(), "as_of": window.end, "known_at": window.known_at}
    found = connection.execute(asked, values).all()
    across = places_across(connection, chosen.book, values)
    entered = _entered(connection, window, chosen.book)
    return [
        Fate(number, stage, bool(about_to_sign), fen or 0, _of(entered, number))
        for number, stage, about_to_sign, fen in sorted(map(tuple, [*found, *across]))
    ]


class Kind(NamedTuple):
    """Leads of one fate: where they stand, whether their amount is ``large``, and which stages they
    entered within the window."""

    stage: str
    about_to_sign: bool
    large: bool
    entered: frozenset[str]


# And of each lead that is about to sign, by its number, what it has.
FateSums = Mapping[Kind | int, tuple[int, int]]


def fate_sums(
    connection: sa.Connection, window: Window, as_of: str, large: int, among: Sequence[int] | None
) -> FateSums:
    """Kind → leads and fen, of all leads; ``among`` those of these numbers only.

    ``as_of`` is the day as of which they stand somewhere: the window's end, or, where that is
    today, the last of all days. An amount of so many fen is ``large``.
    """
    rows = _fate_rows(window, as_of, few=among is not None)
    each = sa.case((rows.c.about_to_sign, rows.c.number), else_=0)
    key: list[Any] = [rows.c.stage, rows.c.about_to_sign, rows.c.fen >= large, each]
    key += [rows.c[stage] for stage in _ENTERED]
    asked = sa.select(sa.func.count(), sa.func.sum(rows.c.fen), *key).group_by(*key)
    found: dict[Kind | int, tuple[int, int]] = {}
    for count, fen, stage, signs, is_large, number, *came in connection.execute(
        asked, _moment(window, as_of, among)
    ):
        entered = frozenset(name for name, did in zip(_ENTERED, came, strict=True) if did)
        kind = Kind(stage, bool(signs), bool(is_large), entered)
        had = found.get(kind, (0, 0))
        found[kind] = (had[0] + count, had[1] + int(fen))
        if number:
            found[number] = (count, int(fen))
    return found


def largest_of(
    connection: sa.Connection,
    window: Window,
    as_of: str,
    large: int,
    kinds: Iterable[Kind],
    most: int,
) -> list[int]:
    """The numbers of the leads of these kinds, those of the largest amounts first."""
    rows = _fate_rows(window, as_of)
    of = sa.or_(sa.false(), *(_is_of(rows, kind, large) for kind in kinds))
    asked = sa.select(rows.c.number).where(of)
    asked = asked.order_by(rows.c.fen.desc(), rows.c.number).limit(most)
    return list(connection.execute(asked, _moment(window, as_of)).scalars())


def _is_of(rows: sa.FromClause, kind: Kind, large: int) -> sa.ColumnElement[bool]:
    came = [rows.c[stage] == int(stage in kind.entered) for stage in _ENTERED]
    stands = rows.c.about_to_sign if kind.about_to_sign else sa.not_(rows.c.about_to_sign)
    amount = rows.c.fen >= large if kind.large else rows.c.fen < large
    return sa.and_(rows.c.stage == kind.stage, stands, amount, *came)


def _fate_rows(window: Window, as_of: str, *, few: bool = False) -> sa.FromClause:
    """Number, stage, about_to_sign and fen of every lead, and whether (1, 0) it entered each of the
    stages asked for."""
    rows = rows_then(_COLUMNS, as_of, window.known_at, few=few)
    moves = _moves(entries, window)
    if few:
        moves = moves.where(entries.c.position.in_(POSITIONS))
    made = moves.subquery("moves")
    came = [
        sa.func.max(sa.case((made.c.target == stage, 1), else_=0)).label(stage)
        for stage in _ENTERED
    ]
    entered = sa.select(made.c.lead, *came).group_by(made.c.lead).subquery("entered")
    told = sa.select(
        rows.c.number,
        rows.c.stage,
        rows.c.about_to_sign,
        amount_of(rows).label("fen"),
        *(sa.func.coalesce(entered.c[stage], 0).label(stage) for stage in _ENTERED),
    ).select_from(rows.outerjoin(entered, entered.c.lead == rows.c.number))
    if few:
        told = told.where(rows.c.number.in_(AMONG))
    return told.subquery("fates")


def _moment(window: Window, as_of: str, among: Sequence[int] | None = None) -> dict[str, Any]:
    values = {"as_of": as_of, "known_at": window.known_at}
    return values if among is None else {**values, "among": among}


def ids_of(
    connection: sa.Connection, numbers: Sequence[int], chosen: Selection = EVERYTHING
) -> dict[int, str]:
    """The ids of these leads, by number; ``chosen`` by what they are now."""
    values = chosen.values()
    columns = sa.select(leads.c.number, leads.c.id)
    columns = columns.where(*(FILTERS[name](leads) for name in values)).params(**values, **NOW)
    return dict(map(tuple, rows_of(connection, columns, leads.c.number, numbers)))


def _of(entered: dict[int, set[str]], number: int) -> frozenset[str]:
    return frozenset(entered.get(number, ()))


def _entered(connection: sa.Connection, window: Window, prefix: str | None) -> dict[int, set[str]]:
    """Lead → the stages it entered within the window, other than by what was reversed since."""
    asked = [_moves(entries, window)]
    if prefix:
        asked[0] = asked[0].where(entries.c.lead.not_in(crossing(prefix)))
        own = district_entries.c.prefix == prefix
        asked.append(_moves(district_entries, window).where(own))
    found: dict[int, set[str]] = defaultdict(set)
    for moves in asked:
        for lead, target in connection.execute(moves):
            found[lead].add(target)
    return found


def _moves(book: sa.Table, window: Window) -> sa.Select[Any]:
    e = book.c
    key = (e.lead, e.occurred_on, e.source, e.target)
    return (
        sa.select(e.lead, e.target)
        .where(
            e.target.in_(_ENTERED),
            e.source.not_in(_ELSEWHERE),
            e.kind.in_((FIRST, RETURN)),
            e.by != RECOGNISED,
            e.occurred_on >= window.start,
            e.occurred_on <= window.end,
            e.position <= window.known_at,
        )
        .group_by(*key)
        .having(sa.func.sum(e.leads) > 0)
    )


class Retold:
    """A few leads' fates, as known at any position."""

    def __init__(self, connection: sa.Connection, numbers: Sequence[int]) -> None:
        self._entries: dict[int, list[Any]] = defaultdict(list)
        self._facts: dict[int, list[Any]] = defaultdict(list)
        e, v = entries.c, variants.c
        for row in rows_of(connection, sa.select(entries).order_by(e.position), e.lead, numbers):
            if row.by != RECOGNISED:
                self._entries[row.lead].append(row)
        # (lead, prefix) → its entries in the book of a district whose border it crossed.
        self._across: dict[tuple[int, str], list[Any]] = defaultdict(list)
        d = district_entries.c
        across = sa.select(district_entries).order_by(d.position)
        for row in rows_of(connection, across, d.lead, numbers):
            if row.by != RECOGNISED:
                self._across[row.lead, row.prefix].append(row)
        told = sa.select(v.lead, v.day, v.position, v.district).order_by(v.day, v.position)
        for row in rows_of(connection, told, v.lead, numbers):
            self._facts[row.lead].append(row)
        constant = sa.select(leads.c.number, leads.c.district)
        rows = rows_of(connection, constant, leads.c.number, numbers)
        self._districts: dict[int, str] = dict(map(tuple, rows))

    def positions(self, number: int, after: int) -> list[int]:
        """Where something was recorded after a position that may have changed the lead's fate."""
        rows = [*self._entries[number], *self._facts[number]]
        return sorted({row.position for row in rows if row.position > after})

    def fate(self, number: int, district: str | None, window: Window) -> Fate | None:
        """The lead's fate; None where it was no tip by then, or none of the district (a prefix)."""
        own = self._across.get((number, district or ""))
        known = [
            row
            for row in (self._entries[number] if own is None else own)
            if row.position <= window.known_at and row.occurred_on <= window.end
        ]
        place = _place(known)
        if place is None:
            return None
        if own is None and not self._district(number, window).startswith(district or ""):
            return None
        account, fen = place
        entered = _stages_entered(row for row in known if row.occurred_on >= window.start)
        return Fate(number, ACCOUNTS[account], account == ABOUT_TO_SIGN, fen, entered)

    def _district(self, number: int, window: Window) -> str:
        held = [
            row
            for row in self._facts[number]
            if row.day <= window.end and row.position <= window.known_at
        ]
        district: str = held[-1].district if held else self._districts[number]
        return district


def _place(rows: Iterable[Any]) -> tuple[str, int] | None:
    """The account in which a lead's entries leave it, and its amount there; None for nowhere."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in rows:
        for account, sign in ((row.source, -1), (row.target, 1)):
            sums[account][0] += sign * row.leads
            sums[account][1] += sign * row.fen
    outside = (OUTSIDE, ELSEWHERE)
    standing = [(a, fen) for a, (n, fen) in sums.items() if n == 1 and a not in outside]
    return standing[0] if standing else None


def _stages_entered(rows: Iterable[Any]) -> frozenset[str]:
    moves: dict[tuple[str, str, str], int] = defaultdict(int)
    for row in rows:
        if row.target in _ENTERED and row.kind in (FIRST, RETURN) and row.source not in _ELSEWHERE:
            moves[row.occurred_on, row.source, row.target] += row.leads
    return frozenset(target for (_, _, target), leads_ in moves.items() if leads_ > 0)
