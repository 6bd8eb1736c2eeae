"""Clients that stall, run as a process of their own: a plan (JSON) on stdin, the end on stdout.

So many connections at all times: whenever the server ends one, it is opened anew. Of ten, five
begin a request and say no more, four leave out the rest of a body, and one asks and reads nothing.
"""

import json
import os
import select
import socket
import sys
import time
from typing import Any

# By the last digit of a connection's number.
_BEGINS, _READS_NOTHING = range(5), 9
_ASKED = b"GET /openapi.json HTTP/1.1\r\nHost: a\r\n\r\n" * 30


def connection(port: int, token: str, number: int) -> socket.socket:
    """One that stalls from now on."""
    made = socket.socket()
    # Hardly anything is taken before it is read, which it never is.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    made.connect(("127.0.0.1", port))
    head = "GET /v1/leads HTTP/1.1\r\nHost: a\r\nAuthor"
    body = (
        f"POST /v1/leads HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    kind = number % 10
    text = _ASKED if kind == _READS_NOTHING else (head if kind in _BEGINS else body).encode()
    made.sendall(text)
    return made


def stall(plan: dict[str, Any]) -> dict[str, int]:
    """Carry out ``plan``: ``port``, ``token``, ``connections``, ``seconds``."""
    poll = select.epoll()
    held: dict[int, tuple[int, socket.socket]] = {}
    ended = 0

    def begin(number: int) -> None:
        made = connection(plan["port"], plan["token"], number)
        held[made.fileno()] = number, made
        # Who reads nothing is told of the end only.
        reads = number % 10 != _READS_NOTHING
        poll.register(made, select.EPOLLRDHUP | (select.EPOLLIN if reads else 0))

    for number in range(plan["connections"]):
        begin(number)
    for number, made in held.values():
        if number % 10 == _READS_NOTHING:
            # All that came before it have been taken on as well.
            made.recv(1)
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    end = time.perf_counter() + plan["seconds"]
    while time.perf_counter() < end:
        for handle, _ in poll.poll(0.05):
            number, gone = held.pop(handle)
            poll.unregister(handle)
            gone.close()
            ended += 1
            begin(number)
    return {"ended": ended}


def main() -> None:
    """One plan from stdin."""
    plan = json.load(sys.stdin)
    if plan["core"] is not None:
        os.sched_setaffinity(0, {plan["core"]})
    json.dump(stall(plan), sys.stdout)


if __name__ == "__main__":
    main()
