"""When each token was last used, to about ten minutes.

On one machine these are the times of empty files named by the tokens' ids. A file's time is set
without a lock and without waiting for the disk; in the ledger's own file it would be a transaction,
after which every worker drops what it remembers of that file. Of several machines a table has them.
"""

import os
import time
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from domain.actor import now
from domain.errors import NotReady
from service.log import moment_text
from service.settings import Settings
from service.stores import LEDGER, store_of

EVERY = 600.0

metadata = sa.MetaData()
token_uses = sa.Table(
    "token_uses",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("used_at", sa.String(32), nullable=False),
)


class Uses(ABC):
    """What cannot be noted is not: no request fails for it."""

    def __init__(self) -> None:
        # Token id → when this process noted it last, by a clock that is never set.
        self._noted: dict[str, float] = {}

    @abstractmethod
    def create(self) -> None:
        """Make what is missing."""

    def note(self, token_id: str) -> None:
        """It is used now."""
        moment = time.monotonic()
        if moment - self._noted.get(token_id, -EVERY) >= EVERY:
            self._noted[token_id] = moment
            self._mark(token_id)

    @abstractmethod
    def last(self, token_id: str) -> str | None:
        """When it was last used (RFC 3339), as far as was noted."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""

    @abstractmethod
    def _mark(self, token_id: str) -> None: ...


class FileUses(Uses):
    """A folder of them."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def create(self) -> None:
        """The folder is made by the first use."""

    def close(self) -> None:
        """Nothing is open."""

    def _mark(self, token_id: str) -> None:
        file = self._folder / token_id
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            os.utime(file)
        except OSError:
            # A full or read-only disk: whoever lists tokens sees an older use, or none.
            return

    def last(self, token_id: str) -> str | None:
        """When it was last used (RFC 3339), as far as was noted."""
        try:
            moment = (self._folder / token_id).stat().st_mtime
        except FileNotFoundError:
            return None
        return moment_text(datetime.fromtimestamp(moment, UTC))


class TableUses(Uses):
    """A table of them on PostgreSQL, which no other table's version follows."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._store = store_of(settings, LEDGER, metadata)

    def create(self) -> None:
        """Make the table."""
        self._store.create_tables()

    def _mark(self, token_id: str) -> None:
        insert = postgresql.insert(token_uses).values(id=token_id, used_at=moment_text(now()))
        later = insert.excluded.used_at
        # Of two machines whose clocks differ the later moment stands.
        keep = insert.on_conflict_do_update(
            index_elements=["id"], set_={"used_at": later}, where=token_uses.c.used_at < later
        )
        with suppress(NotReady), self._store.reading() as connection:
            connection.execute(keep)

    def last(self, token_id: str) -> str | None:
        """When it was last used (RFC 3339), as far as was noted."""
        asked = sa.select(token_uses.c.used_at).where(token_uses.c.id == token_id)
        with self._store.reading() as connection:
            moment: str | None = connection.execute(asked).scalar()
        return moment

    def close(self) -> None:
        """Let go of the database."""
        self._store.close()


def uses_of(settings: Settings) -> Uses:
    """When the tokens of a ledger were used."""
    return TableUses(settings) if settings.postgres else FileUses(settings.used)
