"""How the world reaches the ledger: REST over Flask, and pages beside it."""

from flask import Flask
from flask_smorest import Api

from api import (
    audit,
    exports,
    imports,
    leads,
    members,
    pipeline,
    reports,
    subjects,
    system,
    tokens,
    worklist,
)
from api.app import LedgerApp
from api.counting import Counting
from api.docs import register_docs
from api.errors import register_errors
from api.hosts import KnownHosts
from api.json_body import MOST_BYTES
from api.pages import register_pages
from api.stamps import StampedResponses
from api.tracing import traced
from service.application import Ledger
from service.journal import configure
from service.readiness import Readiness
from service.settings import Settings

VERSION = "1"


class LedgerApi(Api):
    """flask-smorest's registry of routes, without the error answer of its own that it documents."""

    DEFAULT_ERROR_RESPONSE_NAME = None


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
    configure(settings)
    ledger = Ledger(settings)
    ledger.create_tables()
    # Open the log now: a worker that cannot is to say so at its start.
    ledger.reads.data_version()
    app.extensions["ledger"] = ledger
    app.extensions["ledger-readiness"] = Readiness(ledger)
    api = LedgerApi(app)
    app.extensions["ledger-api"] = api
    api.spec.components.security_scheme("token", {"type": "http", "scheme": "bearer"})
    for resource in (
        members,
        leads,
        subjects,
        pipeline,
        worklist,
        reports,
        exports,
        imports,
        audit,
        tokens,
        system,
    ):
        api.register_blueprint(resource.blueprint)
    register_docs(app)
    register_errors(app)
    register_pages(app)
    known = KnownHosts(app.wsgi_app, settings.hosts) if settings.hosts else app.wsgi_app
    stamped = StampedResponses(known, ledger, Counting(app))
    app.wsgi_app = traced(stamped, ledger)  # type: ignore[assignment,method-assign]
    return app
