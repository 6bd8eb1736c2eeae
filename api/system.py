"""Health, readiness, and the description of the API: what needs no token."""

from typing import Any

import orjson
from flask import Response, current_app, g
from flask_smorest import Api, Blueprint
from marshmallow import Schema

from api.answers import HealthOut, ProblemOut
from api.endpoint import ledger
from domain.errors import NotReady

blueprint = Blueprint("system", __name__, description="Health and description; no token needed.")


def _described(*statuses: int, answer: type[Schema] = Schema) -> dict[str, Any]:
    """The description of an operation that takes nothing."""
    problem = {"application/problem+json": {"schema": ProblemOut}}
    answers = {"application/json": {"schema": answer}}
    return {
        "responses": {
            str(status): {
                "description": "As asked." if status == 200 else "not-ready: try again later",
                "content": answers if status == 200 else problem,
            }
            for status in statuses
        }
    }


@blueprint.route("/healthz")
@blueprint.doc(**_described(200, answer=HealthOut))
def healthz() -> Response:
    """The process answers."""
    return _json({"status": "ok"})


@blueprint.route("/readyz")
@blueprint.doc(**_described(200, 503, answer=HealthOut))
def readyz() -> Response:
    """The ledger can be written, its projections follow, and its book balances; else 503."""
    found = ledger()
    found.log_recorder.try_write()
    g.position = found.reads.position()
    if not found.reads.whole_book_balances():
        raise NotReady("The trial balance is not zero: the book must not be trusted.", 60)
    return _json({"status": "ready"})


@blueprint.route("/openapi.json")
@blueprint.doc(**_described(200))
def openapi() -> Response:
    """The OpenAPI 3.1 document."""
    api: Api = current_app.extensions["ledger-api"]
    return _json(api.spec.to_dict())


def _json(body: object) -> Response:
    return Response(orjson.dumps(body), content_type="application/json")
