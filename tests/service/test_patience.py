"""How long a client may take, tried on connected sockets."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from service.patience import SLOWEST, Patient, Stalled

Pair = tuple[Patient, socket.socket]


@pytest.fixture
def ends() -> Iterator[Pair]:
    """A connection as a worker holds it, with a little patience, and its client."""
    ours, theirs = socket.socketpair()
    with closing(ours), closing(theirs):
        yield Patient(ours, 0.05), theirs


def read(ours: Patient, times: int, size: int = 1) -> None:
    """Read so often."""
    for _ in range(times):
        assert ours.recv(size)


def test_what_is_sent_in_time_is_read(ends: Pair) -> None:
    ours, theirs = ends
    theirs.sendall(b"GET /")
    assert ours.recv(100) == b"GET /"
    theirs.close()
    assert ours.recv(100) == b""


def test_a_client_that_says_nothing_is_waited_for_no_longer(ends: Pair) -> None:
    with pytest.raises(Stalled):
        ends[0].recv(1)


def test_a_byte_now_and_then_is_not_enough(ends: Pair) -> None:
    ours, theirs = ends
    ended = threading.Event()

    def drip() -> None:
        while not ended.wait(0.02):
            theirs.sendall(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with pytest.raises(Stalled):
            read(ours, 50)
    finally:
        ended.set()
        dripping.join()


def test_who_sends_fast_cannot_save_up_any_time(ends: Pair) -> None:
    ours, theirs = ends
    theirs.sendall(b"x" * SLOWEST * 10)
    read(ours, 10, SLOWEST)
    with pytest.raises(Stalled):
        ours.recv(1)


def test_each_request_has_its_own_time(ends: Pair) -> None:
    ours, theirs = ends
    with pytest.raises(Stalled):
        ours.recv(1)
    ours.sendall(b"HTTP/1.1 408")
    theirs.sendall(b"x")
    assert ours.recv(1) == b"x"


def test_an_answer_that_nobody_takes_is_given_up(ends: Pair) -> None:
    ours, theirs = ends
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2048)
    with pytest.raises(Stalled):
        ours.sendall(b"x" * 100_000)


def test_the_connection_is_as_ever_otherwise(ends: Pair) -> None:
    assert ends[0].fileno() > 0
