"""Reads answered from a standby of the database, where one is set (``LEDGER_REPLICA``).

What is recorded is there a little later. So a read goes there only if that has come as far as the
client must see: to the position that it names (``If-Ledger-Position``), else to the last one that
anybody was answered. While the standby cannot be asked, it is left alone for some seconds, and the
database that is written answers everything.
"""

import logging
import time
from threading import Lock
from typing import Any, NamedTuple

from domain.errors import NotReady
from service.awaiting import await_position
from service.log import LedgerMapper
from service.log_recorder import LedgerRecorder
from service.personal.personal import Personal
from service.projections.store import metadata
from service.reads import Reads
from service.reports.asked import Reports
from service.settings import Settings
from service.similar import Similar
from service.stores import PROJECTIONS
from service.worklist import Worklist

log = logging.getLogger("leadledger")
# In seconds: for so long it is not asked again.
REST = 5.0


class Answering(NamedTuple):
    """Who answers what is read."""

    reads: Reads
    reports: Reports
    worklist: Worklist
    similar: Similar


def answering(reads: Reads, personal: Personal, settings: Settings) -> Answering:
    """All that answer from these reads."""
    worklist = Worklist(reads, settings.due_days)
    return Answering(reads, Reports(reads, personal), worklist, Similar(reads))


class Replica:
    """A standby, and whether it can be asked just now."""

    def __init__(self, place: str, answers: Answering, recorder: LedgerRecorder, written: Any):
        """``recorder``: of the log there; ``written``: of the one that it should be a copy of."""
        self.answers = answers
        self._place = place
        self._log, self._written = recorder, written
        self._turn = Lock()
        self._away, self._rests_until = "", 0.0
        self._known = False

    def come_to(self, wanted: int, patience: float | None = None) -> int | None:
        """The position that it has come to, if that is not before ``wanted``; None when it is, or
        it cannot be asked. With ``patience`` it is waited for, so many seconds, and NotReady then.
        """
        if not self._may_be_asked():
            return None
        try:
            position = self.answers.reads.position()
            self._check_copy(position)
        except NotReady as why:
            self.rest(why)
            return None
        if self._away:
            log.warning("The replica %s answers again.", self._place)
            self._away = ""
        if position < wanted and patience is not None:
            position = await_position(self.answers.reads, wanted, patience)
        return position if position >= wanted else None

    def rest(self, why: NotReady) -> None:
        """It is not asked for a while."""
        said = f"{why}".rstrip(".")
        if not self._away:
            log.warning("The replica %s is left alone: %s.", self._place, said)
        self._away, self._known = said, False
        self._rests_until = time.monotonic() + REST

    def complaint(self) -> str:
        """What somebody should see to; nothing while it answers."""
        self.come_to(0)
        return f"The replica {self._place} cannot be asked: {self._away}." if self._away else ""

    def close(self) -> None:
        """Let go of the connections."""
        self._log.close()
        self.answers.reads.store.close()

    def _may_be_asked(self) -> bool:
        """Whether it answered last, or has rested; then it is one who finds out for all."""
        if not self._away:
            return True
        with self._turn:
            rested = time.monotonic() >= self._rests_until
            if rested:
                self._rests_until = time.monotonic() + REST
            return rested

    def _check_copy(self, position: int) -> None:
        """NotReady when it is no copy of this log; asked once, and after each rest."""
        if self._known or position == 0:
            return
        there, here = (r.stored_rows(position - 1, 1, position) for r in (self._log, self._written))
        if there != here:
            raise NotReady(
                "Its log has another event at position {position} than ours", position=position
            )
        self._known = True


def replica_of(
    settings: Settings, written: LedgerRecorder, mapper: LedgerMapper, personal: Personal
) -> Replica | None:
    """The replica that the settings name, of the log that is ``written``."""
    if settings.replica is None:
        return None
    # Not before somebody needs it: see there.
    from service.projections.postgres_followed import (  # noqa: PLC0415
        FollowedRecorder,
        FollowedStore,
    )
    from service.projections.postgres_pool import connections_to  # noqa: PLC0415

    connections = connections_to(settings.replica, settings.lock_timeout)
    recorder = FollowedRecorder(connections)
    store = FollowedStore(connections, PROJECTIONS.schema, metadata)
    reads = Reads(recorder, mapper, store, follows=True)
    # Persons' keys are never asked of a copy: whoever was erased is gone at once.
    answers = answering(reads, personal, settings)
    return Replica(settings.replica.url, answers, recorder, written)
