"""Flask without what lies between a request and its view and has nothing to do here."""

import re
from collections.abc import Callable
from functools import cached_property
from typing import Any

from flask import Flask, Request
from flask.ctx import AppContext, RequestContext
from flask.globals import _cv_app, _cv_request
from flask.sessions import NullSession, SessionInterface, SessionMixin
from werkzeug.routing import MapAdapter, Rule

from api.counting import RULE
from api.reply import Reply

_ID = re.compile("<([a-z_]+)>")


def application_context() -> AppContext:
    """What ``current_app`` and ``g`` speak of, for whoever asks so often that their own asking
    is felt."""
    return _cv_app.get()


def request_now() -> Request:
    """What ``request`` speaks of, likewise."""
    return _cv_request.get().request


class NoSessions(SessionInterface):
    """Every request proves itself by its token: there is no session to open, or to keep."""

    _none = NullSession()

    def open_session(self, _app: Flask, _request: Request) -> SessionMixin:
        """The session that holds nothing."""
        return self._none

    def is_null_session(self, _obj: object) -> bool:
        """It is never kept."""
        return True


class _Found(RequestContext):
    """A request whose route is found already: nothing is left to match, or to open."""

    def __init__(self, app: Flask, request: Request, session: SessionMixin) -> None:
        self.app = app
        self.request = request
        self.url_adapter = None
        self.flashes = None
        self._session = session
        self._after_request_functions = []
        self._cv_tokens = []

    def push(self) -> None:
        """Make ``request``, ``current_app`` and ``g`` speak of this one."""
        within = AppContext(self.app)
        within._cv_tokens.append(_cv_app.set(within))
        self._cv_tokens.append((_cv_request.set(self), within))

    def pop(self, _exc: BaseException | None = None) -> None:
        """Make them speak of what they spoke of before."""
        token, within = self._cv_tokens.pop()
        _cv_request.reset(token)
        if within is not None:
            _cv_app.reset(within._cv_tokens.pop())
        # Not to be kept alive by a circle.
        self.request.environ["werkzeug.request"] = None


class LedgerApp(Flask):
    """Flask without sessions, hooks before and after requests, signals, and coroutines.

    All of these are asked for at every request, which costs as much as our reads themselves. A
    hook that somebody registers all the same is not called; a test sees that none is.
    """

    session_interface = NoSessions()

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """``func`` as it is."""
        return func

    @cached_property
    def shapes(self) -> dict[tuple[str | None, ...], tuple[Rule, tuple[str, ...]]]:
        """Method and shape of path → its rule, and what the rule calls what varies in the path.

        The shape is the path's parts, with None for each that varies. A rule of which a part varies
        otherwise than as a whole has none. (OPTIONS asks for the methods of all rules of a path,
        which werkzeug knows.)
        """
        found: dict[tuple[str | None, ...], tuple[Rule, tuple[str, ...]]] = {}
        for rule in self.url_map.iter_rules():
            parts = [(part, _ID.fullmatch(part)) for part in rule.rule.split("/")]
            names = tuple(name[1] for _, name in parts if name)
            if len(rule.arguments) == len(names):
                shape = [None if name else part for part, name in parts]
                for method in (rule.methods or set()) - {"OPTIONS"}:
                    found[method, *shape] = rule, names
        return found

    @cached_property
    def varying(self) -> dict[int, list[tuple[int, ...]]]:
        """How many parts a path has → which of them vary, in the rules that have so many; first
        where nothing does, and earlier parts stand fast."""
        found: dict[int, set[tuple[int, ...]]] = {}
        for _, *shape in self.shapes:
            places = tuple(at for at, part in enumerate(shape) if part is None)
            found.setdefault(len(shape), set()).add(places)
        return {
            many: sorted(those, key=lambda places: [-at for at in places])
            for many, those in found.items()
        }

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """What finds a request's route; without a request there is none to find."""
        return None if request is None else super().create_url_adapter(request)

    def request_context(self, environ: dict[str, Any]) -> RequestContext:
        """The request with its route: where the path says all, without a look at host and port."""
        request = self.request_class(environ)
        known = self.found(request.method, request.path)
        if known is None:
            return RequestContext(self, environ, request)
        request.url_rule, request.view_args = known
        return _Found(self, request, NoSessions._none)

    def found(self, method: str, path: str) -> tuple[Rule, dict[str, str]] | None:
        """The rule of ``path``, and what stands in it where the rule has names.

        None where werkzeug is to tell what is wrong with it, or where to go instead.
        """
        parts = path.split("/")
        for places in self.varying.get(len(parts), ()):
            shape: list[str | None] = [*parts]
            for at in places:
                shape[at] = None
            known = self.shapes.get((method, *shape))
            if known is not None:
                given = [parts[at] for at in places]
                return (known[0], dict(zip(known[1], given, strict=True))) if all(given) else None
        return None

    def preprocess_request(self) -> None:
        """Nothing comes before a view."""

    def finalize_request(self, rv: Any, from_error_handler: bool = False) -> Any:  # noqa: ARG002
        """What a view or an error handler gave, as a WSGI application."""
        request = request_now()
        if request.url_rule is not None:
            request.environ[RULE] = request.url_rule.rule
        return rv if isinstance(rv, Reply) else self.make_response(rv)

    def do_teardown_request(self, *_: Any) -> None:
        """Nothing comes after a view."""

    def do_teardown_appcontext(self, *_: Any) -> None:
        """Nor after its context."""
