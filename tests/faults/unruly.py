"""A proxy for connections to a service, which does what networks do."""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any

from tests.faults.serving import PATIENCE


class Unruly(ThreadingTCPServer):
    """Takes one request a connection. It may send it on twice, or later, after those that came
    later; and may lose the answer, after the request was carried out."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int, seed: int) -> None:
        self.port, self.luck = port, random.Random(seed)
        self.twice = self.late = self.lost = 0
        super().__init__(("127.0.0.1", 0), _Passing)


class _Passing(BaseRequestHandler):
    server: Unruly

    def handle(self) -> None:
        """Pass on one request, and its answer."""
        with suppress(OSError):
            request = _read(self.request)
            if not request:
                return
            luck = self.server.luck.random()
            if luck < 0.3:
                self.server.late += 1
                threading.Event().wait(self.server.luck.uniform(0.01, 0.3))
            if 0.2 < luck < 0.5:
                self.server.twice += 1
                other = threading.Thread(target=self._ask, args=(request,))
                other.start()
            answer = self._ask(request)
            if 0.45 < luck < 0.6:
                self.server.lost += 1
                return
            self.request.sendall(answer)

    def _ask(self, request: bytes) -> bytes:
        address = ("127.0.0.1", self.server.port)
        with suppress(OSError), socket.create_connection(address, PATIENCE) as on:
            on.sendall(request)
            return _read(on)
        return b""


def _read(connection: Any) -> bytes:
    """One message of HTTP, with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [
        int(line.split(b":")[1])
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"content-length:")
    ]
    length = lengths[0] if lengths else 0
    while len(body) < length:
        body += connection.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def unruly(port: int, seed: int = 1) -> Iterator[Unruly]:
    """A proxy before the service on that port."""
    with Unruly(port, seed) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()
