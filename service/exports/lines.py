"""The leads' lines at a cut, a page at a time: as they are kept, or told anew where they changed.

Pages need not be of one moment: what is told at a cut is the same whenever it is asked.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import sqlalchemy as sa

from domain.actor import today_in_china
from service.exports.cut import Cut
from service.projections.cells import BETWEEN, NAMES, cells_of, tell_members
from service.projections.choosing import EVERYTHING, FILTERS, Selection, column_of
from service.projections.history import version_known_at
from service.projections.leads import leads, sheet
from service.projections.members import people_of
from service.projections.moment import rows_at
from service.projections.sql import AsBytes, Joined
from service.projections.store import Prepared
from service.projections.view import people_in, view_as_of
from service.reads import Reads

# So many that what a page costs besides its lines is not felt, and so few that they fit in memory.
PAGE = 10_000
_FEED = "\n"
# Begins the line of a lead that has changed since the cut; no line that is kept begins so.
_CHANGED = BETWEEN
_ID = NAMES.index("id")


def _page(chosen: Any = None) -> sa.Select[int, Any, Any, bytes]:
    same = sa.and_(
        sheet.c.position <= sa.bindparam("known_at"), sheet.c.activity_on <= sa.bindparam("as_of")
    )
    number = sa.cast(sheet.c.lead, sa.Text)
    changed = _CHANGED + number + _CHANGED + sheet.c.cells
    wanted = sa.select(
        sheet.c.lead,
        sa.case((same, 0), else_=1).label("changed"),
        sa.case((same, sheet.c.cells), else_=changed).label("line"),
    ).where(sheet.c.lead > sa.bindparam("after"), sheet.c.lead <= sa.bindparam("known_at"))
    if chosen is not None:
        wanted = wanted.where(sheet.c.lead.in_(chosen))
    lines = wanted.order_by(sheet.c.lead).limit(sa.bindparam("limit")).subquery()
    # As bytes: nobody decodes what is only encoded again.
    text = AsBytes(Joined(lines.c.line, sa.literal(_FEED)))
    return sa.select(sa.func.count(), sa.func.max(lines.c.lead), sa.func.sum(lines.c.changed), text)


_PAGE = ("known_at", "as_of", "after", "limit")


@lru_cache(maxsize=64)
def _prepared(names: tuple[str, ...], *, now: bool) -> Prepared:
    """The statement of a page of the leads that filters of these names choose, as they are at the
    cut or ``now``."""
    if not names:
        return Prepared(lambda _insert: _page(), _PAGE)
    rows = leads if now else rows_at({*map(column_of, names)})
    chosen = sa.select(rows.c.number).where(*(FILTERS[name](rows) for name in names))
    return Prepared(lambda _insert: _page(chosen), [*_PAGE, *names])


def pages(reads: Reads, cut: Cut, chosen: Selection = EVERYTHING) -> Iterator[bytes]:
    """The lines of every lead that had been tipped by the cut and is ``chosen``, in the order of
    their tips; a line feed after each."""
    now = cut.position == reads.position() and cut.day >= today_in_china()
    values = chosen.values()
    page_of = _prepared(tuple(values), now=now)
    after = 0
    while True:
        reads.store.follow()
        bound = (cut.position, f"{cut.day}", after, PAGE, *values.values())
        found = reads.store.first(page_of, *bound)
        count, last, changed, text = found
        if not count:
            return
        after = last
        page = _told(reads, cut, text) if changed else text + b"\n"
        if page:
            yield page


class Changed(NamedTuple):
    """A lead that something has happened to since: its number in the log, and its id."""

    number: int
    id: UUID


def _told(reads: Reads, cut: Cut, text: bytes) -> bytes:
    """A page in which the lines of leads that changed since are told anew."""
    told = []
    for line in text.decode().split(_FEED):
        if line.startswith(_CHANGED):
            _, number, *cells = line.split(BETWEEN)
            then = line_then(reads, cut, Changed(int(number), UUID(cells[_ID])))
            if then is None:
                continue
            told.append(then)
        else:
            told.append(line)
    return "".join(f"{line}\n" for line in told).encode()


def line_then(reads: Reads, cut: Cut, lead: Changed) -> str | None:
    """A lead's line as it was at the cut; None where it was no tip by then."""
    with reads.store.reading() as connection:
        version = version_known_at(connection, f"{lead.id}", cut.position)
        if version is None:
            return None
        events = reads.events_of(lead.id, version)
        people = people_of(connection, people_in(events))
    names = {member_id: person.name for member_id, person in people.items()}
    view = view_as_of(events, names, f"{cut.day}")
    if view is None:
        return None
    tell_members(view, people)
    return cells_of(lead.number, view.lead, view.private["sheet"])
