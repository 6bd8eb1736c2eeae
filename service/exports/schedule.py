"""Starts the exports in the night, in a process of their own: the keeper goes on signing meanwhile,
and the memory that they took is given back."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import date, datetime

from domain.actor import now
from service.exports.cut import cut_off, last_over
from service.exports.failing import note_failure
from service.exports.shelf import Shelf
from service.serving import STARTER
from service.settings import Settings

log = logging.getLogger("leadledger.keeper")
_COMMAND = (sys.executable, "-c", "from service.cli import main; main()", "export", "--due")
# In seconds: after a failure, which may be a full disk that somebody is clearing.
_AGAIN = 600.0
_PATIENCE = 10.0


class Nights:
    """The schedule of one ledger's exports. ``recorded_by`` gives the last log position at a
    moment: before anything was recorded there is nothing to export."""

    def __init__(self, settings: Settings, recorded_by: Callable[[datetime], int]) -> None:
        self._settings = settings
        self._recorded_by = recorded_by
        self._done: date | None = None
        self._night: date | None = None
        self._not_before = time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None

    def due(self, moment: datetime) -> bool:
        """Whether an export should be under way and is not."""
        at = self._settings.export_at
        if at is None or self._process is not None or time.monotonic() < self._not_before:
            return False
        night = last_over(moment, at)
        if self._done is not None and night <= self._done:
            return False
        newest = Shelf(self._settings.exports).newest()
        if (newest and newest >= night) or not self._recorded_by(cut_off(night, at)):
            self._done = night
            return False
        self._night = night
        return True

    def start(self) -> None:
        """Begin what is due. Its process ends with this one."""
        environment = {**os.environ, STARTER: str(os.getpid())}
        self._process = subprocess.Popen(_COMMAND, env=environment, stdin=subprocess.DEVNULL)

    def look(self) -> None:
        """Notice when it has ended."""
        status = self._process.poll() if self._process else None
        if status is None:
            return
        self._process = None
        if status == 0:
            self._done = self._night
            return
        self._not_before = time.monotonic() + _AGAIN
        log.error("the nightly export ended with status %s; again in %s s", status, _AGAIN)
        if status < 0:
            # It could not say so itself.
            why = f"its process was ended by signal {-status}."
            note_failure(self._settings.exports, now(), why)

    def stop(self) -> None:
        """End it: what it has written is no export yet, and is removed by the next."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
