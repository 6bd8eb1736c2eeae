"""No SQLite that can lose a committed write is ever used."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from service import safe_sqlite
from service.log_sqlite import SQLiteRecorder

HOME = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("version", "safe"),
    [
        ((3, 7, 0), False),
        ((3, 8, 11), False),
        ((3, 40, 1), False),
        ((3, 44, 0), False),
        ((3, 44, 5), False),
        ((3, 44, 6), True),
        ((3, 44, 9), True),
        ((3, 45, 0), False),
        ((3, 45, 9), False),
        ((3, 46, 6), False),
        ((3, 49, 7), False),
        ((3, 50, 0), False),
        ((3, 50, 6), False),
        ((3, 50, 7), True),
        ((3, 51, 0), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), True),
        ((3, 53, 4), True),
        ((4, 0, 0), True),
    ],
)
def test_only_versions_with_the_repair_are_safe(version: tuple[int, ...], safe: bool) -> None:
    assert safe_sqlite.is_safe(version) is safe


def test_the_sqlite_that_runs_is_a_safe_one(tmp_path: Path) -> None:
    now = importlib.import_module("sqlite3")
    assert safe_sqlite.is_safe(now.sqlite_version_info)
    assert now.sqlite_version == safe_sqlite.VERSION
    recorder = SQLiteRecorder(tmp_path / "ledger.sqlite", 1)
    recorder.create_table()
    with recorder.writing() as connection:
        assert type(connection) is now.Connection
        (version,) = connection.execute("SELECT sqlite_version()").fetchone()
    recorder.close()
    assert safe_sqlite.is_safe(tuple(map(int, version.split("."))))


def test_sqlalchemy_and_the_library_are_given_the_safe_one_too() -> None:
    program = (
        "import service.application as a, sqlalchemy as sa, eventsourcing.sqlite as es\n"
        "from service.safe_sqlite import VERSION\n"
        "loaded = sa.create_engine('sqlite://').dialect.loaded_dbapi.sqlite_version\n"
        "assert loaded == es.sqlite3.sqlite_version == VERSION, (loaded, VERSION)\n"
        "assert a.Ledger\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=HOME)


def test_without_a_safe_sqlite_the_service_does_not_start() -> None:
    asked = "import sqlite3; print(sqlite3.sqlite_version)"
    run = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    linked = run.stdout.strip()
    if safe_sqlite.is_safe(tuple(map(int, linked.split(".")))):
        pytest.skip("This interpreter links a safe SQLite: there is nothing to refuse.")
    # None in sys.modules is how Python says that a module is not installed.
    program = "import sys; sys.modules['pysqlite3'] = None; import service.log"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=HOME, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    last = run.stderr.splitlines()[-1]
    assert last.startswith(f"RuntimeError: SQLite {linked} can lose committed")
    assert "install pysqlite3" in last


def test_nothing_bytes_and_truths_come_back_as_they_went() -> None:
    connection = importlib.import_module("sqlite3").connect(":memory:")
    given = (None, b"\0\xff", True, False, 7, "字")
    kinds = "typeof(?1), typeof(?2), typeof(?3), typeof(?4), typeof(?5), typeof(?6)"
    found = connection.execute(f"SELECT ?1, ?2, ?3, ?4, ?5, ?6, {kinds}", given).fetchone()
    connection.close()
    assert found == (*given, "null", "blob", "integer", "integer", "integer", "text")
