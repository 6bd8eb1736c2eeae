"""Flask without what lies between a request and its view and has nothing to do here."""

from collections.abc import Callable
from typing import Any

from flask import Flask, Request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import MapAdapter

from api.reply import Reply

# Where routes answer to any host by any scheme, and nothing is redirected.
_OURS = "/v1/"


class NoSessions(SessionInterface):
    """Every request proves itself by its token: there is no session to open, or to keep."""

    _none = NullSession()

    def open_session(self, _app: Flask, _request: Request) -> SessionMixin:
        """The session that holds nothing."""
        return self._none

    def is_null_session(self, _obj: object) -> bool:
        """It is never kept."""
        return True


class LedgerApp(Flask):
    """Flask without sessions, hooks before and after requests, signals, and coroutines.

    All of these are asked for at every request, which costs as much as our reads themselves. A
    hook that somebody registers all the same is not called; a test sees that none is.
    """

    session_interface = NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` as it is."""
        return func

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds the request's route: of a path of ours without a look at host and port."""
        if request is None or not request.path.startswith(_OURS) or "//" in request.path:
            return super().create_url_adapter(request)
        return MapAdapter(self.url_map, "", "/", "", request.scheme, request.path, request.method)

    def preprocess_request(self) -> None:
        """Nothing comes before a view."""

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Any:  # noqa: ARG002
        """What a view or an error handler gave, as a WSGI application."""
        return rv if isinstance(rv, Reply) else self.make_response(rv)

    def do_teardown_request(self, *_: Any) -> None:
        """Nothing comes after a view."""

    def do_teardown_appcontext(self, *_: Any) -> None:
        """Nor after its context."""
