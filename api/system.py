"""Health, readiness, and the description of the API: what needs no token."""

from collections.abc import Callable

import orjson
from flask import Response, current_app
from flask_smorest import Api, Blueprint
from marshmallow import Schema

from api.answers import HealthOut, OpenApiOut
from api.endpoint import ledger
from api.openapi import POSITION, refused
from api.reply import Reply
from domain.actor import now
from domain.errors import NotReady
from service.exports.failing import what_is_wrong
from service.metrics import CONTENT_TYPE, exposition
from service.proof.rounds import what_is_late

blueprint = Blueprint("system", __name__, description="Health and description; no token needed.")


def healthz() -> Reply:
    """The process answers."""
    return _json({"status": "ok"})


def readyz() -> Reply:
    """The ledger can be written, its projections follow, its book balances, and no alarm
    stands; else 503. ``detail`` tells of an export that failed or is overdue, and of a keeper
    that has finished no round for long.
    """
    found = ledger()
    found.log_recorder.try_write()
    found.reads.position()
    found.published.check_quiet(found.reads.data_version())
    if not found.reads.whole_book_balances():
        raise NotReady("The trial balance is not zero: the book must not be trusted.", 60)
    moment = now()
    wrong = what_is_wrong(found.settings, found.reads, moment)
    detail = " ".join(filter(None, (wrong, what_is_late(found.settings, moment))))
    return _json({"status": "ready", **({"detail": detail} if detail else {})})


def openapi() -> Reply:
    """The OpenAPI 3.1 document."""
    api: Api = current_app.extensions["ledger-api"]
    return _json(api.spec.to_dict())


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
    responses={
        "200": {
            "description": "As asked.",
            "headers": POSITION,
            "content": {"text/plain": {"schema": {"type": "string"}}},
        }
    },
)
def metrics() -> Response:
    """Figures for a monitor, in Prometheus's text format."""
    return Response(exposition(ledger(), now()), content_type=CONTENT_TYPE)
