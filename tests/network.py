"""Proxies that stand between a client and its server, and do what networks do.

A server is a port of this machine, or a socket in its file system.
"""

import random
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import Any, TypeVar

from tests.faults.serving import PATIENCE

Place = int | Path


class Proxy(ThreadingTCPServer):
    """Listens on ``port`` of this machine; each connection is handled in a thread."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, server: Place, handler: type[BaseRequestHandler]) -> None:
        self.server = server
        super().__init__(("127.0.0.1", 0), handler)
        self.port: int = self.server_address[1]

    def connected(self) -> socket.socket:
        """A new connection to the server."""
        if isinstance(self.server, int):
            return socket.create_connection(("127.0.0.1", self.server), PATIENCE)
        there = socket.socket(socket.AF_UNIX)
        try:
            there.connect(f"{self.server}")
        except OSError:
            there.close()
            raise
        return there


class Line(Proxy):
    """Passes everything on, until it is cut in one way or another."""

    def __init__(self, server: Place) -> None:
        # What the client says, and what the server does: whether it arrives.
        self.there, self.back = threading.Event(), threading.Event()
        self.refusing = False
        self.ends: set[socket.socket] = set()
        self.heal()
        super().__init__(server, _Passing)

    def hold(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        self.there.clear()
        self.back.clear()

    def mute(self) -> None:
        """From now on the server hears everything, and nobody hears the server."""
        self.back.clear()

    def refuse(self) -> None:
        """From now on every connection is ended."""
        self.refusing = True
        self.cut()

    def cut(self) -> None:
        """End every connection there is; new ones are taken."""
        for end in list(self.ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """Everything arrives again."""
        self.refusing = False
        self.there.set()
        self.back.set()

    @contextmanager
    def unanswered(self) -> Iterator[None]:
        """Within, the server hears and is not heard; at the end every connection is cut."""
        self.mute()
        try:
            yield
        finally:
            self.cut()
            self.back.set()


class _Passing(BaseRequestHandler):
    server: Line

    def handle(self) -> None:
        """Pass on both ways until one end hangs up."""
        if self.server.refusing:
            return
        with suppress(OSError), self.server.connected() as there:
            there.settimeout(None)
            here = self.request
            self.server.ends |= {here, there}
            back = threading.Thread(target=self._pass, args=(there, here, self.server.back))
            back.start()
            self._pass(here, there, self.server.there)
            back.join()
            self.server.ends -= {here, there}

    def _pass(self, come: socket.socket, go: socket.socket, arrives: threading.Event) -> None:
        with suppress(OSError):
            while data := come.recv(65536):
                arrives.wait()
                go.sendall(data)
        for end in (come, go):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


class Unruly(Proxy):
    """Takes one request of HTTP a connection. It may send it on twice, or later, after those that
    came later; and may lose the answer, after the request was carried out."""

    def __init__(self, server: Place, seed: int = 1) -> None:
        self.luck = random.Random(seed)
        self.twice = self.late = self.lost = 0
        super().__init__(server, _Asking)


class _Asking(BaseRequestHandler):
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
        with suppress(OSError), self.server.connected() as on:
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


_P = TypeVar("_P", bound=Proxy)


@contextmanager
def _standing(proxy: _P) -> Iterator[_P]:
    """The proxy at work until the end."""
    with proxy:
        thread = threading.Thread(target=proxy.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()


@contextmanager
def line_to(server: Place) -> Iterator[Line]:
    """A line, and in the end none."""
    with _standing(Line(server)) as line:
        try:
            yield line
        finally:
            line.heal()
            line.refuse()


@contextmanager
def unruly(server: Place, seed: int = 1) -> Iterator[Unruly]:
    """An unruly network before a service."""
    with _standing(Unruly(server, seed)) as found:
        yield found
