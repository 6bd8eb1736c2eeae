"""The keeper: the one process beside the web workers, for everything that is no request.

It signs checkpoints, sends them away, hashes the whole log again at its start and every night, has
the exports made, and searches what tips may be the same as. A second keeper of one ledger waits
until the first has ended.
"""

import logging
import os
import secrets
import select
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import date, datetime
from threading import Thread

from eventsourcing.persistence import PersistenceError

from domain.actor import CHINA, Actor, acting, now
from domain.errors import Invalid, NotReady
from service.access.heads import Heads
from service.access.record import Head
from service.ahead import Ahead
from service.alone import alone_at
from service.application import Ledger
from service.exports.schedule import Nights
from service.log import UnreadableEvent
from service.proof.rounds import note_begin, note_finished, note_unfinished
from service.proof.sending import Sender
from service.proof.signer import Signer

log = logging.getLogger("leadledger.keeper")
# In China, where the office sleeps then.
NIGHT = 2
# In seconds: after what a full disk or a held lock kept it from.
_AGAIN = 5.0
# How soon what was recorded cannot be changed any more without the keeper knowing.
_LOOK = 1.0
_WAIT = 0.2
# How long it searches, at most, before it looks again.
_SEARCH = 0.2


class Stop:
    """Set once, also by a signal's handler (threading's Event may lock itself out in one)."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def set(self, *_: object) -> None:
        """End every wait, now and from now on."""
        os.write(self._write, b".")

    def wait(self, seconds: float) -> bool:
        """Wait so long at most; whether it is set."""
        return bool(select.select([self._read], [], [], seconds)[0])

    def is_set(self) -> bool:
        """Whether it is set."""
        return self.wait(0)


class Keeper:
    """The keeper of one ledger, until ``stop`` is set."""

    def __init__(self, ledger: Ledger, stop: Stop) -> None:
        self._ledger = ledger
        self._settings = ledger.settings
        self._stop = stop
        self._signer = Signer(ledger.settings, ledger.log_recorder, ledger.published)
        self._sender = Sender(ledger.settings)
        self._nights = Nights(ledger.settings, ledger.reads.position_known_at)
        self._ahead = Ahead(ledger.reads)
        self._heads = Heads(ledger.settings, ledger.access)
        self._hashed_on: date | None = None
        # The head of the access record that this keeper told the log last.
        self._noted: Head | None = None
        self._right = alone_at(ledger.settings, "keeper")

    def run(self, say: Callable[[str], object]) -> None:
        """Keep the ledger; ``say`` is called with what whoever started it should know."""
        with self._alone(say) as alone:
            if not alone:
                return
            note_begin(self._settings, now())
            sending = Thread(target=self._sender.run, daemon=True)
            sending.start()
            try:
                self._work()
            finally:
                self._nights.stop()
                self._sender.stop()
                self._signer.close()

    def _work(self) -> None:
        due = time.monotonic()
        while not self._stop.wait(max(0.0, min(_LOOK, due - time.monotonic()))):
            # Whoever is not the only one any more ends, and is started again to wait.
            self._right.check()
            if time.monotonic() >= due:
                due = time.monotonic() + self._round(now())
            else:
                self._look()
            self._look_at_accesses()
            self._export()
            self._search()

    def _look_at_accesses(self) -> None:
        # What keeps it from looking now does not for ever, and what is seen then is as true.
        with suppress(NotReady, Invalid, OSError):
            self._heads.look()

    def _export(self) -> None:
        """Begin what is due, under a checkpoint that covers it, and notice its end."""
        self._nights.look()
        with suppress(NotReady, PersistenceError, UnreadableEvent, OSError):
            if self._nights.due(now()):
                self._round(now())
                self._nights.start()

    def _search(self) -> None:
        # Nobody misses what is not found ahead.
        with suppress(NotReady, PersistenceError, UnreadableEvent, OSError):
            self._ahead.work(_SEARCH)

    def _look(self) -> None:
        # Whatever keeps it from looking keeps it from its round as well, which says so.
        with suppress(NotReady, PersistenceError, OSError):
            self._signer.look()

    def _round(self, moment: datetime) -> float:
        """Do what is due; in how many seconds to look again."""
        try:
            self._signer.check(moment)
            if self._is_night_due(moment):
                self._signer.rehash(moment)
                self._hashed_on = night_of(moment)
            self._note_accesses(moment)
            if self._signer.sign(moment):
                self._sender.wake()
        except (NotReady, PersistenceError, OSError) as why:
            log.warning("the keeper tries again in %s s: %s", _AGAIN, why)
            note_unfinished(self._settings, f"{why}")
            return _AGAIN
        note_finished(self._settings, moment)
        return float(self._settings.checkpoint_every)

    def _note_accesses(self, moment: datetime) -> None:
        """Have the checkpoint that is due cover the access record as well, as far as it was seen. A
        log that does not grow is not made to."""
        self._look_at_accesses()
        head = self._heads.seen()
        if head in (None, self._noted) or self._ledger.published.standing():
            return
        if self._signer.grew():
            with acting(Actor("the keeper", moment, secrets.token_hex(16))):
                self._ledger.note_accesses(f"{head}")
            self._noted = head

    def _is_night_due(self, moment: datetime) -> bool:
        return self._hashed_on is None or self._hashed_on < night_of(moment)

    @contextmanager
    def _alone(self, say: Callable[[str], object]) -> Iterator[bool]:
        """Within, no other keeper of this ledger is at work; False when told to stop before."""
        with closing(self._right):
            waiting = False
            while not (alone := self._right.take()) and not self._stop.is_set():
                if not waiting:
                    say("Another keeper works on this ledger; this one waits for its end.")
                waiting = True
                self._stop.wait(_WAIT)
            yield alone


def night_of(moment: datetime) -> date:
    """The day whose night began last."""
    china = moment.astimezone(CHINA)
    return date.fromordinal(china.toordinal() - (china.hour < NIGHT))
