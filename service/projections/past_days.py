"""The whole book as known at past positions of the log, kept in memory: it changes no more.

The first question of what was known at a position reads the entries up to it, once; from then on
every day of it is at hand, whatever the window.
"""

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import date
from threading import Lock
from typing import Any

import sqlalchemy as sa

from service.projections.entries import IN, OUT, entries
from service.projections.pipeline import OTHER, Stood
from service.projections.store import Prepared, Store

# A past of three years and a hundred kinds of entries a day is some megabytes.
_MOST_PASTS = 8

_POSTED = Prepared(
    lambda _insert: (
        sa.select(
            entries.c.occurred_on,
            entries.c.kind,
            entries.c.source,
            entries.c.target,
            sa.func.sum(entries.c.leads),
            sa.func.sum(entries.c.fen),
        )
        .where(
            entries.c.position <= sa.bindparam("known_at"), entries.c.by != sa.bindparam("other")
        )
        .group_by(entries.c.occurred_on, entries.c.kind, entries.c.source, entries.c.target)
        .order_by(entries.c.occurred_on)
    ),
    ["known_at", "other"],
)


class Past:
    """Every day of the book as it was known once."""

    def __init__(self, posted: Iterable[Sequence[Any]]) -> None:
        """``posted``: (day, kind, source, target, leads, fen), in the order of days."""
        self._days: list[str] = []
        self._stood: list[Stood] = [Stood({})]
        sums: dict[Any, tuple[int, int]] = {}
        for day, kind, source, target, leads, fen in posted:
            if not self._days or self._days[-1] != day:
                self._days.append(day)
                self._stood.append(Stood(sums))
                sums = dict(sums)
            _add(sums, (source, kind, OUT), -int(leads), -int(fen))
            _add(sums, (target, kind, IN), int(leads), int(fen))
            self._stood[-1] = Stood(sums)

    def stood(self, upto: date) -> Stood:
        """The book of everything that occurred up to and on that day."""
        return self._stood[bisect_right(self._days, f"{upto}")]


def _add(sums: dict[Any, tuple[int, int]], key: Any, leads: int, fen: int) -> None:
    count, money = sums.get(key, (0, 0))
    sums[key] = (count + leads, money + fen)


class PastDays:
    """The pasts asked for last; safe for threads and greenlets."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = Lock()
        self._pasts: OrderedDict[tuple[str | None, int, str], Past] = OrderedDict()

    def at(self, build: str | None, known_at: int, by: str) -> Past:
        """The book as known at a position that the projections have come to, by OCCURRED or
        RECOGNISED days, in that build of them."""
        asked = (build, known_at, by)
        with self._turn:
            past = self._pasts.get(asked)
            if past is None:
                with self._store.snapshot() as connection:
                    past = Past(_POSTED.all(connection, known_at, OTHER[by]))
                self._pasts[asked] = past
            self._pasts.move_to_end(asked)
            if len(self._pasts) > _MOST_PASTS:
                self._pasts.popitem(last=False)
        return past
