"""Who had which share of a lead, as of any day as known at any moment; and the sums over leads.

Most leads keep the shares of their tip; for them `lead_members` holds at all times, and there is
nothing here. Of the others the rows are those of `timelines.py`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import orjson
import sqlalchemy as sa

from domain.correction import CORRECTED, JOINED, LEFT
from domain.stage import VERDICT_OUTCOME
from service.projections.choosing import FILTERS, Selection, rows_then
from service.projections.leads import lead_members
from service.projections.members import people_of
from service.projections.moment import held_then
from service.projections.store import Happened, begun_before, inserting, metadata, rows_of
from service.projections.timelines import changes, timeline
from service.projections.view import View

sharings = sa.Table(
    "sharings",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("day", sa.String(10), primary_key=True),
    # The position at which it became known.
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    # JSON: [[member, share], …] in the order of first report.
    sa.Column("shares", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
CREDIT_RULED = "lead.credit_ruled"
# What credit is told by.
BY = MEMBER, _SECTOR = "member", "sector"
# What can change the shares in a lead after its tip, and what they are told from.
SHARING = frozenset({CREDIT_RULED, JOINED, LEFT, CORRECTED})
_TOLD = frozenset({"lead.tipped", *SHARING})
# The outcome of a lead whose members have their shares in another one.
_ELSEWHERE = VERDICT_OUTCOME["duplicate"]

_KEEP = inserting(sharings)
_IN_ORDER = sa.select(sharings).order_by(sharings.c.lead, sharings.c.day, sharings.c.position)


class Sharings:
    """Answers: who had which share of a lead on a day, as known then?"""

    name = "sharings"
    tables: Sequence[sa.Table] = (sharings,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Note every change of the shares."""
        sharing = [h for h in batch if h.event.TOPIC in SHARING]
        known: dict[int, dict[str, str]] = {h.lead: {} for h in sharing}
        before = begun_before(batch, known)
        for lead, day, _, shares in rows_of(connection, _IN_ORDER, sharings.c.lead, before):
            known[lead][day] = shares
        rows: list[tuple[Any, ...]] = []
        for happened in sharing:
            changed = changes(happened, known[happened.lead], told)
            rows += [(happened.lead, day, at, shares) for day, at, shares in changed]
        _KEEP.many(connection, rows)


def told(events: Iterable[Any]) -> dict[str, str]:
    """The shares (JSON) by the day from which on they held, in the order of days."""
    return timeline([event for event in events if event.TOPIC in _TOLD], _shares)


def _shares(events: Sequence[Any]) -> str | None:
    """What these events amount to; None without the tip."""
    if not events or events[0].TOPIC != "lead.tipped":
        return None
    named = {member for event in events for member in getattr(event, "members", ())}
    view = View.begin(events[0], dict.fromkeys(named, ""), alone=True)
    view.names = dict.fromkeys(named, "")
    for event in events[1:]:
        view.fold(event)
    return orjson.dumps([[m["id"], m["share"]] for m in view.lead["members"]]).decode()


def credit_at(
    connection: sa.Connection, chosen: Selection, as_of: str, known_at: int
) -> dict[str, Fraction]:
    """Member → the sum of its shares in the leads ``chosen``, as of a day (ISO), as known at a
    position. Of a duplicate the lead that survives it counts instead: so the sums of all members
    sum to the number of the other leads."""
    rows = rows_then({*chosen.values(), "outcome"}, as_of, known_at)
    filters = [FILTERS[name](rows) for name in chosen.values()]
    counted = sa.select(rows.c.number).where(rows.c.outcome.is_distinct_from(_ELSEWHERE), *filters)
    values = {**chosen.values(), "as_of": as_of, "known_at": known_at}
    credit: dict[str, Fraction] = defaultdict(Fraction)
    for member, share, leads in connection.execute(_constant(counted), values):
        credit[member] += Fraction(share) * leads
    held = held_then(sharings)
    varied = sa.select(held.c.shares, sa.func.count()).where(held.c.lead.in_(counted))
    for shares, leads in connection.execute(varied.group_by(held.c.shares), values):
        for member, share in orjson.loads(shares):
            credit[member] += Fraction(share) * leads
    return dict(credit)


def credit_lines(
    connection: sa.Connection, credit: Mapping[str, Fraction], by: str
) -> list[dict[str, str | None]]:
    """``credit`` by "member" or "sector": {"key", "label", "credit"}, the most first; a sector's
    key is its name, None for members without one."""
    people = people_of(connection, sorted(credit))
    sums: dict[tuple[str | None, str], Fraction] = defaultdict(Fraction)
    for member, part in credit.items():
        _, name, sector, _ = people[member]
        line = (member, name) if by == MEMBER else (sector, sector or "未填写")
        sums[line] += part
    ranked = sorted(sums.items(), key=lambda line: (-line[1], line[0][1], line[0][0] or ""))
    return [{"key": key, "label": label, "credit": f"{part}"} for (key, label), part in ranked]


def _constant(counted: sa.Select[Any]) -> sa.Select[Any]:
    """(member, share, leads) of the leads whose shares never changed."""
    m = lead_members.c
    key = (m.member_id, m.share)
    varied = sa.select(sharings.c.lead)
    return (
        sa.select(*key, sa.func.count())
        .where(m.lead.in_(counted), m.lead.not_in(varied))
        .group_by(*key)
    )
