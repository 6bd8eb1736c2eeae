"""The log and the projections on a standby, which follows the database that is written: they are
read there, as far as they have come, and nothing is ever written."""

from typing import NoReturn

from domain.errors import NotReady
from service.log_postgres import PostgresRecorder
from service.log_recorder import Version
from service.projections.postgres_store import PostgresStore

_VERSION = (
    "SELECT pg_is_in_recovery(), (SELECT number FROM ledger.changes), "
    "(SELECT coalesce(min(position), 0) FROM ledger_projections.bookmarks)"
)


class FollowedRecorder(PostgresRecorder):
    """The log as a standby has it."""

    def version(self) -> Version:
        """The log is of the position that the projections have come to, which is all that is
        answered from here. NotReady when the server was promoted: then it is written, and may be
        another log than ours from some position on."""
        follows, beside, position = self._rows(_VERSION)[0]
        if not follows:
            # Another one may be had that is a standby.
            self._connections.void()
            raise NotReady("The replica's server is no standby any more")
        return Version(beside, position)


class FollowedStore(PostgresStore):
    """The tables as a standby has them. Who brings up those that are written brings up these."""

    def create_tables(self) -> NoReturn:
        """They come by replication."""
        raise self._refusal()

    def writing(self) -> NoReturn:
        """Nobody writes here."""
        raise self._refusal()

    def leading(self) -> NoReturn:
        """Nor takes in anything."""
        raise self._refusal()

    def _refusal(self) -> NotReady:
        return NotReady("The {place} is a replica, which only follows.", place=self.place)
