"""Whoever's turn it is writes what all wait for; whatever becomes of it, the next one goes on."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from typing import Any
from uuid import uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent

from domain.errors import NotReady
from service.log_queue import MOST, Events, Taken, WriteQueue
from service.settings import HOME
from tests.faults.serving import until


def command(topic: str = "t") -> Events:
    """One event."""
    return [StoredEvent(uuid4(), 1, topic, b"")]


class Disk:
    """Writes when told to go on; what is called "taken" is refused, and "broken" breaks all."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.go = Event()
        self.at_work = Event()

    def write(self, commands: Sequence[Events]) -> Sequence[Taken]:
        """Positions from 1."""
        self.at_work.set()
        self.go.wait()
        before = sum(self.batches)
        self.batches.append(len(commands))
        topics = [events[0].topic for events in commands]
        for kind, error in (("broken", NotReady("lost")), ("ended", KeyboardInterrupt())):
            if kind in topics:
                raise error
        return [None if t == "taken" else before + n for n, t in enumerate(topics, 1)]


@pytest.fixture
def disk() -> Disk:
    """One that waits."""
    return Disk()


def waiting(
    disk: Disk, queue: WriteQueue, pool: ThreadPoolExecutor, topics: Sequence[str]
) -> list[Future[int]]:
    """One that is being written, and behind it these, in order."""
    found = [pool.submit(queue.put, command())]
    disk.at_work.wait()
    for topic in topics:
        found.append(pool.submit(queue.put, command(topic)))
        until(lambda: len(queue) == len(found) - 1, "it to wait")
    disk.go.set()
    return found


def what(answer: Future[int]) -> Any:
    """The position, or the kind of error."""
    why = answer.exception()
    return answer.result() if why is None else type(why)


def test_what_waits_goes_together_and_each_learns_its_own(disk: Disk) -> None:
    queue = WriteQueue(disk.write, 30)
    with ThreadPoolExecutor(10) as pool:
        found = waiting(disk, queue, pool, ["t", "taken", "t"])
        assert [what(answer) for answer in found] == [1, 2, IntegrityError, 4]
    assert disk.batches == [1, 3]


def test_no_more_go_together_than_the_database_keeps_at_hand(disk: Disk) -> None:
    queue = WriteQueue(disk.write, 30)
    with ThreadPoolExecutor(MOST + 10) as pool:
        found = waiting(disk, queue, pool, ["t"] * (MOST + 5))
        assert sorted(map(what, found)) == list(range(1, MOST + 7))
    assert disk.batches == [1, MOST, 5]


def test_what_breaks_breaks_for_those_who_went_together_and_the_next_go_on(disk: Disk) -> None:
    queue = WriteQueue(disk.write, 30)
    with ThreadPoolExecutor(10) as pool:
        found = waiting(disk, queue, pool, ["t", "broken"])
        assert [what(answer) for answer in found] == [1, NotReady, NotReady]
    assert queue.put(command()) == 4


def test_a_writer_that_is_ended_tells_the_others_and_leaves_the_turn(disk: Disk) -> None:
    queue = WriteQueue(disk.write, 30)
    with ThreadPoolExecutor(10) as pool:
        found = waiting(disk, queue, pool, ["ended", "t"])
        assert [what(answer) for answer in found] == [1, KeyboardInterrupt, NotReady]
    assert queue.put(command()) == 4


def test_who_waits_too_long_is_told_and_never_written(disk: Disk) -> None:
    queue = WriteQueue(disk.write, 0.1)
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(queue.put, command())
        disk.at_work.wait()
        second = pool.submit(queue.put, command())
        assert what(second) is NotReady
        disk.go.set()
        assert what(first) == 1
    assert disk.batches == [1]
    assert queue.put(command()) == 2


class Door:
    """A turn that comes when the door is opened, or with what it is told to raise."""

    def __init__(self) -> None:
        self.opened = Event()
        self.raises: list[BaseException] = []
        self.waited_since: list[float] = []

    @contextmanager
    def turn(self, since: float) -> Iterator[None]:
        """Within it is one's turn."""
        self.waited_since.append(since)
        self.opened.wait()
        if self.raises:
            raise self.raises.pop()
        yield


def test_what_comes_while_the_turn_is_waited_for_goes_along(disk: Disk) -> None:
    door = Door()
    disk.go.set()
    queue = WriteQueue(disk.write, 30, door.turn)
    with ThreadPoolExecutor(10) as pool:
        found = [pool.submit(queue.put, command()) for _ in range(3)]
        until(lambda: len(queue) == 3, "all to wait")
        door.opened.set()
        assert sorted(map(what, found)) == [1, 2, 3]
    assert disk.batches == [3]


@pytest.mark.parametrize("why", [NotReady("busy"), KeyboardInterrupt()])
def test_who_has_no_turn_fails_alone_and_the_next_goes_on(disk: Disk, why: BaseException) -> None:
    door = Door()
    door.raises.append(why)
    disk.go.set()
    queue = WriteQueue(disk.write, 30, door.turn)
    with ThreadPoolExecutor(10) as pool:
        first = pool.submit(queue.put, command())
        until(lambda: len(queue) == 1, "the first to wait")
        second = pool.submit(queue.put, command())
        until(lambda: len(queue) == 2, "the second to wait")
        came = time.monotonic()
        door.opened.set()
        assert [what(first), what(second)] == [type(why), 1]
    assert (disk.batches, len(queue)) == ([1], 0)
    assert door.waited_since == sorted(door.waited_since)
    assert door.waited_since[1] < came, "it does not begin to wait anew"


def test_a_waiting_command_that_is_ended_by_gevent_leaves_its_place_and_its_turn() -> None:
    """A worker ends a request's greenlet wherever it waits."""
    code = """
from gevent import monkey
monkey.patch_all()
import gevent
from uuid import uuid4
from threading import Event
from eventsourcing.persistence import StoredEvent
from service.log_queue import WriteQueue
go, written = Event(), []
def write(commands):
    go.wait()
    written.append([events[0].topic for events in commands])
    return [1] * len(commands)
queue = WriteQueue(write, 30)
def put(name):
    return queue.put([StoredEvent(uuid4(), 1, name, b"")])
first, ended, last = [gevent.spawn(put, name) for name in ("first", "ended", "last")]
gevent.sleep(0)
assert len(queue) == 2, len(queue)
ended.kill()
go.set()
gevent.joinall([first, last], raise_error=True)
assert written == [["first"], ["last"]], written
turn = gevent.spawn(put, "ended in its turn")
go.clear()
gevent.sleep(0)
turn.kill()
go.set()
assert put("after") == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HOME, timeout=60)
