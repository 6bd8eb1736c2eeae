"""The whole book as it stood at the days that are asked for, kept in memory as the log goes on.

It is the book by occurred days, as known now. The first who asks for a day adds it up from the
totals, or from a day kept that is not long before it. From then on it is carried forward by the
entries posted since. So a window costs no sums, however new, unless one of its ends is a day that
nobody here asked for before.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from threading import Lock
from typing import Any, NamedTuple

import sqlalchemy as sa

from domain.posting import RECOGNISED
from service.projections.choosing import Selection
from service.projections.entries import IN, OUT, entries, totals
from service.projections.pipeline import Book, Stood, Sums
from service.projections.store import Prepared, Store, bookmarks, builds

# A day's sums are some kilobytes, and a year has 365.
_MOST_DAYS = 4_000
# Where more was posted at once, as by an import, adding up anew costs less.
_MOST_ENTRIES = 200
# In days: from a day so long before, adding what came between costs less than adding up all.
_NEAR = 31

_MARK = Prepared(
    lambda _insert: sa.select(bookmarks.c.position, sa.select(builds.c.id).scalar_subquery()).where(
        bookmarks.c.projection == "entries"
    ),
    [],
)
# It changes whenever another connection commits, as whoever writes has one of its own.
_DATA_VERSION = Prepared(lambda _insert: sa.text("PRAGMA data_version"), [])
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
        totals.c.account, totals.c.kind, totals.c.side, totals.c.leads, totals.c.fen
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
    """The book's mark, read anew only when somebody committed to its file."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: tuple[int, Mark] | None = None

    def now(self) -> Mark:
        """The mark."""
        version: int = self._store.first(_DATA_VERSION)[0]
        known = self._known
        if known is None or known[0] != version:
            # Read after the version: the mark may be later than that says, but never earlier.
            known = self._known = version, mark_now(self._store)
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
                    kept.days[day] = _added_up(connection, kept.days, day)
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


def _added_up(connection: sa.Connection, known: Mapping[date, Stood], day: date) -> Stood:
    """``day`` from the nearest of the ``known`` days not long before it, else from the totals."""
    near = (day - timedelta(days=back) for back in range(1, _NEAR))
    earlier = next((other for other in near if other in known), None)
    if earlier is None:
        return Book(connection, Selection()).stood(day)
    found = dict(known[earlier].sums)
    for account, kind, side, leads, fen in _BETWEEN.all(connection, f"{earlier}", f"{day}"):
        count, money = found.get((account, kind, side), (0, 0))
        found[account, kind, side] = (count + leads, money + fen)
    return Stood(found)


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
