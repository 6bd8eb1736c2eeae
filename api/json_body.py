"""A request's JSON body, read strictly: what two readers could take two ways is refused."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import Request
from werkzeug.exceptions import (
    ClientDisconnected,
    HTTPException,
    RequestEntityTooLarge,
    UnsupportedMediaType,
)

DEEPEST = 16
MOST_BYTES = 1024 * 1024


_LENGTH = re.compile("[0-9]{1,9}", re.ASCII)


class Malformed(HTTPException):
    """The body is no JSON, or JSON that could be read in more than one way."""

    code = 400


def json_body(request: Request, *, bodiless: bool = False) -> Any:
    """The body as Python values; Malformed or UnsupportedMediaType says what is wrong.

    ``bodiless``: a request without a body is one with an empty object.
    """
    if bodiless and _has_none(request.environ):
        return {}
    said = request.environ.get("CONTENT_TYPE")
    if said != "application/json" and request.mimetype != "application/json":
        sent = request.mimetype or "nothing"
        raise UnsupportedMediaType(f"Send application/json; this request says {sent}.")
    _check_coding(request)
    data = _sent(request)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as why:
        raise Malformed(f"The body is not UTF-8 at byte {why.start}.") from None
    _check_depth(text)
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as why:
        raise Malformed(f"The body is no JSON: {why}.") from None
    except ValueError as why:
        # Python refuses to read integers of thousands of digits.
        raise Malformed(f"The body has a number that cannot be read: {why}.") from None


def _check_coding(request: Request) -> None:
    """UnsupportedMediaType for a body that is not to be read as it stands, in UTF-8."""
    if request.environ.get("CONTENT_TYPE") != "application/json":
        charset = request.mimetype_params.get("charset", "utf-8")
        if charset.lower() not in ("utf-8", "utf8"):
            raise UnsupportedMediaType(f"Send UTF-8; this request says {charset[:40]}.")
    coding = request.environ.get("HTTP_CONTENT_ENCODING", "identity")
    if coding.lower() != "identity":
        raise UnsupportedMediaType(f"Send the body as it is; this request says {coding[:40]}.")


def _has_none(environ: Mapping[str, Any]) -> bool:
    return environ.get("CONTENT_LENGTH") in (None, "", "0") and (
        "HTTP_TRANSFER_ENCODING" not in environ
    )


def _sent(request: Request) -> bytes:
    """The body's bytes: of one that names a fitting length without asking what else it may be."""
    environ = request.environ
    length = environ.get("CONTENT_LENGTH", "")
    if "HTTP_TRANSFER_ENCODING" in environ or not _LENGTH.fullmatch(length):
        return _limited(request)
    if int(length) > MOST_BYTES:
        raise RequestEntityTooLarge
    data: bytes = environ["wsgi.input"].read(int(length))
    if len(data) < int(length):
        raise ClientDisconnected
    return data


def _limited(request: Request) -> bytes:
    """The body of a request that does not say how long it is."""
    # At its limit werkzeug stops without a word: read up to one byte more than may be there.
    request.max_content_length = MOST_BYTES + 1
    data = request.get_data(cache=True)
    if len(data) > MOST_BYTES:
        raise RequestEntityTooLarge
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        # Counted in one go: a body has room for a hundred thousand.
        twice = next(
            name for name, times in Counter(name for name, _ in pairs).items() if times > 1
        )
        raise Malformed(f"The body has the key {twice[:40]!r} twice in one object.")
    return found


def _no_number(constant: str) -> NoReturn:
    raise Malformed(f"The body has {constant}, which is no JSON number.")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)


def _check_depth(text: str) -> None:
    if text.count("[") + text.count("{") <= DEEPEST:
        return
    depth, quoted, escaped = 0, False, False
    for char in text:
        if quoted:
            quoted, escaped = escaped or char != '"', char == "\\" and not escaped
        elif char == '"':
            quoted = True
        elif char in "[{":
            depth += 1
            if depth > DEEPEST:
                raise Malformed(f"The body nests deeper than {DEEPEST} levels.")
        elif char in "]}":
            depth -= 1
