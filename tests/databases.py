"""On which database a test's ledger is.

``TEST_DATABASE=postgresql`` puts every ledger of a run there. In a run without it the tests that
are marked ``both_databases`` come twice: once on SQLite, once on PostgreSQL. What is about SQLite's
files is marked ``sqlite_alone`` with the reason.
"""

import fcntl
import os
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from service.application import Ledger
from service.postgres import Postgres
from service.settings import Settings
from tests.postgres import database_of, rows, shared

WHICH = "TEST_DATABASE"
NAME = "ledger.sqlite"
SQLITE, POSTGRESQL = "sqlite", "postgresql"
# Stands in a test's folder: so every process of the test knows.
_SIGN = ".on-postgresql"


def everywhere() -> bool:
    """Whether the whole run is on PostgreSQL."""
    return os.environ.get(WHICH, SQLITE) == POSTGRESQL


def put_on_postgresql(folder: Path) -> None:
    """Every ledger in this folder is on PostgreSQL from now on."""
    (folder / _SIGN).touch()


def folder_for(database: str, factory: pytest.TempPathFactory, name: str) -> Path:
    """A folder for the tests of a module, whose ledgers are on that database."""
    folder = Path(factory.mktemp(name))
    if database == POSTGRESQL:
        put_on_postgresql(folder)
    return folder


def is_on_postgresql(folder: Path) -> bool:
    """Whether a ledger there is on PostgreSQL."""
    above = folder.absolute().parents
    return everywhere() or any((place / _SIGN).exists() for place in (folder, *above))


def database_for(folder: Path) -> Postgres | None:
    """The database of a ledger there, with all its tables, where the test is for PostgreSQL."""
    return database_of(folder, _with_tables()) if is_on_postgresql(folder) else None


@cache
def _with_tables() -> str:
    """A database with all tables, which the others are copies of: made once in a run."""
    server, name = shared(), "ledger_with_tables"
    with Path(f"{server.folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (server.folder / name).exists():
            with TemporaryDirectory() as folder:
                make_tables(Path(folder), server.make_database(name))
            (server.folder / name).touch()
    return name


def make_tables(folder: Path, postgres: Postgres) -> None:
    """What a ledger makes at its first start, but for keys."""
    where = {"LEDGER_DATABASE": postgres.whole_url, "LEDGER_FILES": f"{folder / 'ledger'}"}
    ledger = Ledger(Settings.from_environment(where))
    ledger.create_tables()
    ledger.close()
    rows(postgres, "DELETE FROM ledger_keys.keys")


def address_of(folder: Path, name: str = NAME) -> dict[str, str]:
    """The environment of a process whose ledger is in the folder."""
    postgres = database_for(folder)
    if postgres is None:
        return {"LEDGER_DATABASE": f"sqlite:///{folder / name}"}
    return {"LEDGER_DATABASE": postgres.whole_url, "LEDGER_FILES": f"{folder / name}"}


def name_in_environment(monkeypatch: pytest.MonkeyPatch, folder: Path, name: str = NAME) -> None:
    """Have this process's commands be about the ledger in the folder."""
    for variable, value in address_of(folder, name).items():
        monkeypatch.setenv(variable, value)
