"""Leads as of a day, as known at a log position: rows with the columns that lists choose by.

A lead of which nothing happened after that day, and nothing was recorded after that position, is
as it stands now. Of the others place and amount are summed from the book, the other facts stand in
`variants.py`, and the last activity in `history.py`; nothing is replayed.
"""

from collections.abc import Collection, Set
from typing import Any

import sqlalchemy as sa

from domain.posting import (
    ABOUT_TO_SIGN,
    ACCOUNTS,
    ELSEWHERE,
    FIRST,
    OUTSIDE,
    RECOGNISED,
    closed_account,
)
from domain.stage import OUTCOMES, TIP
from service.projections.entries import entries
from service.projections.history import history
from service.projections.leads import leads
from service.projections.stood import stood
from service.projections.store import FOREVER, LAST_DAY
from service.projections.variants import variants

# Bound wherever a moment is asked for: the day, and the position.
DAY: sa.BindParameter[str] = sa.bindparam("as_of")
POSITION: sa.BindParameter[int] = sa.bindparam("known_at")
# Leads' numbers, wherever it is asked about a few of them.
AMONG: sa.BindParameter[Any] = sa.bindparam("among", expanding=True)
# Where entries of theirs may stand.
POSITIONS = sa.select(history.c.position).where(history.c.lead.in_(AMONG))
NOW = {"as_of": LAST_DAY, "known_at": FOREVER - 1}
# The columns that come from the book; those from the history; all others are facts.
FROM_BOOK = frozenset({"stage", "outcome", "about_to_sign", "fen", "tip_on"})
FROM_HISTORY = frozenset({"activity_on"})
_FACTS = ("district", "industry", "suspended", "words")
_SAME = sa.and_(leads.c.position <= POSITION, leads.c.activity_on <= DAY)
_OUTCOME = {closed_account(outcome): outcome for outcome in OUTCOMES}
_COLUMNS = ("number", "id", *_FACTS)


def rows_at(columns: Collection[str], *, few: bool = False) -> sa.FromClause:
    """All leads known as tips by then, with ``columns`` as they were; ``body`` (JSON) is None
    where a lead has changed since. ``few``: of the numbers bound as ``among`` only."""
    of_few = [entries.c.position.in_(POSITIONS)] if few else []
    places, facts = places_then(entries, *of_few).subquery("places"), _variant()
    joined = leads.join(places, places.c.lead == leads.c.number)
    joined = joined.outerjoin(facts, facts.c.lead == leads.c.number)
    then: dict[str, Any] = {"number": leads.c.number, "id": leads.c.id}
    for name in _FACTS:
        then[name] = sa.case((facts.c.lead.is_not(None), facts.c[name]), else_=leads.c[name])
    then |= {name: places.c[name] for name in ("stage", "outcome", "about_to_sign", "fen")}
    then["tip_on"], then["activity_on"] = leads.c.tip_on, leads.c.activity_on
    if "tip_on" in columns:
        tips = _tips(*of_few).subquery("tips")
        joined = joined.join(tips, tips.c.lead == leads.c.number)
        then["tip_on"] = tips.c.day
    if "activity_on" in columns:
        active = _activity().subquery("activity")
        joined = joined.join(active, active.c.lead == leads.c.number)
        then["activity_on"] = active.c.day
    then["body"] = sa.cast(sa.null(), sa.LargeBinary)
    changed = sa.select(*(column.label(name) for name, column in then.items()))
    changed = changed.select_from(joined).where(leads.c.number <= POSITION, sa.not_(_SAME))
    same = sa.select(*(leads.c[name] for name in then)).where(_SAME)
    if few:
        same, changed = (one.where(leads.c.number.in_(AMONG)) for one in (same, changed))
    return sa.union_all(same, changed).subquery("then")


def rows_on(columns: Set[str]) -> sa.FromClause:
    """As ``rows_at``, as known now: one row after the other in the order of an index, for who asks
    for the first few."""
    then: dict[str, Any] = {"number": stood.c.lead, "id": leads.c.id}
    then |= {name: stood.c[name] for name in ("stage", "outcome", "about_to_sign", "fen", "tip_on")}
    joined = stood.join(leads, leads.c.number == stood.c.lead)
    same = leads.c.activity_on <= DAY
    then["body"] = sa.case((same, leads.c.body))
    if not columns.isdisjoint(_FACTS):
        joined = joined.outerjoin(variants, _held_by_lead(leads.c.number))
        varied = variants.c.lead.is_not(None)
        then |= {n: sa.case((varied, variants.c[n]), else_=leads.c[n]) for n in _FACTS}
    if "activity_on" in columns:
        active = _active_days(history.c.day).where(history.c.lead == stood.c.lead)
        last = active.order_by(history.c.day.desc()).limit(sa.literal_column("1"))
        last_day = last.correlate(stood).scalar_subquery()
        then["activity_on"] = sa.case((same, leads.c.activity_on), else_=last_day)
    held = sa.select(*(column.label(name) for name, column in then.items())).select_from(joined)
    return held.where(stood.c.day <= DAY, stood.c.until > DAY).subquery("then")


def _held_by_lead(number: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """That a row of `variants` is the one that held of a lead on the day, as known now."""
    of_lead, of_day = variants.alias("of_lead"), variants.alias("of_day")
    day = sa.select(sa.func.max(of_lead.c.day)).where(
        of_lead.c.lead == number, of_lead.c.day <= DAY
    )
    position = sa.select(sa.func.max(of_day.c.position)).where(
        of_day.c.lead == number, of_day.c.day == variants.c.day
    )
    return sa.and_(
        variants.c.lead == number,
        variants.c.day == day.scalar_subquery(),
        variants.c.position == position.scalar_subquery(),
    )


def facts_at() -> sa.FromClause:
    """As ``rows_at``, with the facts alone: every lead that was recorded by then."""
    facts = _variant()
    columns: list[Any] = [leads.c[name] for name in _COLUMNS]
    varied = sa.select(variants.c.lead)
    constant = sa.select(*columns).where(leads.c.number <= POSITION, leads.c.number.not_in(varied))
    then = [facts.c[name] for name in _COLUMNS[2:]]
    changed = sa.select(leads.c.number, leads.c.id, *then)
    changed = changed.select_from(leads.join(facts, facts.c.lead == leads.c.number))
    return sa.union_all(constant, changed).subquery("facts_then")


def _known_by_then(book: sa.Table) -> sa.ColumnElement[bool]:
    return sa.and_(
        book.c.occurred_on <= DAY,
        book.c.position <= POSITION,
        book.c.by != RECOGNISED,
    )


def places_then(book: sa.Table, *which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Where each lead stood, and its amount there (0 for none), by ``which`` entries of a book."""
    e, then = book.c, sa.and_(_known_by_then(book), *which)
    out = sa.select(e.lead, e.source.label("account"), (-e.leads).label("n"), (-e.fen).label("f"))
    into = sa.select(e.lead, e.target, e.leads, e.fen)
    sides = sa.union_all(out.where(then), into.where(then)).subquery()
    account, amount = sides.c.account, sa.func.sum(sides.c.f)
    return (
        sa.select(
            sides.c.lead,
            sa.case(dict(ACCOUNTS), value=account).label("stage"),
            sa.case(_OUTCOME, value=account).label("outcome"),
            (account == ABOUT_TO_SIGN).label("about_to_sign"),
            amount.label("fen"),
        )
        .where(account != OUTSIDE, account != ELSEWHERE)
        .group_by(sides.c.lead, account)
        .having(sa.func.sum(sides.c.n) == 1)
    )


def _tips(*which: sa.ColumnElement[bool]) -> sa.Select[Any]:
    e = entries.c
    return (
        sa.select(e.lead, e.occurred_on.label("day"))
        .where(e.source == OUTSIDE, e.target == TIP, e.kind == FIRST, _known_by_then(entries))
        .where(*which)
        .group_by(e.lead, e.occurred_on)
        .having(sa.func.sum(e.leads) == 1)
    )


def _activity() -> sa.Select[Any]:
    days = _active_days(history.c.lead, history.c.day).subquery()
    return sa.select(days.c.lead, sa.func.max(days.c.day).label("day")).group_by(days.c.lead)


def _active_days(*columns: sa.Column[Any]) -> sa.Select[Any]:
    """``columns`` of each lead's days on which something happened to it."""
    h = history.c
    return (
        sa.select(*columns)
        .where(h.position <= POSITION, h.day <= DAY)
        .group_by(h.lead, h.day)
        .having(sa.func.sum(h.active) > 0)
    )


def _variant() -> sa.FromClause:
    """The row of each varied lead that held then."""
    return held_then(variants)


def held_then(table: sa.Table) -> sa.FromClause:
    """Of each lead in ``table``, whose rows say what held from a ``day`` on as known since a
    ``position``, the row that held then."""
    later = table.alias("later")
    superseded = sa.exists().where(
        later.c.lead == table.c.lead,
        later.c.day <= DAY,
        later.c.position <= POSITION,
        sa.tuple_(later.c.day, later.c.position) > sa.tuple_(table.c.day, table.c.position),
    )
    held = sa.select(table).where(
        table.c.day <= DAY, table.c.position <= POSITION, sa.not_(superseded)
    )
    return held.subquery("held")
