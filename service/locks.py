"""One writer at a time, across threads and processes: a lock that a killed holder lets go."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from domain.errors import NotReady
from service.figures import FIGURES, LOCKS, WAITS

# Short enough that a waiter loses little, long enough not to spin.
_PAUSE = 0.0005


class FileLock:
    """An flock on ``path``, waited for at most ``timeout`` seconds, then NotReady.

    SQLite's own waiting backs off by sleeping, which lets single writers wait for seconds;
    here the next one goes on within a millisecond. The file stays open from the first time on, so
    a process that was forked after that must make a lock of its own.
    """

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._waits = (WAITS, _what_it_is_of(path))
        self._threads = Lock()
        self._handle: int | None = None

    @contextmanager
    def held(self, since: float | None = None) -> Iterator[None]:
        """Within, this is the only holder on this machine. ``since``: when it began to be waited
        for, by the monotonic clock, if not just now."""
        began = time.monotonic() if since is None else since
        free = self._threads.acquire(blocking=False)
        left = max(0.0, began + self._timeout - time.monotonic())
        if not free and not self._threads.acquire(timeout=left):
            self._waited(began)
            raise NotReady(
                "Waited {timeout} s to write; another writer is still busy.", timeout=self._timeout
            )
        try:
            handle = self._handle = self._open() if self._handle is None else self._handle
            if not _taken(handle):
                self._wait(handle, began)
            elif not free:
                self._waited(began)
            try:
                yield
            finally:
                fcntl.flock(handle, fcntl.LOCK_UN)
        finally:
            self._threads.release()

    def close(self) -> None:
        """Let go of the file, once nobody here holds it."""
        with self._threads:
            if self._handle is not None:
                os.close(self._handle)
            self._handle = None

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as why:
            raise NotReady(
                "The lock {path} cannot be opened: {strerror}.",
                path=self._path,
                strerror=why.strerror,
            ) from why

    def _wait(self, handle: int, began: float) -> None:
        try:
            while not _taken(handle):
                if time.monotonic() > began + self._timeout:
                    raise NotReady(
                        "Waited {timeout} s to write; another process is still busy.",
                        timeout=self._timeout,
                    )
                time.sleep(_PAUSE)
        finally:
            self._waited(began)

    def _waited(self, began: float) -> None:
        FIGURES.took(self._waits, time.monotonic() - began)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _what_it_is_of(path: Path) -> str:
    """The name, for a monitor, of the lock at this path: the last word of it that is known."""
    words = path.name.split(".")
    if words[-3:-1] == ["projections", "rebuild"]:
        return "rebuild"
    return words[-2] if len(words) > 2 and words[-2] in LOCKS else "log"
