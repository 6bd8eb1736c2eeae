"""The book's answers: the pipeline, movements, series and times.

Sums over all leads as known now come from the totals by year, month and day, so that they cost
the same for a thousand leads as for a million. A selection of leads, or an earlier knowledge,
is summed from the entries themselves.
"""

import re
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cached_property
from operator import sub
from typing import Any, Protocol

import orjson
import sqlalchemy as sa

from domain.money import yuan
from domain.posting import (
    ABOUT_TO_SIGN,
    ACCOUNTS,
    AMOUNT,
    ELSEWHERE,
    FIRST,
    OCCURRED,
    OUTSIDE,
    PLAN,
    RECOGNISED,
    RETURN,
    closed_account,
)
from domain.stage import LABELS, LANDED, NEXT_STEP, OUTCOMES, STAGES
from service.projections.choosing import Selection
from service.projections.district_book import crossing, district_entries
from service.projections.entries import IN, OUT, entries, totals
from service.projections.store import FOREVER, LAST_DAY, Prepared

# The counting rule (口径) these answers follow; a change of meaning is a new number.
RULE = "1"
MOST_STEPS = 1000
# Which entries a book leaves out: those of the other one alone.
OTHER = {OCCURRED: RECOGNISED, RECOGNISED: OCCURRED}

# (account, kind, side) → [count, fen]
Sums = Mapping[tuple[str, str, str], tuple[int, int]]
_DAY = timedelta(days=1)


class Days(Protocol):
    """What knows how the book stood at the end of a day."""

    def stood(self, upto: date) -> "Stood":
        """The book of everything that occurred up to and on that day."""


class Book:
    """The book as known at a log position, for the leads of ``selection``.

    Those are chosen by what they were at the end of the day ``as_of`` (ISO), as known then. ``by``
    says which book: by the day of what OCCURRED, or was RECOGNISED. Of a district it is the book of
    that district, which leads passed on stay in, and leads passed to it come to.
    """

    def __init__(
        self,
        connection: sa.Connection,
        selection: Selection,
        as_of: str = LAST_DAY,
        known_at: int = FOREVER - 1,
        by: str = OCCURRED,
    ) -> None:
        self._connection = connection
        # Each table with the leads whose entries are taken from it; None for all.
        self._parts: list[tuple[sa.Table, list[sa.ColumnElement[bool]]]] = []
        chosen = selection.numbers(as_of, known_at)
        prefix = selection.book
        if prefix:
            self._add_part(entries, chosen, entries.c.lead.not_in(crossing(prefix)))
            across = selection.across.numbers(as_of, known_at)
            self._add_part(district_entries, across, district_entries.c.prefix == prefix)
        else:
            self._add_part(entries, chosen)
        self._values = {**selection.values(), "as_of": as_of, "known_at": known_at}
        self._position = known_at
        self._by = by
        self._whole = chosen is None and known_at == FOREVER - 1

    def _add_part(
        self, book: sa.Table, chosen: sa.Select[Any] | None, *which: sa.ColumnElement[bool]
    ) -> None:
        leads = [] if chosen is None else [book.c.lead.in_(chosen)]
        self._parts.append((book, [*leads, *which]))

    def sums(self, upto: date) -> Sums:
        """Everything that occurred up to and on that day."""
        if self._whole:
            day = f"{upto}"
            rows: Iterable[Any] = _PREFIX.all(
                self._connection, day[:4], day[:7], day, OTHER[self._by]
            )
        else:
            rows = self._rows("kind", lambda day: day <= f"{upto}")
        found: dict[tuple[str, str, str], tuple[int, int]] = {}
        for account, kind, side, number, fen in rows:
            before = found.get((account, kind, side), (0, 0))
            found[account, kind, side] = (before[0] + int(number), before[1] + int(fen))
        return found

    def stood(self, upto: date) -> "Stood":
        """``sums()``, with what is counted from them."""
        return Stood(self.sums(upto))

    def changes(self, start: date, end: date) -> list[tuple[str, str, int, int]]:
        """(day, account, leads, fen), by day, of what changed from ``start`` to ``end``."""
        if self._whole:
            rows: Iterable[Any] = self._connection.execute(
                _DAILY, {"first": f"{start}", "last": f"{end}", "other": OTHER[self._by]}
            )
        else:
            first, last = f"{start}", f"{end}"
            rows = self._rows("occurred_on", lambda day: sa.and_(day >= first, day <= last))
        return sorted((day, account, int(n), int(fen)) for account, day, _, n, fen in rows)

    def stays(self, start: date, end: date) -> Iterable[Any]:
        """(how many, account, day entered, day left, account gone to) of the stays that began
        from ``start`` to ``end``; the last two None for those that had not ended by ``end``."""
        for book, which in self._parts:
            yield from self._stays(book, which, f"{start}", f"{end}")

    def _stays(
        self, book: sa.Table, which: list[sa.ColumnElement[bool]], start: str, end: str
    ) -> Iterable[Any]:
        e = book.c
        key = (e.lead, e.occurred_on, e.source, e.target)
        moved = (e.kind.in_((FIRST, RETURN)), e.occurred_on <= end)
        conditions = self._conditions(book, *which, *moved)
        # What was reversed is no move any more.
        moves = sa.select(*key, sa.func.max(e.position).label("position")).where(*conditions)
        moves = moves.group_by(*key).having(sa.func.sum(e.leads) > 0)
        made = moves.subquery().c

        def at_next(column: Any) -> sa.ColumnElement[Any]:
            order = (made.occurred_on, made.position)
            return sa.func.lead(column).over(partition_by=made.lead, order_by=order)

        stays = sa.select(
            made.target.label("account"),
            made.occurred_on.label("entered_on"),
            at_next(made.occurred_on).label("left_on"),
            at_next(made.target).label("next_account"),
        ).subquery()
        columns: list[Any] = [*stays.c]
        counted = sa.select(sa.func.count(), *columns).group_by(*columns)
        counted = counted.where(stays.c.entered_on >= start)
        return self._connection.execute(counted, self._values)

    def _conditions(
        self, book: sa.Table, *which: sa.ColumnElement[bool]
    ) -> list[sa.ColumnElement[bool]]:
        """``which`` entries, by the days that count, as known then."""
        conditions = [*which, book.c.by != OTHER[self._by]]
        if self._position < FOREVER - 1:
            conditions.append(book.c.position <= self._position)
        return conditions

    def _rows(
        self, by: str, of: Callable[[sa.ColumnElement[Any]], sa.ColumnElement[bool]]
    ) -> Iterable[Any]:
        """(account, ``by``, side, leads, fen) of the entries ``of`` some days."""
        sides = [
            side
            for book, which in self._parts
            for side in self._sides(book, book.c[by], [*which, of(book.c.occurred_on)])
        ]
        return self._connection.execute(sa.union_all(*sides), self._values)

    def _sides(
        self, book: sa.Table, by: sa.ColumnElement[Any], which: list[sa.ColumnElement[bool]]
    ) -> tuple[sa.Select[Any], sa.Select[Any]]:
        """Out of the entries' source, into their target."""
        conditions = self._conditions(book, *which)
        number, fen = sa.func.sum(book.c.leads), sa.func.sum(book.c.fen)
        source, target = book.c.source, book.c.target
        out = sa.select(source, by, sa.literal(OUT), -number, -fen).group_by(source, by)
        into = sa.select(target, by, sa.literal(IN), number, fen).group_by(target, by)
        return out.where(*conditions), into.where(*conditions)


def _prefix_part(length: int, *bounds: sa.ColumnElement[bool]) -> sa.Select[Any]:
    key = (totals.c.account, totals.c.kind, totals.c.side)
    sums = (sa.func.sum(totals.c.leads), sa.func.sum(totals.c.fen))
    bounds = (*bounds, totals.c.length == length, totals.c.by != sa.bindparam("other"))
    return sa.select(*key, *sums).where(*bounds).group_by(*key)


# A day and all before it: the whole years before its year, the whole months of its year before
# its month, and the days of its month.
_PREFIX = Prepared(
    lambda _insert: sa.union_all(
        _prefix_part(4, totals.c.period < sa.bindparam("year")),
        _prefix_part(
            7, totals.c.period > sa.bindparam("year"), totals.c.period < sa.bindparam("month")
        ),
        _prefix_part(
            10, totals.c.period > sa.bindparam("month"), totals.c.period <= sa.bindparam("day")
        ),
    ),
    ("year", "month", "day", "other"),
)
_DAILY = (
    sa.select(
        totals.c.account,
        totals.c.period,
        sa.literal(IN),
        sa.func.sum(totals.c.leads),
        sa.func.sum(totals.c.fen),
    )
    .where(
        totals.c.length == 10,
        totals.c.by != sa.bindparam("other"),
        totals.c.period >= sa.bindparam("first"),
        totals.c.period <= sa.bindparam("last"),
    )
    .group_by(totals.c.period, totals.c.account)
)


def _figure(count: int, fen: int) -> dict[str, Any]:
    return {"count": count, "cny": yuan(fen)}


class _Tally:
    """One stage's sums by counting rule: [leads, fen] each."""

    __slots__ = ("came", "into", "left", "out", "reached", "standing")

    def __init__(self) -> None:
        self.standing, self.came, self.left, self.reached = [0, 0], [0, 0], [0, 0], [0, 0]
        # Everything in and out, revaluations included: what movements show.
        self.into, self.out = [0, 0], [0, 0]


def _add(total: list[int], count: int, fen: int) -> None:
    total[0] += count
    total[1] += fen


def _tallies(sums: Sums) -> dict[str, _Tally]:
    """The sums of each stage, of outside, and of elsewhere."""
    tallies = {stage: _Tally() for stage in (*STAGES, OUTSIDE, ELSEWHERE)}
    for (account, kind, side), (count, fen) in sums.items():
        tally = tallies[ACCOUNTS[account]]
        _add(tally.standing, count, fen)
        if kind == PLAN:
            continue
        _add(tally.into if side == IN else tally.out, count, fen)
        if kind != AMOUNT:
            _add(tally.came if side == IN else tally.left, count, fen)
        if kind == FIRST and side == IN:
            _add(tally.reached, count, fen)
    return tallies


class Stood:
    """The book as it stood at the end of a day; what is counted once is kept with it."""

    def __init__(self, sums: Sums) -> None:
        self.sums = sums

    @cached_property
    def tallies(self) -> Mapping[str, _Tally]:
        """The sums of each stage, of outside, and of elsewhere."""
        return _tallies(self.sums)

    @cached_property
    def figures(self) -> Mapping[str, Any]:
        """Of the pipeline what no window's beginning changes."""
        standing = {stage: self.tallies[stage].standing for stage in STAGES}
        landed = zip(*(standing[stage] for stage in LANDED), strict=True)
        return {
            "landed": _figure(*map(sum, landed)),
            "about_to_sign": _figure(*self._of_account(ABOUT_TO_SIGN)),
            "standing": {stage: _figure(*standing[stage]) for stage in STAGES},
            "reached": {stage: _figure(*self.tallies[stage].reached) for stage in STAGES},
            "outcomes": {o: self._of_account(closed_account(o))[0] for o in OUTCOMES},
        }

    @cached_property
    def ending(self) -> str:
        """The pipeline of a window that ends here, as JSON with gaps for what its beginning
        changes (see `pipeline_json`)."""
        text = orjson.dumps(_between(self, self)).decode().replace("%", "%%")
        text = text.replace('"tips":0,"received":0', '"tips":%d,"received":%d')
        return _CHANGING.sub(r'\1:{"count":%d,"cny":"%s"}', text)

    @cached_property
    def changing(self) -> Sequence[int]:
        """What fills these gaps, but for the same of the day before a window's beginning: the
        tips, the leads that other districts passed on; then of each stage leads and fen that
        entered, leads and fen that left."""
        found = [-self.tallies[OUTSIDE].left[0], -self.tallies[ELSEWHERE].left[0]]
        for stage in STAGES:
            tally = self.tallies[stage]
            found += (*tally.came, -tally.left[0], -tally.left[1])
        return found

    @cached_property
    def balanced(self) -> bool:
        """The trial balance: over all accounts, `outside` among them, the book sums to zero."""
        return not any(map(sum, zip(*self.sums.values(), strict=True)))

    def _of_account(self, account: str) -> tuple[int, int]:
        found = [value for (name, _, _), value in self.sums.items() if name == account]
        return sum(count for count, _ in found), sum(fen for _, fen in found)


def _since(before: list[int], now: list[int]) -> dict[str, Any]:
    return {"count": now[0] - before[0], "cny": yuan(now[1] - before[1])}


# In the pipeline of no days at all: what a window's beginning changes, besides the tips.
_CHANGING = re.compile(r'("entered"|"left"):{"count":0,"cny":"0"}')


def pipeline(book: Days, start: date, end: date) -> dict[str, Any]:
    """Where every lead stands at ``end``, and what entered and left since ``start``."""
    return _between(book.stood(start - _DAY), book.stood(end))


def pipeline_json(book: Days, start: date, end: date) -> bytes:
    """What ``pipeline`` says, as JSON: the text kept with the day ``end``, its gaps filled."""
    opening, closing = book.stood(start - _DAY), book.stood(end)
    changes: list[Any] = list(map(sub, closing.changing, opening.changing))
    changes[3::2] = map(yuan, changes[3::2])
    return (closing.ending % tuple(changes)).encode()


def _between(opening: Stood, closing: Stood) -> dict[str, Any]:
    before, now, shown = opening.tallies, closing.tallies, closing.figures
    stages: list[dict[str, Any]] = [
        {
            "stage": stage,
            "label": LABELS[stage],
            "standing": shown["standing"][stage],
            "entered": _since(before[stage].came, now[stage].came),
            "left": _since(now[stage].left, before[stage].left),
            "reached": shown["reached"][stage],
        }
        for stage in STAGES
    ]
    stages[-1]["outcomes"] = shown["outcomes"]
    return {
        "tips": before[OUTSIDE].left[0] - now[OUTSIDE].left[0],
        "received": before[ELSEWHERE].left[0] - now[ELSEWHERE].left[0],
        "landed": shown["landed"],
        "about_to_sign": shown["about_to_sign"],
        "stages": stages,
        "balanced": closing.balanced,
    }


def movements(book: Days, start: date, end: date) -> dict[str, Any]:
    """Per stage: opening + in − out = closing, in leads and in money (revaluations included)."""
    opening, closing = book.stood(start - _DAY), book.stood(end)
    before, now = opening.tallies, closing.tallies
    stages = [
        {
            "stage": stage,
            "label": LABELS[stage],
            "opening": opening.figures["standing"][stage],
            "in": _since(before[stage].into, now[stage].into),
            "out": _since(now[stage].out, before[stage].out),
            "closing": closing.figures["standing"][stage],
        }
        for stage in STAGES
    ]
    return {"stages": stages, "balanced": closing.balanced}


def step_ends(start: date, end: date, step: str) -> list[date]:
    """The last day of each day, week (to Sunday) or month from ``start``; the last is ``end``."""
    ends = []
    day = start
    while day <= end:
        if step == "week":
            last = date.fromordinal(min(day.toordinal() + 6 - day.weekday(), end.toordinal()))
        elif step == "month":
            last = day.replace(day=monthrange(day.year, day.month)[1])
        else:
            last = day
        ends.append(min(last, end))
        if last >= end:
            break
        day = last + _DAY
    return ends


def series(book: Book, start: date, ends: list[date]) -> Iterator[dict[str, Any]]:
    """What stood in each stage at each of ``ends``."""
    opening = _tallies(book.sums(start - _DAY))
    standing = {stage: tally.standing for stage, tally in opening.items()}
    changes = iter(book.changes(start, ends[-1]))
    change = next(changes, None)
    for end in ends:
        while change and change[0] <= f"{end}":
            _, account, count, fen = change
            _add(standing[ACCOUNTS[account]], count, fen)
            change = next(changes, None)
        yield {"on": f"{end}", "stages": {s: _figure(*standing[s]) for s in STAGES}}


def times(book: Book, start: date, end: date) -> list[dict[str, Any]]:
    """Per stage, of the stays that began from ``start`` to ``end``, seen from ``end``.

    ``leads``: how many such stays; ``median_days`` and ``p90_days`` of those that ended by then;
    ``waiting``: how many still stand there, ``longest_waiting_days``; ``conversion``: the share
    that went on to the next stage.
    """
    lengths: dict[str, Counter[int]] = {stage: Counter() for stage in STAGES}
    onward: Counter[str] = Counter()
    waiting: dict[str, list[tuple[str, int]]] = {stage: [] for stage in STAGES}
    for count, account, entered_on, left_on, next_account in book.stays(start, end):
        stage = ACCOUNTS[account]
        if left_on is None:
            waiting[stage].append((entered_on, count))
            continue
        lengths[stage][_days(entered_on, left_on)] += count
        step = NEXT_STEP.get(stage)
        if step is not None and ACCOUNTS[next_account] == step.target:
            onward[stage] += count
    return [_time(stage, lengths[stage], onward[stage], waiting[stage], end) for stage in STAGES]


def _days(start: str, end: str) -> int:
    return (date.fromisoformat(end) - date.fromisoformat(start)).days


def _time(
    stage: str,
    lengths: Mapping[int, int],
    onward: int,
    waiting: list[tuple[str, int]],
    end: date,
) -> dict[str, Any]:
    still = sum(count for _, count in waiting)
    stood = sum(lengths.values()) + still
    longest = _days(min(waiting)[0], f"{end}") if waiting else None
    return {
        "stage": stage,
        "label": LABELS[stage],
        "leads": stood,
        "median_days": _percentile(lengths, 50),
        "p90_days": _percentile(lengths, 90),
        "waiting": still,
        "longest_waiting_days": longest,
        "conversion": round(onward / stood, 4) if stood and stage in NEXT_STEP else None,
    }


def _percentile(lengths: Mapping[int, int], percent: int) -> int | None:
    """The shortest length that at least ``percent`` of the stays did not exceed (nearest rank)."""
    ended, seen = sum(lengths.values()), 0
    for days in sorted(lengths):
        seen += lengths[days]
        if seen * 100 >= ended * percent:
            return days
    return None
