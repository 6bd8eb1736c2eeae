"""Leads as they stand: one row each, with what they are chosen and sorted by, and their JSON."""

from collections.abc import Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from domain.money import Money
from service.projections.members import names_of
from service.projections.store import metadata, rows_of, upsert
from service.projections.view import HANDLERS, View

leads = sa.Table(
    "leads",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    # The positions of the first and of the last event.
    sa.Column("seq", sa.BigInteger, nullable=False, unique=True),
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
    sa.Column("lead_id", sa.String(36), primary_key=True),
    sa.Column("place", sa.Integer, primary_key=True),
    sa.Column("member_id", sa.String(36), nullable=False, index=True),
    sa.Column("sector", sa.String(100)),
    sa.Column("share", sa.String(10), nullable=False),
)


class Leads:
    """Answers: where does each lead stand, and which leads are there?"""

    name = "leads"
    tables: Sequence[sa.Table] = (leads, lead_members)

    def project(self, connection: sa.Connection, batch: Sequence[tuple[int, Any]]) -> None:
        """Take in the leads' events of a batch; each lead's row is written once."""
        first: dict[Any, tuple[int, Any]] = {}
        later: list[tuple[int, Any]] = []
        for position, event in batch:
            if event.TOPIC == "lead.tipped":
                first[event.originator_id] = (position, event)
            elif event.TOPIC in HANDLERS:
                later.append((position, event))
        known = self._known(connection, first, later)
        self._begin(connection, first, known)
        for position, event in later:
            entry = known[str(event.originator_id)]
            entry[0].fold(event)
            entry[2] = position
        upsert(connection, leads, [row_of(*entry) for entry in known.values()])

    def _known(
        self, connection: sa.Connection, first: dict[Any, Any], later: Sequence[tuple[int, Any]]
    ) -> dict[str, list[Any]]:
        """Id → [view, first position, last position] of the leads that were there before."""
        ids = sorted({str(e.originator_id) for _, e in later if e.originator_id not in first})
        columns = sa.select(leads.c.id, leads.c.body, leads.c.private, leads.c.seq)
        return {
            row.id: [View(orjson.loads(row.body), orjson.loads(row.private)), row.seq, 0]
            for row in rows_of(connection, columns, leads.c.id, ids)
        }

    def _begin(
        self, connection: sa.Connection, first: dict[Any, tuple[int, Any]], known: dict[str, Any]
    ) -> None:
        ids = sorted({m for _, event in first.values() for m in event.members})
        people = names_of(connection, ids)
        names = {id: row.name for id, row in people.items()}
        shares = []
        for position, event in first.values():
            view = View.begin(event, names)
            known[view.lead["id"]] = [view, position, position]
            shares += [
                {
                    "lead_id": view.lead["id"],
                    "place": place,
                    "member_id": member["id"],
                    "sector": people[member["id"]].sector,
                    "share": member["share"],
                }
                for place, member in enumerate(view.lead["members"], 1)
            ]
        if shares:
            connection.execute(sa.insert(lead_members), shares)


def row_of(view: View, seq: int, position: int) -> dict[str, Any]:
    """The row of a lead whose first event is at ``seq`` and whose last is at ``position``."""
    lead = view.lead
    money = lead["investment"]
    investor = lead["investor"]
    return {
        "id": lead["id"],
        "seq": seq,
        "position": position,
        "version": lead["version"],
        "stage": lead["stage"],
        "outcome": lead["outcome"],
        "district": lead["district"],
        "industry": lead["industry"],
        "about_to_sign": lead["about_to_sign"],
        "suspended": lead["suspended"],
        "fen": Money(money["amount"], money["unit"]).fen if money else None,
        "tip_on": lead["dates"]["tip"],
        "activity_on": lead["last_activity_on"],
        "words": f"{lead['title']}\n{investor['name'] if investor else ''}".lower(),
        "body": orjson.dumps(lead),
        "private": orjson.dumps(view.private),
    }
