"""Commands of one process that are to be recorded: whoever's turn it is writes what all wait for.

A commit waits for the disk, and while one command waits for it others come. They go together in
the next transaction: so the disk is waited for once, not once for each.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Event, Lock

from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.errors import NotReady
from domain.sentences import Sentence

# Each is a transaction within the transaction, of which PostgreSQL keeps 64 at hand.
MOST = 32

Events = Sequence[StoredEvent]
# The position of a command's last event; None when the version of one of its events is taken.
Taken = int | None


class _Waiting:
    """A command, and what became of it."""

    def __init__(self, events: Events) -> None:
        self.events = events
        self.since = time.monotonic()
        self.taken: Taken = None
        self.failed: Exception | None = None
        self.done = False
        # Set when it is done, or when its turn to write has come.
        self.woken = Event()

    def result(self) -> int:
        """Its position, or why there is none."""
        if self.failed is not None:
            raise self.failed
        if self.taken is None:
            raise IntegrityError(Sentence("An event of this version is recorded already."))
        return self.taken


class WriteQueue:
    """Takes turns at writing; ``write`` records each of several commands, or not."""

    def __init__(
        self,
        write: Callable[[Sequence[Events]], Sequence[Taken]],
        patience: float,
        turn: Callable[[float], AbstractContextManager[None]] = lambda _since: nullcontext(),
    ) -> None:
        """``turn``: within it ``write`` is called; what comes while it is waited for goes along. It
        is told since when that is, by the monotonic clock."""
        self._write = write
        self._patience = patience
        self._turn = turn
        self._waiting: deque[_Waiting] = deque()
        self._lock = Lock()
        self._writing = False

    def __len__(self) -> int:
        """How many wait to be written."""
        return len(self._waiting)

    def put(self, events: Events) -> int:
        """Record a command; its last position. IntegrityError when a version is taken; NotReady
        when the turn does not come in time, and then nothing was recorded."""
        mine = _Waiting(events)
        with self._lock:
            self._waiting.append(mine)
            if not self._writing:
                self._writing = True
                mine.woken.set()
        try:
            if not mine.woken.wait(self._patience) and self._withdrawn(mine):
                raise NotReady(
                    "Waited {patience} s to write; another writer is still busy.",
                    patience=self._patience,
                )
            # Whoever is writing it now waits no longer for the lock than anybody else.
            mine.woken.wait()
        except BaseException:
            self._leave(mine)
            raise
        if not mine.done:
            self._write_in_turn(mine.since)
        return mine.result()

    def _withdrawn(self, mine: _Waiting) -> bool:
        """Whether nobody writes it, and nobody will."""
        with self._lock:
            if mine in self._waiting and not mine.woken.is_set():
                self._waiting.remove(mine)
                return True
        return False

    def _leave(self, mine: _Waiting) -> None:
        """Whoever was ended while it waited is not written, unless that is under way; and if its
        turn had come it is the next one's."""
        with self._lock:
            left = mine in self._waiting
            if left:
                self._waiting.remove(mine)
        if left and mine.woken.is_set():
            self._pass_on()

    def _write_in_turn(self, since: float) -> None:
        """Write what waits, of which one's own is the first; then it is the next one's turn."""
        some: list[_Waiting] = []
        try:
            with self._turn(since):
                some = self._first(MOST)
                taken = self._write([one.events for one in some])
                for one, position in zip(some, taken, strict=True):
                    one.taken = position
        except Exception as why:  # noqa: BLE001 - raised anew in each of their threads
            # None of them was recorded, or nobody knows; without a turn it is one's own alone.
            some = some or self._first(1)
            for one in some:
                one.failed = why
        except BaseException:
            some = some or self._first(1)
            for one in some:
                one.failed = NotReady("The writer was ended; send it again with the same key.")
            raise
        finally:
            for one in some:
                one.done = True
                one.woken.set()
            self._pass_on()

    def _first(self, most: int) -> list[_Waiting]:
        """Those that wait longest, who wait no more."""
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]

    def _pass_on(self) -> None:
        with self._lock:
            self._writing = bool(self._waiting)
            if self._waiting:
                self._waiting[0].woken.set()
