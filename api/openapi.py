"""What every operation's OpenAPI description has in common."""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema

from api.answers import ProblemOut

_PROBLEMS = {
    400: "malformed: the body cannot be read",
    401: "unauthenticated: no or bad token",
    403: "forbidden: the role may not",
    404: "not-found",
    406: "not-acceptable: only JSON is answered",
    408: "too-slow: the body did not come in time",
    409: "refused: the stage or a rule does not allow it",
    412: "stale: If-Match is not the present version",
    413: "too-large: the body is over 1 MiB",
    416: "range-not-satisfiable: the file has no such range",
    415: "unsupported-media-type: the body is no application/json",
    422: "invalid: a field is wrong; key-reused: the key named another request",
    429: "slow-down: too many requests, or attempts without a good token",
    503: "not-ready: try again later",
}
_ALL = (401, 403, 406, 422, 429, 503)
_WITH_BODY = (400, 408, 413, 415)
_COMMAND_HEADERS = [
    {
        "in": "header",
        "name": "Idempotency-Key",
        "description": (
            "The same key with the same body is answered as the first time. A refused request "
            "recorded nothing, and its key neither: with the same key it is tried again."
        ),
        "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"},
    }
]
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "description": 'The version the client knows, quoted as in ETag ("4"), or *.',
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {
    "in": "header",
    "name": "If-None-Match",
    "description": "An ETag the client has; 304 if it still holds.",
    "schema": {"type": "string"},
}
_IF_POSITION = {
    "in": "header",
    "name": "If-Ledger-Position",
    "description": (
        "A log position, as Ledger-Position named it: the answer reflects it or a later one, "
        "however long after the writer what is read here comes; 503 when it does not come in time, "
        "422 for one that the log never had."
    ),
    "schema": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}
POSITION = {
    "Ledger-Position": {
        "description": "The log position that the answer reflects.",
        "schema": {"type": "integer"},
    }
}


_WARNING = {
    "Ledger-Warning": {
        "description": "What does not hold in the history, while nobody has ruled on it.",
        "schema": {"type": "string"},
    }
}
_CREATED = {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}
_REPLAY = {
    "Idempotent-Replay": {
        "description": "true: the key came before, and this is what was answered then.",
        "schema": {"type": "string"},
    }
}
_NEXT = {
    "Link": {"description": "The next page, if there is one.", "schema": {"type": "string"}},
}
_WHO = {
    "WWW-Authenticate": {"description": "How to say who asks.", "schema": {"type": "string"}},
}
_LATER = {
    "Retry-After": {
        "description": "In how many seconds to try again.",
        "schema": {"type": "integer"},
    }
}


_REFUSAL_HEADERS: Mapping[int, Mapping[str, Any]] = {401: _WHO, 429: _LATER, 503: _LATER}


def refused(status: int) -> dict[str, Any]:
    """The description of a refusal."""
    return {
        "description": _PROBLEMS[status],
        "headers": {**POSITION, **_REFUSAL_HEADERS.get(status, {})},
        "content": {"application/problem+json": {"schema": ProblemOut}},
    }


def answers(
    responses: dict[str, Any], status: int, also: Mapping[str, Any], *, ranges: bool
) -> None:
    """Describe what else than JSON is answered, and with ``ranges`` parts of it."""
    whole = responses[str(status)]
    whole["content"].update(also)
    if ranges:
        which = {"description": "Which bytes, of how many.", "schema": {"type": "string"}}
        parts: dict[str, Any] = {
            kind: {"schema": {}} for kind in (*whole["content"], "multipart/byteranges")
        }
        responses["206"] = {
            "description": "The part asked for.",
            "headers": {**whole["headers"], "Content-Range": which},
            "content": parts,
        }


def operation(
    method: str,
    answer: type[Schema],
    body: Schema | None,
    query: Schema | None,
    status: int,
    refusals: tuple[int, ...],
    *,
    bodiless: bool,
) -> dict[str, Any]:
    """The description of one operation, for the blueprint's ``doc``."""
    etag = {"ETag": {"description": "The version.", "schema": {"type": "string"}}}
    more = _REPLAY if method != "GET" else _NEXT if "next" in answer().fields else {}
    created = _CREATED if status == 201 else {}
    done = {
        "description": "Recorded." if body else "As asked.",
        "headers": {**POSITION, **etag, **_WARNING, **created, **more},
        "content": {"application/json": {"schema": answer}},
    }
    responses: dict[str, Any] = {str(status): done}
    parameters: list[Any] = []
    if method == "GET":
        responses["304"] = {"description": "It has not changed.", "headers": {**POSITION, **etag}}
        parameters += [_IF_NONE_MATCH, _IF_POSITION]
    else:
        parameters += _COMMAND_HEADERS
        if 412 in refusals:
            parameters.append(_IF_MATCH)
    if query is not None:
        parameters.append({"in": "query", "schema": query})
    for refusal in sorted({*_ALL, *(_WITH_BODY if body else ()), *refusals}):
        responses[str(refusal)] = refused(refusal)
    described: dict[str, Any] = {
        "parameters": parameters,
        "responses": responses,
        "security": [{"token": []}],
    }
    if body is not None:
        described["requestBody"] = {
            "required": not bodiless,
            "content": {"application/json": {"schema": body}},
        }
    return described


def describe_bodies(
    described: dict[str, Any],
    status: int,
    form: Mapping[str, Any] | None,
    content: Mapping[str, Any] | None,
    beside: tuple[Mapping[str, Any], bool],
) -> None:
    """Describe what goes in (``form``) and out (``content``) instead of JSON, and what is answered
    ``beside`` it (by content type, and whether in parts)."""
    also, ranges = beside
    answers(described["responses"], status, also, ranges=ranges)
    if content:
        answer = described["responses"][str(status)]
        answer["content"] = dict(content)
        # Made anew each time, and not of the ledger's state alone.
        described["responses"].pop("304", None)
        answer["headers"].pop("ETag", None)
        described["parameters"] = [p for p in described["parameters"] if p is not _IF_NONE_MATCH]
    if form:
        described["requestBody"] = {"required": True, "content": dict(form)}
        # The same file again changes nothing: it needs no key.
        kept = [p for p in described["parameters"] if p not in _COMMAND_HEADERS]
        described["parameters"] = kept
        for refusal in _WITH_BODY:
            described["responses"][str(refusal)] = refused(refusal)
