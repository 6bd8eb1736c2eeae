"""Which recorder keeps the log: the one of the database that the settings name."""

from domain.errors import Refused
from service.log_recorder import LedgerRecorder
from service.log_sqlite import SQLiteRecorder
from service.settings import Settings


def recorder_of(settings: Settings) -> LedgerRecorder:
    """The log of a ledger, where its settings say that it is."""
    if settings.postgres is None:
        cache = settings.cache << 10
        return SQLiteRecorder(settings.database, settings.lock_timeout, cache, settings.moved)
    # Not before somebody needs it: see there.
    from service.log_postgres import PostgresRecorder  # noqa: PLC0415
    from service.projections.postgres_pool import connections_to  # noqa: PLC0415

    return PostgresRecorder(connections_to(settings.postgres, settings.lock_timeout))


def check_unmoved(settings: Settings) -> None:
    """Refused for a ledger in a file that was moved to another database, where it goes on."""
    if settings.postgres is None and settings.moved.exists():
        raise Refused(
            f"This ledger was moved to {settings.moved.read_text().strip()} and goes on there: set "
            f"LEDGER_DATABASE to that. (To go on here after all, and lose what was recorded there, "
            f"remove {settings.moved}.)"
        )
