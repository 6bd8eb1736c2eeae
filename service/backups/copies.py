"""Copies of SQLite files: made while others write, and read without changing a byte of them."""

import os
import sqlite3
from collections.abc import Callable, Generator, Iterable
from contextlib import closing
from hashlib import file_digest
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from uuid import UUID

from eventsourcing.persistence import Mapper, Notification

from domain.errors import LedgerError
from service.access.record import Head, access
from service.access.verifying import Altered, verify_rows
from service.durable import sync
from service.log import UnreadableEvent
from service.proof.notes import BadNote, read_note
from service.proof.tree import Frontier, Row, leaf_hashes

# So many of its pages at once; and so many events.
_PAGES, _BATCH = 1024, 512
Progress = Callable[[int], object]


class Damaged(LedgerError):
    """A copy is not what it should be; the text says what is wrong."""


class Held(NamedTuple):
    """A log: how many events, up to which position, and the root of the tree over them."""

    events: int
    position: int
    root: str


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it stands at one moment, which is not before this was called, into a file
    of its own; on the disk when this returns. Whoever writes to it is not held up."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    name = f"file:{quote(str(source))}?mode=ro"
    with (
        closing(sqlite3.connect(name, uri=True, isolation_level=None)) as read,
        closing(sqlite3.connect(target, isolation_level=None)) as write,
    ):
        # What is recorded from here on is not in it, and does not make it begin anew.
        read.execute("BEGIN")
        read.execute("SELECT count(*) FROM sqlite_master").fetchone()
        write.execute("PRAGMA synchronous = OFF")
        read.backup(write, pages=_PAGES)
        # One file, with nothing beside it.
        write.execute("PRAGMA journal_mode = DELETE")
    sync(target)


def digest_of_file(path: Path) -> str:
    """SHA-256, in hexadecimal."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def held(path: Path, mapper: Mapper[UUID], progress: Progress = lambda _events: None) -> Held:
    """What a copy of the log holds, each event of which is read as the service reads it, and
    hashed; Damaged. The tree begins with the one of the last checkpoint that is in it."""
    signed = _checkpoint(path)
    frontier, position, root = Frontier(), 0, b""
    with closing(_log(path)) as log:
        while rows := list(islice(log, _BATCH)):
            _read_all(rows, mapper)
            leaves, position = leaf_hashes(rows), rows[-1][0]
            if signed and frontier.size < signed[0] <= frontier.size + len(leaves):
                upto = signed[0] - frontier.size
                frontier.extend(leaves[:upto])
                root, leaves = frontier.root(), leaves[upto:]
            frontier.extend(leaves)
            progress(len(rows))
    if signed and root != signed[1]:
        raise Damaged(
            f"The first {signed[0]} events of {path.name} do not have the root of the last "
            "checkpoint that is in it."
        )
    return Held(frontier.size, position, frontier.root().hex())


def _read_all(rows: Iterable[Row], mapper: Mapper[UUID]) -> None:
    for position, id, version, topic, state in rows:
        try:
            originator = UUID(id.decode("ascii"))
            mapper.to_domain_event(
                Notification(originator, version, topic.decode(), state, id=position)
            )
        except (UnreadableEvent, ValueError) as why:
            raise Damaged(f"Position {position} cannot be read: {why}") from why


def _checkpoint(path: Path) -> tuple[int, bytes] | None:
    """Size and root of the last checkpoint in a copy."""
    asked = "SELECT note FROM checkpoints ORDER BY id DESC LIMIT 1"
    for (note,) in list(_rows(path, asked)):
        try:
            found = read_note(note).checkpoint
        except BadNote as why:
            raise Damaged(f"The last checkpoint in {path.name} cannot be read: {why}") from why
        return found.size, found.root
    return None


def _log(path: Path) -> Generator[Row]:
    return _rows(
        path,
        "SELECT rowid, CAST(originator_id AS BLOB), originator_version, CAST(topic AS BLOB), "
        "CAST(state AS BLOB) FROM stored_events ORDER BY rowid",
    )


def head_of(path: Path) -> Head | None:
    """The head of a copy of the access record, each row of which follows from the one before."""
    names = [f"{column.name}" for column in access.columns]
    asked = f"SELECT {', '.join(names)} FROM access ORDER BY id"  # noqa: S608
    try:
        with closing(_rows(path, asked)) as rows:
            return verify_rows(dict(zip(names, row, strict=True)) for row in rows)
    except Altered as why:
        raise Damaged(f"{why}") from why


def count_keys(path: Path) -> int:
    """How many keys a copy of them holds."""
    ((count,),) = _rows(path, "SELECT count(*) FROM keys WHERE person IS NOT NULL")
    found: int = count
    return found


def _rows(path: Path, statement: str) -> Generator[Any]:
    name = f"file:{quote(str(path))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(name, uri=True)) as connection:
            yield from connection.execute(statement)
    except sqlite3.Error as why:
        raise Damaged(f"{path.name} cannot be read: {why}.") from why
