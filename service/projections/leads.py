"""Leads as they stand: one row each, with what they are chosen and sorted by, and their JSON."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from domain.money import fen_of
from service.projections.members import names_of
from service.projections.store import Happened, inserting, metadata, rows_of, upserting
from service.projections.view import HANDLERS, View

leads = sa.Table(
    "leads",
    metadata,
    # The position of its first event: what other tables of projections know a lead by.
    sa.Column(
        "number",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("id", sa.String(36), nullable=False, unique=True),
    # The position of its last event.
    sa.Column("position", sa.BigInteger, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("stage", sa.String(20), nullable=False),
    sa.Column("outcome", sa.String(20)),
    sa.Column("district", sa.String(6), nullable=False),
    sa.Column("industry", sa.String(10)),
    sa.Column("about_to_sign", sa.Boolean, nullable=False),
    sa.Column("suspended", sa.Boolean, nullable=False),
    sa.Column("fen", sa.BigInteger),
    sa.Column("tip_on", sa.String(10), nullable=False),
    sa.Column("activity_on", sa.String(10), nullable=False),
    # Title and investor in lower case: what q looks through.
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("private", sa.LargeBinary, nullable=False),
)

lead_members = sa.Table(
    "lead_members",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("member_id", sa.String(36), nullable=False, index=True),
    sa.Column("sector", sa.String(100)),
    sa.Column("share", sa.String(10), nullable=False),
    sqlite_with_rowid=False,
)


_KEEP = upserting(leads)
_REPORT = inserting(lead_members)


class Leads:
    """Answers: where does each lead stand, and which leads are there?"""

    name = "leads"
    tables: Sequence[sa.Table] = (leads, lead_members)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Take in the leads' events of a batch; each lead's row is written once."""
        first = [h for h in batch if h.event.TOPIC == "lead.tipped"]
        later = [h for h in batch if h.lead and h.event.TOPIC != "lead.tipped"]
        # number → [view, position of the last event]
        known: dict[int, list[Any]] = {
            **self._known(connection, first, later),
            **self._begin(connection, first),
        }
        for position, number, event in later:
            known[number][0].fold(event)
            known[number][1] = position
        _KEEP.many(connection, [row_of(number, *entry) for number, entry in known.items()])

    def _known(
        self, connection: sa.Connection, first: Sequence[Happened], later: Sequence[Happened]
    ) -> dict[int, list[Any]]:
        numbers = sorted({h.lead for h in later} - {h.lead for h in first})
        columns = sa.select(leads.c.number, leads.c.body, leads.c.private)
        return {
            number: [View(orjson.loads(body), orjson.loads(private)), 0]
            for number, body, private in rows_of(connection, columns, leads.c.number, numbers)
        }

    def _begin(self, connection: sa.Connection, first: Sequence[Happened]) -> dict[int, list[Any]]:
        people = names_of(connection, sorted({m for h in first for m in h.event.members}))
        names = {member_id: name for member_id, (name, _) in people.items()}
        begun: dict[int, list[Any]] = {
            h.lead: [View.begin(h.event, names), h.position] for h in first
        }
        shares = [
            (number, place, member["id"], people[member["id"]][1], member["share"])
            for number, (view, _) in begun.items()
            for place, member in enumerate(view.lead["members"], 1)
        ]
        _REPORT.many(connection, shares)
        return begun


def row_of(number: int, view: View, position: int) -> tuple[Any, ...]:
    """The row of a lead, in the order of the columns; ``position`` is its last event's."""
    lead = view.lead
    money = lead["investment"]
    investor = lead["investor"]
    return (
        number,
        lead["id"],
        position,
        lead["version"],
        lead["stage"],
        lead["outcome"],
        lead["district"],
        lead["industry"],
        lead["about_to_sign"],
        lead["suspended"],
        fen_of(money["amount"], money["unit"]) if money else None,
        lead["dates"]["tip"],
        lead["last_activity_on"],
        f"{lead['title']}\n{investor['name'] if investor else ''}".lower(),
        orjson.dumps(lead),
        orjson.dumps(view.private),
    )


def lead_numbers(connection: sa.Connection, events: Sequence[tuple[int, Any]]) -> dict[UUID, int]:
    """The number of every lead that (position, event) pairs are about, by its id."""
    numbers: dict[UUID, int] = {}
    unknown: set[UUID] = set()
    for position, event in events:
        if event.TOPIC == "lead.tipped":
            numbers[event.originator_id] = position
        elif event.TOPIC in HANDLERS and event.originator_id not in numbers:
            unknown.add(event.originator_id)
    columns = sa.select(leads.c.id, leads.c.number)
    for lead_id, number in rows_of(connection, columns, leads.c.id, sorted(map(str, unknown))):
        numbers[UUID(lead_id)] = number
    return numbers
