"""The log's side of a move into PostgreSQL: what is there already, and rows at their positions."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from domain.errors import Refused
from service.log_postgres import PostgresRecorder
from service.log_recorder import Row
from service.log_schema import APPENDING, driver_of
from service.projections.postgres_pool import Connections

_LAST = "SELECT coalesce(max(position), 0) FROM ledger.stored_events"


class Arriving(PostgresRecorder):
    """A log that is moved here, by one process."""

    def __init__(self, connections: Connections, origin: str) -> None:
        super().__init__(connections)
        self._origin = origin

    def begin(self, in_use: bool) -> bool:
        """Begin, or go on after being killed; whether all of it has arrived already. Refused where
        another ledger is. ``in_use``: there is something beside the log."""
        asked = "SELECT origin, finished_at IS NOT NULL FROM ledger.moved"
        for origin, arrived in self._rows(asked):
            if origin != self._origin:
                what = "was moved" if arrived else "is being moved"
                raise Refused(
                    f"The ledger of {origin} {what} there, and not {self._origin}: name an empty "
                    "database."
                )
            return bool(arrived)
        if in_use or self.max_notification_id():
            raise Refused("There is another ledger there; name an empty database.")
        with self._one() as connection:
            told = "INSERT INTO ledger.moved (origin) VALUES (%s)"
            driver_of(connection).execute(told, [self._origin])
        return False

    def take(self, after: int, rows: Sequence[Row]) -> None:
        """Rows as they are, after that position, where the log must end; all or none."""
        with self._connections.transaction("BEGIN") as connection:
            driver = driver_of(connection)
            driver.execute("SELECT pg_advisory_xact_lock(%s)", [APPENDING])
            ((last,),) = driver.execute(_LAST).fetchall()
            if last != after:
                raise Refused(
                    f"The log there ended at position {last} and not {after}: somebody else "
                    "writes it."
                )
            copying = "COPY ledger.stored_events FROM STDIN (FORMAT BINARY)"
            with driver.cursor().copy(copying) as copy:
                copy.set_types(["int8", "uuid", "int8", "text", "bytea"])
                for row in rows:
                    copy.write_row(_kept(row))

    def finish(self) -> None:
        """All of it is here: from now on it is served."""
        with self._one() as connection:
            driver_of(connection).execute("UPDATE ledger.moved SET finished_at = now()")


def _kept(row: Row) -> tuple[Any, ...]:
    position, originator_id, version, topic, state = row
    return position, UUID(originator_id.decode()), version, topic.decode(), state
