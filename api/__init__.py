"""How the world reaches the ledger: REST over Flask."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from flask_smorest import Api
from flask_swagger_ui import get_swaggerui_blueprint

from api import audit, leads, members, pipeline, system
from api.errors import register_errors
from api.stamps import StampedResponses
from service.application import Ledger
from service.settings import Settings

MOST_BYTES = 1024 * 1024
VERSION = "1"


class LedgerApi(Api):
    """flask-smorest's registry of routes, without the error answer of its own that it documents."""

    DEFAULT_ERROR_RESPONSE_NAME = None


class NoSessions(SessionInterface):
    """Every request proves itself by its token: there is no session to open, or to keep."""

    _none = NullSession()

    def open_session(self, _app: Flask, _request: Request) -> SessionMixin:
        """The session that holds nothing."""
        return self._none

    def is_null_session(self, _obj: object) -> bool:
        """It is never kept."""
        return True


class LedgerApp(Flask):
    """Flask without sessions, and without asking of every function whether it is a coroutine."""

    session_interface = NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` as it is."""
        return func


def create_app(settings: Settings) -> Flask:
    """The web application on the ledger that ``settings`` name. Build it after any fork."""
    app = LedgerApp(__name__, static_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=MOST_BYTES,
        API_TITLE="Lead Ledger",
        API_VERSION=VERSION,
        OPENAPI_VERSION="3.1.0",
    )
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    ledger = Ledger(settings)
    ledger.create_tables()
    # Open the log now: a worker that cannot is to say so at its start.
    ledger.reads.data_version()
    app.extensions["ledger"] = ledger
    api = LedgerApi(app)
    app.extensions["ledger-api"] = api
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for resource in (members, leads, pipeline, audit, system):
        api.register_blueprint(resource.blueprint)
    app.register_blueprint(get_swaggerui_blueprint("/docs", "/openapi.json"))
    register_errors(app)
    app.wsgi_app = StampedResponses(app.wsgi_app, ledger)  # type: ignore[method-assign]
    return app
