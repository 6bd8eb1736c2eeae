"""A proxy of TCP connections that can be cut and healed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer


class Cutting(ThreadingTCPServer):
    """Passes everything on to a port, until it is cut."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, port: int) -> None:
        self.port = port
        self.passing = threading.Event()
        self.passing.set()
        self.refusing = False
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Passing)

    def hold(self) -> None:
        """From now on nothing arrives, and nobody is told."""
        self.passing.clear()

    def refuse(self) -> None:
        """From now on every connection is reset."""
        self.refusing = True
        for one in list(self.open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)

    def heal(self) -> None:
        """Everything arrives again."""
        self.refusing = False
        self.passing.set()


class _Passing(BaseRequestHandler):
    server: Cutting

    def handle(self) -> None:
        """Pass on both ways until one end hangs up."""
        if self.server.refusing:
            return
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.server.port)) as there:
            here = self.request
            self.server.open |= {here, there}
            back = threading.Thread(target=self._pass, args=(there, here))
            back.start()
            self._pass(here, there)
            back.join()
            self.server.open -= {here, there}

    def _pass(self, come: socket.socket, go: socket.socket) -> None:
        with suppress(OSError):
            while data := come.recv(65536):
                self.server.passing.wait()
                go.sendall(data)
        for end in (come, go):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextmanager
def cutting(port: int) -> Iterator[Cutting]:
    """A proxy before that port."""
    with Cutting(port) as found:
        thread = threading.Thread(target=found.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield found
        finally:
            found.heal()
            found.refuse()
            found.shutdown()
            thread.join()
