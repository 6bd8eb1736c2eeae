"""Whoever tries tokens, run as a process of its own: a plan (JSON) on stdin, the end on stdout.

So many a second, whole and of our making by their looks, no two the same, whether the last one has
been answered or not.
"""

import json
import os
import secrets
import select
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from zlib import crc32

sys.path.insert(0, str(Path(__file__).parents[2]))
from tests.bench.load import Client

_MOST_CONNECTIONS = 64


def wrong_token() -> str:
    """A token that nobody issued."""
    begin = f"ll_{secrets.token_hex(6)}_{secrets.token_urlsafe(32)}"
    return f"{begin}{crc32(begin.encode()):08x}"


def attack(plan: dict[str, Any]) -> dict[str, Any]:
    """Carry out ``plan``: ``port``, ``rate`` a second, ``seconds``."""
    statuses: Counter[str] = Counter()
    poll = select.epoll()
    clients: dict[int, Client] = {}
    free: list[Client] = []
    head = "GET /v1/leads HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer "
    start, sent = time.perf_counter(), 0
    end = start + plan["seconds"]
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    while (now := time.perf_counter()) < end:
        while sent < (now - start) * plan["rate"] and (free or len(clients) < _MOST_CONNECTIONS):
            if free:
                client = free.pop()
            else:
                client = Client(plan["port"], [("", b"")], 0)
                clients[client.socket.fileno()] = client
                poll.register(client.socket, select.EPOLLIN)
            client.socket.sendall(f"{head}{wrong_token()}\r\n\r\n".encode())
            sent += 1
        for handle, _ in poll.poll(0.0005):
            if clients[handle].answered():
                statuses[clients[handle].status] += 1
                free.append(clients[handle])
    return {"seconds": time.perf_counter() - start, "statuses": dict(statuses)}


def main() -> None:
    """One plan from stdin."""
    plan = json.load(sys.stdin)
    if plan["core"] is not None:
        os.sched_setaffinity(0, {plan["core"]})
    json.dump(attack(plan), sys.stdout)


if __name__ == "__main__":
    main()
