"""Stores on PostgreSQL: what is lost comes back, what is destroyed is gone, nobody waits long."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import sqlalchemy as sa

from domain.errors import NotReady
from service.postgres import Postgres
from service.projections import postgres_pool
from service.projections.postgres_pool import Lost, connections_to, driver_of
from service.projections.postgres_store import PostgresStore
from service.projections.store import Prepared, builds
from tests.postgres import database_of, kept_as, rows, shared
from tests.service.helpers import PATIENCE, processes

metadata = sa.MetaData()
notes = sa.Table(
    "notes",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("text", sa.Text, nullable=False, index=True),
)
replaced = sa.MetaData()
notes.to_metadata(replaced)
builds.to_metadata(replaced)

COUNT = Prepared(lambda _insert: sa.select(sa.func.count()).select_from(notes), [])


def store_at(
    postgres: Postgres,
    schema: str = "ledger_keys",
    tables: sa.MetaData = metadata,
    patience: float = 0.3,
) -> PostgresStore:
    """A store there, durable unless it is of the tables that may be replaced."""
    connections = connections_to(postgres, patience)
    kept = kept_as("notes", schema, tables) if tables is metadata else None
    return PostgresStore(connections, schema, tables, kept)


@pytest.fixture
def store(postgres: Postgres) -> Iterator[PostgresStore]:
    """A store of one table."""
    with closing(store_at(postgres)) as store:
        store.create_tables()
        yield store


@pytest.fixture
def live(postgres: Postgres) -> Iterator[PostgresStore]:
    """A store whose tables may be replaced."""
    with closing(store_at(postgres, "ledger_projections", replaced)) as store:
        store.create_tables()
        yield store


def write(store: PostgresStore, *ids: int, text: str = "x") -> None:
    """Add rows."""
    with store.writing() as connection:
        connection.execute(sa.insert(notes), [{"id": id, "text": text} for id in ids])


def count(store: PostgresStore) -> int:
    """How many rows there are."""
    found: int = store.first(COUNT)[0]
    return found


def terminate(postgres: Postgres) -> None:
    """End every connection to the database but the one that does so."""
    rows(
        postgres,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )


# Connections


def test_a_single_question_is_asked_again_where_the_connection_was_ended(
    store: PostgresStore, postgres: Postgres
) -> None:
    write(store, 1)
    for _ in range(3):
        terminate(postgres)
        assert count(store) == 1


def test_whoever_meets_the_end_of_a_connection_is_not_ready_once(
    store: PostgresStore, postgres: Postgres
) -> None:
    with ExitStack() as held:
        for _ in range(4):
            held.enter_context(store.reading())
        # So that there are several in the pool.
    terminate(postgres)
    with pytest.raises(NotReady, match="cannot be used just now: terminating connection"):
        write(store, 1)
    for number in range(2, 6):
        write(store, number)
    assert count(store) == 4


def test_a_transaction_whose_connection_is_ended_leaves_nothing(
    store: PostgresStore, postgres: Postgres
) -> None:
    with pytest.raises(Lost), store.writing() as connection:  # noqa: PT012
        connection.execute(sa.insert(notes), {"id": 1, "text": "x"})
        terminate(postgres)
        connection.execute(sa.insert(notes), {"id": 2, "text": "x"})
    assert count(store) == 0
    write(store, 1)


def test_a_server_that_takes_no_writes_any_more_is_left_for_one_that_does(
    store: PostgresStore,
) -> None:
    with store.reading() as connection:
        # As a connection to a primary that was made a standby.
        connection.exec_driver_sql("SET default_transaction_read_only = on")
    with pytest.raises(NotReady, match="read-only transaction"):
        write(store, 1)
    write(store, 1)
    assert count(store) == 1


def test_who_still_has_a_connection_when_the_last_user_goes_closes_it_afterwards(
    postgres: Postgres,
) -> None:
    connections = connections_to(postgres, 0.5)
    connections.begin()
    with connections.one() as held:
        driver = driver_of(held)
        connections.end()
        assert not driver.closed
    assert driver.closed


def test_no_more_than_so_many_use_a_connection_at_once_and_none_waits_for_itself(
    store: PostgresStore,
) -> None:
    go_on, busy = Event(), Event()
    held: list[int] = []

    def hold() -> None:
        with store.reading(), store.reading():
            held.append(1)
            if len(held) == postgres_pool.MOST:
                busy.set()
            assert go_on.wait(PATIENCE)

    threads = [Thread(target=hold) for _ in range(postgres_pool.MOST)]
    for thread in threads:
        thread.start()
    assert busy.wait(PATIENCE)
    with pytest.raises(NotReady, match=r"Waited 0\.3 s for a connection"):
        count(store)
    go_on.set()
    for thread in threads:
        thread.join()
    assert count(store) == 0


def test_a_database_that_is_not_there_is_not_ready_until_it_is(tmp_path: Path) -> None:
    postgres = database_of(tmp_path)
    shared().drop_database(postgres.name)
    with closing(store_at(postgres)) as store:
        with pytest.raises(NotReady, match="does not exist"):
            store.create_tables()
        shared().make_database(postgres.name)
        store.create_tables()
        write(store, 1)


def test_a_process_that_was_forked_has_connections_of_its_own(store: PostgresStore) -> None:
    write(store, 1)
    child = os.fork()
    if not child:
        with suppress(BaseException):
            os._exit(count(store))
        os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 1
    assert count(store) == 1


def test_what_stands_in_rows_stands_in_no_error(store: PostgresStore) -> None:
    write(store, 1, text="13800000001")
    with pytest.raises(sa.exc.IntegrityError) as twice:
        write(store, 1, text="13800000002")
    assert "13800000002" not in f"{twice.value}"
    with pytest.raises(NotReady) as wrong, store.writing() as connection:
        connection.execute(sa.text("SELECT CAST(text AS INTEGER) FROM notes")).all()
    assert "cannot be used just now" in f"{wrong.value}"


def make(barrier: Any, folder: Path) -> int:
    """Make the tables together with others."""
    with closing(store_at(database_of(folder), patience=PATIENCE)) as store:
        barrier.wait()
        store.create_tables()
        return count(store)


def test_tables_are_made_once_whoever_starts_first(tmp_path: Path) -> None:
    database_of(tmp_path)
    assert processes(make, *[(tmp_path,)] * 6) == [0] * 6


def test_whoever_stops_while_it_writes_is_ended_by_the_server(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.writing() as connection:
        ends = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
    assert ends == "1min"
    with store.reading() as connection:
        ends = connection.exec_driver_sql("SHOW idle_in_transaction_session_timeout").scalar_one()
    assert ends == "0"


# Destroyed


def stands_in_a_file(postgres: Postgres, text: str) -> bool:
    """Whether the text is in the table's file, or its index's, on the disk."""
    rows(postgres, "CHECKPOINT")
    found = rows(
        postgres,
        "SELECT pg_relation_filepath(c.oid) FROM pg_class c "
        "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'ledger_keys'",
    )
    files = [shared().data / path for (path,) in found if path]
    assert files
    return any(text.encode() in file.read_bytes() for file in files)


def test_of_what_was_deleted_nothing_stays_in_the_files(
    store: PostgresStore, postgres: Postgres
) -> None:
    write(store, 1, text="destroyed")
    write(store, 2, text="kept")
    with store.writing() as connection:
        connection.execute(sa.delete(notes).where(notes.c.id == 1))
    assert stands_in_a_file(postgres, "destroyed"), "deleting alone does not do it"
    store.wipe()
    assert not stands_in_a_file(postgres, "destroyed")
    assert stands_in_a_file(postgres, "kept")
    assert count(store) == 1
    write(store, 3)


def test_destroying_waits_for_who_reads_what_was_before_and_is_not_ready_meanwhile(
    store: PostgresStore, postgres: Postgres
) -> None:
    write(store, 1, text="destroyed")
    with postgres.connect() as other:
        other.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        assert other.execute("SELECT count(*) FROM ledger_keys.notes").fetchall() == [(1,)]
        with store.writing() as connection:
            connection.execute(sa.delete(notes))
        with pytest.raises(NotReady):
            store.wipe()
        assert other.execute("SELECT count(*) FROM ledger_keys.notes").fetchall() == [(1,)]
        other.execute("COMMIT")
    store.wipe()
    assert not stands_in_a_file(postgres, "destroyed")


# Replaced


def rebuilt(store: PostgresStore, *ids: int) -> None:
    """Put a schema with these rows in the place of the live one."""
    with store.shadow() as shadow:
        with shadow.transaction() as connection:
            connection.execute(sa.insert(builds), {"id": f"{ids}"})
            connection.execute(sa.insert(notes), [{"id": id, "text": "anew"} for id in ids])
        shadow.finish()
        with store.alone():
            shadow.put_in_place()


def schemas(postgres: Postgres) -> list[str]:
    """Ours, in order."""
    asked = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'ledger%%' ORDER BY 1"
    return [name for (name,) in rows(postgres, asked)]


def layout(postgres: Postgres) -> list[Any]:
    """Every index and constraint of the live schema."""
    return rows(
        postgres,
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'ledger_projections' ORDER BY 1",
    )


def test_a_new_schema_takes_the_place_of_the_old_one_with_all_its_indexes(
    live: PostgresStore, postgres: Postgres
) -> None:
    before = layout(postgres)
    assert len(before) == 3
    generation = live.follow()
    rebuilt(live, 1, 2, 3)
    assert schemas(postgres) == ["ledger_projections"]
    assert count(live) == 3
    assert live.follow() == generation + 1 == live.follow()
    assert layout(postgres) == before
    rebuilt(live, 1)
    assert count(live) == 1


def test_whoever_reads_in_a_snapshot_keeps_its_rows_and_the_switch_waits_for_its_end(
    live: PostgresStore, postgres: Postgres
) -> None:
    write(live, 1)
    with live.snapshot() as connection:
        assert COUNT.one(connection) == (1,)
        other = store_at(postgres, "ledger_projections", replaced, PATIENCE)
        switching = Thread(target=rebuilt, args=(other, 1, 2))
        switching.start()
        switching.join(0.7)
        assert switching.is_alive()
        assert COUNT.one(connection) == (1,)
        assert count(live) == 1, "who asks one thing does not wait"
    switching.join(PATIENCE)
    assert count(live) == 2
    other.close()


def test_a_rebuild_that_failed_leaves_the_old_rows_and_nothing_beside_them(
    live: PostgresStore, postgres: Postgres
) -> None:
    write(live, 1)
    with pytest.raises(ZeroDivisionError), live.shadow() as shadow:  # noqa: PT012
        with shadow.transaction() as connection:
            connection.execute(sa.insert(notes), {"id": 7, "text": "x"})
        raise ZeroDivisionError
    assert schemas(postgres) == ["ledger_projections"]
    assert count(live) == 1


def test_what_a_killed_rebuild_left_is_in_nobody_s_way(
    live: PostgresStore, postgres: Postgres
) -> None:
    write(live, 1)
    for left in ("ledger_projections_anew", "ledger_projections_replaced"):
        rows(postgres, f"CREATE SCHEMA {left}")
        rows(postgres, f"CREATE TABLE {left}.notes (id INTEGER)")
    rebuilt(live, 1, 2)
    assert schemas(postgres) == ["ledger_projections"]
    assert count(live) == 2


def test_one_rebuild_at_a_time(live: PostgresStore, postgres: Postgres) -> None:
    other = store_at(postgres, "ledger_projections", replaced)
    with live.shadow(), pytest.raises(NotReady, match="another process is still busy"):
        rebuilt(other, 1)
    other.close()


@pytest.mark.parametrize("lost", ["SCHEMA ledger_projections CASCADE", "TABLE notes"])
def test_tables_that_are_gone_are_made_anew_and_whoever_read_them_notices(
    live: PostgresStore, postgres: Postgres, lost: str
) -> None:
    write(live, 1)
    generation = live.follow()
    with postgres.connect() as other:
        other.execute("SET search_path = ledger_projections")
        other.execute(f"DROP {lost}")
    with pytest.raises(NotReady, match="made anew"):
        count(live)
    assert count(live) == 0
    assert live.follow() == generation + 1


def test_durable_tables_that_are_gone_are_not_made_anew(
    store: PostgresStore, postgres: Postgres
) -> None:
    rows(postgres, "DROP TABLE ledger_keys.notes")
    for _ in range(2):
        with pytest.raises(NotReady, match="lacks something"):
            count(store)


def test_one_leads_and_the_others_do_not(live: PostgresStore, postgres: Postgres) -> None:
    other = store_at(postgres, "ledger_projections", replaced)
    with live.leading() as first, other.leading() as second:
        assert (first, second) == (True, False)
    with other.leading() as now:
        assert now
    other.close()


def test_a_lock_goes_with_the_connection_of_whoever_held_it(
    live: PostgresStore, postgres: Postgres
) -> None:
    other = store_at(postgres, "ledger_projections", replaced)
    with pytest.raises(Lost), other.writing():
        terminate(postgres)
    with suppress(NotReady):
        write(live, 1)
    write(live, 2)
    other.close()
