"""Refusals by the minute: the first of each kind is written at once, what follows as a sum.

So whoever tries a thousand wrong tokens a second makes two rows a minute in each worker, and
whoever comes from ever other addresses ``2 * (MOST_STRANGERS + 1)``. A sum is written when its
minute is over; a worker that is killed loses what it had counted in that minute.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock, Timer

# How many addresses, and how many (token, action), are told apart in a minute; the rest is one.
MOST_STRANGERS, MOST_KNOWN = 16, 64
OTHERS = "other addresses"
ANY = "any"
_STRANGERS = 3
# What a full disk kept from being written, at most.
_MOST_OWED = 1000
_MINUTE = len("2026-01-01T00:00")


@dataclass(frozen=True)
class Entry:
    """What an access record says; see ``record.access``."""

    at: str
    kind: str
    outcome: str
    action: str
    holder: str | None = None
    name: str | None = None
    origin: str | None = None
    request: str | None = None
    subject: str | None = None
    reason: str | None = None
    # Of a sum: how many there were, from ``at`` until when.
    count: int | None = None
    until: str | None = None


class Sums:
    """The refusals of the present minute, counted in this process."""

    def __init__(self, write: Callable[[Sequence[Entry]], bool]) -> None:
        """``write`` keeps entries, in order, or none of them: then they are tried again later."""
        self._write = write
        self._lock = Lock()
        self._sums: dict[tuple[str | None, ...], Entry] = {}
        self._owed: list[Entry] = []
        self._timer: Timer | None = None

    def add(self, entry: Entry, seconds: float = 60.0) -> None:
        """Count a refusal. A sum is written after so many ``seconds`` at the latest."""
        with self._lock:
            if self._sums and next(iter(self._sums.values())).at[:_MINUTE] != entry.at[:_MINUTE]:
                self._close_minute()
            key = self._key(entry)
            known = self._sums.get(key)
            if known is None:
                self._owed.append(entry)
                self._sums[key] = _nothing_yet(key, entry)
            else:
                self._sums[key] = _one_more(known, entry)
                self._start_timer(seconds)
            due = self._take()
        self._keep(due)

    def flush(self) -> None:
        """Write what was counted so far."""
        with self._lock:
            self._close_minute()
            due = self._take()
        self._keep(due)

    def _key(self, entry: Entry) -> tuple[str | None, ...]:
        if entry.holder is None:
            key: tuple[str | None, ...] = (entry.outcome, None, entry.origin)
        else:
            key = (entry.outcome, entry.holder, entry.origin, entry.action)
        if key in self._sums:
            return key
        known = sum(len(other) > _STRANGERS for other in self._sums)
        full = (
            len(self._sums) - known >= MOST_STRANGERS
            if entry.holder is None
            else known >= MOST_KNOWN
        )
        return (entry.outcome, None, OTHERS) if full else key

    def _close_minute(self) -> None:
        self._owed += [counted for counted in self._sums.values() if counted.count]
        self._sums = {}
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take(self) -> list[Entry]:
        due, self._owed = self._owed, []
        return due

    def _keep(self, due: list[Entry]) -> None:
        if due and not self._write(due):
            with self._lock:
                self._owed = (due + self._owed)[-_MOST_OWED:]

    def _start_timer(self, seconds: float) -> None:
        if self._timer is None:
            self._timer = Timer(seconds, self.flush)
            self._timer.daemon = True
            self._timer.start()


def _nothing_yet(key: tuple[str | None, ...], entry: Entry) -> Entry:
    """The sum, yet empty, of all that has this key."""
    if len(key) > _STRANGERS:
        return replace(entry, count=0, request=None)
    # Whoever they are, and whatever they ask for.
    one = replace(entry, count=0, request=None, action=ANY, reason=None, origin=key[2])
    return replace(one, holder=None, name=None)


def _one_more(counted: Entry, entry: Entry) -> Entry:
    # The first one has a row of its own: a sum begins with the second.
    at = counted.at if counted.count else entry.at
    return replace(counted, at=at, count=(counted.count or 0) + 1, until=entry.at)
