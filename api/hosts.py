"""By which names the service may be asked.

By others asks a page from elsewhere that had its own name lead here, to read what its visitor's
connection may read (DNS rebinding).
"""

from collections.abc import Callable, Iterable
from typing import Any

from api.errors import problem_body
from api.stamps import WSGI, id_of

_OF_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "[::1]"})


class KnownHosts:
    """Lets through what is asked for by one of ``names`` (lower case, without a port), or by one
    that this machine always has."""

    def __init__(self, app: WSGI, names: Iterable[str]) -> None:
        self._app = app
        self._names = _OF_THIS_MACHINE.union(names)

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request, or refuse it with 421."""
        name = name_of(environ.get("HTTP_HOST", ""))
        if name in self._names:
            return self._app(environ, start_response)
        detail = f"'{name[:100]}' is no name of this service; LEDGER_HOSTS lists those that are."
        body = problem_body(
            421, "misdirected", "It is asked for by another name", detail, id_of(environ)
        )
        about = [("Content-Type", "application/problem+json"), ("Content-Length", f"{len(body)}")]
        start_response("421 MISDIRECTED REQUEST", about)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (body,)


def name_of(host: str) -> str:
    """The name in a Host header, in lower case, without the port."""
    name, colon, port = host.rpartition(":")
    with_port = colon and (port.isdigit() or not port)
    return (name if with_port else host).lower().rstrip(".")
