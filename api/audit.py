"""For auditors: the log as it is stored, its checkpoints, and what proves them."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Any

import orjson
from flask import Response, g, request
from flask_smorest import Blueprint

from api.audit_answers import (
    AccessRecordsOut,
    AlarmsOut,
    AuditEventOut,
    AuditEventsOut,
    CheckpointOut,
    CheckpointsOut,
    ConsistencyOut,
    KeysOut,
    LeadProofOut,
    VerificationOut,
)
from api.cursors import page_of, read_cursor, write_cursor
from api.endpoint import endpoint, ledger, shown
from api.openapi import POSITION
from api.reply import Reply
from api.schemas import AccessQuery, AuditEventsQuery, ConsistencyQuery, Paged
from api.stamps import reflects
from api.windows import lead_seen
from service.access.when import since, upto
from service.audit import VERIFIER
from service.projections.store import FOREVER
from service.proof import asked
from service.proof.notes import Checkpoint
from service.proof.published import Made

blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit", description="For auditors.")

NDJSON, TEXT, PYTHON = "application/x-ndjson", "text/plain", "text/x-python"


@endpoint(
    blueprint,
    "GET",
    "/events",
    "read the log",
    AuditEventsOut,
    query=AuditEventsQuery(),
    also={NDJSON: {"schema": AuditEventOut}},
)
def events(query: dict[str, Any]) -> Reply | Response:
    """The log in order: a page of it, or all the rest as lines of JSON (application/x-ndjson)."""
    audit = ledger().audit
    after = (read_cursor(query, (int,)) or [query.get("after", 0)])[0]
    if g.kind == NDJSON:
        reflects(g.position, request.environ)
        return Response(audit.stream(after, g.position), content_type=NDJSON)
    found, more = audit.events(after, query["limit"])
    cursor = write_cursor(more) if more else None
    return page_of(orjson.dumps(found), cursor, g.position)


@endpoint(
    blueprint,
    "GET",
    "/checkpoint",
    "audit",
    CheckpointOut,
    refusals=(404,),
    also={TEXT: {"schema": {"type": "string"}}},
)
def checkpoint() -> Reply | Response:
    """The present checkpoint, as JSON or as the signed note alone (text/plain)."""
    made, found = ledger().audit.checkpoint()
    if g.kind == TEXT:
        reflects(g.position, request.environ)
        return Response(made.note, content_type=f"{TEXT}; charset=utf-8")
    return shown(_told(made, found), g.position)


def _told(made: Made, found: Checkpoint) -> dict[str, Any]:
    return {
        "origin": found.origin,
        "size": found.size,
        "root": found.root.hex(),
        "made_at": made.made_at,
        "checkpoint": made.note,
    }


@endpoint(blueprint, "GET", "/checkpoints", "audit", CheckpointsOut, query=Paged())
def checkpoints(query: dict[str, Any]) -> Reply:
    """Every checkpoint that was signed, the newest first."""
    before = (read_cursor(query, (int,)) or [FOREVER])[0]
    found, more = ledger().audit.checkpoints(before, query["limit"])
    cursor = write_cursor(more) if more else None
    told = orjson.dumps([_told(*one) for one in found])
    return page_of(told, cursor, g.position, by_body=True)


@endpoint(
    blueprint,
    "GET",
    "/verification",
    "read the log",
    VerificationOut,
    also={NDJSON: {"schema": {"type": "object"}}},
)
def verification() -> Reply | Response:
    """The whole log, hashed again now and held against every checkpoint. As lines of JSON
    (application/x-ndjson) with ``done`` and ``of`` on the way."""
    if g.kind == NDJSON:
        reflects(g.position, request.environ)
        return Response(lines_of(asked.verification(ledger())), content_type=NDJSON)
    *_, found = asked.verification(ledger())
    return shown(found, g.position)


def lines_of(told: Iterable[Any]) -> Iterator[bytes]:
    """Each as a line of JSON."""
    return (orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in told)


@endpoint(blueprint, "GET", "/access", "read the log", AccessRecordsOut, query=AccessQuery())
def access(query: dict[str, Any]) -> Reply:
    """Who was refused, signed in, changed tokens or read personal data; the newest first."""
    before = (read_cursor(query, (int,)) or [None])[0]
    start, end = query.get("start"), query.get("end")
    found, more = ledger().access.listed(
        query["limit"],
        before,
        query.get("kind"),
        since(date.fromisoformat(start)) if start else None,
        upto(date.fromisoformat(end)) if end else None,
        query.get("holder"),
    )
    cursor = write_cursor(more) if more else None
    return page_of(orjson.dumps(found), cursor, g.position, by_body=True)


@endpoint(blueprint, "GET", "/keys", "audit", KeysOut)
def keys() -> Reply:
    """Every public key that ever signed checkpoints."""
    return shown({"items": ledger().audit.public_keys()}, g.position)


@endpoint(blueprint, "GET", "/alarms", "read the log", AlarmsOut)
def alarms() -> Reply:
    """Every time that the history did not hold, the newest first, and how it was ruled on."""
    return shown({"items": ledger().audit.alarms()}, g.position)


@endpoint(blueprint, "GET", "/leads/<lead_id>/proof", "audit", LeadProofOut, refusals=(404,))
def lead_proof(lead_id: str) -> Reply:
    """A lead's history as it is stored, and what proves each event under the checkpoint."""
    return shown(ledger().audit.lead_proof(lead_seen(lead_id)), g.position)


@endpoint(
    blueprint,
    "GET",
    "/consistency",
    "audit",
    ConsistencyOut,
    query=ConsistencyQuery(),
    refusals=(404,),
)
def consistency(query: dict[str, Any]) -> Reply:
    """What proves that the present checkpoint begins with the one of an earlier size."""
    return shown(ledger().audit.consistency(query["old"]), g.position)


@blueprint.route("/verifier")
@blueprint.doc(
    operationId="audit_verifier",
    responses={
        "200": {
            "description": "The program.",
            "headers": POSITION,
            "content": {PYTHON: {"schema": {"type": "string"}}},
        }
    },
)
def verifier() -> Response:
    """The program that checks all of this by itself. It holds no secret and needs no token."""
    return Response(VERIFIER.read_bytes(), content_type=f"{PYTHON}; charset=utf-8")
