"""When each token was last used, to about ten minutes: the times of empty files named by their ids.

A file's time is set without a lock and without waiting for the disk. In the ledger's own file it
would be a transaction, after which every worker drops what it remembers of that file.
"""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from service.log import moment_text

EVERY = 600.0


class Uses:
    """A folder of them. What cannot be noted is not: no request waits for it, or fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Token id → when this process noted it last, by a clock that is never set.
        self._noted: dict[str, float] = {}

    def note(self, token_id: str) -> None:
        """It is used now."""
        now = time.monotonic()
        if now - self._noted.get(token_id, -EVERY) >= EVERY:
            self._noted[token_id] = now
            self._mark(self._folder / token_id)

    def _mark(self, file: Path) -> None:
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
