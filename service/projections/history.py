"""Which event of which lead stands at which position of the log."""

from collections.abc import Sequence

import sqlalchemy as sa

from service.projections.leads import leads
from service.projections.store import Happened, inserting, metadata

history = sa.Table(
    "history",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


class History:
    """Answers: at which position was each version recorded, and which was known at one?"""

    name = "history"
    tables: Sequence[sa.Table] = (history,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Note every event of every lead."""
        rows = [(h.lead, h.event.originator_version, h.position) for h in batch if h.lead]
        _KEEP.many(connection, rows)


_KEEP = inserting(history)
_NUMBER = sa.select(leads.c.number).where(leads.c.id == sa.bindparam("lead")).scalar_subquery()
_POSITIONS = (
    sa.select(history.c.version, history.c.position)
    .where(history.c.lead == _NUMBER, history.c.version > sa.bindparam("after"))
    .order_by(history.c.version)
)
_KNOWN = sa.select(sa.func.max(history.c.version)).where(
    history.c.lead == _NUMBER, history.c.position <= sa.bindparam("position")
)


def positions(connection: sa.Connection, lead_id: str, after: int = 0) -> dict[int, int]:
    """Version → position of the lead's events with a version over ``after``."""
    found = connection.execute(_POSITIONS, {"lead": lead_id, "after": after})
    return {row.version: row.position for row in found}


def version_known_at(connection: sa.Connection, lead_id: str, position: int) -> int | None:
    """The lead's last version recorded up to ``position``; None when it was not known yet."""
    known: int | None = connection.execute(
        _KNOWN, {"lead": lead_id, "position": position}
    ).scalar_one()
    return known
