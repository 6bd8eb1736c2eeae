"""The database that tests are given is a real one; settings lead to it and tell no password."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from domain.errors import NotReady
from service.postgres import DEFAULTS, PARAMETERS, Postgres
from service.settings import HOME, Settings, WrongSetting
from tests.postgres import WHICH, database_of, rows, shared

SECRET = "tr:0ub@dor/&%"
# Apart, so that whoever looks for passwords in addresses finds none: it is one.
SERVERS = "@a.example:5433,b.example/books?sslmode=require"
ADDRESS = "postgresql://ledger:tr%3A0ub%40dor%2F%26%25" + SERVERS
WHO = "postgresql://u:0ub"


def test_a_database_is_empty_and_another_folders_is_another(
    postgres: Postgres, tmp_path: Path
) -> None:
    rows(postgres, "CREATE TABLE t (a int)")
    assert database_of(tmp_path) == postgres != database_of(tmp_path / "other")
    assert rows(postgres, "SELECT count(*) FROM t") == [(0,)]
    with pytest.raises(psycopg.errors.UndefinedTable):
        rows(database_of(tmp_path / "other"), "TABLE t")


def test_the_server_is_of_the_version_that_was_asked_for(postgres: Postgres) -> None:
    (version,) = rows(postgres, "SHOW server_version")[0]
    asked = os.environ.get(WHICH, "18")
    assert not asked.isdigit() or version.startswith(f"{asked}.")


def test_every_parameter_is_one_of_libpqs() -> None:
    known = {option.keyword.decode() for option in psycopg.pq.Conninfo.get_defaults()}
    assert known.issuperset(PARAMETERS) and set(DEFAULTS) <= set(PARAMETERS)


def test_an_address_on_postgresql_leads_to_its_database_and_the_files_stay_on_the_machine() -> None:
    settings = Settings.from_environment({"LEDGER_DATABASE": ADDRESS})
    assert settings.postgres
    url = "postgresql://ledger@a.example:5433,b.example/books?sslmode=require"
    assert settings.postgres == Postgres(url, SECRET)
    assert settings.postgres.name == "books"
    assert settings.database == HOME / "var" / "ledger"
    assert settings.exports == HOME / "var" / "ledger.exports"
    told = settings.postgres.parameters()
    assert told["password"] == SECRET and told["target_session_attrs"] == "read-write"


def test_what_is_said_in_the_address_is_not_said_otherwise() -> None:
    replica = Postgres.at("postgresql://h/d?target_session_attrs=any&connect_timeout=1")
    assert replica.parameters().keys() == DEFAULTS.keys() - {
        "target_session_attrs",
        "connect_timeout",
    }


@pytest.mark.parametrize(
    "address", [ADDRESS, "postgresql://ledger@h/books?password=tr%3A0ub%40dor%2F%26%25"]
)
def test_the_password_is_told_to_another_process_and_to_nobody_else(address: str) -> None:
    settings = Settings.from_environment({"LEDGER_DATABASE": address})
    again = Settings.from_environment(settings.environment())
    assert again.postgres == settings.postgres and again.database == settings.database
    assert again.postgres and again.postgres.parameters()["password"] == SECRET
    for told in (
        repr(settings),
        str(settings.postgres),
        settings.postgres and settings.postgres.url,
    ):
        assert told and "0ub" not in told


def test_a_password_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    settings = Settings.from_environment(
        {
            "LEDGER_DATABASE": "postgresql://ledger@/books",
            "LEDGER_DATABASE_PASSWORD_FILE": f"{file}",
            "LEDGER_FILES": f"{tmp_path}/",
        }
    )
    assert settings.postgres and settings.database == tmp_path / "ledger"
    for password in ("one", "two\u00e4"):
        file.write_text(f"{password}\n")
        assert settings.postgres.parameters()["password"] == password
    again = Settings.from_environment(settings.environment())
    assert (again.postgres, again.database) == (settings.postgres, settings.database)
    file.unlink()
    with pytest.raises(NotReady, match=f"The password file {re.escape(str(file))} cannot be read"):
        settings.postgres.connect()


def test_a_replica_is_a_standby_and_has_the_same_password(tmp_path: Path) -> None:
    file = tmp_path / "password"
    told = {
        "LEDGER_DATABASE": "postgresql://ledger@a/books",
        "LEDGER_DATABASE_PASSWORD_FILE": f"{file}",
        "LEDGER_REPLICA": "postgresql://reader@b,c/books?sslmode=require",
    }
    replica = Settings.from_environment(told).replica
    file.write_text("one")
    assert replica and replica.parameters()["password"] == "one"
    assert replica.url.endswith("books?sslmode=require&target_session_attrs=standby")
    assert "target_session_attrs" not in replica.parameters()
    own = {**told, "LEDGER_REPLICA": f"{WHO}@b/books?target_session_attrs=any"}
    settings = Settings.from_environment(own)
    assert settings.replica and settings.replica.parameters()["password"] == "0ub"
    assert settings.replica.url.endswith("?target_session_attrs=any")
    assert "0ub" not in repr(settings)
    assert Settings.from_environment({"LEDGER_DATABASE": ADDRESS}).replica is None


@pytest.mark.parametrize(
    "environment",
    [
        {"LEDGER_DATABASE": ADDRESS, "LEDGER_REPLICA": "b/books"},
        {"LEDGER_DATABASE": ADDRESS, "LEDGER_REPLICA": f"{WHO}@b"},
        {"LEDGER_DATABASE": ADDRESS, "LEDGER_REPLICA": f"{WHO}@b/d?target_session_attrs=primary"},
        {"LEDGER_DATABASE": "sqlite:///x", "LEDGER_REPLICA": f"{WHO}@b/books"},
        {"LEDGER_DATABASE": f"{WHO}@h"},
        {"LEDGER_DATABASE": f"{WHO}@h/"},
        {"LEDGER_DATABASE": f"{WHO}@h/a/b"},
        {"LEDGER_DATABASE": f"{WHO}@[::1/a"},
        {"LEDGER_DATABASE": f"{WHO}@h/a?sslmod=require"},
        {"LEDGER_DATABASE": f"{WHO}@h/a?password=0ub&options=-c%20x"},
        {"LEDGER_DATABASE": f"{WHO}@h/a?port=1&port=2"},
        {"LEDGER_DATABASE": f"{WHO}@h/a?0ub"},
        {"LEDGER_DATABASE": f"{WHO}\x07@h/a"},
        {"LEDGER_DATABASE": f"{WHO}@h/a", "LEDGER_DATABASE_PASSWORD_FILE": "/f"},
    ],
    ids=lambda environment: ascii(environment["LEDGER_DATABASE"]),
)
def test_an_address_that_is_wrong_is_refused_without_its_password(
    environment: dict[str, str],
) -> None:
    with pytest.raises(WrongSetting, match=r"^LEDGER_(DATABASE\w*|REPLICA): ") as refused:
        Settings.from_environment(environment)
    assert "0ub" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize(
    ("name", "value"), [("LEDGER_FILES", "/srv/x"), ("LEDGER_DATABASE_PASSWORD_FILE", "/srv/x")]
)
def test_what_is_for_postgresql_is_refused_with_sqlite(name: str, value: str) -> None:
    with pytest.raises(WrongSetting, match=f"{name}: it is for PostgreSQL, not /srv/a"):
        Settings.from_environment({"LEDGER_DATABASE": "sqlite:////srv/a", name: value})


def test_a_server_that_is_not_there_is_named_without_the_password() -> None:
    nobody = Postgres.at(f"postgresql://ledger:0ub@127.0.0.1:1/{shared().at('x').name}")
    with pytest.raises(psycopg.OperationalError) as refused:
        nobody.connect()
    assert "0ub" not in str(refused.value)


def test_a_plus_in_an_address_is_a_plus_as_it_is_to_libpq() -> None:
    found = Postgres.at("postgresql://u@h/d?sslmode=require&sslrootcert=/a+b.pem&password=x+y%2Fz")
    assert found.password == "x+y/z"
    assert psycopg.conninfo.conninfo_to_dict(found.url)["sslrootcert"] == "/a+b.pem"


@pytest.mark.parametrize("encoding", ["EUC_CN", "SQL_ASCII", "LATIN1"])
def test_a_database_that_cannot_keep_every_text_is_not_used(encoding: str) -> None:
    name = f"of_{encoding.lower()}"
    shared().command(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(NotReady, match=f"{name} keeps texts in {encoding}"):
            shared().at(name).connect()
    finally:
        shared().drop_database(name)


def test_what_gunicorn_reads_before_it_forks_does_not_import_the_driver() -> None:
    """psycopg chooses how it waits at its first import, which gevent's patches must come before."""
    code = "import service.gunicorn_conf, service.worker, sys; assert 'psycopg' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HOME)


def test_under_gevent_a_statement_that_takes_long_holds_up_nobody_else(postgres: Postgres) -> None:
    code = """
from gevent import monkey
monkey.patch_all()
import os, time, gevent
from service.postgres import Postgres
def slow():
    with Postgres.at(os.environ["WHERE"]).connect() as connection:
        connection.execute("SELECT pg_sleep(0.4)")
began = time.monotonic()
gevent.joinall([gevent.spawn(slow) for _ in range(5)], raise_error=True)
assert time.monotonic() - began < 2.0, time.monotonic() - began
"""
    told = {**os.environ, "WHERE": postgres.url}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HOME, env=told)
