"""What all tests share: the server of PostgreSQL, which the first that asks for it starts."""

import service  # noqa: F401, I001 - it comes before anything that imports sqlite3

import gc
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from service.postgres import Postgres
from tests import databases, room
from tests import postgres as servers


# How long an example took is nothing that a test may fail by: machines are shared.
hypothesis.settings.register_profile(
    "untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    """Every process of the run knows where its files and the server are."""
    room.settle(config.option.markexpr)
    servers.announce()


def pytest_unconfigure() -> None:
    """It goes with the run."""
    servers.end()


@pytest.fixture
def postgres(tmp_path: Path) -> Postgres:
    """An empty database."""
    return servers.database_of(tmp_path)


def pytest_collection_finish() -> None:
    """What was loaded and collected stays: whoever looks for rubbish need not look there again."""
    gc.collect()
    gc.freeze()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """The tests of both databases come once for each."""
    marked = metafunc.definition.get_closest_marker
    alone = databases.everywhere() or marked("sqlite_alone")
    in_folder = {"tmp_path", "tmp_path_factory"} & set(metafunc.fixturenames)
    if marked("both_databases") and in_folder and not alone:
        kinds = (databases.SQLITE, databases.POSTGRESQL)
        metafunc.parametrize("database", kinds, indirect=True, scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where everything is on PostgreSQL, what is about SQLite's files is left out."""
    for item in items:
        mark = item.get_closest_marker("sqlite_alone")
        if mark and databases.everywhere():
            item.add_marker(pytest.mark.skip(reason=f"about SQLite alone: {mark.args[0]}"))


@pytest.fixture(scope="module", autouse=True)
def database(request: pytest.FixtureRequest) -> str:
    """On which database the ledgers in a test's folder are."""
    return getattr(request, "param", databases.SQLITE)


@pytest.fixture(autouse=True)
def _put_there(request: pytest.FixtureRequest, database: str) -> None:
    """The ledgers of this test are on the database that it is for."""
    if database == databases.POSTGRESQL:
        databases.put_on_postgresql(request.getfixturevalue("tmp_path"))


@pytest.fixture(autouse=True)
def _databases_dropped(request: pytest.FixtureRequest) -> Iterator[None]:
    """No test leaves a database behind."""
    named = "tmp_path" in request.fixturenames
    folder: Path | None = request.getfixturevalue("tmp_path") if named else None
    yield
    if folder is not None:
        servers.drop_databases_in(folder)
