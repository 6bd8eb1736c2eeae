"""Marked copies of uploads that could not be imported: kept for a while, for who sent them."""

import time
from pathlib import Path

from domain.errors import NotFound

# So many at most, and none for longer (seconds).
_MOST, _LONGEST = 50, 24 * 3600


class Marked:
    """A folder of them; each is named by the request that it came with, and the token."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def place(self, request: str, token: str) -> Path:
        """Where the copy for a request goes; what is too old, or too many, goes away."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        kept = sorted(self._folder.glob("*.xlsx"), key=_age)
        for copy in kept[_MOST - 1 :]:
            copy.unlink(missing_ok=True)
        for copy in kept[: _MOST - 1]:
            if _age(copy) > _LONGEST:
                copy.unlink(missing_ok=True)
        return self._folder / f"{request}.{token}.xlsx"

    def find(self, request: str, token: str) -> Path:
        """The copy that this token may have; NotFound for any other."""
        path = self._folder / f"{request}.{token}.xlsx"
        if not path.is_file() or _age(path) > _LONGEST:
            raise NotFound("There is no such marked copy, or not any more.")
        return path


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return _LONGEST + 1
