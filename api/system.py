"""Health, readiness, and the description of the API: what needs no token."""

from collections.abc import Callable
from functools import lru_cache

import orjson
from flask import Response, current_app
from flask_smorest import Api, Blueprint
from marshmallow import Schema

from api.answers import HealthOut, OpenApiOut
from api.app import request_now
from api.auth import authenticate, check_may
from api.endpoint import ledger
from api.openapi import POSITION, refused
from api.reply import Reply
from domain.actor import now
from service.metrics import CONTENT_TYPE, exposition
from service.readiness import Readiness

blueprint = Blueprint("system", __name__, description="Health and description; no token needed.")


def healthz() -> Reply:
    """The process answers."""
    return _json({"status": "ok"})


def readyz() -> Reply:
    """The ledger can be written, its projections follow, its book balances, and no alarm
    stands; else 503. ``lag``: how far the projections were behind the log when this was asked.
    ``detail`` tells of an export that failed or is overdue, and of a keeper that has finished no
    round for long.
    """
    readiness: Readiness = current_app.extensions["ledger-readiness"]
    ready = readiness.check(now())
    told = {"status": "ready", "lag": ready.lag._asdict()}
    return _json({**told, **({"detail": ready.detail} if ready.detail else {})})


def openapi() -> Reply:
    """The OpenAPI 3.1 document."""
    return Reply(_document(current_app.extensions["ledger-api"]), 200)


@lru_cache(maxsize=1)
def _document(api: Api) -> bytes:
    """Made once: that takes longer than any read, and whoever asks for it needs no token."""
    return orjson.dumps(api.spec.to_dict())


def _json(body: object) -> Reply:
    return Reply(orjson.dumps(body), 200)


def _route(rule: str, view: Callable[[], Reply], answer: type[Schema]) -> None:
    """Declare a route that takes nothing and needs no token."""
    done = {
        "description": "As asked.",
        "headers": POSITION,
        "content": {"application/json": {"schema": answer}},
    }
    responses = {"200": done, **({"503": refused(503)} if view is readyz else {})}
    described = blueprint.doc(responses=responses, operationId=f"system_{view.__name__}")
    blueprint.route(rule)(described(view))


_route("/healthz", healthz, HealthOut)
_route("/readyz", readyz, HealthOut)
_route("/openapi.json", openapi, OpenApiOut)


@blueprint.route("/metrics")
@blueprint.doc(
    operationId="system_metrics",
    security=[{"token": []}],
    responses={
        "200": {
            "description": "As asked.",
            "headers": POSITION,
            "content": {"text/plain": {"schema": {"type": "string"}}},
        },
        **{str(status): refused(status) for status in (401, 403, 429, 503)},
    },
)
def metrics() -> Response:
    """Figures for a monitor, in Prometheus's text format, of all workers. Nothing is brought up to
    the log's end for it, so that the lag is told as it is."""
    office = ledger()
    check_may(authenticate(office, request_now().environ), "read metrics")
    return Response(exposition(office, now()), content_type=CONTENT_TYPE)
