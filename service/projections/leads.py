"""Leads as they stand: one row each, with what they are chosen and sorted by, and their JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from domain.correction import CORRECTED, JOINED, LEFT
from domain.money import fen_of
from service.projections.cells import cells_of, tell_members
from service.projections.members import Person, people_of
from service.projections.store import (
    FOREVER,
    Happened,
    begun_before,
    inserting,
    metadata,
    rows_of,
    upserting,
)
from service.projections.view import View, people_in, view_of, words_of
from service.projections.waiting import END_WAITING, WAIT, waiting, waits_of

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
    sa.Column("id", sa.String(36), nullable=False, index=True, unique=True),
    # The position of its last event.
    sa.Column("position", sa.BigInteger, nullable=False, index=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("stage", sa.String(20), nullable=False),
    sa.Column("outcome", sa.String(20)),
    sa.Column("district", sa.String(6), nullable=False),
    # The district that it is proposed to pass to.
    sa.Column("transfer_to", sa.String(6)),
    sa.Column("industry", sa.String(10)),
    sa.Column("about_to_sign", sa.Boolean, nullable=False),
    sa.Column("suspended", sa.Boolean, nullable=False),
    sa.Column("fen", sa.BigInteger),
    sa.Column("tip_on", sa.String(10), nullable=False),
    sa.Column("activity_on", sa.String(10), nullable=False),
    # Title and investor in lower case: what q looks through.
    sa.Column("words", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    # What else the next event needs.
    sa.Column("state", sa.LargeBinary, nullable=False),
)


def amount_of(rows: sa.FromClause) -> sa.ColumnElement[int]:
    """In fen; a lead without an amount in CNY counts as 0, as it does in the book."""
    # Not bound: it is to be the same as in the index.
    return sa.func.coalesce(rows.c.fen, sa.literal_column("0"))


# What lists are sorted by, each followed by what few leads may be chosen by: a row is long, and one
# that is not chosen is so not looked at. (A stage has no index of its own: SQLite would take it,
# and then sort all that it finds.)
_FEW = (leads.c.number, leads.c.stage, leads.c.suspended, leads.c.about_to_sign)
for _name, _key in (
    ("amount", amount_of(leads)),
    ("tip_on", leads.c.tip_on),
    ("activity_on", leads.c.activity_on),
):
    sa.Index(f"ix_leads_by_{_name}", _key, *_FEW)

# Each lead as a line of a sheet, with the position of its last event and the day of its last
# activity: all that an export reads of most leads, and so apart from the rest.
sheet = sa.Table(
    "sheet",
    metadata,
    sa.Column(
        "lead",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("activity_on", sa.String(10), nullable=False),
    sa.Column("cells", sa.Text, nullable=False),
)


def _shares_table(name: str, *of_member: sa.Column[Any]) -> sa.Table:
    """The members who have a share in each lead, in their places."""
    return sa.Table(
        name,
        metadata,
        sa.Column("lead", sa.BigInteger, primary_key=True),
        sa.Column("place", sa.Integer, primary_key=True),
        # The positions from which on, and before which, it was known so.
        sa.Column("since", sa.BigInteger, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("member_id", sa.String(36), nullable=False, index=True),
        *of_member,
        sa.Column("share", sa.String(10), nullable=False),
        sqlite_with_rowid=False,
    )


lead_members = _shares_table("lead_members", sa.Column("sector", sa.String(100)))
# Those of a duplicate, in the lead that survives it. They count as having reported the duplicate,
# so they are kept apart.
joined_members = _shares_table("joined_members")


_BEGIN = inserting(leads)
_KEEP = upserting(leads)
_BEGIN_LINE = inserting(sheet)
_KEEP_LINE = upserting(sheet)
_REPORT = inserting(lead_members)
_JOIN = inserting(joined_members)
_END = [
    sa.update(table)
    .where(table.c.lead == sa.bindparam("number"), table.c.until == FOREVER)
    .values(until=sa.bindparam("position"))
    for table in (lead_members, joined_members)
]
# What may change who has a share in a lead.
_SHARING = frozenset({CORRECTED, JOINED, LEFT, "lead.credit_ruled"})
# Rows of `leads`, and of `sheet`.
_Rows = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


class Leads:
    """Answers: where does each lead stand, and which leads are there?"""

    name = "leads"
    tables: Sequence[sa.Table] = (leads, lead_members, joined_members, sheet, waiting)

    # So many members are remembered while everything is made anew: a few MB.
    most_people = 20_000

    def __init__(self) -> None:
        # By id; None where every batch asks for its own.
        self._people: dict[str, Person] | None = None

    def gathering(self) -> "Leads":
        """One for a rebuild, which asks but once for a member: what it asks for never changes."""
        anew = type(self)()
        anew._people = {}
        return anew

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Take in the leads' events of a batch; each lead's row is written once.

        One lead after the other is told to its end and made into its rows, which costs less than
        all of them step by step: what a lead is made of stays in the processor's own memory.
        """
        told: dict[int, list[Happened]] = {}
        for happened in batch:
            if happened.lead:
                told.setdefault(happened.lead, []).append(happened)
        before = self._known(connection, begun_before(batch, told))
        people = self._people_of(connection, batch)
        made = _Made(connection, people)
        for number, events in told.items():
            made.go_on(number, before.pop(number, None), events)
        made.write()

    def _known(self, connection: sa.Connection, numbers: Sequence[int]) -> dict[int, View]:
        columns = sa.select(leads.c.number, leads.c.body, leads.c.state)
        return {
            number: View(orjson.loads(body), orjson.loads(state))
            for number, body, state in rows_of(connection, columns, leads.c.number, numbers)
        }

    def _people_of(
        self, connection: sa.Connection, batch: Sequence[Happened]
    ) -> Mapping[str, Person]:
        """Those who report the leads that begin with the batch."""
        reporting = {m for h in batch if h.position == h.lead for m in h.event.members}
        if self._people is None:
            return people_of(connection, sorted(reporting))
        if len(self._people) > self.most_people:
            self._people.clear()
        self._people.update(people_of(connection, sorted(reporting - self._people.keys())))
        return self._people


class _Made:
    """The rows that the leads of a batch are made into."""

    def __init__(self, connection: sa.Connection, people: Mapping[str, Person]) -> None:
        """``people``: at least those who report the leads that begin with the batch."""
        self._connection = connection
        self._people = people
        self._begun: _Rows = ([], [])
        self._kept: _Rows = ([], [])
        self._shares: list[Any] = []
        self._waits: list[Any] = []

    def go_on(self, number: int, view: View | None, events: Sequence[Happened]) -> None:
        """Tell of a lead what happened to it since its ``view``; None where it begins."""
        rows, lines = self._kept if view else self._begun
        for happened in events:
            if view is None:
                view = self._begin(happened)
            elif happened.event.TOPIC in _SHARING:
                view = self._told_anew(happened, view)
            else:
                view.fold(happened.event)
        if view is not None:
            position = events[-1].position
            rows.append(row_of(number, view, position))
            lines.append(line_of(number, view, position))
            self._waits += waits_of(number, view)

    def write(self) -> None:
        """Write them."""
        self._write_shares()
        for (rows, lines), row, line in (
            (self._kept, _KEEP, _KEEP_LINE),
            (self._begun, _BEGIN, _BEGIN_LINE),
        ):
            row.many(self._connection, rows)
            line.many(self._connection, lines)
        END_WAITING.many(self._connection, [(row[0],) for row in self._kept[0]])
        WAIT.many(self._connection, self._waits)

    def _begin(self, happened: Happened) -> View:
        event, people = happened.event, self._people
        view = View.begin(event, {member_id: people[member_id].name for member_id in event.members})
        tell_members(view, people)
        self._shares += _shares(happened.lead, view, happened.position, people)
        return view

    def _told_anew(self, happened: Happened, before: View) -> View:
        """The lead's view after an event that may have changed who has a share in it."""
        position, number, event, past = happened
        events = past(event)
        people = people_of(self._connection, people_in(events))
        view = view_of(events, {member_id: person.name for member_id, person in people.items()})
        tell_members(view, people)
        if view.lead["members"] != before.lead["members"]:
            self._write_shares()
            for end in _END:
                self._connection.execute(end, {"number": number, "position": position})
            self._shares += _shares(number, view, position, people)
            _JOIN.many(self._connection, _joined(number, view, position))
        return view

    def _write_shares(self) -> None:
        """Those made so far."""
        _REPORT.many(self._connection, self._shares)
        self._shares = []


def _shares(number: int, view: View, since: int, people: Mapping[str, Any]) -> list[Any]:
    """The rows of the members who reported the lead, known since that position."""
    own = view.private.get("own")
    return [
        (number, place, since, FOREVER, m["id"], people[m["id"]].sector, m["share"])
        for place, m in enumerate(view.lead["members"], 1)
        if own is None or m["id"] in own
    ]


def _joined(number: int, view: View, since: int) -> list[Any]:
    """The rows of the others."""
    members = view.lead["members"]
    own: list[Any] = view.private.get("own") or members
    return [
        (number, place, since, FOREVER, m["id"], m["share"])
        for place, m in enumerate(members[len(own) :], len(own) + 1)
    ]


def row_of(number: int, view: View, position: int) -> tuple[Any, ...]:
    """The row of a lead, in the order of the columns; ``position`` is its last event's."""
    lead = view.lead
    money = lead["investment"]
    return (
        number,
        lead["id"],
        position,
        lead["version"],
        lead["stage"],
        lead["outcome"],
        lead["district"],
        lead["transfer_to"],
        lead["industry"],
        lead["about_to_sign"],
        lead["suspended"],
        fen_of(money["amount"], money["unit"]) if money else None,
        lead["dates"]["tip"],
        lead["last_activity_on"],
        words_of(lead),
        orjson.dumps(lead),
        orjson.dumps(view.private),
    )


def line_of(number: int, view: View, position: int) -> tuple[Any, ...]:
    """The line of a lead in the sheet; ``position`` is its last event's."""
    lead = view.lead
    return number, position, lead["last_activity_on"], cells_of(number, lead, view.private["sheet"])
