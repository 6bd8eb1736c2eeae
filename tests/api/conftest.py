"""An office on files of its own, for each test that asks for one."""

import service  # noqa: F401, I001 - it comes before anything that imports sqlite3

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from flask import Flask

from api import create_app
from api.counting import Counting
from api.stamps import StampedResponses
from service.application import Ledger
from service.readiness import Readiness
from tests.api.office import Caller, Office, settings_in


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """The application; building it takes longer than any test, so it is built once."""
    built = create_app(settings_in(Path(tmp_path_factory.mktemp("app"))))
    yield built
    built.extensions["ledger"].close()


@pytest.fixture
def office(app: Flask, tmp_path: Path) -> Iterator[Office]:
    """A new office: the application, put together as create_app does it, on its own ledger."""
    first = app.extensions["ledger"]
    ledger = Ledger(settings_in(tmp_path))
    ledger.create_tables()
    serve(app, ledger)
    yield Office(app)
    serve(app, first)
    ledger.close()


def serve(app: Flask, ledger: Ledger) -> None:
    """Let the application answer from this ledger."""
    app.extensions["ledger"] = ledger
    app.extensions["ledger-readiness"] = Readiness(ledger)
    app.wsgi_app = StampedResponses(  # type: ignore[method-assign]
        partial(Flask.wsgi_app, app), ledger, Counting(app)
    )


@pytest.fixture
def officer(office: Office) -> Caller:
    """An officer of the office."""
    return office.officer


@pytest.fixture
def member_id(officer: Caller) -> str:
    """A member that the office knows."""
    found: str = officer.register()["id"]
    return found
