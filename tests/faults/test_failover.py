"""A primary with a synchronous standby: the primary is killed under load, the standby promoted, and
the service comes back by itself, with everything that it acknowledged, once.

Streaming replication as PostgreSQL brings it; the promotion is the test's own, in the place of the
manager (Patroni, repmgr …) that does it in production.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from service.postgres import Postgres
from tests import postgres as servers
from tests.faults.load import begin, check_told, go_on, writing
from tests.faults.serving import free_port, place, serving, until
from tests.service.helpers import ledger_at, settings_in

pytestmark = pytest.mark.fault

WRITERS = 4
PRIMARY = {
    "wal_level": "replica",
    "max_wal_senders": "5",
    # A commit is answered when the standby has it on its disk as well.
    "synchronous_commit": "on",
    "synchronous_standby_names": "'*'",
}


def kill(primary: servers.Server) -> None:
    """Kill its first process, and so all that it started."""
    pid = int((primary.data / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def synchronous(primary: servers.Server) -> bool:
    """Whether commits wait for the standby."""
    found = servers.rows(primary.at("postgres"), "SELECT sync_state FROM pg_stat_replication")
    return found == [("sync",)]


def test_a_primary_that_is_killed_loses_nothing_and_the_service_goes_on(tmp_path: Path) -> None:
    settings = {"fsync": "on", "full_page_writes": "on", **PRIMARY}
    # To make the database no standby is waited for: there is none yet.
    alone = {**settings, "synchronous_standby_names": "''"}
    with servers.running(alone, free_port()) as primary:
        primary.make_database("office")
        with servers.standby_of(primary, free_port()) as standby:
            primary.command("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.command("SELECT pg_reload_conf()")
            until(lambda: synchronous(primary), "commits to wait for the standby")
            hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
            both = Postgres.at(
                f"postgresql://ledger@{hosts}/office?target_session_attrs=read-write"
            )
            with serving(tmp_path, LEDGER_WORKERS="2", **place(tmp_path, both)) as server:
                writers = begin(server, WRITERS)
                with writing(writers):
                    go_on(writers, 10)
                    kill(primary)
                    # As long as a manager takes to be sure of it.
                    time.sleep(2)
                    standby.run("pg_ctl", "--wait", "promote")
                    promoted = time.monotonic()
                    go_on(writers, 10)
                    back = min(writer.answered for writer in writers) - promoted
                refused = sum(writer.refused for writer in writers)
                with server.client() as client:
                    until(lambda: client.get("/readyz").status == 200, "the ledger to be ready")
                    window = "from=2025-01-01&to=2025-12-31"
                    assert client.get(f"/v1/pipeline?{window}").body["balanced"]
                assert "Traceback" not in server.complained
            here = standby.at("office")
            with ledger_at(replace(settings_in(tmp_path), postgres=here)) as ledger:
                events = check_told(ledger, writers)
    longest = max(writer.longest for writer in writers)
    print(  # noqa: T201
        f"{events} events; the longest pause {longest:.1f} s, 2 s of them until the promotion "
        f"began; {refused} refusals; {back:.1f} s from the promotion to ten more writes of each"
    )
