"""The log in another persistence module of the library's, in the place of ours.

``TEST_DATABASE=popo`` has every ledger of a run keep its log so: with nothing but the library's own
recorder interface, and the defaults that `service/log_recorder.py` works out from it. What stands
beside the log stays in files.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from threading import RLock
from typing import Any
from uuid import UUID

from eventsourcing.persistence import ApplicationRecorder, Notification, StoredEvent
from eventsourcing.popo import POPOApplicationRecorder

from service import application, cli_shared
from service.log_recorder import LedgerRecorder
from service.settings import Settings


class OtherRecorder(LedgerRecorder):
    """A recorder of the library's, and no more of it than its interface."""

    def __init__(self, library: ApplicationRecorder) -> None:
        self._library = library
        self._turn = RLock()

    def insert_events(self, stored_events: Iterable[StoredEvent], **_: Any) -> Sequence[int]:
        """Append all or none; their positions."""
        with self._turn:
            return self._library.insert_events(list(stored_events)) or []

    def select_events(self, originator_id: UUID | str, **within: Any) -> Sequence[StoredEvent]:
        """One stream, by version."""
        with self._turn:
            return self._library.select_events(originator_id, **within)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """The log in order of position."""
        with self._turn:
            return self._library.select_notifications(
                start, limit, stop, topics, inclusive_of_start=inclusive_of_start
            )

    def max_notification_id(self) -> int | None:
        """The position of the last event."""
        with self._turn:
            return self._library.max_notification_id()


# What was kept for a file, for whoever opens the ledger again: nothing of it is in the file.
_kept: dict[Path, OtherRecorder] = {}


def recorder_of(settings: Settings) -> LedgerRecorder:
    """The log of these settings' ledger, in memory."""
    return _kept.setdefault(settings.database, OtherRecorder(POPOApplicationRecorder()))


def keep_logs_elsewhere() -> None:
    """Have every ledger of this process use it, if the run is to."""
    if os.environ.get("TEST_DATABASE") == "popo":
        application.recorder_of = recorder_of  # type: ignore[attr-defined]
        cli_shared.recorder_of = recorder_of  # type: ignore[attr-defined]
