"""A primary with a synchronous standby, and who promotes the standby when the primary is lost: here
the test itself, with streaming replication as PostgreSQL brings it."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from service.postgres import Postgres
from tests import postgres as servers
from tests.faults.serving import free_port, until

# A commit is answered when the standby has it on its disk as well.
DURABLE = {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}
# As long as a manager takes to be sure that the primary is gone, in seconds.
SURE = 2.0


class Pair(Protocol):
    """Two servers of which one takes writes; and how often that one can be lost."""

    losses: int

    @property
    def nodes(self) -> Sequence[servers.Server]:
        """Both."""

    def complete(self) -> None:
        """Return when there are two, and commits wait for both."""

    def lose_primary(self) -> None:
        """Kill the one that takes writes; the other will take its place."""


def address_of(pair: Pair, database: str) -> Postgres:
    """That database of whichever of the two takes writes."""
    hosts = ",".join(f"127.0.0.1:{node.port}" for node in pair.nodes)
    url = f"postgresql://ledger@{hosts}/{database}?target_session_attrs=read-write"
    return Postgres.at(url)


def kill(server: servers.Server) -> None:
    """Kill its first process, and so all that it started."""
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    for one in (pid, *map(int, children)):
        with suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


@dataclass
class ByHand:
    """The test promotes, in the place of a manager."""

    primary: servers.Server
    standby: servers.Server
    losses = 1

    @property
    def nodes(self) -> Sequence[servers.Server]:
        return self.primary, self.standby

    def complete(self) -> None:
        until(self._synchronous, "commits to wait for the standby")

    def _synchronous(self) -> bool:
        found = servers.rows(
            self.primary.at("postgres"), "SELECT sync_state FROM pg_stat_replication"
        )
        return found == [("sync",)]

    def lose_primary(self) -> None:
        kill(self.primary)
        time.sleep(SURE)
        self.standby.run("pg_ctl", "--wait", "promote")


@contextmanager
def by_hand(database: str) -> Iterator[Pair]:
    """A pair with that database, which the test promotes the standby of."""
    # To make the database no standby is waited for: there is none yet.
    alone = {**DURABLE, **servers.SENDING}
    with servers.running(alone, free_port()) as primary:
        primary.make_database(database)
        with servers.standby_of(primary, free_port()) as standby:
            primary.command("ALTER SYSTEM SET synchronous_standby_names = '*'")
            primary.command("SELECT pg_reload_conf()")
            yield ByHand(primary, standby)
