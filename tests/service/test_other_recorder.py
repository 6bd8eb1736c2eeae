"""The log in other persistence modules of the library's, in the place of ours: its recorder
interface is all that the service needs.

The tests of the service that follow here a second time know nothing of that. What stands beside the
log stays in files. (The domain's own tests record nowhere.)
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import ApplicationRecorder, Notification, StoredEvent
from eventsourcing.popo import POPOApplicationRecorder
from eventsourcing.sqlite import SQLiteApplicationRecorder, SQLiteDatastore

from service import application
from service.log_recorder import LedgerRecorder
from service.log_sqlite import SQLiteRecorder
from service.settings import Settings
from tests.service import test_application, test_rulings
from tests.service.helpers import check_projections, journeys, ledger_at, settings_in, whole_log


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


def in_memory(_folder: Path) -> ApplicationRecorder:
    """The library's plain objects."""
    return POPOApplicationRecorder()


def in_its_own_file(folder: Path) -> ApplicationRecorder:
    """The library's own SQLite, beside where ours would be."""
    recorder = SQLiteApplicationRecorder(SQLiteDatastore(f"{folder / 'library.sqlite'}"))
    recorder.create_table()
    return recorder


Make = Callable[[Path], ApplicationRecorder]


@pytest.fixture(params=[in_memory])
def module(request: pytest.FixtureRequest) -> Make:
    """The persistence module."""
    found: Make = request.param
    return found


@pytest.fixture(autouse=True)
def logs_elsewhere(module: Make, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every ledger keeps its log in ``module``; whoever opens one again finds it there."""
    kept: dict[Path, OtherRecorder] = {}

    def recorder_of(settings: Settings) -> LedgerRecorder:
        place = settings.database
        if place not in kept:
            kept[place] = OtherRecorder(module(place.parent))
        return kept[place]

    monkeypatch.setattr(application, "recorder_of", recorder_of)
    yield
    for recorder in kept.values():
        if isinstance(recorder._library, SQLiteApplicationRecorder):
            recorder._library.datastore.close()


# These look into the file itself, or have other processes open it.
OF_THE_FILE = {
    "test_eight_processes_with_one_key_record_once",
    "test_eight_processes_on_one_lead_lose_no_update",
    "test_of_those_who_know_the_same_version_exactly_one_is_carried_out",
    "test_a_member_number_is_given_once_however_many_register_it_at_once",
}


def again(*modules: ModuleType) -> dict[str, Any]:
    """Their tests, each named with its module."""
    return {
        f"{name}__{module.__name__.rpartition('.')[2]}": thing
        for module in modules
        for name, thing in vars(module).items()
        if name.startswith("test_") and callable(thing) and name not in OF_THE_FILE
    }


SECOND_TIME = again(test_application, test_rulings)
globals().update(SECOND_TIME)


def test_there_are_tests_to_pass() -> None:
    assert len(SECOND_TIME) > 30


@pytest.mark.parametrize("module", [in_memory, in_its_own_file], indirect=True)
def test_every_command_is_recorded_and_every_projection_made(module: Make, tmp_path: Path) -> None:
    with ledger_at(replace(settings_in(tmp_path), postgres=None)) as ledger:
        assert type(ledger.log_recorder) is OtherRecorder
        journeys(ledger)
        check_projections(ledger)
        assert len(whole_log(ledger)) > 20


@pytest.mark.parametrize("module", [in_memory, in_its_own_file], indirect=True)
def test_what_is_worked_out_here_is_what_our_own_recorder_asks_of_its_database(
    module: Make, tmp_path: Path
) -> None:
    ours, other = SQLiteRecorder(tmp_path / "log.sqlite", 5), OtherRecorder(module(tmp_path))
    ours.create_table()
    streams = [uuid4() for _ in range(3)]
    for recorder in (ours, other):
        for stream in streams:
            events = [StoredEvent(stream, n, "lead.tipped", b"%d" % n) for n in (1, 2)]
            recorder.insert_events(events)
    asked: list[Callable[[LedgerRecorder], Any]] = [
        lambda r: r.stored_rows(2, 3, 5),
        lambda r: r.stored_rows_of(streams[1]),
        lambda r: r.first_positions([streams[0], streams[2].hex, uuid4()]),
        lambda r: r.count_upto(4),
        lambda r: r.named_at([6, 1, 99]),
        lambda r: r.last_position(r.version()),
        lambda r: [n.id for n in r.share((3, 4), 6).select_notifications(1, 9)],
        lambda r: r.share((3, 4), 6).stored_rows(1, 9),
    ]
    for ask in asked:
        assert ask(other) == ask(ours)
    assert other.version() != other.version()
    other.try_write()
    ours.close()
    if isinstance(other._library, SQLiteApplicationRecorder):
        other._library.datastore.close()
