"""PostgreSQL is restarted, ends its connections, has none left, or cannot be reached for a while:
the service comes back by itself, with everything that it acknowledged, once."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from service.postgres import Postgres
from tests import postgres as servers
from tests.faults.load import Writer, begin, check_told, go_on, writing
from tests.faults.serving import Server, free_port, place, serving, until
from tests.network import Line, line_to
from tests.service.helpers import ledger_at, settings_in

pytestmark = pytest.mark.fault

WRITERS = 4
# The service's own connections.
OURS = "application_name = 'leadledger' AND pid <> pg_backend_pid()"
PIDS = f"SELECT array_agg(pid) FROM pg_stat_activity WHERE {OURS}"
END = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {OURS}"
# What is acknowledged is on the disk, whatever becomes of the server.
DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


@dataclass
class Ground:
    """A database server, the network before it, a service behind that, and its writers."""

    database: servers.Server
    network: Line
    server: Server
    writers: list[Writer]


@contextmanager
def ground(folder: Path, **more: str) -> Iterator[Ground]:
    """All of it; at the end everything acknowledged is there, once."""
    port = free_port()
    with servers.running({**DURABLE, **more}, port) as database, line_to(port) as network:
        direct = database.make_database("office")
        url = f"postgresql://ledger@127.0.0.1:{network.port}/office"
        at = place(folder, Postgres.at(url))
        with serving(folder, LEDGER_WORKERS="2", **at) as server:
            found = Ground(database, network, server, begin(server, WRITERS))
            with writing(found.writers):
                yield found
                go_on(found.writers)
            assert [writer.unsure for writer in found.writers] == [None] * WRITERS
            with server.client() as client:
                until(lambda: client.get("/readyz").status == 200, "the ledger to be ready again")
            assert "Traceback" not in server.complained
        with ledger_at(replace(settings_in(folder), postgres=direct)) as ledger:
            check_told(ledger, found.writers)
    longest = max(writer.longest for writer in found.writers)
    refused = sum(writer.refused for writer in found.writers)
    print(f"the longest pause: {longest:.1f} s; {refused} refusals")  # noqa: T201


def restart(ground: Ground, mode: str) -> None:
    """Stop the server in that way, and start it again."""
    ground.database.stop(mode)
    ground.database.start()


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_database_that_is_restarted(tmp_path: Path, mode: str) -> None:
    with ground(tmp_path) as found:
        for _ in range(3):
            restart(found, mode)
            go_on(found.writers)


def test_a_database_whose_process_for_a_connection_is_killed(tmp_path: Path) -> None:
    """Then it ends all others and recovers by itself."""
    ended = f"SELECT pid FROM pg_stat_activity WHERE {OURS} LIMIT 1"
    with ground(tmp_path) as found:
        for _ in range(3):
            ((pid,),) = servers.rows(found.database.at("office"), ended)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            go_on(found.writers)


def test_connections_that_the_database_ends(tmp_path: Path) -> None:
    with ground(tmp_path) as found:
        for _ in range(20):
            ((before,),) = servers.rows(found.database.at("office"), PIDS)
            ((ended,),) = servers.rows(found.database.at("office"), END)
            go_on(found.writers, 1)
            ((after,),) = servers.rows(found.database.at("office"), PIDS)
            assert ended > 0 and not {*before} & {*after}, "they were not ended"


def test_a_database_that_has_no_connection_left(tmp_path: Path) -> None:
    with ground(tmp_path, max_connections="20", superuser_reserved_connections="0") as found:
        with ExitStack() as stack:
            _take_all(found, stack)
            with pytest.raises(
                psycopg.OperationalError, match=r"too many clients|remaining connection"
            ):
                found.database.at("office").connect()
            with found.server.client() as client:
                until(lambda: client.get("/readyz").status in (200, 503), "an answer in time")
        go_on(found.writers)


def _take_all(found: Ground, stack: ExitStack) -> None:
    """Take every connection there is, and those as well that the service had."""
    others, mine = found.database.at("office"), list[psycopg.Connection[object]]()
    for _ in range(5):
        with suppress(psycopg.OperationalError):
            while True:
                mine.append(stack.enter_context(others.connect(application_name="hog")))
        mine[0].execute(END)


@pytest.mark.parametrize("how", [Line.hold, Line.refuse], ids=["silent", "refusing"])
@pytest.mark.parametrize("seconds", [1.0, 8.0])
def test_a_network_that_is_cut_and_heals(
    tmp_path: Path, how: Callable[[Line], None], seconds: float
) -> None:
    with ground(tmp_path) as found:
        how(found.network)
        time.sleep(seconds)
        found.network.heal()
        go_on(found.writers)
    longest = max(writer.longest for writer in found.writers)
    assert longest > seconds * 0.9, "the network was not cut"
