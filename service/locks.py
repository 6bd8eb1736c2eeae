"""One writer at a time, across threads and processes: a lock that a killed holder lets go."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from domain.errors import NotReady

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
        self._threads = Lock()
        self._handle: int | None = None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within, this is the only holder on this machine."""
        deadline = time.monotonic() + self._timeout
        if not self._threads.acquire(timeout=self._timeout):
            raise NotReady(f"Waited {self._timeout} s to write; another writer is still busy.")
        try:
            handle = self._handle = self._open() if self._handle is None else self._handle
            self._wait(handle, deadline)
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
            raise NotReady(f"The lock {self._path} cannot be opened: {why.strerror}.") from why

    def _wait(self, handle: int, deadline: float) -> None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise NotReady(
                        f"Waited {self._timeout} s to write; another process is still busy."
                    ) from None
                time.sleep(_PAUSE)
            else:
                return
