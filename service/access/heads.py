"""What the keeper holds the access record against: its head of a second ago, in its own folder."""

import logging
from pathlib import Path

from service.access.record import Access, Head
from service.access.verifying import read_head
from service.durable import write_durably
from service.settings import Settings

log = logging.getLogger("leadledger.keeper")


class Heads:
    """The last head that the keeper saw, in the keeper's folder."""

    def __init__(self, settings: Settings, record: Access) -> None:
        self._path = _file(settings)
        self._record = record
        self._told: Head | None = None

    def look(self) -> None:
        """Note the head, if the record still has the one that was seen last; else say so."""
        seen, head = _read(self._path), self._record.head()
        if seen and not self._record.has(seen):
            # Once for each head; what is there is left to be looked into.
            if seen != self._told:
                log.critical("access record %s is gone or another one: it was altered.", seen.id)
            self._told = seen
        elif head and head != seen:
            self._path.parent.mkdir(0o700, parents=True, exist_ok=True)
            write_durably(self._path, f"{head}\n".encode())

    def seen(self) -> Head | None:
        """The head that was seen last and is still there; None when it is not, or there is none."""
        seen = _read(self._path)
        return seen if seen and self._record.has(seen) else None


def seen_by_the_keeper(settings: Settings) -> Head | None:
    """The head that the keeper saw last; None when it saw none, PermissionError where its folder
    is not ours to read."""
    return _read(_file(settings))


def _read(path: Path) -> Head | None:
    try:
        return read_head(path.read_text("ascii"))
    except FileNotFoundError:
        return None


def _file(settings: Settings) -> Path:
    return settings.keeper / "access.head"
