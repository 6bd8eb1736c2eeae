"""Sums over all leads, kept in memory as the log goes on.

The first who asks has every lead looked at. From then on what the leads that changed since added
before is taken away, and what they add now is put in: as much work for a million leads as for a
thousand. What was known at a past position changes no more.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from threading import Lock
from typing import Any

import sqlalchemy as sa

from service.projections.kept_days import Mark, mark_within
from service.projections.leads import leads
from service.projections.store import FOREVER, Prepared

# key → (leads, fen)
Sums = Mapping[Any, tuple[int, int]]
# The sums as known at a position, over the leads of these numbers (None: over all).
Ask = Callable[[sa.Connection, int, Sequence[int] | None], Sums]

# Some megabytes each, where a hundred thousand leads are about to sign; mostly kilobytes.
_MOST_QUESTIONS = 16
# Where more leads changed at once, as by an import, looking at all costs less.
MOST_LEADS = 200
_NOW = FOREVER - 1
_CHANGED = Prepared(
    lambda _insert: (
        sa.select(leads.c.number)
        .where(leads.c.position > sa.bindparam("since"))
        .limit(sa.bindparam("most"))
    ),
    ["since", "most"],
)


class Carried:
    """The sums that were asked for last; safe for threads and greenlets."""

    def __init__(self, most_leads: int = MOST_LEADS) -> None:
        self._most_leads = most_leads
        self._turn = Lock()
        self._kept: OrderedDict[Hashable, tuple[Mark, Sums]] = OrderedDict()

    def sums(
        self, connection: sa.Connection, question: Hashable, known_at: int | None, ask: Ask
    ) -> Sums:
        """What ``ask`` sums up, in the snapshot of ``connection``. The same ``question`` always
        asks the same, but for the position that it is ``known_at`` (None: the present one)."""
        mark = mark_within(connection)
        key = (question, known_at)
        kept = self._kept.get(key)
        if kept is None or kept[0].build != mark.build or kept[0].position > mark.position:
            kept = mark, ask(connection, _NOW if known_at is None else known_at, None)
        elif known_at is None and kept[0] != mark:
            kept = mark, self.later(connection, *kept, ask)
        with self._turn:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST_QUESTIONS:
                self._kept.popitem(last=False)
        return kept[1]

    def later(self, connection: sa.Connection, before: Mark, sums: Sums, ask: Ask) -> Sums:
        """The sums that were ``before``, as they are now."""
        most = self._most_leads
        changed = [number for (number,) in _CHANGED.all(connection, before.position, most + 1)]
        if len(changed) > most:
            return ask(connection, _NOW, None)
        found = dict(sums)
        for sign, known_at in ((-1, before.position), (1, _NOW)):
            for key, (count, fen) in ask(connection, known_at, changed).items():
                had = found.get(key, (0, 0))
                found[key] = had[0] + sign * count, had[1] + sign * fen
        return {key: sum_ for key, sum_ in found.items() if sum_[0]}
