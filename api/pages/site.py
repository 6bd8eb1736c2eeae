"""How a page is declared, and how it is answered.

A page asks for the same action of `api.auth.MAY` as the API's route of what it shows or does, and
calls the same service methods with the same scope: it can do nothing that the API cannot.
"""

import gzip
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from hashlib import sha256
from typing import Any

import orjson
from flask import Blueprint, Response
from marshmallow import Schema

from api.app import application_context, request_now
from api.auth import actor_for, check_may
from api.endpoint import ledger
from api.errors import HANDLERS
from api.loading import Loader
from api.noting import caller
from api.pages.assets import takes_gzip
from api.pages.look import frame, template_named
from api.pages.refusals import refusal_of
from api.pages.session import (
    CSRF_FIELD,
    check_form,
    holder,
    keep_visit,
    maybe_signed_in,
    renew,
    signed_in,
)
from api.stamps import allow, reflects, request_id, warn
from domain.actor import acting
from domain.errors import Invalid, LedgerError
from domain.sentences import Sentence
from service.access.callers import called_by
from service.requests import Call

# Nothing inline, nothing from elsewhere, in nobody's frame.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# A form's own fields, which say nothing of what is asked.
KEY_FIELD, VERSION_FIELD = "_key", "_version"
_OWN = frozenset({CSRF_FIELD, KEY_FIELD, VERSION_FIELD})
_WORTH_IT = 1024
# What every page says of itself.
_OF_ALL = (
    ("Content-Type", "text/html; charset=utf-8"),
    ("Cache-Control", "no-store"),
    ("Vary", "Cookie, Accept-Language, Accept-Encoding"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)
# Of gzip: a higher one takes three times as long, and makes a page a tenth smaller.
_LEVEL = 3

blueprint = Blueprint("pages", __name__)
# (method, rule) → the action of `api.auth.MAY` that it is; None: anybody's.
ACTIONS: dict[tuple[str, str], str | None] = {}
View = Callable[..., Any]


Again = Callable[..., Response] | None


def page(
    rule: str, action: str | None, *, query: Schema | None = None, again: Again = None
) -> Callable[[View], View]:
    """Declare what GET ``rule`` shows to whoever may ``action`` (None: to anybody). The view gets
    the ``query`` as loaded; what was left empty in a form counts as not asked. What is refused is
    shown by ``again``, as for ``form``."""
    load = Loader(query or Schema()).load

    @lru_cache(maxsize=1024)
    def loaded(words: str) -> dict[str, Any]:
        """The query as loaded. The same words always load the same, whoever asks, whenever."""
        return load(_asked(words))

    def declare(view: View) -> View:
        @wraps(view)
        def shown(**path: Any) -> Any:
            _admit(action)
            if action is not None:
                _look()
            given = _asked(request_now().environ["QUERY_STRING"])
            return _shown_again(again, path, given, lambda: _asked_and_shown(path))

        def _asked_and_shown(path: dict[str, Any]) -> Any:
            asked = loaded(request_now().environ["QUERY_STRING"])
            return view(**path, query={**asked}) if query is not None else view(**path)

        return _declared("GET", rule, shown, action)

    return declare


def form(
    rule: str,
    action: str | None,
    *,
    fields: Schema | None = None,
    again: Again = None,
    most_bytes: int | None = None,
) -> Callable[[View], View]:
    """Declare what a form sent to ``rule`` does. The view gets the form's ``fields`` as loaded.
    It may have ``most_bytes`` where that is more than others may.

    What is refused is shown by ``again``: with ``refusal``, the problem document, and ``given``,
    what was typed, so that nothing of it is lost. Without it the refusal is a page of its own.
    """
    load = Loader(fields or Schema()).load

    def declare(view: View) -> View:
        @wraps(view)
        def sent(**path: Any) -> Any:
            _admit(action)
            if most_bytes is not None:
                request_now().max_content_length = most_bytes
            check_form(request_now())
            given = _given(request_now().form.to_dict(flat=False))
            return _shown_again(again, path, given, lambda: _loaded_and_done(given, path))

        def _loaded_and_done(given: dict[str, Any], path: dict[str, Any]) -> Any:
            loaded = {"body": load(given)} if fields is not None else {}
            return _carried_out(view, {**path, **loaded})

        return _declared("POST", rule, sent, action)

    return declare


def _declared(method: str, rule: str, view: View, action: str | None) -> View:
    ACTIONS[method, rule] = action
    blueprint.route(rule, methods=[method])(view)
    return view


def _admit(action: str | None) -> None:
    if action is None:
        maybe_signed_in()
    else:
        check_may(signed_in().holder, action)


def _look() -> None:
    """Bring the projections to the end of the log, and note what does not hold."""
    office, about, environ = ledger(), application_context().g, request_now().environ
    about.position = office.reads.caught_up()
    about.alarm = office.published.alarm(about.data_version)
    warn(about.alarm, environ)
    reflects(about.position, environ)


def _shown_again(
    again: Again, path: Mapping[str, Any], given: Mapping[str, Any], answer: Callable[[], Any]
) -> Any:
    """The ``answer``, or what ``again`` makes of its being refused."""
    try:
        return answer()
    except LedgerError as why:
        if again is None:
            raise
        refused = HANDLERS[LedgerError](why)
        shown = again(**path, refusal=refusal_of(why, orjson.loads(refused.data)), given=given)
        shown.headers.extend((k, v) for k, v in refused.headers if k == "Retry-After")
        return shown


def _carried_out(view: View, path: Mapping[str, Any]) -> Any:
    who = holder()
    with called_by(caller):
        if who is None:
            return view(**path)
        with acting(actor_for(who, request_id())):
            return view(**path)


@lru_cache(maxsize=1024)
def _asked(_words: str) -> dict[str, Any]:
    """What the words of a query say; the present request's."""
    return _given(request_now().args.to_dict(flat=False))


def _given(words: Mapping[str, list[str]]) -> dict[str, Any]:
    """What was filled in, by name; Invalid when one is given twice."""
    twice = [name for name, values in words.items() if len(values) > 1]
    if twice:
        raise Invalid({name: [Sentence("It is given twice.")] for name in twice})
    found = {name: values[0].strip() for name, values in words.items() if name not in _OWN}
    return {name: value for name, value in found.items() if value}


def asked(body: Any) -> Call:
    """The call of a form: its hidden key makes sending it twice the same as once, its hidden
    version is the one that was looked at."""
    request, about = request_now(), application_context().g
    words = orjson.dumps([request.method, request.path, body], option=orjson.OPT_SORT_KEYS)
    version = request.form.get(VERSION_FIELD, "")
    known = frozenset({int(version)}) if version.isdecimal() else None
    key = request.form.get(KEY_FIELD, "")[:128] or None
    who = about.holder
    return Call(who.id, sha256(words).hexdigest(), key, known, who.scope, about.data_version)


def show(template: str, status: int = 200, **facts: Any) -> Response:
    """The page that a template of templates/pages makes of the facts."""
    request = request_now()
    data = template_named(template).render(**frame(), **facts).encode()
    headers = [*_OF_ALL]
    if len(data) >= _WORTH_IT and takes_gzip(request):
        data = gzip.compress(data, _LEVEL, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    response = Response(data, status, headers)
    renew(response)
    keep_visit(response)
    allow(POLICY, request.environ)
    return response


def go_to(path: str) -> Response:
    """Send the browser on to a page of ours, after a form."""
    response = Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})
    renew(response)
    return response


def ours(path: str | None) -> str:
    """A path that stays with us, for what may be anything; the first page for any other."""
    if not path or not path.startswith("/") or path[1:2] in ("/", "\\") or not path.isprintable():
        return "/"
    return path
