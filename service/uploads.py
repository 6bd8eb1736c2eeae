"""Files that were sent to be imported and checked: kept for an hour, for who sent them, until they
are recorded or given up.

Each has what the check found beside it, so that what is confirmed is what was checked.
"""

import os
import time
from hashlib import file_digest
from pathlib import Path
from typing import Any

import orjson

from domain.errors import NotFound
from service.durable import write_durably

# So many at most, and none for longer (seconds): they hold what people wrote of people.
_MOST, _LONGEST = 20, 3600


class Uploads:
    """A folder of them; each is named by its id, and the token of who sent it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, id: str, token: str) -> Path:
        """Where a file goes; what is too old, or too many, goes away."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = sorted(self._folder.iterdir(), key=_age)
        for path in kept:
            if _age(path) > _LONGEST:
                path.unlink(missing_ok=True)
        sent = [path for path in kept if path.suffix == ".file"]
        for path in sent[_MOST - 1 :]:
            path.unlink(missing_ok=True)
        place = self._path(id, token, "file")
        os.close(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        return place

    def file(self, id: str, token: str) -> Path:
        """The file; NotFound when it is another's, too old, or was recorded."""
        return self._there(self._path(id, token, "file"))

    def progress(self, id: str, token: str) -> Path:
        """Where it is told how many rows are done."""
        return self._path(id, token, "rows")

    def found(self, id: str, token: str) -> dict[str, Any] | None:
        """What was told of it last; None before that, or when it is another's or too old."""
        try:
            told: dict[str, Any] = orjson.loads(
                self._there(self._path(id, token, "told")).read_bytes()
            )
        except NotFound:
            return None
        return told

    def tell(self, id: str, token: str, told: dict[str, Any]) -> None:
        """Keep what is to be told of it."""
        write_durably(self._path(id, token, "told"), orjson.dumps(told))

    def drop(self, id: str, token: str) -> None:
        """It was recorded, or given up."""
        for kind in ("file", "rows"):
            self._path(id, token, kind).unlink(missing_ok=True)

    def _path(self, id: str, token: str, kind: str) -> Path:
        return self._folder / f"{id}.{token}.{kind}"

    def _there(self, path: Path) -> Path:
        if not path.is_file() or _age(path) > _LONGEST:
            raise NotFound("There is no such upload, or not any more.")
        return path


def sum_of(path: Path) -> str:
    """Its SHA-256."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return _LONGEST + 1
