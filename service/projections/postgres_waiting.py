"""A connection to PostgreSQL that gives up a server which takes a statement and never answers.

Keepalives find out that a machine is gone, and `tcp_user_timeout` that nothing arrives there.
Neither sees a server that stands still, or a proxy before it that takes what nobody will read.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

_Found = TypeVar("_Found")


class Waiting(psycopg.Connection[Any]):
    """Closed as soon as a statement was not answered within ``answered_within`` seconds (None: it
    may take any time)."""

    answered_within: float | None = None

    def wait(
        self, gen: PQGen[_Found], interval: float = 0.1, timeout: float | None = None
    ) -> _Found:
        """Wait for what the server answers; OperationalError when it does not."""
        try:
            return super().wait(gen, interval, timeout or self.answered_within)
        except _WaitTimeout:
            if timeout is not None:
                raise
            # What it may say yet is no answer to anything that is asked later.
            self.pgconn.finish()
            told = f"the server gave no answer in {self.answered_within:g} s"
            raise psycopg.OperationalError(told) from None

    @contextmanager
    def waiting(self, seconds: float | None) -> Iterator[None]:
        """Within, an answer is waited for so long."""
        before, self.answered_within = self.answered_within, seconds
        try:
            yield
        finally:
            self.answered_within = before
