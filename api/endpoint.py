"""What all routes share: who may, reading the request strictly, headers, and their description.

A route is declared once, with ``endpoint``; its OpenAPI description is made from the same
words that the running code goes by.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, partial, wraps
from hashlib import blake2b, sha256
from operator import methodcaller
from typing import Any
from uuid import UUID

import orjson
from flask import Response
from flask_smorest import Blueprint
from marshmallow import Schema
from werkzeug.exceptions import NotAcceptable

from api.app import application_context, request_now
from api.auth import actor_for, authenticate, check_may
from api.counting import OUTCOME, REPLAYED, UNCHANGED
from api.json_body import json_body
from api.loading import Loader
from api.noting import caller
from api.openapi import describe_bodies, operation
from api.reply import Reply
from api.schemas import is_id
from api.stamps import reflects, request_id, warn
from domain.actor import acting
from domain.errors import Invalid
from service.access.callers import called_by
from service.application import Ledger
from service.awaiting import await_position, position_in
from service.commands.carrying import Answer
from service.requests import Call, claim_of
from service.scope import ALL
from service.tokens import Holder

_KEY_LENGTH = 128
_JSON = "application/json"
_JSON_ALONE: Mapping[str, Any] = {}
# A version, as ETags have it, and what else the answer was made of.
_VERSION = re.compile(r"([0-9]{1,18})(?:-[0-9a-f]{24})?", re.ASCII)
_TAG = re.compile(r'(W/)?"[^"\s]*"')
# A query in which no character stands for another one: it is read without the decoding.
_PLAIN_QUERY = re.compile(r"[a-z_]+=[\w.:-]*(&[a-z_]+=[\w.:-]*)*", re.ASCII)
_HALVES = methodcaller("partition", "=")
View = Callable[..., Reply | Response]


def ledger() -> Ledger:
    """The application's ledger."""
    found: Ledger = application_context().app.extensions["ledger"]
    return found


def endpoint(
    blueprint: Blueprint,
    method: str,
    rule: str,
    action: str,
    answer: type[Schema],
    *,
    body: Schema | None = None,
    bodiless: bool = False,
    query: Schema | None = None,
    status: int = 200,
    refusals: tuple[int, ...] = (),
    also: Mapping[str, Any] = _JSON_ALONE,
    form: Mapping[str, Any] | None = None,
    content: Mapping[str, Any] | None = None,
    ranges: bool = False,
) -> Callable[[View], View]:
    """Declare a route. The view gets ``query`` or ``body``, loaded, besides the path's parts.

    ``bodiless``: no body at all is one that says nothing. ``also`` describes what is answered
    besides JSON, by content type: ``g.kind`` says which. ``form`` describes a body that the view
    reads itself, ``content`` what it answers instead of JSON. ``ranges``: parts can be asked
    for.
    """

    load_body, load_query = Loader(body or Schema()).load, Loader(query or Schema()).load

    @lru_cache(maxsize=1024)
    def asked(query_string: str) -> dict[str, Any]:
        """The query as loaded. The same words always load the same, whoever asks, whenever."""
        return load_query(_query_words(query_string))

    def declare(view: View) -> View:
        @wraps(view)
        def answering(**path: Any) -> Reply | Response:
            about, office, environ = application_context().g, ledger(), request_now().environ
            holder = authenticate(
                office, environ, None if method == "GET" else partial(_streams_of, environ, path)
            )
            check_may(holder, action)
            about.kind = _accepted(also, environ) if content is None else ""
            if body is not None:
                path["body"] = load_body(json_body(request_now(), bodiless=bodiless))
            if query is not None:
                path["query"] = asked(environ["QUERY_STRING"])
            elif environ["QUERY_STRING"]:
                load_query(_query_words(environ["QUERY_STRING"]))
            if method == "GET":
                about.position = _come_to(office, environ)
                warn(office.published.alarm(about.data_version), environ)
                return view(**path)
            with acting(actor_for(holder, request_id())), called_by(caller):
                return view(**path)

        described = operation(method, answer, body, query, status, refusals, bodiless=bodiless)
        describe_bodies(described, status, form, content, (also, ranges))
        described["operationId"] = f"{blueprint.name}_{view.__name__}"
        # Only its description: what else flask-smorest wraps the view in says nothing more.
        answering._apidoc = blueprint.doc(**described)(answering)._apidoc  # type: ignore[attr-defined]
        blueprint.route(rule, methods=[method])(answering)
        return answering

    return declare


def _streams_of(environ: Mapping[str, Any], path: Mapping[str, str], holder: Holder) -> list[UUID]:
    """What a command will ask of the log: whether its key came before, and its lead; unless there
    may be leads that the holder is not to see."""
    key, lead_id = environ.get("HTTP_IDEMPOTENCY_KEY"), path.get("lead_id", "")
    claimed = [claim_of(holder.id, key)] if key else []
    return [*claimed, UUID(lead_id)] if holder.scope == ALL and is_id(lead_id) else claimed


def _come_to(office: Ledger, environ: Mapping[str, Any]) -> int:
    """The position that a read reflects, which is not before the one that the client knows."""
    known = environ.get("HTTP_IF_LEDGER_POSITION")
    if known is None:
        return office.reads.caught_up()
    patience = office.settings.position_timeout
    position = await_position(office.reads, position_in(known), patience)
    application_context().g.data_version = office.reads.data_version()
    return position


def call(body: Any) -> Call:
    """The command's idempotency key, its digest, and the versions the client knows."""
    request = request_now()
    environ = request.environ
    key = environ.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not (0 < len(key) <= _KEY_LENGTH and _visible(key)):
        reason = f"It has {len(key)} characters; 1 to {_KEY_LENGTH} visible ASCII ones are kept."
        raise Invalid({"Idempotency-Key": [reason]})
    digest = sha256(
        orjson.dumps([request.method, request.path, body], option=orjson.OPT_SORT_KEYS)
    ).hexdigest()
    known = _known_versions(environ.get("HTTP_IF_MATCH"))
    about = application_context().g
    holder: Holder = about.holder
    return Call(holder.id, digest, key, known, holder.scope, about.data_version, about.ahead)


def _visible(text: str) -> bool:
    return all("!" <= char <= "~" for char in text)


def _known_versions(header: str | None) -> frozenset[int] | None:
    """The versions that If-Match names, None for any; Invalid when it is not of its form. A tag
    that a proxy made weak, by compressing what we sent, is the one we sent."""
    if header is None or header.strip() == "*":
        return None
    tags = [tag for tag in map(str.strip, header.split(",")) if tag]
    if not tags or not all(map(_TAG.fullmatch, tags)):
        raise Invalid(
            {"If-Match": [f"'{header[:40]}' is not of the form \"4\", as in ETag, or *."]}
        )
    known = (tag.removeprefix("W/")[1:-1] for tag in tags)
    return frozenset(int(found[1]) for found in map(_VERSION.fullmatch, known) if found)


def answered(answer: Answer, place: str | None = None) -> Reply:
    """A command's answer: the subject, its version as ETag, the position it was recorded at.

    ``place``: the path under which a new subject is found, if not the request's.
    """
    request = request_now()
    response = _reply(orjson.dumps(answer.body), f'"{answer.version}"', answer.status)
    if answer.status == 201:
        response.headers.append(("Location", f"{place or request.path}/{answer.subject}"))
    if answer.replayed:
        response.headers.append(("Idempotent-Replay", "true"))
        request.environ[OUTCOME] = REPLAYED
    elif answer.position is None:
        request.environ[OUTCOME] = UNCHANGED
    if answer.position is not None:
        reflects(answer.position, request.environ)
    return response


def shown(
    body: bytes | Mapping[str, Any],
    position: int,
    version: int | None = None,
    *,
    tag: str = "",
    at: int | None = None,
    kind: str = _JSON,
    fresh: bool = False,
) -> Reply:
    """A read's answer (of type ``kind``) with its ETag; 304 if the client has it. ``fresh``: it is
    answered whatever the client has, and not to be kept by anybody.

    The ETag is the ``version``, else ``tag`` (weak), else a hash of the body (weak); of an answer
    that has more in it than what is ``at`` a version, which If-Match may name, both.
    """
    data = body if isinstance(body, bytes) else orjson.dumps(body)
    if version is not None:
        etag = f'"{version}"'
    else:
        name = tag or blake2b(data, digest_size=12).hexdigest()
        etag = f'W/"{name}"' if at is None else f'W/"{at}-{name}"'
    environ = request_now().environ
    reflects(position, environ)
    if fresh:
        return Reply(data, 200, ("ETag", etag), ("Cache-Control", "no-store"), kind=kind)
    known = environ.get("HTTP_IF_NONE_MATCH")
    if known is not None and _matches(known, etag):
        return Reply(b"", 304, ("ETag", etag))
    return _reply(data, etag, 200, kind)


def _matches(known: str, etag: str) -> bool:
    """Weak comparison (RFC 9110), which is the one for If-None-Match."""
    tags = {tag.strip().removeprefix("W/") for tag in known.split(",")}
    return "*" in tags or etag.removeprefix("W/") in tags


def _reply(data: bytes, etag: str, status: int, kind: str = _JSON) -> Reply:
    return Reply(data, status, ("ETag", etag), ("Cache-Control", "private, no-cache"), kind=kind)


def _accepted(also: Mapping[str, Any], environ: Mapping[str, Any]) -> str:
    """The content type to answer: JSON, unless the request names one of ``also`` above it."""
    accept = environ.get("HTTP_ACCEPT")
    if accept in (None, "", "*/*", _JSON):
        return _JSON
    # From the most to the least specific range that says something of JSON.
    wanted = {range_.partition(";")[0].strip(): q for range_, q in request_now().accept_mimetypes}
    said = [wanted[r] for r in (_JSON, "application/*", "*/*") if r in wanted]
    liked = max(also, key=lambda kind: wanted.get(kind, 0), default=_JSON)
    if wanted.get(liked, 0) > (said[0] if said else 0):
        return liked
    if not said or said[0] <= 0:
        kinds = " or ".join((_JSON, *also))
        raise NotAcceptable(f"This answers {kinds}; the request accepts {accept[:80]}.")
    return _JSON


def _query_words(query_string: str) -> dict[str, str]:
    """The words of the query by name; Invalid when one is given twice."""
    if _PLAIN_QUERY.fullmatch(query_string):
        pairs = [(word[0], word[2]) for word in map(_HALVES, query_string.split("&"))]
    else:
        pairs = list(request_now().args.items(multi=True))
    words = dict(pairs)
    if len(words) < len(pairs):
        names = [name for name, _ in pairs]
        twice = (name for name in words if names.count(name) > 1)
        raise Invalid({name: ["It is given twice."] for name in twice})
    return words
