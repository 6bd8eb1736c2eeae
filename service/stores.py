"""Which tables are kept where: of each store its file, and whether it can be made anew."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from service.projections.mending import make_anew, make_projections_anew
from service.projections.sqlite_file import Identity
from service.projections.sqlite_store import SQLiteStore
from service.projections.store import Store
from service.settings import Settings


class Which(NamedTuple):
    """Where tables are, and how: see `SQLiteStore`."""

    file: Callable[[Settings], Path]
    durable: bool = True
    forgets: bool = False
    mend: Callable[[SQLiteStore, Identity], str] | None = None


# Tokens, checkpoints, alarms: beside the events.
LEDGER = Which(lambda settings: settings.database)
ACCESS = Which(lambda settings: settings.access)
KEYS = Which(lambda settings: settings.subjects, forgets=True)
# These two can be made from the log.
PROJECTIONS = Which(
    lambda settings: settings.projections, durable=False, mend=make_projections_anew
)
TREE = Which(lambda settings: settings.tree, durable=False, mend=make_anew)


def store_of(settings: Settings, which: Which, tables: sa.MetaData) -> Store:
    """The ``tables`` of a ledger, where its settings say that they are."""
    return SQLiteStore(
        which.file(settings),
        settings.lock_timeout,
        tables,
        durable=which.durable,
        forgets=which.forgets,
        mend=which.mend,
    )
