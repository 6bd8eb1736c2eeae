"""The worker that gunicorn starts, which answers in our words what gunicorn itself refuses.

Imported before the worker's patches: it must import nothing of ours that holds a lock.
"""

import json
import re
import secrets
from http import HTTPStatus
from socket import SHUT_WR
from typing import Any

from gunicorn import util
from gunicorn.http.errors import InvalidRequestLine
from gunicorn.workers.ggevent import GeventWorker

from service.access.scrub import Scrubbing, without_secrets
from service.patience import Patient

# status → the code and the title of its problem document; others are named by HTTP itself.
_CODES = {
    400: ("malformed", "The request cannot be read"),
    403: ("forbidden", "This proxy may not do that"),
    414: ("uri-too-long", "The address is too long"),
    417: ("expectation-failed", "What the request expects is not done here"),
    431: ("headers-too-large", "The headers are too large"),
    500: ("internal", "A fault in the ledger"),
    501: ("not-implemented", "This is not done here"),
}
_STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
_UNENCODED = (
    "The address has characters that must be percent-encoded as UTF-8, as "
    "curl -G --data-urlencode 'q=晶圆' does."
)
# For who goes on sending: seconds without a word, and how often to listen.
_LISTENS, _MOST_READS = 1.0, 64
_FAULT = "The ledger met a fault of its own; its log has more."


class _Aside:
    """In a connection's place: keeps what gunicorn would have sent."""

    def __init__(self) -> None:
        self.sent = b""

    def gettimeout(self) -> float:
        """Like a socket that does not block."""
        return 0.0

    def sendall(self, data: bytes) -> None:
        """Keep it."""
        self.sent += data


class Worker(GeventWorker):  # type: ignore[misc]
    """A gevent worker whose refusals are problem documents as well, and that waits for no client
    for ever: `patience` is in seconds."""

    patience: float

    def init_process(self) -> None:
        """Serve; what gunicorn logs of a request that it cannot read holds no secret."""
        self.log.error_log.addFilter(Scrubbing())
        super().init_process()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve a connection, as long as its client does not take too long."""
        super().handle(listener, Patient(client, self.patience), addr)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Log as gunicorn does, and answer with the status that it finds."""
        aside = _Aside()
        super().handle_error(req, aside, addr, exc)
        found = _STATUS.match(aside.sent)
        answer = refusal(int(found[1]) if found else 500, exc)
        try:
            util.write_nonblock(client, answer)
            _hear_out(client)
        except OSError:
            self.log.debug("The client of a refused request is gone.")


def _hear_out(client: Patient) -> None:
    """Take what a client still sends: who finds its connection reset reads no answer."""
    client.shutdown(SHUT_WR)
    client.patience = _LISTENS
    for _ in range(_MOST_READS):
        if not client.recv(65536):
            return


def refusal(status: int, why: BaseException) -> bytes:
    """The whole answer, after which the connection ends."""
    name = secrets.token_hex(16)
    code, title = _CODES.get(status, ("malformed", HTTPStatus(status).phrase))
    problem = {
        "type": f"urn:leadledger:problem:{code}",
        "title": title,
        "status": status,
        "detail": _detail(status, why),
        "instance": f"urn:leadledger:request:{name}",
    }
    body = json.dumps(problem, ensure_ascii=False).encode("utf-8", "backslashreplace")
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nConnection: close\r\n"
        f"Content-Type: application/problem+json\r\nContent-Length: {len(body)}\r\n"
        f"X-Request-Id: {name}\r\nX-Content-Type-Options: nosniff\r\n\r\n"
    )
    return head.encode("ascii") + body


def _detail(status: int, why: BaseException) -> str:
    if status == 500:
        return _FAULT
    text = str(why)
    if isinstance(why, InvalidRequestLine) and not text.isascii():
        return _UNENCODED
    return f"{without_secrets(text)[:200].rstrip('.')}."
