"""What becomes of reads and commands when the connection to PostgreSQL, or the server, is lost."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from uuid import uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.errors import NotReady
from service.log_postgres import PostgresRecorder
from service.postgres import Postgres
from service.projections.postgres_pool import Connections, driver_of, unhurried
from tests.faults.serving import until
from tests.network import Line, line_to
from tests.postgres import FAST, Server, rows, running, shared
from tests.service.helpers import result_of, started

LAST = "SELECT max(position) FROM ledger.stored_events"


def events(count: int = 1) -> list[StoredEvent]:
    """Events that nobody else writes."""
    stream, said = uuid4(), uuid4().hex.encode()
    return [StoredEvent(stream, 1 + n, "lead.tipped", said) for n in range(count)]


@pytest.fixture
def line() -> Iterator[Line]:
    """A line to the server."""
    with line_to(shared().folder / ".s.PGSQL.5432") as found:
        yield found


@pytest.fixture
def recorder(postgres: Postgres, line: Line) -> Iterator[PostgresRecorder]:
    """One whose connections go over that line."""
    over = Postgres.at(f"postgresql://ledger@127.0.0.1:{line.port}/{postgres.name}")
    found = PostgresRecorder(Connections(over, 10))
    found.create_table()
    yield found
    found.close()


def end_backends(postgres: Postgres) -> None:
    """End every connection to the database."""
    ending = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = %s"
    rows(shared().at("postgres"), ending, postgres.name)


def last_answer(postgres: Postgres) -> datetime:
    """When the server last ended a statement of ours, heard or not."""
    ((moment,),) = rows(
        postgres,
        "SELECT max(state_change) FROM pg_stat_activity WHERE datname = current_database() "
        "AND state LIKE 'idle%%' AND pid <> pg_backend_pid()",
    )
    found: datetime = moment
    return found


def test_reads_and_commands_go_on_when_the_server_ended_their_connections(
    recorder: PostgresRecorder, postgres: Postgres
) -> None:
    assert recorder.insert_events(events()) == [1]
    end_backends(postgres)
    assert recorder.max_notification_id() == 1
    end_backends(postgres)
    assert recorder.insert_events(events()) == [2]
    end_backends(postgres)
    recorder.try_write()


@pytest.mark.parametrize("among", [1, 4])
def test_a_command_whose_answer_was_lost_is_recorded_once_and_known_to_be(
    recorder: PostgresRecorder, postgres: Postgres, line: Line, among: int
) -> None:
    recorder.insert_events(events())
    commands = [events(2) for _ in range(among)]
    with ThreadPoolExecutor(among) as pool:
        with line.unanswered():
            found = [pool.submit(recorder.insert_events, command) for command in commands]
            until(lambda: rows(postgres, LAST)[0][0] >= 3, "the first to be recorded")
        positions = sorted(position for answer in found for position in answer.result())
    assert positions == list(range(2, 2 + 2 * among))
    assert rows(postgres, LAST) == [(1 + 2 * among,)]


def test_a_command_that_lost_its_versions_meanwhile_is_told_so(
    recorder: PostgresRecorder, postgres: Postgres, line: Line
) -> None:
    """Another one was recorded with that very version before the answer was lost."""
    first = events()
    recorder.insert_events(first)
    mine = [StoredEvent(first[0].originator_id, 1, "lead.tipped", b"another")]
    before = last_answer(postgres)
    with ThreadPoolExecutor(1) as pool:
        with line.unanswered():
            found = pool.submit(recorder.insert_events, mine)
            until(lambda: last_answer(postgres) > before, "the server to have refused it")
        with pytest.raises(IntegrityError):
            found.result()


def test_a_command_of_which_nothing_is_known_says_so(
    recorder: PostgresRecorder, postgres: Postgres, line: Line
) -> None:
    recorder.insert_events(events())
    with ThreadPoolExecutor(1) as pool:
        with line.unanswered():
            found = pool.submit(recorder.insert_events, events())
            until(lambda: rows(postgres, LAST) == [(2,)], "it to be recorded")
            line.refuse()
        with pytest.raises(NotReady, match="whether the command was recorded is not known"):
            found.result()
    with pytest.raises(NotReady, match="The database cannot be used just now") as refused:
        recorder.insert_events(events())
    assert refused.value.retry_after >= 1
    assert rows(postgres, LAST) == [(2,)]


def test_an_import_whose_connection_is_lost_leaves_nothing(
    recorder: PostgresRecorder, postgres: Postgres
) -> None:
    def lost_midway() -> Iterator[StoredEvent]:
        yield from events(5000)
        end_backends(postgres)
        yield from events(5000)

    with pytest.raises(NotReady):
        recorder.insert_events(lost_midway())
    assert rows(postgres, LAST) == [(None,)]
    assert recorder.insert_events(events()) == [1]


def test_a_server_that_only_reads_is_refused_until_it_writes_again(
    recorder: PostgresRecorder, postgres: Postgres
) -> None:
    """As a primary that became a standby, or whose manager made it read-only."""
    recorder.insert_events(events())
    reads_only = f'ALTER DATABASE "{postgres.name}" SET default_transaction_read_only = '
    shared().command(reads_only + "on")
    end_backends(postgres)
    for ask in (recorder.try_write, lambda: recorder.insert_events(events())):
        with pytest.raises(NotReady, match="The database cannot be used just now"):
            ask()
    shared().command(reads_only + "off")
    assert recorder.insert_events(events()) == [2]


def test_where_no_connection_is_left_the_service_says_so_and_comes_back(
    postgres: Postgres, recorder: PostgresRecorder
) -> None:
    role = f"r{uuid4().hex[:12]}"
    shared().command(f"CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")
    rows(postgres, f"GRANT ALL ON SCHEMA ledger TO {role}")
    rows(postgres, f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA ledger TO {role}")
    poor = Postgres.at(postgres.url.replace("ledger@", f"{role}@"))
    limited = PostgresRecorder(Connections(poor, 5))
    with pytest.raises(NotReady, match="too many connections"):
        limited.version()
    shared().command(f"ALTER ROLE {role} CONNECTION LIMIT 10")
    # A role that may only read the log and add to it is enough.
    assert limited.insert_events(events()) == [1]
    limited.close()
    rows(postgres, f"DROP OWNED BY {role}")
    shared().command(f"DROP ROLE {role}")


def test_a_server_that_is_started_again_is_found_again() -> None:
    with running(FAST) as server:
        recorder = PostgresRecorder(Connections(server.make_database("ledger"), 5))
        recorder.create_table()
        assert recorder.insert_events(events()) == [1]
        server.stop("fast")
        for ask in (recorder.version, recorder.try_write, lambda: recorder.insert_events(events())):
            with pytest.raises(NotReady, match="The database cannot be used just now"):
                ask()
        server.start()
        assert recorder.version().log == 1
        assert recorder.insert_events(events()) == [2]
        recorder.close()


def hold(barrier: object, server: Server, postgres: Postgres) -> None:
    """Use the log a little, and end without a word."""
    recorder = PostgresRecorder(Connections(postgres, 5))
    recorder.insert_events(events())


def test_a_process_that_ends_without_closing_leaves_no_lock(
    postgres: Postgres, recorder: PostgresRecorder
) -> None:
    result_of(*started(hold, None, shared(), postgres))
    assert recorder.insert_events(events()) == [2]


def test_a_server_that_takes_what_is_asked_and_never_answers_is_given_up(
    postgres: Postgres, line: Line
) -> None:
    quick = "connect_timeout=2"  # the least there is
    over = Postgres.at(f"postgresql://ledger@127.0.0.1:{line.port}/{postgres.name}?{quick}")
    connections = Connections(over, 0.5, longest=0.5, more=0.5)
    recorder = PostgresRecorder(connections)
    recorder.create_table()
    line.mute()
    with pytest.raises(NotReady, match=r"gave no answer|timeout expired"):
        recorder.max_notification_id()
    with pytest.raises(NotReady, match=r"gave no answer|timeout expired"):
        recorder.insert_events(events())
    line.cut()
    line.heal()
    assert recorder.insert_events(events()) == [recorder.max_notification_id()]
    recorder.close()


def test_a_statement_that_takes_too_long_is_given_up_by_the_server(postgres: Postgres) -> None:
    connections = Connections(postgres, 0.1, longest=0.2)
    connections.begin()
    with pytest.raises(NotReady, match="statement timeout"), connections.one() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(60)")
    connections.end()


def test_long_work_is_given_the_time_that_it_takes(postgres: Postgres) -> None:
    connections = Connections(postgres, 0.1, longest=0.1)
    connections.begin()
    with connections.transaction("BEGIN") as connection:
        driver = driver_of(connection)
        with unhurried(driver):
            connection.exec_driver_sql("SELECT pg_sleep(0.5)")
        # Only the end of the transaction gives the server its limit back.
        assert driver.answered_within == pytest.approx(5.2)
    with connections.own() as connection:
        connection.exec_driver_sql("SELECT pg_sleep(0.5)")
    connections.end()
