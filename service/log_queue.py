"""Commands of one process that are to be recorded: whoever's turn it is writes what all wait for.

A commit waits for the disk, and while one command waits for it others come. They go together in
the next transaction: so the disk is waited for once, not once for each.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock

from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.errors import NotReady

# Each is a transaction within the transaction, of which PostgreSQL keeps 64 at hand.
MOST = 32

Events = Sequence[StoredEvent]
# The position of a command's last event; None when the version of one of its events is taken.
Taken = int | None


class _Waiting:
    """A command, and what became of it."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.taken: Taken = None
        self.failed: Exception | None = None
        self.done = False

    def result(self) -> int:
        """Its position, or why there is none."""
        if self.failed is not None:
            raise self.failed
        if self.taken is None:
            raise IntegrityError("An event of this version is recorded already.")
        return self.taken


class WriteQueue:
    """Takes turns at writing; ``write`` records each of several commands, or not."""

    def __init__(self, write: Callable[[Sequence[Events]], Sequence[Taken]], patience: float):
        self._write = write
        self._patience = patience
        self._waiting: deque[_Waiting] = deque()
        self._turn = Lock()

    def __len__(self) -> int:
        """How many wait to be written."""
        return len(self._waiting)

    def put(self, events: Events) -> int:
        """Record a command; its last position. IntegrityError when a version is taken; NotReady
        when the turn does not come in time, and then nothing was recorded."""
        mine = _Waiting(events)
        self._waiting.append(mine)
        until = time.monotonic() + self._patience
        while not mine.done:
            if not self._turn.acquire(timeout=max(0.0, until - time.monotonic())):
                self._give_up(mine)
                continue
            try:
                if not mine.done:
                    self._write_some()
            finally:
                self._turn.release()
        return mine.result()

    def _give_up(self, mine: _Waiting) -> None:
        """Unless somebody is writing it now: then what becomes of it is waited for."""
        try:
            self._waiting.remove(mine)
        except ValueError:
            with self._turn:
                return
        raise NotReady(f"Waited {self._patience} s to write; another writer is still busy.")

    def _write_some(self) -> None:
        """Whatever fails fails for all of them: none was recorded, or nobody knows."""
        some = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        try:
            taken = self._write([one.events for one in some])
            for one, position in zip(some, taken, strict=True):
                one.taken = position
        except Exception as why:  # noqa: BLE001 - raised anew in each of their threads
            for one in some:
                one.failed = why
        finally:
            for one in some:
                one.done = True
