"""A line to a server that can be cut: what goes over it is passed on, withheld, or ends."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread


class Line:
    """Listens on ``port`` of this machine, for a server that listens on a socket in the file
    system. While ``answers`` is False the server hears everything and nobody hears the server."""

    def __init__(self, server: Path) -> None:
        self._server = server
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.answers = True
        self._ends: list[socket.socket] = []
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection there is; new ones are taken."""
        ends, self._ends = self._ends, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def unanswered(self) -> Iterator[None]:
        """Within, the server hears and is not heard; at the end every connection is cut."""
        self.answers = False
        try:
            yield
        finally:
            self.answers = True
            self.cut()

    def close(self) -> None:
        """Take no more, either."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(f"{self._server}")
            except OSError:
                client.close()
                server.close()
                continue
            self._ends += [client, server]
            Thread(target=self._pass_on, args=(client, server, False), daemon=True).start()
            Thread(target=self._pass_on, args=(server, client, True), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket, answer: bool) -> None:
        with suppress(OSError), source:
            while data := source.recv(65536):
                if self.answers or not answer:
                    target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def line_to(server: Path) -> Iterator[Line]:
    """A line, closed at the end."""
    line = Line(server)
    try:
        yield line
    finally:
        line.close()
