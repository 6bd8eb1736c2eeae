"""The right to be the only one at something, whoever asks for it on whichever machine.

On one machine a lock on a file says who has it; of several that share a database the database
does, and takes it from whoever's connection to it has ended.
"""

import fcntl
import logging
import os
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

from domain.errors import NotReady
from service.postgres import Postgres
from service.settings import Settings

log = logging.getLogger("leadledger")
# In seconds: for so long at most the database takes a machine that is cut off for one that works.
_KEEPALIVE = (
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"
)


class Alone(ABC):
    """The right to be the only one; not for several threads."""

    @abstractmethod
    def take(self) -> bool:
        """Whether it is had now."""

    @abstractmethod
    def check(self) -> None:
        """NotReady if it was lost since it was taken."""

    @abstractmethod
    def close(self) -> None:
        """Leave it to others."""


class AloneHere(Alone):
    """Of all processes on this machine, by an flock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def take(self) -> bool:
        """Whether it is had now."""
        if self._handle is None:
            self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def check(self) -> None:
        """It is lost with the process only."""

    def close(self) -> None:
        """Leave it to others."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


class AloneInDatabase(Alone):
    """Of all processes that use the database, by an advisory lock of a connection's."""

    def __init__(self, postgres: Postgres, name: str) -> None:
        self._postgres = postgres
        self._name = name
        self._connection: Any = None

    def take(self) -> bool:
        """Whether it is had now; not while the database cannot be reached."""
        import psycopg  # noqa: PLC0415 - not before somebody needs it

        from service.projections.postgres_shadow import number_of  # noqa: PLC0415

        try:
            if self._connection is None or self._connection.closed:
                self._connection = self._postgres.connect()
                self._connection.execute(_KEEPALIVE, prepare=False)
            asked = "SELECT pg_try_advisory_lock(%s)"
            return bool(self._connection.execute(asked, [number_of(self._name)]).fetchone()[0])
        except (psycopg.Error, NotReady) as why:
            log.warning("whether another one is at work cannot be asked just now: %s", why)
            self.close()
            return False

    def check(self) -> None:
        """NotReady when the connection, and with it the right, has gone."""
        import psycopg  # noqa: PLC0415

        try:
            self._connection.execute("", prepare=False)
        except psycopg.Error as why:
            raise NotReady(
                "The connection that kept others from it was lost: {why}.", why=why
            ) from why

    def close(self) -> None:
        """Leave it to others."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def alone_at(settings: Settings, name: str) -> Alone:
    """The right to be the only one at what has that name in a ledger."""
    if settings.postgres:
        return AloneInDatabase(settings.postgres, name)
    return AloneHere(settings.database.with_name(f"{settings.database.name}.{name}.lock"))
