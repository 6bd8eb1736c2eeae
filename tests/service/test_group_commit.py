"""Saves that wait for the lock together share one transaction, and each is whole or not there."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import IntegrityError, PersistenceError, StoredEvent

from domain.errors import NotReady
from service.locks import FileLock
from service.log import LedgerRecorder
from tests.service.helpers import PATIENCE

SAVES = 6


class Recorder(LedgerRecorder):
    """Says how many saves wait, so that a test knows when all do."""

    @property
    def waiting(self) -> int:
        return len(self._saves)


@pytest.fixture
def recorder(tmp_path: Path) -> Iterator[Recorder]:
    """A recorder of an empty log."""
    found = Recorder(tmp_path / "ledger.sqlite", lock_timeout=30)
    found.create_table()
    yield found
    found.close()


def event(stream: UUID, version: int = 1, size: int = 1) -> StoredEvent:
    return StoredEvent(stream, version, "t", b"s" * size)


def together(recorder: Recorder, saves: list[list[StoredEvent]]) -> list[Future[Any]]:
    """All of these saved at once: they come while another process writes."""
    other = FileLock(recorder.path.with_name(recorder.path.name + ".lock"), 30)
    with ThreadPoolExecutor(len(saves)) as pool, other.held():
        done = [pool.submit(recorder.insert_events, events) for events in saves]
        until(lambda: recorder.waiting == len(saves))
    other.close()
    return done


def until(ready: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, "it never comes to that"


def stored(recorder: Recorder) -> list[tuple[int, UUID | str, int]]:
    found = recorder.select_notifications(None, 1000)
    return [(n.id, n.originator_id, n.originator_version) for n in found]


def test_saves_that_wait_together_are_committed_together(recorder: Recorder) -> None:
    saves = [[event(stream), event(stream, 2)] for stream in (uuid4() for _ in range(SAVES))]
    before = recorder.commits
    done = together(recorder, saves)
    assert recorder.commits == before + 1
    for events, save in zip(saves, done, strict=True):
        positions = save.result()
        told = [
            (p, e.originator_id, e.originator_version)
            for p, e in zip(positions, events, strict=True)
        ]
        assert [row for row in stored(recorder) if row[0] in positions] == told
    assert [position for position, *_ in stored(recorder)] == list(range(1, 2 * SAVES + 1))


def test_a_version_that_is_taken_spoils_nobody_elses_save(recorder: Recorder) -> None:
    stream = uuid4()
    # The second event of the loser is new: it is not to be there without the first.
    rivals = [[event(stream), event(uuid4())] for _ in range(2)]
    others = [[event(uuid4())] for _ in range(3)]
    done = together(recorder, [*rivals, *others])
    lost = [save for save in done if save.exception()]
    assert len(lost) == 1
    assert isinstance(lost[0].exception(), IntegrityError)
    assert all(save.exception() is None for save in done[2:])
    assert len(stored(recorder)) == 2 + 3


def test_a_transaction_that_fails_fails_for_all_and_keeps_nothing(recorder: Recorder) -> None:
    with recorder.writing() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
    with recorder.writing() as connection:
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    saves = [[event(uuid4(), size=3000)] for _ in range(SAVES)]
    done = together(recorder, saves)
    assert all(isinstance(save.exception(), PersistenceError) for save in done)
    assert stored(recorder) == []
    with recorder.writing() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    recorder.insert_events(saves[0])
    assert len(stored(recorder)) == 1


def test_who_waits_too_long_is_told_so_and_is_not_saved_later(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "ledger.sqlite", lock_timeout=0.2)
    recorder.create_table()
    other = FileLock(recorder.path.with_name(recorder.path.name + ".lock"), 30)
    with other.held(), ThreadPoolExecutor(3) as pool:
        done = [pool.submit(recorder.insert_events, [event(uuid4())]) for _ in range(3)]
        assert all(isinstance(save.exception(), NotReady) for save in done)
    other.close()
    assert recorder.waiting == 0
    recorder.insert_events([event(uuid4())])
    assert len(stored(recorder)) == 1
    recorder.close()
