"""Members as they stand: who they are, and whether they have retired."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from service.projections.store import SAME, Happened, metadata, rows_of, upserting
from service.projections.view import recorded_at

members = sa.Table(
    "members",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    # The position of the first event: the order in which members came.
    sa.Column("seq", sa.BigInteger, nullable=False, unique=True),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("number", sa.String(40), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("sector", sa.String(100)),
    sa.Column("district", sa.String(6), nullable=False),
    sa.Column("registered_on", sa.String(10), nullable=False),
    sa.Column("retired_on", sa.String(10)),
    sa.Column("recorded_at", sa.String(32), nullable=False),
    info={SAME: True},
)
# What is shown of a member, in this order.
FIELDS = (
    "id",
    "number",
    "name",
    "sector",
    "district",
    "registered_on",
    "retired_on",
    "version",
    "recorded_at",
)
Row = dict[str, Any]
Condition = sa.ColumnElement[bool]


def _registered(row: Row, event: Any) -> None:
    row["number"] = event.number
    row["name"] = event.name
    row["sector"] = event.sector
    row["district"] = event.district
    row["registered_on"] = event.occurred_on
    row["retired_on"] = None


def _retired(row: Row, event: Any) -> None:
    row["retired_on"] = event.occurred_on


HANDLERS = {"member.registered": _registered, "member.retired": _retired}


def fold(row: Row, event: Any) -> Row:
    """``row`` (empty before the first event) after ``event``, live or of an old version."""
    row["id"] = str(event.originator_id)
    HANDLERS[event.TOPIC](row, event)
    row["version"] = event.originator_version
    row["recorded_at"] = recorded_at(event)
    return row


class Members:
    """Answers: who are the members?"""

    name = "members"
    tables: Sequence[sa.Table] = (members,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Take in the members' events of a batch."""
        events = [h for h in batch if h.event.TOPIC in HANDLERS]
        ids = sorted({str(h.event.originator_id) for h in events})
        rows = {
            row.id: dict(row._mapping)
            for row in rows_of(connection, sa.select(members), members.c.id, ids)
        }
        for position, _, event, _ in events:
            fold(rows.setdefault(str(event.originator_id), {"seq": position}), event)
        columns = [column.name for column in members.columns]
        _KEEP.many(connection, [tuple(row[name] for name in columns) for row in rows.values()])


_KEEP = upserting(members)


class Person(NamedTuple):
    """What never changes of a member."""

    number: str
    name: str
    sector: str | None
    district: str


_PEOPLE = sa.select(members.c.id, *(members.c[name] for name in Person._fields))


def people_of(connection: sa.Connection, ids: Sequence[str]) -> dict[str, Person]:
    """Each of these members, by id."""
    rows = rows_of(connection, _PEOPLE, members.c.id, ids)
    return {member_id: Person(*facts) for member_id, *facts in rows}


def called(connection: sa.Connection, words: str, most: int, *which: Condition) -> list[Row]:
    """Members who have not retired, and whose name or number these words are part of: ``id`` and
    ``called``, as "王委员（QJP-001）". At most so many, in the order they came; ``which`` of them
    are looked at."""
    wanted = _CALLED.where(_whole_name.contains(words, autoescape=True), *which)
    return [dict(row._mapping) for row in connection.execute(wanted.limit(most))]


def so_called(connection: sa.Connection, words: str, *which: Condition) -> list[str]:
    """The ids of those whose number this is, or whose name, or both as `called` says them."""
    exactly = sa.or_(members.c.number == words, members.c.name == words, _whole_name == words)
    return [row.id for row in connection.execute(_CALLED.where(exactly, *which).limit(2))]


_whole_name = members.c.name + "（" + members.c.number + "）"
_CALLED = (
    sa.select(members.c.id, _whole_name.label("called"))
    .where(members.c.retired_on.is_(None))
    .order_by(members.c.seq)
)
