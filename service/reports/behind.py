"""The leads behind a report's numbers, as they were at its cut-off, as known when it was told."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
import sqlalchemy as sa

from service.projections.leads import leads
from service.projections.store import rows_of
from service.reads import Reads

_COLUMNS = sa.select(leads.c.id, leads.c.position, leads.c.activity_on, leads.c.body)


def leads_behind(reads: Reads, report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The leads of all its claims by id, as the API shows them.

    Those to which nothing happened since are read as they stand; the others are told anew.
    """
    ids = sorted({lead for claim in report["claims"] for lead in claim["leads"]})
    day, known_at = report["to"], report["position"]
    found: dict[str, dict[str, Any]] = {}
    with reads.store.snapshot() as connection:
        for id, position, activity_on, body in rows_of(connection, _COLUMNS, leads.c.id, ids):
            same = position <= known_at and activity_on <= day
            then = body if same else reads.body_then(connection, UUID(id), known_at, day)
            found[id] = _as_it_left(reads, connection, orjson.loads(then), report)
    return found


def _as_it_left(
    reads: Reads, connection: sa.Connection, lead: dict[str, Any], report: Mapping[str, Any]
) -> dict[str, Any]:
    """``lead``; one that had passed to another district than the report's as on the day it did."""
    district = report["district"] or ""
    if lead["district"].startswith(district):
        return lead
    day = next(
        step["on"] for step in reversed(lead["transfers"]) if step["from"].startswith(district)
    )
    then = reads.body_then(connection, UUID(lead["id"]), report["position"], day)
    left: dict[str, Any] = orjson.loads(then)
    return left
