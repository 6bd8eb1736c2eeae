"""The book's answers: the pipeline, movements, series and times.

Sums over all leads as known now come from the totals by year, month and day, so that they cost
the same for a thousand leads as for a million. A selection of leads, or an earlier knowledge,
is summed from the entries themselves.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa

from domain.money import yuan
from domain.posting import AMOUNT, IN, MOVE, OUT, OUTSIDE, PLAN, REACHED, ABOUT_TO_SIGN
from domain.posting import closed_account, stage_of
from domain.stage import CLOSED, LABELS, LANDED, OUTCOMES, STAGES
from service.projections.entries import entries, stays, totals
from service.projections.leads import lead_members, leads

# The counting rule (口径) these answers follow; a change of meaning is a new number.
RULE = "1"
MOST_STEPS = 1000

# (account, kind, side) → [count, fen]
Sums = Mapping[tuple[str, str, str], tuple[int, int]]


@dataclass(frozen=True)
class Selection:
    """Which leads count. ``district`` and ``industry`` are prefixes, ``fen`` the least amount."""

    district: str | None = None
    industry: str | None = None
    sector: str | None = None
    member: str | None = None
    fen: int | None = None

    def ids(self) -> "sa.Select[Any] | None":
        """The selected leads' ids; None for all of them."""
        conditions = selection_conditions(self)
        return sa.select(leads.c.id).where(*conditions) if conditions else None


def selection_conditions(
    selection: Selection, rows: sa.FromClause = leads
) -> list[sa.ColumnElement[bool]]:
    """The selection as conditions on ``leads``, or on rows of the same columns."""
    found: list[sa.ColumnElement[bool]] = []
    if selection.district:
        found.append(rows.c.district.startswith(selection.district))
    if selection.industry:
        found.append(rows.c.industry.startswith(selection.industry, autoescape=True))
    if selection.fen is not None:
        found.append(rows.c.fen >= selection.fen)
    reported = sa.select(lead_members.c.lead_id)
    if selection.sector:
        found.append(rows.c.id.in_(reported.where(lead_members.c.sector == selection.sector)))
    if selection.member:
        found.append(rows.c.id.in_(reported.where(lead_members.c.member_id == selection.member)))
    return found


class Book:
    """The book as known at ``position`` (None: now), for the leads of ``selection``."""

    def __init__(
        self, connection: sa.Connection, selection: Selection, position: int | None = None
    ) -> None:
        self._connection = connection
        self._chosen = selection.ids()
        self._position = position
        self._whole = self._chosen is None and position is None

    def sums(self, upto: date) -> Sums:
        """Everything that occurred up to and on that day."""
        if not self._whole:
            statement = self._entries(_ACCOUNTING).where(entries.c.occurred_on <= f"{upto}")
            rows: Iterable[Any] = self._connection.execute(statement)
        else:
            rows = self._connection.execute(_PREFIX, _periods(upto))
        found: dict[tuple[str, str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
        for account, kind, side, count, fen in rows:
            before = found[account, kind, side]
            found[account, kind, side] = (before[0] + int(count), before[1] + int(fen))
        return found

    def changes(self, start: date, end: date) -> list[tuple[str, str, int, int]]:
        """(day, account, count, fen) of each day with a change from ``start`` to ``end``."""
        bounds = {"first": f"{start}", "last": f"{end}"}
        if self._whole:
            rows = self._connection.execute(_DAILY, bounds)
        else:
            days = entries.c.occurred_on
            statement = self._entries((days, entries.c.account)).where(
                days >= bounds["first"], days <= bounds["last"], entries.c.kind != REACHED
            )
            rows = self._connection.execute(statement.order_by(days))
        return [(day, account, int(count), int(fen)) for day, account, count, fen in rows]

    def _entries(self, columns: tuple[sa.ColumnElement[Any], ...]) -> sa.Select[Any]:
        sums = (sa.func.sum(entries.c.count), sa.func.sum(entries.c.fen))
        statement = sa.select(*columns, *sums).group_by(*columns)
        if self._position is not None:
            statement = statement.where(entries.c.position <= self._position)
        if self._chosen is not None:
            statement = statement.where(entries.c.lead_id.in_(self._chosen))
        return statement


_ACCOUNTING = (entries.c.account, entries.c.kind, entries.c.side)


def _prefix_part(length: int, *bounds: sa.ColumnElement[bool]) -> sa.Select[Any]:
    key = (totals.c.account, totals.c.kind, totals.c.side)
    sums = (sa.func.sum(totals.c.count), sa.func.sum(totals.c.fen))
    return sa.select(*key, *sums).where(totals.c.length == length, *bounds).group_by(*key)


# A day and all before it: the whole years before its year, the whole months of its year before
# its month, and the days of its month.
_PREFIX = sa.union_all(
    _prefix_part(4, totals.c.period < sa.bindparam("year")),
    _prefix_part(
        7, totals.c.period > sa.bindparam("year"), totals.c.period < sa.bindparam("month")
    ),
    _prefix_part(
        10, totals.c.period > sa.bindparam("month"), totals.c.period <= sa.bindparam("day")
    ),
)
_DAILY = (
    sa.select(
        totals.c.period,
        totals.c.account,
        sa.func.sum(totals.c.count),
        sa.func.sum(totals.c.fen),
    )
    .where(
        totals.c.length == 10,
        totals.c.period >= sa.bindparam("first"),
        totals.c.period <= sa.bindparam("last"),
        totals.c.kind != REACHED,
    )
    .group_by(totals.c.period, totals.c.account)
    .order_by(totals.c.period)
)


def _periods(day: date) -> dict[str, str]:
    text = f"{day}"
    return {"year": text[:4], "month": text[:7], "day": text}


def _figure(count: int, fen: int) -> dict[str, Any]:
    return {"count": count, "cny": yuan(fen)}


def _total(sums: Sums, stage: str, kinds: tuple[str, ...], side: str | None = None) -> list[int]:
    """[count, fen] over the accounts of a stage."""
    picked = [
        value
        for (account, kind, of_side), value in sums.items()
        if stage_of(account) == stage and kind in kinds and side in (None, of_side)
    ]
    return [sum(count for count, _ in picked), sum(fen for _, fen in picked)]


_BALANCE = (MOVE, PLAN, AMOUNT)


def _less(after: Sums, before: Sums) -> Sums:
    return {
        key: (count - before.get(key, (0, 0))[0], fen - before.get(key, (0, 0))[1])
        for key, (count, fen) in after.items()
    }


def _balanced(sums: Sums) -> bool:
    """The trial balance: over all accounts, `outside` among them, the book sums to zero."""
    book = [value for (_, kind, _), value in sums.items() if kind != REACHED]
    return sum(count for count, _ in book) == 0 and sum(fen for _, fen in book) == 0


def pipeline(book: Book, start: date, end: date) -> dict[str, Any]:
    """Where every lead stands at ``end``, and what entered and left since ``start``."""
    closing = book.sums(end)
    window = _less(closing, book.sums(start - timedelta(days=1)))
    standing = {stage: _total(closing, stage, _BALANCE) for stage in STAGES}
    planned = [
        closing.get((ABOUT_TO_SIGN, kind, side), (0, 0)) for kind in _BALANCE for side in (IN, OUT)
    ]
    landed = [sum(standing[stage][n] for stage in LANDED) for n in (0, 1)]
    stages = []
    for stage in STAGES:
        left = _total(window, stage, (MOVE,), OUT)
        stages.append(
            {
                "stage": stage,
                "label": LABELS[stage],
                "standing": _figure(*standing[stage]),
                "entered": _figure(*_total(window, stage, (MOVE,), IN)),
                "left": _figure(-left[0], -left[1]),
                "reached": _figure(*_total(closing, stage, (REACHED,))),
            }
        )
    stages[-1]["outcomes"] = {
        outcome: _account(closing, closed_account(outcome))[0] for outcome in OUTCOMES
    }
    return {
        "tips": -window.get((OUTSIDE, MOVE, OUT), (0, 0))[0],
        "landed": _figure(*landed),
        "about_to_sign": _figure(sum(p[0] for p in planned), sum(p[1] for p in planned)),
        "stages": stages,
        "balanced": _balanced(closing),
    }


def _account(sums: Sums, account: str) -> tuple[int, int]:
    found = [v for (name, kind, _), v in sums.items() if name == account and kind != REACHED]
    return sum(count for count, _ in found), sum(fen for _, fen in found)


def movements(book: Book, start: date, end: date) -> dict[str, Any]:
    """Per stage: opening + in − out = closing, in leads and in money (revaluations included)."""
    before, closing = book.sums(start - timedelta(days=1)), book.sums(end)
    window = _less(closing, before)
    stages = []
    for stage in STAGES:
        out = _total(window, stage, (MOVE, AMOUNT), OUT)
        stages.append(
            {
                "stage": stage,
                "label": LABELS[stage],
                "opening": _figure(*_total(before, stage, _BALANCE)),
                "in": _figure(*_total(window, stage, (MOVE, AMOUNT), IN)),
                "out": _figure(-out[0], -out[1]),
                "closing": _figure(*_total(closing, stage, _BALANCE)),
            }
        )
    return {"stages": stages, "balanced": _balanced(closing)}


def step_ends(start: date, end: date, step: str) -> list[date]:
    """The last day of each day, week (to Sunday) or month from ``start``; the last is ``end``."""
    ends = []
    day = start
    while day <= end:
        if step == "week":
            last = day + timedelta(days=6 - day.weekday())
        elif step == "month":
            last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        else:
            last = day
        ends.append(min(last, end))
        day = last + timedelta(days=1)
    return ends


def series(book: Book, start: date, ends: list[date]) -> Iterator[dict[str, Any]]:
    """What stood in each stage at each of ``ends``."""
    opening = book.sums(start - timedelta(days=1))
    standing = {stage: _total(opening, stage, _BALANCE) for stage in STAGES}
    changes = iter(book.changes(start, ends[-1]))
    change = next(changes, None)
    for end in ends:
        while change and change[0] <= f"{end}":
            _, account, count, fen = change
            if account != OUTSIDE:
                standing[stage_of(account)][0] += count
                standing[stage_of(account)][1] += fen
            change = next(changes, None)
        yield {"on": f"{end}", "stages": {s: _figure(*standing[s]) for s in STAGES}}


def times(
    connection: sa.Connection, selection: Selection, start: date, end: date
) -> list[dict[str, Any]]:
    """Per stage, of the stays that began from ``start`` to ``end``, seen from ``end``.

    ``leads``: how many such stays; ``median_days`` and ``p90_days`` of those that ended by then;
    ``waiting``: how many still stand there, ``longest_waiting_days``; ``conversion``: the share
    that went on to the next stage.
    """
    chosen = selection.ids()
    began = [stays.c.entered_on >= f"{start}", stays.c.entered_on <= f"{end}"]
    if chosen is not None:
        began.append(stays.c.lead_id.in_(chosen))
    ended = stays.c.left_on <= f"{end}"
    done = (
        sa.select(stays.c.stage, stays.c.next_stage, stays.c.days, sa.func.count())
        .where(*began, ended)
        .group_by(stays.c.stage, stays.c.next_stage, stays.c.days)
        .order_by(stays.c.days)
    )
    open_ = (
        sa.select(stays.c.stage, sa.func.count(), sa.func.min(stays.c.entered_on))
        .where(*began, sa.or_(stays.c.left_on.is_(None), sa.not_(ended)))
        .group_by(stays.c.stage)
    )
    lengths: dict[str, list[tuple[int, int]]] = defaultdict(list)
    onward: dict[str, int] = defaultdict(int)
    for stage, next_stage, days, count in connection.execute(done):
        lengths[stage].append((days, count))
        if next_stage != CLOSED and STAGES.index(next_stage) == STAGES.index(stage) + 1:
            onward[stage] += count
    waiting = {row[0]: (row[1], row[2]) for row in connection.execute(open_)}
    return [
        _time(stage, lengths[stage], onward[stage], waiting.get(stage), end) for stage in STAGES
    ]


def _time(
    stage: str,
    lengths: list[tuple[int, int]],
    onward: int,
    waiting: tuple[int, str] | None,
    end: date,
) -> dict[str, Any]:
    ended = sum(count for _, count in lengths)
    still, since = waiting or (0, None)
    stood = ended + still
    last = stage in (STAGES[-2], CLOSED)
    return {
        "stage": stage,
        "label": LABELS[stage],
        "leads": stood,
        "median_days": _percentile(lengths, ended, 50),
        "p90_days": _percentile(lengths, ended, 90),
        "waiting": still,
        "longest_waiting_days": (end - date.fromisoformat(since)).days if since else None,
        "conversion": None if last or not stood else round(onward / stood, 4),
    }


def _percentile(lengths: list[tuple[int, int]], ended: int, percent: int) -> int | None:
    """The shortest length that at least ``percent`` of the stays did not exceed (nearest rank)."""
    seen = 0
    for days, count in lengths:
        seen += count
        if seen * 100 >= ended * percent:
            return days
    return None
