"""A file made beside the live one, to take its place in one step.

The live path is, once anything was rebuilt, a symbolic link to one of a row of files, each with a
number of its own. SQLite names a database's log and index after the file and not after the link,
so those of two files never meet, whoever still reads the old one. A file that the link does not
name is what a rebuild that was killed has left; the next one removes it.
"""

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex, CreateTable

from service.durable import sync
from service.locks import FileLock
from service.projections.sqlite_file import engine_of, transaction, unavailable
from service.projections.store import Both, Shadow, builds, taking_over

# Nothing is lost with the file, so nothing of it need reach the disk before its end. The journal,
# in memory, serves to take back a batch; of a file that was empty it holds next to nothing.
_PRAGMAS = (
    "locking_mode = EXCLUSIVE",
    "journal_mode = MEMORY",
    "synchronous = OFF",
    # In KiB: the rest of the file is in the memory of the kernel, which takes it back when it must.
    "cache_size = -8192",
)
_PATIENCE = 30.0
# What SQLite calls the live file and the new one where both are read.
_LIVE, _ANEW = "main", "anew"


class Place(NamedTuple):
    """Where a new file is to be, and what is to be in it."""

    path: Path
    tables: sa.MetaData
    lock_timeout: float


class NewFile:
    """A file that is filled by one process alone, and thrown away if that does not end well."""

    def __init__(self, place: Place) -> None:
        """Make it, with its tables; their indexes are not made."""
        self._place = place
        self._engine = engine_of(place.path, place.lock_timeout, "rwc")
        sa.event.listen(self._engine, "connect", _prepare)
        self.connection = self._engine.connect()
        for table in place.tables.sorted_tables:
            self.connection.execute(CreateTable(table))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Everything that is written within, or nothing."""
        with transaction(self.connection):
            yield self.connection

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        self._engine.dispose()


class FileShadow(NewFile, Shadow):
    """The new file, and what is done with it; ``live`` is the one that is read so far."""

    def __init__(self, live: Place) -> None:
        super().__init__(live._replace(path=_next(live.path)))
        self._live = live.path

    def place_beside(self) -> Place:
        """A place for rows that are to be taken over; no two are the same."""
        path = self._place.path
        return self._place._replace(path=path.with_name(f"{path.name}.{secrets.randbits(32)}"))

    def take_over(self, place: Place, name: str) -> None:
        """The rows of the file there, which is ``name``d so from now on, in addition to ours."""
        attach = sa.text(f"ATTACH DATABASE :path AS {name}")
        self.connection.execute(attach, {"path": f"{place.path}"})
        for table in self._place.tables.sorted_tables:
            statement = taking_over(table, name)
            if statement is not None:
                self.connection.execute(statement)

    def finish(self) -> None:
        """The indexes, which cost less of rows that are there already; and all of it on disk."""
        for table in self._place.tables.sorted_tables:
            for index in table.indexes:
                self.connection.execute(CreateIndex(index))
        sync(self._place.path)

    @contextmanager
    def beside(self) -> Iterator[Both]:
        """The new file, attached to the live one; both are as they are now until it ends."""
        self.close()
        engine = engine_of(self._live.resolve(), _PATIENCE, "rw")
        with unavailable(), engine.connect() as connection:
            attach = sa.text(f"ATTACH DATABASE :path AS {_ANEW}")
            connection.execute(attach, {"path": f"{self._place.path}"})
            connection.exec_driver_sql("BEGIN")
            for schema in (_LIVE, _ANEW):
                there = builds.to_metadata(sa.MetaData(), schema=schema)
                connection.execute(sa.select(there)).fetchall()
            yield Both(connection, _LIVE, _ANEW)
            connection.exec_driver_sql("ROLLBACK")
        engine.dispose()

    def put_in_place(self) -> None:
        """Have readers find this file from now on, whole and on disk."""
        self.connection.exec_driver_sql("PRAGMA main.locking_mode = NORMAL")
        self.connection.exec_driver_sql("PRAGMA main.journal_mode = WAL")
        self.close()
        sync(self._place.path)
        link = self._live.with_name(self._live.name + ".link")
        link.unlink(missing_ok=True)
        link.symlink_to(self._place.path.name)
        os.replace(link, self._live)
        sync(self._live.parent)


@contextmanager
def shadow_of(live: Place) -> Iterator[FileShadow]:
    """A shadow of the file there, by the only one who makes one; then what it replaced, or the
    shadow if it did not come to that, is removed."""
    path = live.path
    lock = FileLock(path.with_name(f"{path.name}.rebuild.lock"), live.lock_timeout)
    with lock.held(), unavailable():
        clear_away(path)
        try:
            shadow = FileShadow(live)
            try:
                yield shadow
            finally:
                shadow.close()
        finally:
            clear_away(path)


def clear_away(live: Path) -> None:
    """Remove every file beside the live one that nobody will open again."""
    kept = os.path.basename(os.path.realpath(live))
    ours = re.compile(re.escape(live.name) + r"(\.\d+){0,2}(-journal|-wal|-shm)?")
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
