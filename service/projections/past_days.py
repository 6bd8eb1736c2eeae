"""The book as known at past positions of the log, of all leads or of a district's; kept in memory
for those asked for last, as it changes no more.

`past_books.py` has the sums by the district of each lead's tip. A lead that was ever told to be in
another district strays: what it moved is taken out again, and put in where the lead is chosen; of
one that crossed the border of the book by a transfer the book there is taken.
"""

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import date
from threading import Lock
from time import sleep
from typing import Any, NamedTuple

import sqlalchemy as sa

from domain.errors import NotReady
from service.projections.choosing import NOWHERE, Selection
from service.projections.district_book import crossing, district_entries
from service.projections.entries import IN, OUT, entries
from service.projections.history import history
from service.projections.kept_days import Mark, mark_within
from service.projections.leads import leads
from service.projections.past_books import (
    ROOM,
    Moved,
    PastBook,
    Room,
    keep_more,
    kept_of,
    strays_of,
)
from service.projections.pipeline import OTHER, Stood, Sums
from service.projections.store import Prepared, Store, rows_of
from service.projections.variants import variants

# The entries behind the last sums of a book are some megabytes.
_MOST_PASTS = 8
# Leads that stray are looked at one by one.
MOST_STRAYS = 1_000

_LINE = ("position", "occurred_on", "kind", "source", "target", "by", "leads", "fen")
_ACROSS = Prepared(
    lambda _insert: sa.select(*(district_entries.c[name] for name in _LINE)).where(
        district_entries.c.prefix == sa.bindparam("of"),
        district_entries.c.position <= sa.bindparam("known_at"),
    ),
    ["of", "known_at"],
)
_HELD = sa.select(variants.c.lead, variants.c.day, variants.c.position, variants.c.district)


class Which(NamedTuple):
    """Which past: of the leads of a ``district`` as of a day, which are ``within`` another one now
    (prefixes; '' for all); as ``known_at`` a position, by OCCURRED or RECOGNISED days."""

    district: str
    within: str
    as_of: str
    known_at: int
    by: str

    @property
    def prefix(self) -> str:
        """The narrower of both."""
        return max(self.district, self.within, key=len)


def can_tell(selection: Selection) -> bool:
    """Whether the leads are chosen by nothing but districts, of which one is within the other."""
    chosen = set(selection.values())
    return chosen <= {"district", "within"} and selection.book != NOWHERE


class Past:
    """A book as it was known once, at the ends of days."""

    def __init__(self, book: PastBook, strays: Sequence[tuple[int, Sequence[Any]]], by: str):
        """``strays``: what is to be put in (1) or taken out again (-1), entry by entry."""
        self._book = book
        self._strays = strays
        self._other = OTHER[by]
        self._days: dict[date, Stood] = {}

    def knows(self, days: Iterable[date]) -> bool:
        """Whether all these were asked for before."""
        return all(day in self._days for day in days)

    def learn(self, connection: sa.Connection, day: date) -> None:
        """Add up everything that occurred up to and on that day."""
        if day not in self._days:
            moved = self._book.moved(connection, f"{day}")
            self._days[day] = Stood(self._sums(moved, f"{day}"))

    def stood(self, upto: date) -> Stood:
        """The book of everything that occurred up to and on a day that it has learnt."""
        return self._days[upto]

    def _sums(self, moved: Moved, upto: str) -> Sums:
        found: dict[tuple[str, str, str], tuple[int, int]] = {}
        for (kind, source, target, by), (number, fen) in moved.items():
            if by != self._other:
                _move(found, kind, source, target, number, fen)
        for sign, (_, day, kind, source, target, by, number, fen) in self._strays:
            if day <= upto and by != self._other:
                _move(found, kind, source, target, sign * number, sign * fen)
        return {key: total for key, total in found.items() if total != (0, 0)}


def _move(
    found: dict[Any, Any], kind: str, source: str, target: str, number: int, fen: int
) -> None:
    for key, sign in (((source, kind, OUT), -1), ((target, kind, IN), 1)):
        count, money = found.get(key, (0, 0))
        found[key] = (count + sign * number, money + sign * fen)


class PastDays:
    """The pasts asked for last; safe for threads and greenlets."""

    def __init__(self, store: Store, room: Room = ROOM, most_strays: int = MOST_STRAYS) -> None:
        self._store = store
        self._room = room
        self._most_strays = most_strays
        self._turn = Lock()
        self._pasts: OrderedDict[tuple[str | None, int, Which], Past | None] = OrderedDict()

    def at(self, mark: Mark, which: Which, wanted: Sequence[date]) -> Past | None:
        """The book as known at a position that the projections have come to with ``mark``, which
        has learnt the ``wanted`` days; None if too many leads stray for it to be told here."""
        # Which leads are within a district now changes as the log goes on.
        key = (mark.build, mark.position if which.within else 0, which)
        with self._turn:
            past = self._pasts.get(key)
            if key not in self._pasts or (past is not None and not past.knows(wanted)):
                past = self._pasts[key] = self._taught(mark, which, past, wanted)
            self._pasts.move_to_end(key)
            if len(self._pasts) > _MOST_PASTS:
                self._pasts.popitem(last=False)
        return past

    def _taught(
        self, mark: Mark, which: Which, past: Past | None, wanted: Sequence[date]
    ) -> Past | None:
        """``past``, or a new one, that has learnt the days."""
        if past is None:
            self.keep_up(mark.position, which.prefix)
        with self._store.snapshot() as connection:
            past = past or _past(connection, which, self._most_strays)
            if past is not None:
                for day in wanted:
                    past.learn(connection, day)
        return past

    def keep_up(self, position: int, prefix: str = "") -> None:
        """Set aside what was posted in a book up to about a position."""
        with self._store.reading() as connection:
            behind = position - kept_of(connection, prefix).position
        if behind > self._room.lines:
            self._keep(prefix)

    def _keep(self, prefix: str) -> None:
        """Bring what is kept of a book to where the projections are, in short transactions. Where
        nobody can write now, more is read instead."""
        with suppress(NotReady):
            while True:
                with self._store.writing() as connection:
                    position = mark_within(connection).position
                    if keep_more(connection, prefix, position, self._room) >= position:
                        return
                # A worker's other requests go on meanwhile.
                sleep(0)


def _past(connection: sa.Connection, which: Which, most_strays: int) -> Past | None:
    prefix = which.prefix
    across = {lead for (lead,) in connection.execute(crossing(prefix).distinct())} if prefix else {}
    strays = strays_of(connection, prefix) | set(across)
    if len(strays) > most_strays:
        return None
    signs = _signs(connection, which, sorted(strays), across)
    changes = [(sign, line) for sign, line in _lines_of(connection, signs, which.known_at)]
    if across:
        changes += [(1, line) for line in _ACROSS.all(connection, prefix, which.known_at)]
    return Past(PastBook(connection, prefix, which.known_at), changes, which.by)


def _signs(
    connection: sa.Connection, which: Which, strays: Sequence[int], across: Iterable[int]
) -> dict[int, int]:
    """Lead → 1 where it is to be put in, −1 where it is to be taken out."""
    now = dict(
        map(
            tuple,
            rows_of(
                connection, sa.select(leads.c.number, leads.c.district), leads.c.number, strays
            ),
        )
    )
    told: dict[int, list[tuple[str, int, str]]] = {}
    for lead, day, position, district in rows_of(connection, _HELD, variants.c.lead, strays):
        told.setdefault(lead, []).append((day, position, district))
    signs: dict[int, int] = {}
    for lead, held in told.items():
        held.sort()
        then = [
            district
            for day, position, district in held
            if day <= which.as_of and position <= which.known_at
        ]
        chosen = (
            lead not in across
            and bool(then)
            and then[-1].startswith(which.district)
            and now[lead].startswith(which.within)
        )
        # The first row is of the tip.
        counted = held[0][2].startswith(which.prefix)
        if chosen != counted:
            signs[lead] = 1 if chosen else -1
    return signs


def _lines_of(
    connection: sa.Connection, signs: Mapping[int, int], known_at: int
) -> Iterator[tuple[int, Sequence[Any]]]:
    """The entries of these leads, each with its lead's sign."""
    at = sa.select(history.c.position).distinct()
    positions = [p for (p,) in rows_of(connection, at, history.c.lead, sorted(signs))]
    columns = sa.select(entries.c.lead, *(entries.c[name] for name in _LINE))
    columns = columns.where(entries.c.position <= known_at)
    for lead, *line in rows_of(connection, columns, entries.c.position, sorted(positions)):
        yield signs[lead], line
