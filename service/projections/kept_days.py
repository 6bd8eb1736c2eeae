"""The whole book as it stood at the days that are asked for, kept in memory as the log goes on.

The first who asks for a day adds up the days of its month from the totals. From then on they are
carried forward by the entries posted since. So a window costs no sums, however new, unless one of
its ends is in a month that nobody here asked for before. (By the days of what occurred, as known
now; what was known in the past changes no more: see `past_days.py`.)
"""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from threading import Lock
from typing import Any, NamedTuple

import sqlalchemy as sa

from domain.posting import RECOGNISED
from service.projections.choosing import EVERYTHING
from service.projections.entries import IN, OUT, entries, totals
from service.projections.pipeline import Book, Stood, Sums
from service.projections.store import Prepared, Store, bookmarks, builds

# A day's sums are some kilobytes, and a year has 365.
_MOST_DAYS = 4_000
# Where more was posted at once, as by an import, adding up anew costs less.
_MOST_ENTRIES = 200
_DAY = timedelta(days=1)

_MARK = Prepared(
    lambda _insert: sa.select(bookmarks.c.position, sa.select(builds.c.id).scalar_subquery()).where(
        bookmarks.c.projection == "entries"
    ),
    [],
)
_SINCE = Prepared(
    lambda _insert: (
        sa.select(
            entries.c.occurred_on,
            entries.c.kind,
            entries.c.source,
            entries.c.target,
            entries.c.leads,
            entries.c.fen,
        )
        .where(
            entries.c.position > sa.bindparam("position"),
            entries.c.by != sa.literal_column(f"'{RECOGNISED}'"),
        )
        .limit(_MOST_ENTRIES + 1)
    ),
    ["position"],
)
_BETWEEN = Prepared(
    lambda _insert: sa.select(
        totals.c.period,
        totals.c.account,
        totals.c.kind,
        totals.c.side,
        totals.c.leads,
        totals.c.fen,
    ).where(
        totals.c.length == sa.literal_column("10"),
        totals.c.by != sa.literal_column(f"'{RECOGNISED}'"),
        totals.c.period > sa.bindparam("after"),
        totals.c.period <= sa.bindparam("upto"),
    ),
    ["after", "upto"],
)


class Mark(NamedTuple):
    """The log position that the book reflects, and which build of it this is (None: the first).

    The same mark is the same book: whoever makes the projections anew gives it another build.
    """

    position: int
    build: str | None


def mark_of(row: Any) -> Mark:
    """The mark in a row that `mark_now` or `mark_within` read; an empty book has none."""
    return Mark(*row) if row else Mark(0, None)


def mark_now(store: Store) -> Mark:
    """The book's mark."""
    return mark_of(store.first(_MARK))


class MarkNow:
    """The book's mark, read anew only when the log went on, or another book took its place."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: tuple[int, Mark] | None = None

    def now(self, position: int) -> Mark:
        """The mark, or the one of a moment ago. ``position``: the log's, which the book reflects
        by now; nothing can have come to a book that reflected it when its mark was read."""
        generation, known = self._store.generation, self._known
        if known is None or known[0] != generation or known[1].position < position:
            known = self._known = generation, mark_now(self._store)
        return known[1]


def mark_within(connection: sa.Connection) -> Mark:
    """The book's mark in the snapshot that ``connection`` sees."""
    return mark_of(_MARK.one(connection))


class _Kept(NamedTuple):
    mark: Mark
    days: dict[date, Stood]

    def stood(self, upto: date) -> Stood:
        return self.days[upto]


class KeptDays:
    """Days of the whole book at its present mark; safe for threads and greenlets."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = Lock()
        self._kept = _Kept(Mark(0, None), {})

    def at(self, mark: Mark, wanted: Sequence[date]) -> _Kept:
        """A book that knows the ``wanted`` days, at ``mark`` or one that came since."""
        kept = self._kept
        if kept.mark == mark and all(day in kept.days for day in wanted):
            return kept
        with self._turn, self._store.snapshot() as connection:
            kept = self._kept = self._carried(connection, mark_within(connection))
            if len(kept.days) + len(wanted) > _MOST_DAYS:
                kept = self._kept = _Kept(kept.mark, {})
            for day in wanted:
                if day not in kept.days:
                    kept.days.update(_month_of(connection, kept.days, day))
        return kept

    def _carried(self, connection: sa.Connection, mark: Mark) -> _Kept:
        """The days kept so far, with what was posted since; none of another build."""
        before = self._kept
        if before.mark == mark:
            return before
        if before.mark.build != mark.build or before.mark.position > mark.position:
            return _Kept(mark, {})
        posted = _SINCE.all(connection, before.mark.position)
        if len(posted) > _MOST_ENTRIES:
            return _Kept(mark, {})
        return _Kept(mark, {day: _later(stood, day, posted) for day, stood in before.days.items()})


def _month_of(
    connection: sa.Connection, known: Mapping[date, Stood], day: date
) -> dict[date, Stood]:
    """Every day of the month that ``day`` is in; days on which nothing was posted share one."""
    first = day.replace(day=1)
    before = first - _DAY
    stood = known.get(before) or Book(connection, EVERYTHING).stood(before)
    posted: defaultdict[str, list[Any]] = defaultdict(list)
    for period, *row in _BETWEEN.all(connection, f"{before}", f"{first:%Y-%m}-31"):
        posted[period].append(row)
    days = {}
    for number in range(monthrange(day.year, day.month)[1]):
        on = first + number * _DAY
        if f"{on}" in posted:
            stood = Stood(_plus(stood.sums, posted[f"{on}"]))
        days[on] = stood
    return days


def _plus(sums: Sums, totals_of_day: Iterable[Sequence[Any]]) -> Sums:
    found = dict(sums)
    for account, kind, side, leads, fen in totals_of_day:
        count, money = found.get((account, kind, side), (0, 0))
        found[account, kind, side] = (count + leads, money + fen)
    return found


def _later(stood: Stood, day: date, posted: Iterable[Sequence[Any]]) -> Stood:
    """``stood``, which is of ``day``, with those of the ``posted`` entries that are of it too."""
    text = f"{day}"
    new = [row[1:] for row in posted if row[0] <= text]
    return Stood(_with(stood.sums, new)) if new else stood


def _with(sums: Sums, posted: Iterable[Sequence[Any]]) -> Mapping[Any, tuple[int, int]]:
    found = dict(sums)
    for kind, source, target, leads, fen in posted:
        for key, sign in (((source, kind, OUT), -1), ((target, kind, IN), 1)):
            count, money = found.get(key, (0, 0))
            found[key] = (count + sign * leads, money + sign * fen)
    return found
