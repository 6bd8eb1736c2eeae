"""Sums of the book by position of the log, set aside: of all, or of the districts of a prefix.

What was posted at a position stays as it is, so sums up to one never change. The entries of a book
are kept a few thousand together in one row, and after every so many of these rows stand the sums of
all that went before, by day. Whoever asks for a past adds the sums before it, a short tail of such
rows, and what was posted since the last one: as much work for a million leads as for a thousand.

No projection: what is not here is read from `entries`. A lead counts in the district of its tip
here; `past_days.py` says what else the answer needs.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from service.projections.entries import add_to, entries
from service.projections.store import (
    ASIDE,
    FOREVER,
    LAST_DAY,
    Prepared,
    metadata,
    rows_of,
    upserting,
)
from service.projections.variants import variants


class Room(NamedTuple):
    """How many entries one row holds, and between how many of them the sums stand."""

    lines: int
    between_sums: int


ROOM = Room(4_096, 16_384)

past_lines = sa.Table(
    "past_lines",
    metadata,
    # '' for the book of all.
    sa.Column("prefix", sa.String(6), primary_key=True),
    # The positions of its first and last entry.
    sa.Column("upto", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("since", sa.BigInteger, nullable=False),
    sa.Column("size", sa.Integer, nullable=False),
    # Whether `past_sums` go up to here.
    sa.Column("summed", sa.Boolean, nullable=False),
    # JSON: see `Lines`.
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    info={ASIDE: True},
)
past_sums = sa.Table(
    "past_sums",
    metadata,
    sa.Column("prefix", sa.String(6), primary_key=True),
    sa.Column("month", sa.String(7), primary_key=True),
    sa.Column("upto", sa.BigInteger, primary_key=True, autoincrement=False),
    # JSON: [[[kind, source, target, by], leads, fen], …] of all months before, and
    # [[day, [kind, source, target, by], leads, fen], …] of this one.
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
    info={ASIDE: True},
)
past_books = sa.Table(
    "past_books",
    metadata,
    sa.Column("prefix", sa.String(6), primary_key=True),
    # Up to where rows of the others have it.
    sa.Column("position", sa.BigInteger, nullable=False),
    # JSON: the leads that were ever told to be in another district than the tip's, up to there.
    sa.Column("strays", sa.LargeBinary, nullable=False),
    info={ASIDE: True},
)

Key = tuple[str, ...]
# (kind, source, target, by) → [leads, fen]
Moved = dict[Key, list[int]]
# (day, key) → [leads, fen]
Cells = dict[tuple[str, Key], list[int]]
# An entry: position, day, kind, source, target, by, leads, fen
Line = Sequence[Any]

_KEEP_LINES, _KEEP_SUMS = upserting(past_lines), upserting(past_sums)
_KEEP_BOOK = upserting(past_books)
_P, _E = past_lines.c, entries.c
_BOOK = Prepared(
    lambda _insert: sa.select(past_books.c.position, past_books.c.strays).where(
        past_books.c.prefix == sa.bindparam("of")
    ),
    ["of"],
)
_LAST = Prepared(
    lambda _insert: (
        sa.select(_P.upto, _P.since, _P.size, _P.summed, _P.body)
        .where(_P.prefix == sa.bindparam("of"))
        .order_by(_P.upto.desc())
        .limit(1)
    ),
    ["of"],
)
_SUMMED = Prepared(
    lambda _insert: sa.select(sa.func.max(_P.upto)).where(
        _P.prefix == sa.bindparam("of"), _P.upto <= sa.bindparam("known_at"), _P.summed
    ),
    ["of", "known_at"],
)
_TAIL = Prepared(
    lambda _insert: (
        sa.select(_P.body)
        .where(
            _P.prefix == sa.bindparam("of"),
            _P.upto > sa.bindparam("summed"),
            _P.since <= sa.bindparam("known_at"),
        )
        .order_by(_P.upto)
    ),
    ["of", "summed", "known_at"],
)
_WAITING = Prepared(
    lambda _insert: sa.select(sa.func.coalesce(sa.func.sum(_P.size), 0)).where(
        _P.prefix == sa.bindparam("of"), _P.upto > sa.bindparam("summed")
    ),
    ["of", "summed"],
)
_SUMS = Prepared(
    lambda _insert: (
        sa.select(past_sums.c.month, past_sums.c.body)
        .where(
            past_sums.c.prefix == sa.bindparam("of"),
            past_sums.c.month <= sa.bindparam("by_month"),
            past_sums.c.upto <= sa.bindparam("known_at"),
        )
        .order_by(past_sums.c.month.desc(), past_sums.c.upto.desc())
        .limit(1)
    ),
    ["of", "by_month", "known_at"],
)
_POSTED = Prepared(
    lambda _insert: (
        sa.select(
            _E.position, _E.occurred_on, _E.kind, _E.source, _E.target, _E.by, _E.leads, _E.fen
        )
        .where(
            _E.position > sa.bindparam("after"),
            _E.position <= sa.bindparam("known_at"),
            _E.district.like(sa.bindparam("within")),
        )
        .order_by(_E.position, _E.line)
        .limit(sa.bindparam("most"))
    ),
    ["after", "known_at", "within", "most"],
)
_VARIED = Prepared(
    lambda _insert: (
        sa.select(variants.c.lead)
        .where(
            variants.c.position > sa.bindparam("after"),
            variants.c.position <= sa.bindparam("known_at"),
        )
        .distinct()
    ),
    ["after", "known_at"],
)
_DISTRICTS = sa.select(variants.c.lead, variants.c.district).distinct()
_ALL_LINES = 2**31
_NEWEST = past_sums.alias("newest")
# The sums of each month as they are by now.
_PRESENT = Prepared(
    lambda _insert: sa.select(past_sums.c.month, past_sums.c.body).where(
        past_sums.c.prefix == sa.bindparam("of"),
        past_sums.c.upto
        == sa.select(sa.func.max(_NEWEST.c.upto))
        .where(_NEWEST.c.prefix == past_sums.c.prefix, _NEWEST.c.month == past_sums.c.month)
        .scalar_subquery(),
    ),
    ["of"],
)
_REPLACE = Prepared(
    lambda _insert: sa.delete(past_lines).where(
        _P.prefix == sa.bindparam("of"), _P.upto == sa.bindparam("last")
    ),
    ["of", "last"],
)


class Kept(NamedTuple):
    """Up to where a book is kept here, and which leads strayed by then."""

    position: int
    strays: frozenset[int]


def kept_of(connection: sa.Connection, prefix: str) -> Kept:
    """What is here of the book."""
    found = _BOOK.one(connection, prefix)
    return Kept(found[0], frozenset(orjson.loads(found[1]))) if found else Kept(0, frozenset())


# Keeping


def keep_more(connection: sa.Connection, prefix: str, position: int, room: Room = ROOM) -> int:
    """Keep a row of entries more, of those up to ``position``; up to where all are kept then.
    Within a transaction of the caller's."""
    before = kept_of(connection, prefix)
    found = posted(connection, prefix, before.position, position, room.lines + 1)
    if len(found) > room.lines:
        # What one event posted stays together.
        whole = [line for line in found if line[0] < found[-1][0]]
        found = whole or posted(connection, prefix, before.position, found[0][0])
        position = found[-1][0]
    if found:
        _keep_lines(connection, prefix, found, room)
    varied = _VARIED.all(connection, before.position, position)
    strays = before.strays | strayed(connection, prefix, [lead for (lead,) in varied])
    _KEEP_BOOK.many(connection, [(prefix, position, orjson.dumps(sorted(strays)))])
    return position


def _keep_lines(connection: sa.Connection, prefix: str, found: Sequence[Line], room: Room) -> None:
    last = _LAST.one(connection, prefix)
    if last and not last[3] and last[2] <= room.lines // 2:
        _REPLACE.many(connection, [(prefix, last[0])])
        found = [*_unpacked(last[4]), *found]
    upto, size = found[-1][0], len(found)
    since = _SUMMED.one(connection, prefix, upto)[0] or 0
    summed = _WAITING.one(connection, prefix, since)[0] + size >= room.between_sums
    row = (prefix, upto, found[0][0], size, summed, _packed(found))
    _KEEP_LINES.many(connection, [row])
    if summed:
        _keep_sums(connection, prefix, since, upto)


def _keep_sums(connection: sa.Connection, prefix: str, since: int, upto: int) -> None:
    """The sums up to a position; those of months before which nothing came hold as they are."""
    months: dict[str, Cells] = {}
    for month, body in _PRESENT.all(connection, prefix):
        cells = months[month] = {}
        for day, key, leads, fen in orjson.loads(body)[1]:
            cells[day, tuple(key)] = [leads, fen]
    changed = LAST_DAY
    for (body,) in _TAIL.all(connection, prefix, since, upto):
        for _, day, kind, source, target, by, leads, fen in _unpacked(body):
            add_to(months.setdefault(day[:7], {}), (day, (kind, source, target, by)), leads, fen)
            changed = min(changed, day[:7])
    so_far: Moved = {}
    rows = []
    for month, cells in sorted(months.items()):
        if month >= changed:
            earlier = [(key, *total) for key, total in so_far.items()]
            own = [(*cell, *total) for cell, total in cells.items()]
            rows.append((prefix, month, upto, orjson.dumps([earlier, own])))
        for (_, key), (leads, fen) in cells.items():
            add_to(so_far, key, leads, fen)
    _KEEP_SUMS.many(connection, rows)


def _packed(lines: Sequence[Line]) -> bytes:
    """The JSON of entries: their days and keys, and a list each of position, place among the days,
    place among the keys, leads, fen."""
    days: dict[str, int] = {}
    keys: dict[Key, int] = {}
    columns: list[list[int]] = [[], [], [], [], []]
    for position, day, kind, source, target, by, leads, fen in lines:
        on = days.setdefault(day, len(days))
        key = keys.setdefault((kind, source, target, by), len(keys))
        for column, value in zip(columns, (position, on, key, leads, fen), strict=True):
            column.append(value)
    return orjson.dumps([list(days), list(keys), columns])


def _unpacked(body: bytes) -> Iterator[Line]:
    days, keys, columns = orjson.loads(body)
    for position, on, key, leads, fen in zip(*columns, strict=True):
        yield (position, days[on], *keys[key], leads, fen)


# Reading


def posted(
    connection: sa.Connection, prefix: str, after: int, upto: int, most: int = _ALL_LINES
) -> list[Line]:
    """The entries of a book after a position up to another, in order."""
    return _POSTED.all(connection, after, upto, f"{prefix}%", most)


def strayed(connection: sa.Connection, prefix: str, leads: Sequence[int]) -> frozenset[int]:
    """Those of these leads that were ever told to be in several districts, the prefix's among
    them."""
    districts: dict[int, set[str]] = {}
    for lead, district in rows_of(connection, _DISTRICTS, variants.c.lead, leads):
        districts.setdefault(lead, set()).add(district)
    return frozenset(
        lead
        for lead, told in districts.items()
        if len(told) > 1 and any(district.startswith(prefix) for district in told)
    )


def strays_of(connection: sa.Connection, prefix: str) -> frozenset[int]:
    """The leads that ever strayed into, or out of, the districts of a prefix."""
    if not prefix:
        return frozenset()
    kept = kept_of(connection, prefix)
    since = [lead for (lead,) in _VARIED.all(connection, kept.position, FOREVER)]
    return kept.strays | strayed(connection, prefix, since)


class PastBook:
    """A book as known at a position: what its districts' tips posted, by day."""

    def __init__(self, connection: sa.Connection, prefix: str, known_at: int) -> None:
        self._prefix = prefix
        self._known_at = known_at
        kept = min(kept_of(connection, prefix).position, known_at)
        self._summed: int = _SUMMED.one(connection, prefix, kept)[0] or 0
        tail = _TAIL.all(connection, prefix, self._summed, kept)
        self._tail = [orjson.loads(body) for (body,) in tail]
        self._rest = posted(connection, prefix, kept, known_at)

    def moved(self, connection: sa.Connection, upto: str) -> Moved:
        """What everything that occurred up to and on a day moved."""
        found = self._moved_before(connection, upto)
        for lines in self._tail:
            self._add_lines(found, lines, upto)
        for _, day, kind, source, target, by, leads, fen in self._rest:
            if day <= upto:
                add_to(found, (kind, source, target, by), leads, fen)
        return found

    def _moved_before(self, connection: sa.Connection, upto: str) -> Moved:
        """The same of what the sums have."""
        found: Moved = {}
        sums = _SUMS.one(connection, self._prefix, upto[:7], self._summed)
        if sums is not None:
            earlier, own = orjson.loads(sums[1])
            for key, leads, fen in earlier:
                found[tuple(key)] = [leads, fen]
            for day, key, leads, fen in own:
                if day <= upto:
                    add_to(found, tuple(key), leads, fen)
        return found

    def _add_lines(self, found: Moved, lines: Any, upto: str) -> None:
        days, keys, columns = lines
        heeded = [day <= upto for day in days]
        sums = [[0, 0] for _ in keys]
        known_at = self._known_at
        for position, on, key, leads, fen in zip(*columns, strict=True):
            if heeded[on] and position <= known_at:
                total = sums[key]
                total[0] += leads
                total[1] += fen
        for key, (leads, fen) in zip(keys, sums, strict=True):
            add_to(found, tuple(key), leads, fen)
