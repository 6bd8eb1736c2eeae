"""Which event of which lead stands at which position of the log."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from service.projections.store import metadata

history = sa.Table(
    "history",
    metadata,
    sa.Column("lead_id", sa.String(36), primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)


class History:
    """Answers: at which position was each version recorded, and which was known at one?"""

    name = "history"
    tables: Sequence[sa.Table] = (history,)

    def project(self, connection: sa.Connection, batch: Sequence[tuple[int, Any]]) -> None:
        """Note every event of every lead."""
        rows = [
            {
                "lead_id": str(event.originator_id),
                "version": event.originator_version,
                "position": position,
            }
            for position, event in batch
            if event.TOPIC.startswith("lead.")
        ]
        if rows:
            connection.execute(sa.insert(history), rows)


_POSITIONS = (
    sa.select(history.c.version, history.c.position)
    .where(history.c.lead_id == sa.bindparam("lead"), history.c.version > sa.bindparam("after"))
    .order_by(history.c.version)
)
_KNOWN = sa.select(sa.func.max(history.c.version)).where(
    history.c.lead_id == sa.bindparam("lead"), history.c.position <= sa.bindparam("position")
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
