"""What differs from the last export, row by row and cell by cell, and by which events."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from service.exports.arrow import Contacts, for_people, whole
from service.exports.columns import LEADS
from service.exports.cut import Cut
from service.exports.lines import Changed, line_then
from service.log_recorder import LedgerRecorder
from service.projections.history import history
from service.projections.leads import leads
from service.projections.sql import Listed
from service.projections.store import Prepared
from service.reads import Reads

_AT_ONCE = 1_000
# They change with every event, whatever it says.
_ALWAYS = ("version", "recorded_at")
_HEADINGS = {column.name: column.heading for column in LEADS}
Row = Mapping[str, str]


class Touched(NamedTuple):
    """A lead that something came into view of between two cuts, and the events' positions."""

    lead: Changed
    positions: list[int]


def _touched() -> sa.Select[Any]:
    h = history.c
    known = h.position <= sa.bindparam("known_at")
    recorded = h.position > sa.bindparam("known_before")
    happened = sa.and_(h.day > sa.bindparam("as_of_before"), h.day <= sa.bindparam("as_of"))
    # The activity that a correction moves stands under the event that it moves.
    positions = Listed(h.position)
    return (
        sa.select(h.lead, leads.c.id, positions)
        .join(leads, leads.c.number == h.lead)
        .where(h.lead > sa.bindparam("after"), known, sa.or_(recorded, happened))
        .group_by(h.lead, leads.c.id)
        .order_by(h.lead)
        .limit(sa.bindparam("limit"))
    )


_TOUCHED = Prepared(
    lambda _insert: _touched(),
    ["known_at", "known_before", "as_of_before", "as_of", "after", "limit"],
)


def change_rows(
    reads: Reads, recorder: LedgerRecorder, before: Cut, cut: Cut, contacts: Contacts
) -> Iterator[Sequence[Any]]:
    """What differs between two cuts, in ``CHANGES``."""
    for touched in _batches(reads, before, cut):
        was = _rows(reads, before, touched, contacts)
        now = _rows(reads, cut, touched, contacts)
        names = recorder.named_at(sorted({p for one in touched for p in one.positions}))
        for one in touched:
            number = one.lead.number
            told = ";".join(names[position] for position in sorted(one.positions))
            for line in _lines(was.get(number), now.get(number)):
                yield (*line, told)


def _batches(reads: Reads, before: Cut, cut: Cut) -> Iterator[list[Touched]]:
    after = 0
    while True:
        reads.store.follow()
        with reads.store.reading() as connection:
            rows = _TOUCHED.all(
                connection,
                cut.position,
                before.position,
                f"{before.day}",
                f"{cut.day}",
                after,
                _AT_ONCE,
            )
        if not rows:
            return
        after = rows[-1][0]
        yield [
            Touched(Changed(number, UUID(id)), [int(p) for p in positions.split(",")])
            for number, id, positions in rows
        ]


def _rows(reads: Reads, cut: Cut, touched: Sequence[Touched], contacts: Contacts) -> dict[int, Row]:
    """The rows of leads.csv at a cut, by the leads' numbers."""
    lines = {one.lead.number: line_then(reads, cut, one.lead) for one in touched}
    there = {number: line for number, line in lines.items() if line is not None}
    if not there:
        return {}
    page = "".join(f"{line}\n" for line in there.values()).encode()
    shown = for_people(whole(page, LEADS, contacts), LEADS)
    return dict(zip(there, shown.to_pylist(), strict=True))


def _lines(was: Row | None, now: Row | None) -> Iterator[tuple[Any, ...]]:
    """The lines that tell of one row, up to what changed it."""
    row = now or was
    if row is None:
        return
    of = (row[_HEADINGS["id"]], row[_HEADINGS["title"]], row[_HEADINGS["district"]])
    if was is None or now is None:
        yield ("added" if was is None else "gone", *of, None, None, None)
        return
    differ = [heading for heading in row if was[heading] != now[heading]]
    always = [_HEADINGS[name] for name in _ALWAYS]
    for heading in [h for h in differ if h not in always] or differ[:1]:
        yield ("changed", *of, heading, was[heading], now[heading])
