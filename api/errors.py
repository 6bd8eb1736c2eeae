"""The one place where a refusal becomes a status: problem documents (RFC 9457) for all of them.

(What is no request at all gunicorn refuses before anything of this is asked: `service.worker`.)
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from eventsourcing.persistence import PersistenceError
from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException

from api.counting import OUTCOME
from api.noting import RECORDED, is_limited, note_refusal
from api.stamps import request_id
from domain.errors import (
    Forbidden,
    Invalid,
    KeyReused,
    LedgerError,
    NotFound,
    NotReady,
    Refused,
    Stale,
)
from service.access.callers import Unauthenticated as Unauthenticated
from service.access.scrub import Scrubbing, without_secrets
from service.access.slowing import SlowDown
from service.imports import BadImport
from service.log import UnreadableEvent
from service.patience import Stalled

log = logging.getLogger("leadledger")
log.addFilter(Scrubbing())


# error                    status, code,           title
PROBLEMS: Mapping[type[Exception], tuple[int, str, str]] = {
    Unauthenticated: (401, "unauthenticated", "Who are you?"),
    Forbidden: (403, "forbidden", "This role may not do that"),
    NotFound: (404, "not-found", "There is no such thing"),
    Refused: (409, "refused", "The lead's stage or a rule does not allow it"),
    Stale: (412, "stale", "It has changed since"),
    Invalid: (422, "invalid", "A field is wrong"),
    KeyReused: (422, "key-reused", "The idempotency key named another request"),
    SlowDown: (429, "slow-down", "Too often"),
    NotReady: (503, "not-ready", "Not just now"),
}
# Statuses that the web layers under us answer with, and their codes.
WEB_CODES = {
    400: ("malformed", "The request cannot be read"),
    404: ("not-found", "There is no such path"),
    405: ("method-not-allowed", "The path does not take this method"),
    406: ("not-acceptable", "Only JSON is answered here"),
    413: ("too-large", "The body is too large"),
    415: ("unsupported-media-type", "The body is of another kind"),
    416: ("range-not-satisfiable", "The file has no such range"),
    500: ("internal", "A fault in the ledger"),
}
_DETAILS = {
    400: "The request cannot be read, or ended before its body did.",
    404: "There is no such path; /docs/ shows those that there are.",
    405: "The path does not take this method; Allow names those that it takes.",
    413: "The body is over 1 MiB, or an import's over 32 MiB.",
}


def problem_body(
    status: int, code: str, title: str, detail: str, request: str, **more: Any
) -> bytes:
    """The document itself; ``request`` is the request's id. What a client sent and is told again
    is told without tokens and phone numbers: answers are kept in more places than requests."""
    body = {
        "type": f"urn:leadledger:problem:{code}",
        "title": title,
        "status": status,
        "detail": without_secrets(detail),
        "instance": f"urn:leadledger:request:{request}",
        **more,
    }
    return orjson.dumps(body)


def problem(
    status: int, code: str, title: str, detail: str, headers: Any = (), **more: Any
) -> Response:
    """A problem document; ``instance`` is the request id, which the log has as well."""
    request.environ[OUTCOME] = code
    body = problem_body(status, code, title, detail, request_id(), **more)
    answer = Response(body, status, content_type="application/problem+json")
    answer.headers.extend(headers)
    return answer


def _tell(status: int, code: str, error: LedgerError) -> None:
    """Leave word of it where somebody looks for such a refusal."""
    if status in RECORDED:
        note_refusal(code, str(error))
    elif isinstance(error, NotFound) and is_limited():
        # What is there and what is not leave the same word, after the same time.
        note_refusal(code, "It is none that this token sees.")
    elif isinstance(error, NotReady):
        log.warning("not ready: %s", error)


def _ledger_error(error: LedgerError) -> Response:
    status, code, title = next(PROBLEMS[cls] for cls in type(error).__mro__ if cls in PROBLEMS)
    _tell(status, code, error)
    more: dict[str, Any] = {}
    headers: list[tuple[str, str]] = []
    if isinstance(error, Invalid):
        more["errors"] = {
            without_secrets(field): [*map(without_secrets, why)]
            for field, why in error.errors.items()
        }
        if isinstance(error, BadImport) and error.marked:
            more["marked"] = error.marked
    elif isinstance(error, Refused) and error.missing:
        more["missing"] = error.missing
    elif isinstance(error, Stale):
        more["events"] = error.events
    elif isinstance(error, NotReady | SlowDown):
        headers.append(("Retry-After", str(error.retry_after)))
    elif isinstance(error, Unauthenticated):
        headers.append(("WWW-Authenticate", 'Bearer realm="leadledger"'))
    return problem(status, code, title, str(error), headers, **more)


def _database_error(error: PersistenceError) -> Response:
    return _ledger_error(NotReady("The event log cannot be used just now: {why}.", why=error))


def _unreadable(error: UnreadableEvent) -> Response:
    log.error("unreadable event: %s", error)
    return _ledger_error(NotReady(str(error), retry_after=60))


def _web_error(error: HTTPException) -> Response:
    status = error.code or 500
    code, title = WEB_CODES.get(status, ("malformed", error.name))
    kept = [
        (k, v) for k, v in error.get_headers() if k in ("Allow", "Content-Range", "Retry-After")
    ]
    detail = error.description or error.name
    if detail == type(error).description:
        # Words of the library's own, which speaks to those who sit before a browser.
        detail = _DETAILS.get(status, detail)
    return problem(status, code, title, detail, kept)


def _unreadable_body(error: ParseException) -> Response:
    """A body in chunks that are none, which is found out while it is being read."""
    return problem(400, *WEB_CODES[400], f"The body cannot be read: {str(error).rstrip('.')}.")


def _stalled(error: Stalled) -> Response:
    detail = f"{error.strerror} What was sent of this request is dropped."
    return problem(408, "too-slow", "The request came too slowly", detail)


def _fault(error: Exception) -> Response:
    log.exception("request %s failed", request_id(), exc_info=error)  # noqa: LOG004
    detail = "The ledger met a fault of its own; its log has more under this request's id."
    return problem(500, *WEB_CODES[500], detail)


# What is raised → what answers it.
HANDLERS: Mapping[type[Exception], Callable[[Any], Response]] = {
    LedgerError: _ledger_error,
    PersistenceError: _database_error,
    UnreadableEvent: _unreadable,
    Stalled: _stalled,
    ParseException: _unreadable_body,
    HTTPException: _web_error,
    Exception: _fault,
}


def register_errors(app: Flask) -> None:
    """Answer every error with a problem document."""
    for error, handler in HANDLERS.items():
        app.register_error_handler(error, handler)
