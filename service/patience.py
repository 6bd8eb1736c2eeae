"""How long a client may take: whoever neither sends nor reads is waited for, but not for ever.

A worker has so many connections and no more. Who holds one without using it, or by a byte now and
then, keeps it from the others; with enough of them nobody is answered.
"""

import errno
import time
from collections.abc import Callable
from typing import Any

# Who has had the patience once over is to have sent so many bytes a second since.
SLOWEST = 4096
# Of an answer, what is to be taken within the patience.
_PIECE = 65536


class Stalled(TimeoutError):
    """The client took too long; its connection is to be given up."""

    def __init__(self) -> None:
        # gunicorn goes without a word from a connection that ended in this way.
        super().__init__(errno.ECONNRESET, "The client sent or read too slowly, or not at all.")


class Patient:
    """A client's connection, with so many seconds of ``patience``.

    That long it may be silent in the midst of a request, or leave the next piece of an answer
    unread. Time that it used up it gets back by the bytes that it sends, a second for `SLOWEST` of
    them, and never more than it had: so it cannot save any up.
    """

    def __init__(self, connection: Any, patience: float) -> None:
        self._connection = connection
        self.patience = patience
        # When it will have taken too long; None between an answer and what is read after it.
        self._due: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def recv(self, size: int) -> bytes:
        """What the client sent; Stalled."""
        now = time.monotonic()
        if self._due is None:
            self._due = now + self.patience
        data: bytes = self._within(self._due - now, self._connection.recv, size)
        now = time.monotonic()
        self._due = min(self._due + len(data) / SLOWEST, now + self.patience)
        return data

    def sendall(self, data: bytes) -> None:
        """Give the client all of it; Stalled."""
        self._due = None
        pieces = memoryview(data)
        for start in range(0, len(data), _PIECE):
            piece = pieces[start : start + _PIECE]
            self._within(self.patience, self._connection.sendall, piece)

    def sendfile(self, *what: Any, **more: Any) -> Any:
        """Give the client a file, of which each piece has its time; Stalled."""
        self._due = None
        return self._within(self.patience, self._connection.sendfile, *what, **more)

    def _within(self, seconds: float, action: Callable[..., Any], *what: Any, **more: Any) -> Any:
        if seconds <= 0:
            raise Stalled
        self._connection.settimeout(seconds)
        try:
            return action(*what, **more)
        except TimeoutError:
            raise Stalled from None
