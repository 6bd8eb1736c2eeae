"""The sealed reports, as they were published."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from domain.report import Report
from service.projections.store import Happened, inserting, metadata
from service.projections.view import recorded_at

SEALED = "report.sealed"

reports = sa.Table(
    "reports",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    # The position of its event: the order in which reports were sealed.
    sa.Column("seq", sa.BigInteger, nullable=False, unique=True),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("year", sa.Integer, nullable=False),
    # '' for all districts.
    sa.Column("district", sa.String(6), nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.UniqueConstraint("kind", "year", "district", "number"),
)


class Sealed:
    """Answers: which reports were sealed, and what do they say?"""

    name = "reports"
    tables: Sequence[sa.Table] = (reports,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Keep every sealed report."""
        sealed = [h for h in batch if h.event.TOPIC == SEALED]
        _KEEP.many(connection, [_row(h.position, h.event) for h in sealed])


_KEEP = inserting(reports)


def _row(position: int, event: Any) -> tuple[Any, ...]:
    body = orjson.dumps(shown(event))
    place = (event.kind, event.year, event.district or "", event.number)
    return (str(event.originator_id), position, *place, body)


def shown(event: Any) -> dict[str, Any]:
    """A sealed report as it is read."""
    return {
        "id": str(event.originator_id),
        "kind": event.kind,
        "year": event.year,
        "from": event.start,
        "to": event.end,
        "district": event.district,
        "rule": event.rule,
        "position": event.known_at,
        "text": event.text,
        "claims": event.claims,
        "digest": event.digest,
        "number": event.number,
        "follows": _before(event),
        "sealed_on": event.occurred_on,
        "sealed_at": recorded_at(event),
        "sealed_by": event.actor,
        "note": event.note,
    }


def _before(event: Any) -> str | None:
    if event.number == 1:
        return None
    return str(Report.create_id(event.kind, event.year, event.district, event.number - 1))


def last_number(connection: sa.Connection, kind: str, year: int, district: str | None) -> int:
    """The number of the last report of a year and district; 0 before the first."""
    alike = reports.c.kind == kind, reports.c.year == year, reports.c.district == (district or "")
    found = connection.execute(sa.select(sa.func.max(reports.c.number)).where(*alike)).scalar()
    return found or 0


def follower(connection: sa.Connection, report: Mapping[str, Any]) -> str | None:
    """The id of the report that followed this one; None while it is the last."""
    alike = (
        reports.c.kind == report["kind"],
        reports.c.year == report["year"],
        reports.c.district == (report["district"] or ""),
        reports.c.number == report["number"] + 1,
    )
    found: str | None = connection.execute(sa.select(reports.c.id).where(*alike)).scalar()
    return found
