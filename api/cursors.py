"""Opaque cursors: where a list goes on, bound to the question it belongs to."""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any
from urllib.parse import urlencode

import orjson
from flask import g, request

from api.auth import scope
from api.endpoint import shown
from api.reply import Reply
from domain.errors import Invalid

# The parameters that say where in a list to be, not which list it is.
_PLACE = frozenset({"cursor", "limit"})
_FARTHEST = 2**62


def write_cursor(*place: Any, of: str | None = None) -> str:
    """A cursor for ``place`` (plain JSON values) in the list that this request asks for, or in the
    one ``of`` that name, of which the request shows several."""
    return urlsafe_b64encode(orjson.dumps([of or _question(), *place])).decode().rstrip("=")


def read_cursor(
    query: Mapping[str, Any], kinds: tuple[type, ...], of: str | None = None
) -> list[Any] | None:
    """The place that the request's cursor names; None without one, Invalid if it fits not."""
    text = query.get("cursor")
    if text is None:
        return None
    try:
        found = orjson.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (binascii.Error, ValueError):
        found = None
    fits = isinstance(found, list) and [type(part) for part in found] == [str, *kinds]
    if not fits or any(abs(part) > _FARTHEST for part in found if type(part) is int):
        raise Invalid.of("cursor", "It is none that this ledger gave.")
    if found[0] != (of or _question()):
        raise Invalid.of("cursor", "It belongs to a list with other parameters.")
    place: list[Any] = found[1:]
    return place


def page_of(
    items: bytes,
    cursor: str | None,
    position: int,
    about: Mapping[str, Any] | None = None,
    *,
    by_body: bool = False,
) -> Reply:
    """One page: ``items`` as JSON, ``next``, what there is to say ``about`` them, and the Link
    header for the next page. ``by_body``: a list that does not follow from the log."""
    tail = orjson.dumps({"next": cursor, **(about or {})})[1:]
    # What a list shows follows from the log's position and from what is asked, by whom.
    asked = blake2b(
        f"{g.holder.id} {request.full_path} {about}".encode(), digest_size=8
    ).hexdigest()
    body = b"".join((b'{"items":', items, b",", tail))
    response = shown(body, position, tag="" if by_body else f"{position}-{asked}")
    if cursor is not None:
        words = {**request.args.to_dict(), "cursor": cursor}
        response.headers.append(("Link", f'<{request.path}?{urlencode(words)}>; rel="next"'))
    return response


def _question() -> str:
    words = sorted((k, v) for k, v in request.args.items() if k not in _PLACE)
    # Who sees other leads has other lists.
    seen = scope()
    asked = [request.path, words, seen.district, seen.member]
    return blake2b(orjson.dumps(asked), digest_size=8).hexdigest()
