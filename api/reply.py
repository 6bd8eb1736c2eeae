"""An answer as it goes out: the header lines as they stand, and the body."""

from collections.abc import Callable, Iterable
from typing import Any

_LINES = {200: "200 OK", 201: "201 CREATED", 304: "304 NOT MODIFIED"}
Header = tuple[str, str]


class Reply:
    """A ``body`` (JSON unless ``kind`` says otherwise) with its headers, or the news (304) that the
    client has it already.

    A WSGI application like Flask's own Response, without the objects that that one makes of
    status and headers, which cost more than most of our reads.
    """

    __slots__ = ("body", "headers", "kind", "status")

    def __init__(
        self, body: bytes, status: int, *headers: Header, kind: str = "application/json"
    ) -> None:
        self.body = body
        self.kind = kind
        self.status = status
        self.headers = [*headers]

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Answer; a HEAD request gets the headers of what GET would give."""
        if self.status == 304:
            start_response(_LINES[304], self.headers)
            return ()
        about = [("Content-Type", self.kind), ("Content-Length", str(len(self.body)))]
        start_response(_LINES[self.status], about + self.headers)
        return () if environ["REQUEST_METHOD"] == "HEAD" else (self.body,)
