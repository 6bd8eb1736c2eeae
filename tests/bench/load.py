"""A load generator, run as a process of its own: a plan (JSON) on stdin, what happened on stdout.

Each of the plan's keep-alive connections sends the next request as soon as it has the answer to
the one before. Requests are bytes made beforehand and answers are only counted, so that it
costs little beside any server in Python; how busy it was is in its answer.
"""

import json
import os
import select
import socket
import statistics
import sys
import time
from collections import Counter, defaultdict
from typing import Any


class Client:
    """One connection, walking through ``requests`` from ``place`` on, round and round."""

    def __init__(self, port: int, requests: list[tuple[str, bytes]], place: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._requests = requests
        self._place = place
        self._missing = 0
        self.kind = ""
        self.status = ""
        self.sent_at = 0.0

    def send(self) -> None:
        """Ask the next question."""
        self.kind, request = self._requests[self._place % len(self._requests)]
        self._place += 1
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def answered(self) -> bool:
        """Take in what has come; whether the answer is complete."""
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("the server closed a connection in mid-burst")
        if self._missing:
            self._missing -= len(data)
        else:
            self._missing = self._begin(data)
        return self._missing == 0

    def _begin(self, data: bytes) -> int:
        """How many bytes are still to come of the answer that ``data`` begins."""
        while b"\r\n\r\n" not in data:
            data += self.socket.recv(1 << 18)
        head, _, body = data.partition(b"\r\n\r\n")
        self.status = head[9:12].decode()
        length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return int(length) - len(body)


def burst(plan: dict[str, Any]) -> dict[str, Any]:
    """Carry out ``plan``: ``port``, ``connections``, ``seconds``, ``skip``, ``requests``."""
    requests = [(kind, text.encode()) for kind, text in plan["requests"]]
    step = max(2, len(requests) // plan["connections"] // 2 * 2)
    clients = {}
    poll = select.epoll()
    for number in range(plan["connections"]):
        client = Client(plan["port"], requests, plan["skip"] + number * step)
        clients[client.socket.fileno()] = client
        poll.register(client.socket, select.EPOLLIN)
    statuses: Counter[str] = Counter()
    latencies: dict[str, list[float]] = defaultdict(list)
    spent = time.process_time()
    start = time.perf_counter()
    end = start + plan["seconds"]
    for client in clients.values():
        client.send()
    open_requests = len(clients)
    now = start
    while open_requests:
        for handle, _ in poll.poll():
            client = clients[handle]
            if not client.answered():
                continue
            now = time.perf_counter()
            statuses[client.status] += 1
            latencies[client.kind].append(now - client.sent_at)
            if now < end:
                client.send()
            else:
                open_requests -= 1
    return {
        "seconds": now - start,
        "busy": (time.process_time() - spent) / (now - start),
        "statuses": dict(statuses),
        "latency": {kind: statistics.median(found) for kind, found in latencies.items()},
    }


def main() -> None:
    """One plan from stdin."""
    plan = json.load(sys.stdin)
    if plan["core"] is not None:
        os.sched_setaffinity(0, {plan["core"]})
    json.dump(burst(plan), sys.stdout)


if __name__ == "__main__":
    main()
