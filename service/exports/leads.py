"""The leads at a cut, and the book up to it, as pages of columns."""

from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from service.exports.arrow import Contacts, read_lines, whole
from service.exports.columns import ENTRIES, LEADS
from service.exports.cut import Cut
from service.exports.lines import PAGE, pages
from service.projections.cells import BETWEEN
from service.projections.choosing import EVERYTHING, Selection
from service.projections.entries import entries
from service.projections.leads import leads
from service.projections.sql import AsBytes, Joined
from service.projections.store import Prepared
from service.reads import Reads

_FEN = Decimal("0.01")


def lead_pages(
    reads: Reads, cut: Cut, contacts: Contacts, chosen: Selection = EVERYTHING
) -> Iterator[pa.Table]:
    """Every lead that had been tipped by the cut and is ``chosen``, in the order of their tips, in
    ``LEADS``."""
    for page in pages(reads, cut, chosen):
        yield whole(page, LEADS, contacts)


def _page_of_entries() -> sa.Select[int, int, int, bytes]:
    place = sa.tuple_(entries.c.position, entries.c.line)
    after = sa.tuple_(sa.bindparam("position"), sa.bindparam("line"))
    e = entries.c
    cells = (leads.c.id, e.occurred_on, e.kind, e.source, e.target, e.leads, e.fen, e.by)
    line = sa.cast(e.position, sa.Text) + BETWEEN + sa.cast(e.line, sa.Text)
    for cell in cells:
        line = line + BETWEEN + sa.cast(cell, sa.Text)
    lines = (
        sa.select(e.position, e.line, line.label("cells"))
        .join(leads, leads.c.number == e.lead)
        .where(place > after, e.position <= sa.bindparam("known_at"))
        .where(e.occurred_on <= sa.bindparam("as_of"))
        .order_by(e.position, e.line)
        .limit(sa.bindparam("limit"))
        .subquery()
    )
    last = sa.func.max(lines.c.position * 1_000_000 + lines.c.line)
    text = AsBytes(Joined(lines.c.cells, sa.literal("\n")))
    return sa.select(sa.func.count(), last // 1_000_000, last % 1_000_000, text)


_ENTRIES = Prepared(
    lambda _insert: _page_of_entries(), ["position", "line", "known_at", "as_of", "limit"]
)


def entry_pages(reads: Reads, cut: Cut, most: int = PAGE) -> Iterator[pa.Table]:
    """Every entry of the book of the days up to the cut, known by then, in ``ENTRIES``; ``most`` of
    them at once."""
    names = [column.name for column in ENTRIES]
    position = line = 0
    while True:
        reads.store.follow()
        found = reads.store.first(_ENTRIES, position, line, cut.position, f"{cut.day}", most)
        count, position, line, text = found
        if not count:
            return
        page = read_lines(text + b"\n", names)
        place = names.index("cny")
        fen = page["cny"].cast(pa.decimal128(19, 0))
        yield page.set_column(
            place, "cny", pc.multiply(fen, pa.scalar(_FEN, pa.decimal128(3, 2))).cast(pa.string())
        )
