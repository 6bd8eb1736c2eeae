"""One writer at a time: among threads, among processes, and after a holder's death."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from domain.errors import NotReady
from service.locks import FileLock
from tests.service.helpers import CONTEXT, PATIENCE, processes

TURNS = 100


def count_up(lock: FileLock, file: Path) -> None:
    """Read, add one, write: what only a lock makes right."""
    for _ in range(TURNS):
        with lock.held():
            file.write_text(str(int(file.read_text()) + 1))


def count_in_a_process(barrier: Any, folder: Path) -> None:
    """The same, in a process of its own."""
    lock = FileLock(folder / "x.lock", 30)
    barrier.wait()
    count_up(lock, folder / "count")


def test_threads_that_share_a_lock_take_turns(tmp_path: Path) -> None:
    lock, file = FileLock(tmp_path / "x.lock", 30), tmp_path / "count"
    file.write_text("0")
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(count_up, lock, file) for _ in range(4)]:
            done.result()
    assert file.read_text() == str(4 * TURNS)


def test_two_locks_on_one_file_exclude_each_other_in_one_process(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    raises = pytest.raises(NotReady, match="another process")
    with FileLock(path, 1).held(), raises, FileLock(path, 0.05).held():
        pytest.fail("both hold it")


def test_who_waited_elsewhere_before_waits_no_longer_than_anybody(tmp_path: Path) -> None:
    path, timeout = tmp_path / "x.lock", 3600
    lock = FileLock(path, timeout)
    raises = pytest.raises(NotReady, match="3600 s to write; another process")
    with FileLock(path, 1).held(), raises, lock.held(time.monotonic() - timeout):
        pytest.fail("both hold it")


def test_processes_take_turns(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    processes(count_in_a_process, *[(tmp_path,)] * 4)
    assert (tmp_path / "count").read_text() == str(4 * TURNS)


def test_a_thread_that_waits_too_long_is_told_so(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock", 0.05)
    held, let_go = Event(), Event()

    def hold() -> None:
        with lock.held():
            held.set()
            assert let_go.wait(PATIENCE)

    with ThreadPoolExecutor(1) as threads:
        holder = threads.submit(hold)
        assert held.wait(PATIENCE)
        with pytest.raises(NotReady, match=r"Waited 0\.05 s to write"), lock.held():
            pytest.fail("both hold it")
        let_go.set()
        holder.result()
    with lock.held():
        pass


def test_a_lock_is_let_go_when_what_it_guarded_fails(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "x.lock", 0.05)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), lock.held():
            raise ZeroDivisionError
    with FileLock(tmp_path / "x.lock", 0.05).held():
        pass


def test_a_lock_whose_file_cannot_be_opened_can_be_had_once_it_can(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "folder" / "x.lock", 0.05)
    for _ in range(2):
        with pytest.raises(NotReady, match="No such file"), lock.held():
            pytest.fail("there is nothing to hold")
    (tmp_path / "folder").mkdir()
    with lock.held():
        pass


def hold_for_ever(path: Path, pipe: Any) -> None:
    """Take the lock and never let go."""
    with FileLock(path, 1).held():
        pipe.send("held")
        signal.pause()


def test_a_killed_holder_lets_go(tmp_path: Path) -> None:
    ours, theirs = CONTEXT.Pipe(duplex=False)
    holder = CONTEXT.Process(target=hold_for_ever, args=(tmp_path / "x.lock", theirs))
    holder.start()
    theirs.close()
    assert ours.poll(PATIENCE) and ours.recv() == "held"
    with pytest.raises(NotReady), FileLock(tmp_path / "x.lock", 0.05).held():
        pytest.fail("both hold it")
    holder.kill()
    holder.join()
    holder.close()
    ours.close()
    with FileLock(tmp_path / "x.lock", 0.05).held():
        pass
