"""A ledger on PostgreSQL, written into files like those of one that is in files: what a backup has
is the same, wherever the ledger was.

Each table is read as it stands at one moment. Checkpoints are read before the log, which only
grows: so none covers more than is in it. The access record is read after the log, which notes its
heads: so it has whatever was noted.
"""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from domain.errors import Refused
from service.application import Ledger
from service.backups.manifest import LEDGER
from service.log_recorder import LedgerRecorder
from service.log_sqlite import SQLiteRecorder
from service.projections.store import Store
from service.settings import Settings

_BATCH = 2_000
_TAKE = (
    "INSERT INTO stored_events (rowid, originator_id, originator_version, topic, state) "
    "VALUES (?, ?, ?, ?, ?)"
)


def gathered(ledger: Ledger, folder: Path, *, keys: bool) -> Settings:
    """Write the persons' keys, or all but them, into files in ``folder``; settings of these."""
    settings = replace(ledger.settings, postgres=None, database=folder / LEDGER)
    with closing(Ledger(settings)) as there:
        there.log_recorder.create_table()
        there.create_kept()
        if keys:
            _copy_tables(ledger.personal.keys.store, there.personal.keys.store)
            return settings
        apart = (there.personal.keys.store, there.access.store)
        for here, to in zip(ledger.kept, there.kept, strict=True):
            if to not in apart:
                _copy_tables(here, to)
        _copy_log(ledger.log_recorder, there.log_recorder)
        _copy_tables(ledger.access.store, there.access.store)
    return settings


def _copy_tables(source: Store, target: Store) -> None:
    with source.snapshot() as here, target.writing() as there:
        for table in source.tables.sorted_tables:
            asked = sa.select(table).execution_options(yield_per=_BATCH)
            for some in here.execute(asked).mappings().partitions(_BATCH):
                there.execute(sa.insert(table), [dict(row) for row in some])


def _copy_log(source: LedgerRecorder, target: LedgerRecorder) -> None:
    if not isinstance(target, SQLiteRecorder):
        raise Refused("A backup is made of files.")
    last, after = source.max_notification_id() or 0, 0
    with target.writing() as connection:
        while rows := source.stored_rows(after, _BATCH, last):
            connection.executemany(
                _TAKE,
                [
                    (position, id.decode(), version, topic.decode(), state)
                    for position, id, version, topic, state in rows
                ],
            )
            after = rows[-1][0]
