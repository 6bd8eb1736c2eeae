"""What every response carries, whoever makes it: the log position and the request's id; and what is
counted of it.

Done below Flask, where it costs a twentieth of what Flask's hooks and header objects do.
"""

import secrets
from collections.abc import Callable, Iterable
from time import perf_counter
from typing import Any

from flask import request

from api.counting import Counting
from api.request_log import note_request
from service.application import Ledger
from service.journal import REQUESTS

WSGI = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
_REQUEST_ID = "leadledger.request_id"
_POSITION = "leadledger.position"
_ALARM = "leadledger.alarm"
_POLICY = "leadledger.policy"
# What a browser may do with an answer that is no page: nothing.
_NOTHING = "default-src 'none'; frame-ancestors 'none'"


def request_id() -> str:
    """The id of this request, which its events, its problem documents and the log name."""
    return id_of(request.environ)


def id_of(environ: dict[str, Any]) -> str:
    """The same, for who stands below Flask."""
    found: str = environ[_REQUEST_ID]
    return found


def allow(policy: str, environ: dict[str, Any]) -> None:
    """Let the response to the request of ``environ``, a page, do what the ``policy`` says."""
    environ[_POLICY] = policy


def warn(alarm: str | None, environ: dict[str, Any]) -> None:
    """Say with the response to the request of ``environ`` what does not hold, if anything."""
    if alarm is not None:
        environ[_ALARM] = alarm.encode("ascii", "replace").decode()


def reflects(position: int, environ: dict[str, Any]) -> None:
    """Say which log position the response to the request of ``environ`` reflects."""
    environ[_POSITION] = position


class StampedResponses:
    """Adds the headers that all responses carry."""

    def __init__(self, app: WSGI, ledger: Ledger, counting: Counting) -> None:
        self._app = app
        self._ledger = ledger
        self._counting = counting
        self._logged = ledger.settings.log == REQUESTS

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request."""
        began = perf_counter()
        name = environ[_REQUEST_ID] = secrets.token_hex(16)
        answered = "500"

        def stamped(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            nonlocal answered
            answered = status
            position = environ.get(_POSITION)
            if position is None:
                position = self._ledger.reads.seen_position
            headers += [
                ("Ledger-Position", str(position)),
                ("X-Request-Id", name),
                ("X-Content-Type-Options", "nosniff"),
                ("Content-Security-Policy", environ.get(_POLICY, _NOTHING)),
                ("Referrer-Policy", "no-referrer"),
            ]
            if _ALARM in environ:
                headers.append(("Ledger-Warning", environ[_ALARM]))
            return start_response(status, headers, exc_info)

        try:
            return self._app(environ, stamped)
        finally:
            took = perf_counter() - began
            self._counting.note(environ, answered, took)
            if self._logged:
                note_request(environ, name, answered, took, environ.get(_POSITION))
