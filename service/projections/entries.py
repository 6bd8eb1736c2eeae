"""The double-entry book: every entry, and its totals by year, month and day.

The queries on it stand in `pipeline.py`. ``paths`` keeps each lead's placements and
recognitions, from which a late fact is posted as a difference (see `domain.posting`).
"""

from collections.abc import Mapping, Sequence, Set
from typing import Any

import orjson
import sqlalchemy as sa

from domain.correction import effective
from domain.posting import BOOKED, CORRECTION, Books, Placement
from service.projections.store import ADDED, Happened, inserting, metadata, rows_of, upserting

paths = sa.Table(
    "paths",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("path", sa.LargeBinary, nullable=False),
    # The tip's, whatever was put right of it or the lead passed to: it never changes.
    sa.Column("district", sa.String(6), nullable=False),
    sqlite_with_rowid=False,
)


def posting_columns() -> tuple[sa.Column[Any], ...]:
    """What a line of any book says (see `domain.posting.Posting`)."""
    return (
        sa.Column("occurred_on", sa.String(10), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("target", sa.String(40), nullable=False),
        sa.Column("leads", sa.Integer, nullable=False),
        sa.Column("fen", sa.BigInteger, nullable=False),
        # The book it stands in: by the day it occurred, by the day it was recognised, or both.
        sa.Column("by", sa.String(10), nullable=False),
    )


entries = sa.Table(
    "entries",
    metadata,
    # The event that posted it (and so when it was recorded), and the line among its entries.
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("lead", sa.BigInteger, nullable=False),
    *posting_columns(),
    # As in `paths`.
    sa.Column("district", sa.String(6), nullable=False),
    sqlite_with_rowid=False,
)

# A period is a year '2025', a month '2025-03' or a day '2025-03-18'; its length says which.
totals = sa.Table(
    "totals",
    metadata,
    sa.Column("length", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("period", sa.String(10), primary_key=True),
    sa.Column("account", sa.String(40), primary_key=True),
    sa.Column("kind", sa.String(10), primary_key=True),
    sa.Column("side", sa.String(3), primary_key=True),
    sa.Column("by", sa.String(10), primary_key=True),
    sa.Column("leads", sa.BigInteger, nullable=False),
    sa.Column("fen", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
    info={ADDED: ("leads", "fen")},
)
PERIODS = (4, 7, 10)
IN, OUT = "in", "out"
# (day, kind, source, target, by) → [leads, fen]
Sums = dict[tuple[Any, ...], list[int]]

_POST = inserting(entries)
_BEGIN_PATH = inserting(paths)
_KEEP_PATH = upserting(paths)
_ADD = upserting(totals, adding=totals.info[ADDED])


class Entries:
    """Answers: what moved, when, between which accounts?"""

    name = "entries"
    tables: Sequence[sa.Table] = (paths, entries, totals)
    # Sums are gathered up to so many, a few MB, before they are written.
    most_gathered = 50_000

    def __init__(self) -> None:
        # What is to be added to the totals; None where every batch adds its own.
        self._gathered: Sums | None = None

    def gathering(self) -> "Entries":
        """One for a rebuild, whose batches all add to the same few thousand totals."""
        anew = type(self)()
        anew._gathered = {}
        return anew

    def write(self, connection: sa.Connection) -> None:
        """Add what was gathered to the totals."""
        if self._gathered:
            _add_up(connection, self._gathered)
            self._gathered.clear()

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Post every event that has a rule."""
        sums: Sums = {} if self._gathered is None else self._gathered
        booked = [h for h in batch if h.event.TOPIC in BOOKED]
        new = {h.lead for h in booked if h.event.TOPIC == "lead.tipped"}
        books = self._books(connection, booked, new)
        _POST.many(connection, _posted(booked, books, sums))
        kept = [(lead, _kept(book), district) for lead, (book, district) in books.items()]
        _BEGIN_PATH.many(connection, [row for row in kept if row[0] in new])
        _KEEP_PATH.many(connection, [row for row in kept if row[0] not in new])
        if self._gathered is None:
            _add_up(connection, sums)
        elif len(sums) > self.most_gathered:
            self.write(connection)

    def _books(
        self, connection: sa.Connection, booked: Sequence[Happened], new: Set[int]
    ) -> dict[int, tuple[Books, str]]:
        """The books of every lead that ``booked`` is about, ``new`` or as they were left, with the
        district of its tip."""
        books = {h.lead: (Books(), h.event.district) for h in booked if h.lead == h.position}
        known = sorted({h.lead for h in booked} - new)
        for lead, kept, district in rows_of(connection, sa.select(paths), paths.c.lead, known):
            path, recognised = orjson.loads(kept)
            books[lead] = Books((Placement(*p) for p in path), recognised), district
        return books


def _posted(
    booked: Sequence[Happened], books: Mapping[int, tuple[Books, str]], sums: Sums
) -> list[tuple[Any, ...]]:
    """The rows of the entries that ``booked`` makes; they are added to ``sums`` by day."""
    rows: list[tuple[Any, ...]] = []
    for position, lead, event, past in booked:
        book, district = books[lead]
        if event.TOPIC == CORRECTION:
            lines = book.retold(effective(past(event)))
        else:
            lines = book.happened(event)
        for line, (day, kind, source, target, leads, fen, by) in enumerate(lines, 1):
            rows.append((position, line, lead, day, kind, source, target, leads, fen, by, district))
            add_to(sums, (day, kind, source, target, by), leads, fen)
    return rows


def _kept(books: Books) -> bytes:
    return orjson.dumps([list(map(list, books.track.path)), books.recognised])


def _add_up(connection: sa.Connection, sums: Sums) -> None:
    """Add sums by day to the totals of each day, month and year."""
    # Months are summed from days, and years from months, of which there are fewer than of entries.
    finer = sums
    for length in sorted(PERIODS, reverse=True):
        coarser: Sums = {}
        sides: Sums = {}
        for (longer, kind, source, target, by), (leads, fen) in finer.items():
            period = longer[:length]
            add_to(coarser, (period, kind, source, target, by), leads, fen)
            add_to(sides, (length, period, source, kind, OUT, by), -leads, -fen)
            add_to(sides, (length, period, target, kind, IN, by), leads, fen)
        _ADD.many(connection, [(*key, *total) for key, total in sides.items()])
        finer = coarser


def add_to(sums: dict[Any, list[int]], key: Any, leads: int, fen: int) -> None:
    """So many leads and fen more at a key of ``sums``."""
    total = sums.get(key)
    if total is None:
        sums[key] = [leads, fen]
    else:
        total[0] += leads
        total[1] += fen
