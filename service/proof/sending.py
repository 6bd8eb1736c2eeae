"""Checkpoints leave the house: each is sent to a folder or an HTTP address, until it has arrived.

In a thread of its own: a place that does not answer keeps nothing from being signed.
"""

import logging
from hashlib import sha256
from pathlib import Path
from threading import Event
from urllib.request import Request, urlopen

from domain.actor import now
from domain.errors import NotReady
from service.durable import write_durably
from service.proof.published import Made, Published
from service.settings import Settings

log = logging.getLogger("leadledger.keeper")
_PATIENCE = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 5.0, 600.0


class Sender:
    """Sends what was not sent yet, the oldest first."""

    def __init__(self, settings: Settings) -> None:
        self._to = settings.checkpoint_to
        self._published = Published(settings)
        self._news = Event()
        self._over = False

    def wake(self) -> None:
        """There is a new checkpoint."""
        self._news.set()

    def stop(self) -> None:
        """Send no more."""
        self._over = True
        self._news.set()

    def run(self) -> None:
        """Send until told to stop; what fails is tried again, later each time."""
        pause = _FIRST_PAUSE
        while not self._over:
            self._news.clear()
            try:
                self.send_all()
                pause = _FIRST_PAUSE
                self._news.wait()
            except (OSError, NotReady) as why:
                log.warning("a checkpoint could not be sent to %s: %s", self._to, why)
                self._news.wait(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        self._published.store.close()

    def send_all(self) -> None:
        """Send everything that waits; OSError at the first that does not arrive."""
        while self._to and not self._over and (made := self._published.unsent()):
            send(made, self._to)
            self._published.sent(made, now())


def send(made: Made, to: str) -> None:
    """Send one checkpoint; OSError when it did not arrive."""
    if to.startswith(("http://", "https://")):
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        request = Request(to, made.note.encode(), headers)  # noqa: S310 - checked just above
        with urlopen(request, timeout=_PATIENCE):  # noqa: S310
            return
    folder = Path(to)
    folder.mkdir(parents=True, exist_ok=True)
    digest = sha256(made.note.encode()).hexdigest()[:8]
    write_durably(folder / f"{made.size:012d}-{digest}.checkpoint", made.note.encode())
