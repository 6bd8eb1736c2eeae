"""What tips may be the same as, searched before anybody asks, by the keeper.

A search costs more than all else that reading a lead does. So every tip's result stands in the
projections' file, and what is recorded meanwhile takes away those that it may change, which are
searched again. A worker that finds none searches itself. On the way the sums of the whole book are
kept up that its pasts are told from (see `past_books.py`).
"""

import time
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from domain.stage import TIP
from service.projections.leads import leads
from service.projections.resembling import ALL, FORGET, KEEP, resembling
from service.projections.store import Prepared
from service.reads import Reads
from service.similar import Resembling, Similar

MOST_TIPS = 10_000
# How many are searched before they are written.
_AT_ONCE = 200
# How many times as long as looking for tips takes it is not done again.
_SELDOM = 20
# Of the row that stands for all.
_BY_NONE = b"[[], []]"

_TIPS = Prepared(
    lambda _insert: (
        sa.select(leads.c.number)
        .where(leads.c.stage == sa.literal_column(f"'{TIP}'"))
        .order_by(leads.c.number.desc())
        .limit(sa.bindparam("most"))
    ),
    ["most"],
)
_KEPT = Prepared(lambda _insert: sa.select(resembling), [])
_CHANGED = Prepared(
    lambda _insert: (
        sa.select(leads.c.number)
        .where(leads.c.position > sa.bindparam("since"))
        .order_by(leads.c.number)
    ),
    ["since"],
)
_LEAD = Prepared(
    lambda _insert: sa.select(leads.c.id, leads.c.stage, leads.c.body).where(
        leads.c.number == sa.bindparam("number")
    ),
    ["number"],
)


class Ahead:
    """Searches for every tip what it may be the same as."""

    def __init__(self, reads: Reads, most: int = MOST_TIPS) -> None:
        """``most``: of so many tips, the last ones."""
        self._reads = reads
        self._most = most
        self._similar = Similar(reads)
        self._build = 0
        # The log position up to which what was found holds; None while it holds of none.
        self._upto: int | None = None
        # Number → its lead, and what was found without the list; the numbers to be searched.
        self._found: dict[int, tuple[str, Resembling]] = {}
        self._waiting: dict[int, None] = {}
        # Whether tips may be there that neither says; and not before when they are looked for.
        self._incomplete, self._look_at = True, 0.0

    def work(self, seconds: float) -> bool:
        """Search for about so long; whether all is done. NotReady as all reads are."""
        until = time.monotonic() + seconds
        position = self._reads.position()
        self._reads.past_days.keep_up(position)
        if self._build != self._reads.store.generation:
            self._begin()
        if self._upto != position:
            self._go_on(position)
        if self._incomplete and time.monotonic() >= self._look_at:
            self._look_for_tips()
        while self._waiting and time.monotonic() < until:
            self._search(position, until)
        return not self._waiting and not self._incomplete

    def _begin(self) -> None:
        """Go on from what the file says, of which a process that was ended may have left a part."""
        self._build = self._reads.store.generation
        with self._reads.store.snapshot() as connection:
            rows = {number: Resembling(*row) for number, *row in _KEPT.all(connection)}
            every = rows.pop(ALL, None)
            ids = {number: _LEAD.one(connection, number)[0] for number in rows}
        self._upto = every and every.position
        self._found = {n: (ids[n], row._replace(said=None)) for n, row in rows.items()}
        self._waiting, self._incomplete = {}, True

    def _go_on(self, position: int) -> None:
        """Forget what the events up to ``position`` may have changed."""
        since = self._upto
        changes = None if since is None else self._similar.changes(since, position)
        if changes is None:
            gone, new = list(self._found), []
            self._incomplete = True
        else:
            gone = [n for n, (id, row) in self._found.items() if changes.touch(id, row)]
            with self._reads.store.reading() as connection:
                new = [number for (number,) in _CHANGED.all(connection, since)]
        self._write(position, {}, gone)
        self._waiting |= dict.fromkeys([*new, *gone])

    def _look_for_tips(self) -> None:
        """Have all tips wait that are not found yet: seldom, for every lead is looked at."""
        began = time.monotonic()
        with self._reads.store.reading() as connection:
            tips = [number for (number,) in _TIPS.all(connection, self._most)]
        self._waiting |= dict.fromkeys(number for number in tips if number not in self._found)
        self._incomplete = False
        self._look_at = time.monotonic() + _SELDOM * (time.monotonic() - began)

    def _search(self, position: int, until: float) -> None:
        """Search for some of those that wait, and write what was found."""
        found: dict[int, tuple[str, Resembling]] = {}
        done = []
        for number in list(self._waiting)[:_AT_ONCE]:
            lead_id, stage, body = self._reads.store.first(_LEAD, number)
            if stage == TIP:
                found[number] = lead_id, self._similar.found(body, position)
            done.append(number)
            if time.monotonic() >= until:
                break
        known = sorted(self._found.keys() | found)
        self._write(position, found, known[: max(0, len(known) - self._most)])
        for number in done:
            del self._waiting[number]

    def _write(
        self, position: int, found: Mapping[int, tuple[str, Resembling]], gone: Sequence[int]
    ) -> None:
        """Keep what was found and forget others: what is kept then holds up to ``position``."""
        rows = [(number, *row) for number, (_, row) in found.items()]
        with self._reads.store.writing() as connection:
            if self._reads.store.generation != self._build:
                # That file is read no more.
                return
            KEEP.many(connection, [(ALL, position, None, _BY_NONE), *rows])
            FORGET.many(connection, [(number,) for number in gone])
        self._upto = position
        self._found |= {n: (id, row._replace(said=None)) for n, (id, row) in found.items()}
        for number in gone:
            self._found.pop(number, None)
