"""Which tables are kept where: of each store its file or its schema, and whether it can be made
anew."""

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
    """Where tables are, and how: see `SQLiteStore` and `PostgresStore`."""

    schema: str
    file: Callable[[Settings], Path]
    durable: bool = True
    forgets: bool = False
    mend: Callable[[SQLiteStore, Identity], str] | None = None


# Tokens, checkpoints, alarms: beside the events.
LEDGER = Which("ledger", lambda settings: settings.database)
ACCESS = Which("ledger_access", lambda settings: settings.access)
# Apart, so that a copy of all the rest can be made without them.
KEYS = Which("ledger_keys", lambda settings: settings.subjects, forgets=True)
# These two can be made from the log.
PROJECTIONS = Which(
    "ledger_projections",
    lambda settings: settings.projections,
    durable=False,
    mend=make_projections_anew,
)
TREE = Which("ledger_tree", lambda settings: settings.tree, durable=False, mend=make_anew)


def store_of(settings: Settings, which: Which, tables: sa.MetaData) -> Store:
    """The ``tables`` of a ledger, where its settings say that they are."""
    if settings.postgres:
        # Not before somebody needs it: see there.
        from service.kept_schemas import kept_of  # noqa: PLC0415
        from service.projections.postgres_pool import connections_to  # noqa: PLC0415
        from service.projections.postgres_store import PostgresStore  # noqa: PLC0415

        connections = connections_to(settings.postgres, settings.lock_timeout)
        kept = kept_of(tables) if which.durable else None
        return PostgresStore(connections, which.schema, tables, kept)
    return SQLiteStore(
        which.file(settings),
        settings.lock_timeout,
        tables,
        durable=which.durable,
        forgets=which.forgets,
        cache=settings.cache << 10,
        mend=which.mend,
    )
