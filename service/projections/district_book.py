"""The book of each district that a lead came to, or left, by a transfer.

For most leads the book is the same in every district they stand in, and there is nothing here. A
lead that passes from one district to another crosses the border of every prefix that holds only
one of the two: in the book of such a prefix it ends under ``closed/transferred``, or begins from
``elsewhere`` (`domain.posting.path_within`). Once it crossed one, its whole book there is kept
here, from its first event on, each line at the position of the event that posted it; whoever asks
for that prefix takes it from here and not from `entries`.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from domain.correction import effective
from domain.posting import (
    BOOKED,
    CORRECTION,
    FIRST,
    OUTSIDE,
    TRANSFER,
    difference_within,
    prefixes_crossed,
)
from domain.stage import TIP
from service.projections.entries import posting_columns
from service.projections.history import history
from service.projections.leads import lead_members, leads
from service.projections.moment import NOW, places_then
from service.projections.store import (
    FOREVER,
    Happened,
    begun_before,
    inserting,
    metadata,
    rows_of,
)

district_entries = sa.Table(
    "district_entries",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("prefix", sa.String(6), primary_key=True, index=True),
    # As in `entries`.
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    *posting_columns(),
    sqlite_with_rowid=False,
)
_KEEP = inserting(district_entries)
_KNOWN = sa.select(district_entries.c.lead, district_entries.c.prefix).distinct()


class DistrictBook:
    """Answers: what moved in the book of a district, of leads that came to it or left it?"""

    name = "district_book"
    tables: Sequence[sa.Table] = (district_entries,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Post every event of a lead that ever crossed a border."""
        booked = [h for h in batch if h.event.TOPIC in BOOKED]
        known: dict[int, set[str]] = {h.lead: set() for h in booked}
        leads = begun_before(batch, known)
        for lead, prefix in rows_of(connection, _KNOWN, district_entries.c.lead, leads):
            known[lead].add(prefix)
        for happened in booked:
            before = known[happened.lead]
            if before or happened.event.TOPIC in (TRANSFER, CORRECTION):
                _KEEP.many(connection, list(_posted(connection, happened, before)))


def _posted(
    connection: sa.Connection, happened: Happened, known: set[str]
) -> Iterator[tuple[Any, ...]]:
    """The rows of the entries that the event makes in the book of each prefix that the lead ever
    crossed; ``known``, which these were, follows."""
    position, lead, event, past = happened
    events = past(event)
    for prefix in sorted(known):
        yield from _rows(lead, prefix, position, events, len(events))
    new = prefixes_crossed(effective(events)) - known
    at = _positions(connection, lead) if new else {}
    for prefix in sorted(new):
        for upto in range(1, len(events) + 1):
            yield from _rows(lead, prefix, at[upto], events, upto)
    known |= new


def _rows(
    lead: int, prefix: str, position: int, events: Sequence[Any], upto: int
) -> Iterator[tuple[Any, ...]]:
    """What the last of the first ``upto`` events posts in the book of the prefix."""
    before, after = (effective(events[:number]) for number in (upto - 1, upto))
    for line, posting in enumerate(difference_within(prefix, before, after), 1):
        yield (lead, prefix, position, line, *posting)


def _positions(connection: sa.Connection, lead: int) -> dict[int, int]:
    """Version → position of the lead's events."""
    h = history.c
    found = sa.select(h.version, sa.func.min(h.position)).where(h.lead == lead).group_by(h.version)
    return dict(map(tuple, connection.execute(found)))


def places_across(
    connection: sa.Connection, prefix: str | None, values: Mapping[str, Any]
) -> list[Any]:
    """(lead, stage, about_to_sign, fen) of the leads that crossed the border of ``prefix``, as they
    stood in its book as of the day, as known at the position, that ``values`` say."""
    if prefix is None:
        return []
    places = places_then(district_entries, district_entries.c.prefix == prefix).subquery()
    columns = [places.c[name] for name in ("lead", "stage", "about_to_sign", "fen")]
    moment = {name: values[name] for name in NOW}
    return list(connection.execute(sa.select(*columns), moment))


def tips_across(connection: sa.Connection, prefix: str, members: Sequence[str]) -> dict[str, int]:
    """Member → how many tips more the book of ``prefix`` has of it than leads of it stand there:
    one that was passed on is still a tip, and one that was received is none."""
    e = district_entries.c
    given = (
        sa.select(e.lead, sa.func.sum(sa.case((e.source == OUTSIDE, e.leads), else_=0)).label("n"))
        .where(e.prefix == prefix, e.kind == FIRST, e.target == TIP)
        .group_by(e.lead)
        .subquery()
    )
    across = crossing(prefix).distinct().subquery()
    stands = sa.case((leads.c.district.like(f"{prefix}%"), 1), else_=0)
    more = sa.func.sum(sa.func.coalesce(given.c.n, 0) - stands)
    reported = lead_members.c
    found = (
        sa.select(reported.member_id, more)
        .join(across, across.c.lead == reported.lead)
        .join(leads, leads.c.number == reported.lead)
        .outerjoin(given, given.c.lead == reported.lead)
        .where(reported.member_id.in_(members), reported.until == FOREVER)
        .group_by(reported.member_id)
    )
    return {member: int(number) for member, number in connection.execute(found)}


def crossing(prefix: str) -> sa.Select[Any]:
    """The leads whose book in the districts of ``prefix`` is kept here."""
    return sa.select(district_entries.c.lead).where(district_entries.c.prefix == prefix)
