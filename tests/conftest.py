"""What all tests share: the server of PostgreSQL, which the first that asks for it starts."""

import service  # noqa: F401, I001 - it comes before anything that imports sqlite3

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.postgres import Postgres
from tests import postgres as servers


def pytest_configure() -> None:
    """Every process of the run knows where the server is."""
    servers.announce()


def pytest_unconfigure() -> None:
    """It goes with the run."""
    servers.end()


@pytest.fixture
def postgres(tmp_path: Path) -> Postgres:
    """An empty database."""
    return servers.database_of(tmp_path)


@pytest.fixture(autouse=True)
def _databases_dropped(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a database behind."""
    named = "tmp_path" in request.fixturenames
    folder: Path | None = request.getfixturevalue("tmp_path") if named else None
    yield
    if folder is not None:
        servers.drop_databases_in(folder)
