"""A file made beside the live one, to take its place in one step.

The live path is, once anything was rebuilt, a symbolic link to one of a row of files, each with a
number of its own. SQLite names a database's log and index after the file and not after the link,
so those of two files never meet, whoever still reads the old one. A file that the link does not
name is what a rebuild that was killed has left; the next one removes it.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from service.locks import FileLock
from service.projections.store import Store, engine_of, transaction, unavailable

# Nothing is lost with the file, so nothing of it need reach the disk before its end. The journal,
# in memory, serves to take back a batch; of a file that was empty it holds next to nothing.
_PRAGMAS = (
    "locking_mode = EXCLUSIVE",
    "journal_mode = MEMORY",
    "synchronous = OFF",
    # In KiB: the rest of the file is in the memory of the kernel, which takes it back when it must.
    "cache_size = -24576",
)


class Shadow:
    """The new file, and what is done with it, in this order: ``transaction``s that fill it,
    ``finish``, and, while the writer's lock is held, the rest and ``put_in_place``."""

    def __init__(self, store: Store) -> None:
        self._live = store.path
        self._tables = store.tables
        self._path = _next(store.path)
        engine = engine_of(self._path, store.lock_timeout, "rwc")
        sa.event.listen(engine, "connect", _prepare)
        self._engine: sa.Engine = engine
        self._connection = engine.connect()
        for table in self._tables.sorted_tables:
            self._connection.execute(CreateTable(table))

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Everything that is written within, or nothing."""
        with transaction(self._connection):
            yield self._connection

    def finish(self) -> None:
        """The indexes, which cost less of rows that are there already; and all of it on disk."""
        for table in self._tables.sorted_tables:
            for index in table.indexes:
                self._connection.execute(CreateIndex(index))
        _sync(self._path)

    def put_in_place(self) -> None:
        """Have readers find this file from now on, whole and on disk."""
        self._connection.exec_driver_sql("PRAGMA locking_mode = NORMAL")
        self._connection.exec_driver_sql("PRAGMA journal_mode = WAL")
        self.close()
        _sync(self._path)
        link = self._live.with_name(self._live.name + ".link")
        link.unlink(missing_ok=True)
        link.symlink_to(self._path.name)
        os.replace(link, self._live)
        _sync(self._live.parent)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()
        self._engine.dispose()


@contextmanager
def shadow_of(store: Store) -> Iterator[Shadow]:
    """A shadow of the store's file, by the only one who makes one; then what it replaced, or the
    shadow if it did not come to that, is removed."""
    lock = FileLock(store.path.with_name(f"{store.path.name}.rebuild.lock"), store.lock_timeout)
    with lock.held(), unavailable():
        clear_away(store.path)
        try:
            shadow = Shadow(store)
            try:
                yield shadow
            finally:
                shadow.close()
        finally:
            clear_away(store.path)


def clear_away(live: Path) -> None:
    """Remove every file beside the live one that nobody will open again."""
    kept = os.path.basename(os.path.realpath(live))
    ours = re.compile(re.escape(live.name) + r"(\.\d+)?(-journal|-wal|-shm)?")
    for name in os.listdir(live.parent):
        found = ours.fullmatch(name)
        if found and name != live.name and name.removesuffix(found[2] or "") != kept:
            live.with_name(name).unlink(missing_ok=True)


def _next(live: Path) -> Path:
    """The path of the next number; none is given twice while any file of its number is there."""
    last = re.fullmatch(re.escape(live.name) + r"\.(\d+)", os.path.basename(os.path.realpath(live)))
    return live.with_name(f"{live.name}.{int(last[1]) + 1 if last else 1}")


def _prepare(connection: Any, _record: Any) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma}")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
