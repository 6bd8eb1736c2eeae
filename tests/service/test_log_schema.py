"""The schema of the log comes about step by step, under a lock, whatever version is there."""

from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import StoredEvent

from domain.errors import NotReady
from service.log_postgres import PostgresRecorder
from service.log_schema import MIGRATIONS, migrate
from service.migrating import Migration
from service.postgres import Postgres
from service.projections.postgres_pool import Connections
from tests.postgres import database_of, rows
from tests.service.helpers import processes

# How the schema of each version looks from outside: (table, column, type), in order.
COLUMNS = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns "
    "WHERE table_schema = 'ledger' ORDER BY table_name, ordinal_position"
)
FUNCTIONS = (
    "SELECT p.proname, pg_get_functiondef(p.oid) FROM pg_proc p "
    "WHERE p.pronamespace = 'ledger'::regnamespace ORDER BY p.proname"
)


def bring(postgres: Postgres, steps: int | None = None, patience: float = 10) -> None:
    """Bring the database to a version: the present one, unless ``steps`` says so."""
    connections = Connections(postgres, patience)
    connections.begin()
    try:
        with connections.one() as connection:
            migrate(connection, patience, MIGRATIONS[:steps])
    finally:
        connections.end()


def shape(postgres: Postgres) -> list[Any]:
    """The schema from outside."""
    return [rows(postgres, COLUMNS), rows(postgres, FUNCTIONS)]


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_every_earlier_version_becomes_the_present_one_and_keeps_its_events(
    postgres: Postgres, tmp_path: Path, version: int
) -> None:
    bring(postgres, version)
    some = ["position", "originator_id", "originator_version", "topic", "state"]
    wrote = f"INSERT INTO ledger.stored_events ({', '.join(some)}) VALUES (1, %s, 1, 't', 'x')"
    rows(postgres, wrote, uuid4())
    before = rows(postgres, "TABLE ledger.stored_events")
    with closing(PostgresRecorder(Connections(postgres, 10))) as recorder:
        recorder.create_table()
        assert rows(postgres, "TABLE ledger.stored_events") == before
        assert recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"{}")]) == [2]
        recorder.try_write()
    fresh = database_of(tmp_path / "fresh")
    bring(fresh)
    assert shape(postgres) == shape(fresh)
    done = [number for (number,) in rows(postgres, "SELECT number FROM ledger.migrations")]
    assert sorted(done) == list(range(1, len(MIGRATIONS) + 1))


def bring_at_once(barrier: Any, postgres: Postgres) -> None:
    """As a worker that starts."""
    barrier.wait()
    with closing(PostgresRecorder(Connections(postgres, 30))) as recorder:
        recorder.create_table()
        recorder.insert_events([StoredEvent(uuid4(), 1, "t", b"{}")])


def test_six_that_start_at_once_on_an_empty_database_all_come_up(postgres: Postgres) -> None:
    processes(bring_at_once, *[(postgres,)] * 6)
    assert rows(postgres, "SELECT max(position) FROM ledger.stored_events") == [(6,)]


def test_a_step_that_fails_is_not_done_at_all_and_done_later(
    postgres: Postgres,
) -> None:
    bring(postgres)
    wrong = Migration("half done", "CREATE TABLE ledger.half (a int); SELECT 1 / 0;")
    connections = Connections(postgres, 5)
    connections.begin()
    with pytest.raises(NotReady, match="division by zero"), connections.one() as connection:
        migrate(connection, 5, (*MIGRATIONS, wrong))
    connections.end()
    assert rows(postgres, "SELECT to_regclass('ledger.half')") == [(None,)]
    assert rows(postgres, "SELECT max(number) FROM ledger.migrations") == [(len(MIGRATIONS),)]


def test_a_step_waits_for_a_reader_no_longer_than_a_command_waits(postgres: Postgres) -> None:
    bring(postgres)
    step = Migration("a lock on the log", "ALTER TABLE ledger.stored_events ADD COLUMN more text;")
    connections = Connections(postgres, 0.3)
    connections.begin()

    def take() -> None:
        with connections.one() as connection:
            migrate(connection, 0.3, (*MIGRATIONS, step))

    with postgres.connect(autocommit=False) as reader:
        reader.execute("SELECT count(*) FROM ledger.stored_events")
        with pytest.raises(NotReady, match=r"Waited 0\.3 s"):
            take()
    take()
    connections.end()
    assert ("stored_events", "more", "text") in rows(postgres, COLUMNS)


def test_a_schema_of_a_later_release_is_refused(postgres: Postgres) -> None:
    bring(postgres)
    rows(postgres, "INSERT INTO ledger.migrations (number, about) VALUES (99, 'to come')")
    with pytest.raises(NotReady, match="version 99, made by a later release"):
        bring(postgres)


def test_where_the_schema_is_the_present_one_nothing_is_locked(postgres: Postgres) -> None:
    """A worker starts while another one is in the middle of whatever it does."""
    bring(postgres)
    with postgres.connect(autocommit=False) as other:
        other.execute("SELECT pg_advisory_xact_lock(7104202)")
        other.execute("LOCK TABLE ledger.stored_events IN EXCLUSIVE MODE")
        bring(postgres, patience=0.2)
