"""Moves a ledger from its files into PostgreSQL: the log in batches, at its positions; then what no
log can give again; then everything that is made from the log.

A move that was killed goes on where it was: nothing is served from the database before all of it is
there and compared. The files stay as they are, with a note that the ledger has moved.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa

from domain.errors import Refused
from service.application import Ledger
from service.durable import sync
from service.log_moving import Arriving
from service.log_recorder import LedgerRecorder
from service.log_sqlite import SQLiteRecorder
from service.postgres import Postgres
from service.projections.postgres_pool import connections_to
from service.projections.store import Store
from service.proof.tree import Frontier, leaf_hashes
from service.settings import Settings

_BATCH = 2_000
_STREAMED = {"yield_per": _BATCH}

Progress = Callable[[int], object]


class Moved(NamedTuple):
    """What is in the database now: the log's length, last position and root; rows beside it."""

    events: int
    position: int
    root: str
    rows: int


def move(source: Ledger, target: Postgres, progress: Progress = lambda _events: None) -> Moved:
    """Move the ledger of ``source``; Refused where that cannot be done, and why."""
    settings = source.settings
    recorder = source.log_recorder
    if not isinstance(recorder, SQLiteRecorder):
        raise Refused(f"The ledger is on PostgreSQL already, at {settings.place}.")
    origin = f"{settings.database.absolute()}"
    with _nobody_serving(settings), closing(Ledger(replace(settings, postgres=target))) as there:
        connections = connections_to(target, settings.lock_timeout)
        with closing(Arriving(connections, origin)) as arriving:
            arriving.create_table()
            there.create_kept()
            if arriving.begin(in_use=_any_rows(there)):
                return _arrived(source, arriving, target)
            _copy_log(recorder, arriving, progress)
            # From here on nobody records, so that what is compared is all there is.
            with recorder.writing():
                _copy_log(recorder, arriving, progress)
                found = _same_log(recorder, arriving)
                rows = sum(map(_copy_tables, source.kept, there.kept))
                there.personal.create()
                there.reads.store.create_tables()
                there.reads.catch_up.rebuild()
                arriving.finish()
                _note(settings, target)
    return Moved(*found, rows)


@contextmanager
def _nobody_serving(settings: Settings) -> Iterator[None]:
    """Refused while the ledger's keeper is at work, which every service has beside it."""
    path = settings.database.with_name(settings.database.name + ".keeper.lock")
    with path.open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(
                "The ledger is being served: stop 'leadledger serve' first, so that nothing is "
                "recorded where nobody looks for it any more."
            ) from None
        yield


def _any_rows(ledger: Ledger) -> bool:
    for store in ledger.kept:
        with store.reading() as connection:
            for table in store.tables.sorted_tables:
                if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
                    return True
    return False


def _arrived(source: Ledger, there: Arriving, target: Postgres) -> Moved:
    """All of it was there before: only the note may be missing."""
    recorder = source.log_recorder
    last = recorder.max_notification_id() or 0
    if there.stored_rows(last - 1, 1, last) != recorder.stored_rows(last - 1, 1):
        raise Refused(
            f"This ledger was moved there before, and has gone on here since: event {last} is not "
            "there. To move all of it, name an empty database."
        )
    _note(source.settings, target)
    return Moved(*_held(recorder), 0)


def _copy_log(source: LedgerRecorder, target: Arriving, progress: Progress) -> None:
    """What the target has not yet. What it has must be how the source begins."""
    after = target.max_notification_id() or 0
    if after and target.stored_rows(after - 1, 1) != source.stored_rows(after - 1, 1, after):
        raise Refused(f"At position {after} the log there has another event than the one here.")
    while rows := source.stored_rows(after, _BATCH):
        target.take(after, rows)
        after = rows[-1][0]
        progress(len(rows))


def _same_log(source: LedgerRecorder, target: LedgerRecorder) -> tuple[int, int, str]:
    """Length, last position and root of both; Refused unless they are the same."""
    here, there = _held(source), _held(target)
    if here != there:
        raise Refused(f"The log was not copied truly: {there} is there, and {here} here.")
    return here


def _held(recorder: LedgerRecorder) -> tuple[int, int, str]:
    frontier, position = Frontier(), 0
    while rows := recorder.stored_rows(position, _BATCH):
        frontier.extend(leaf_hashes(rows))
        position = rows[-1][0]
    return frontier.size, position, frontier.root().hex()


def _copy_tables(source: Store, target: Store) -> int:
    """All rows of a store, in the place of whatever an earlier try left there; how many. Refused
    unless they are the same afterwards."""
    count = 0
    with source.snapshot() as here, target.writing() as there:
        for table in source.tables.sorted_tables:
            there.execute(sa.delete(table))
            rows = here.execute(sa.select(table), execution_options=_STREAMED).mappings()
            for some in rows.partitions(_BATCH):
                there.execute(sa.insert(table), [dict(row) for row in some])
                count += len(some)
            _follow_numbers(there, target, table)
            if _digest(here, table) != _digest(there, table):
                raise Refused(f"Table {table.name} was not copied truly; nothing of it was kept.")
    return count


def _follow_numbers(connection: sa.Connection, store: Store, table: sa.Table) -> None:
    """Have the database number the next row after the last one that was copied."""
    column = table.autoincrement_column
    if column is not None:
        last = sa.func.coalesce(sa.func.max(column), 0)
        sequence = sa.func.pg_get_serial_sequence(f"{store.schema}.{table.name}", column.name)  # type: ignore[attr-defined]
        connection.execute(sa.select(sa.func.setval(sequence, last + 1, False)))


def _digest(connection: sa.Connection, table: sa.Table) -> str:
    """Of all rows, by their key: texts sort by their bytes in both databases."""
    asked = sa.select(table).order_by(*table.primary_key)
    digest = sha256()
    for row in connection.execute(asked, execution_options=_STREAMED):
        digest.update(repr(tuple(row)).encode("utf-8", "backslashreplace"))
    return digest.hexdigest()


def _note(settings: Settings, target: Postgres) -> None:
    """Whoever starts a service on the files is told where the ledger is."""
    settings.moved.write_text(f"{target.url}\n")
    sync(settings.moved)
    sync(settings.moved.parent)
