"""Slowing down: so many and no more, whichever worker is asked, and open when it cannot be told."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from service.access import slowing as module
from service.access.slowing import SlowDown, Slowing
from service.locks import FileLock
from tests.service.helpers import processes

LIMIT = 10


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The machine's clock, which stands still."""
    moment = [1000.0]
    monkeypatch.setattr("service.access.slowing.time.monotonic", lambda: moment[0])
    return moment


@pytest.fixture
def slowing(tmp_path: Path, clock: list[float]) -> Iterator[Slowing]:
    """Ten failures a minute, and ten requests."""
    assert clock
    with closing(Slowing(tmp_path / "slowing", LIMIT, LIMIT)) as found:
        yield found


def passed(attempt: Callable[..., None], count: int, *what: str | None) -> int:
    """How many of so many attempts are let through."""
    done = 0
    for _ in range(count):
        try:
            attempt(*what)
        except SlowDown:
            continue
        done += 1
    return done


def wait_of(attempt: Callable[..., None], *what: str | None) -> int:
    """How long the next attempt is told to wait."""
    with pytest.raises(SlowDown) as why:
        attempt(*what)
    assert f"{why.value.retry_after} s" in str(why.value)
    return why.value.retry_after


def test_a_limit_of_ten_lets_ten_through_and_then_one_every_six_seconds(
    slowing: Slowing, clock: list[float]
) -> None:
    assert passed(slowing.failed, 50, "192.0.2.1", None) == LIMIT
    assert wait_of(slowing.failed, "192.0.2.1", None) == 6
    clock[0] += 5.9
    assert wait_of(slowing.failed, "192.0.2.1", None) == 1
    clock[0] += 0.1
    assert passed(slowing.failed, 50, "192.0.2.1", None) == 1
    clock[0] += 60
    assert passed(slowing.failed, 50, "192.0.2.1", None) == LIMIT


def test_one_address_does_not_slow_another_down(slowing: Slowing) -> None:
    assert passed(slowing.failed, 20, "192.0.2.1", None) == LIMIT
    assert passed(slowing.failed, 20, "192.0.2.2", None) == LIMIT


def test_all_addresses_of_one_network_of_ipv6_are_one(slowing: Slowing) -> None:
    assert passed(slowing.failed, 20, "2001:db8::1", None) == LIMIT
    assert passed(slowing.failed, 20, "2001:db8::ffff:2", None) == 0
    assert passed(slowing.failed, 20, "2001:db8:0:1::1", None) == LIMIT


def test_a_token_is_not_tried_from_everywhere(slowing: Slowing) -> None:
    tries = [passed(slowing.failed, 1, f"192.0.2.{number}", "0123456789ab") for number in range(30)]
    assert sum(tries) == LIMIT
    assert passed(slowing.failed, 1, "192.0.2.99", "ba9876543210") == 1


def test_requests_of_a_token_are_counted_apart_from_its_failures(slowing: Slowing) -> None:
    assert passed(slowing.failed, 20, "192.0.2.1", "0123456789ab") == LIMIT
    assert passed(slowing.asked, 20, "0123456789ab") == LIMIT
    assert wait_of(slowing.asked, "0123456789ab") == 6


def test_zero_is_no_limit(tmp_path: Path) -> None:
    with closing(Slowing(tmp_path / "slowing", 0, 0)) as unlimited:
        assert passed(unlimited.failed, 1000, "192.0.2.1", "0123456789ab") == 1000
    assert not list(tmp_path.iterdir())


def test_after_a_restart_of_the_machine_nobody_waits_for_its_old_clock(
    slowing: Slowing, clock: list[float]
) -> None:
    assert passed(slowing.failed, 20, "192.0.2.1", None) == LIMIT
    clock[0] = 5.0
    assert passed(slowing.failed, 20, "192.0.2.1", None) == LIMIT


def test_however_many_addresses_come_the_file_stays_small(slowing: Slowing, tmp_path: Path) -> None:
    for number in range(3000):
        slowing.failed(f"10.{number // 250}.{number % 250}.1", None)
    assert os.stat(tmp_path / "slowing").st_size <= module._SETS * module._SET_BYTES


def test_when_many_wait_at_once_whoever_waits_longest_is_still_known(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert clock
    monkeypatch.setattr(module, "_SETS", 1)
    with closing(Slowing(tmp_path / "slowing", LIMIT, 0)) as crowded:
        assert passed(crowded.failed, 20, "192.0.2.1", None) == LIMIT
        for number in range(100):
            crowded.failed(f"198.51.100.{number}", None)
        assert passed(crowded.failed, 20, "192.0.2.1", None) == 0


def test_it_fails_open_and_says_so_once_a_minute(
    slowing: Slowing, clock: list[float], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "slowing").mkdir()
    assert passed(slowing.failed, 20, "192.0.2.1", None) == 20
    assert [record.message for record in caplog.records] == [caplog.records[0].message]
    assert "nobody is slowed down" in caplog.text
    clock[0] += 61
    slowing.failed("192.0.2.1", None)
    assert len(caplog.records) == 2


def test_a_worker_that_stopped_with_the_lock_in_its_hand_stops_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PATIENCE", 0.01)
    with (
        closing(Slowing(tmp_path / "slowing", LIMIT, 0)) as waiting,
        FileLock(tmp_path / "slowing.lock", 5).held(),
    ):
        assert passed(waiting.failed, 20, "192.0.2.1", None) == 20


def try_often(barrier: Any, folder: Path) -> int:
    """Attempts beside others."""
    with closing(Slowing(folder / "slowing", 1000, 0)) as ours:
        barrier.wait()
        return passed(ours.failed, 600, "192.0.2.1", None)


def test_processes_that_count_at_once_lose_none(tmp_path: Path) -> None:
    found = processes(try_often, (tmp_path,), (tmp_path,), (tmp_path,))
    # While they run a few shares of the minute pass.
    assert 1000 <= sum(found) <= 1000 + 600
