"""How the world reaches the ledger: REST over Flask."""

from uuid import uuid4

from flask import Flask, Response, current_app, g
from flask_smorest import Api
from flask_swagger_ui import get_swaggerui_blueprint

from api import leads, members, pipeline, system
from api.errors import register_errors
from service.application import Ledger
from service.settings import Settings

MOST_BYTES = 1024 * 1024
VERSION = "1"


def create_app(settings: Settings) -> Flask:
    """The web application on the ledger that ``settings`` name. Build it after any fork."""
    app = Flask(__name__)
    app.config.update(
        MAX_CONTENT_LENGTH=MOST_BYTES,
        API_TITLE="Lead Ledger",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    ledger = Ledger(settings)
    ledger.create_tables()
    app.extensions["ledger"] = ledger
    api = Api(app)
    app.extensions["ledger-api"] = api
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for resource in (members, leads, pipeline, system):
        api.register_blueprint(resource.blueprint)
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json"))
    register_errors(app)
    app.before_request(_name_request)
    app.after_request(_add_headers)
    return app


def _name_request() -> None:
    g.request_id = uuid4().hex


def _add_headers(response: Response) -> Response:
    headers = response.headers
    seen = current_app.extensions["ledger"].reads.seen_position
    headers["Ledger-Position"] = str(max(g.get("position", 0), seen))
    headers["X-Request-Id"] = g.request_id
    headers["X-Content-Type-Options"] = "nosniff"
    return response
