"""The served OpenAPI document, held against every response: what it promises must be true."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import jsonschema_rs
from werkzeug.test import TestResponse

JSON = "application/json"
PROBLEM = "application/problem+json"
# What the document need not say of a path: what HTTP itself answers.
_BEYOND = frozenset({404, 405})
# What is answered before anybody looks at the path: to who asks by a name that is not ours.
_BEFORE = frozenset({421})
_TYPE = "urn:leadledger:problem:"
# status → the codes that its problem documents may carry
CODES: Mapping[int, frozenset[str]] = {
    400: frozenset({"malformed"}),
    401: frozenset({"unauthenticated"}),
    403: frozenset({"forbidden"}),
    404: frozenset({"not-found"}),
    405: frozenset({"method-not-allowed"}),
    406: frozenset({"not-acceptable"}),
    409: frozenset({"refused"}),
    412: frozenset({"stale"}),
    413: frozenset({"too-large"}),
    416: frozenset({"range-not-satisfiable"}),
    415: frozenset({"unsupported-media-type"}),
    421: frozenset({"misdirected"}),
    422: frozenset({"invalid", "key-reused"}),
    429: frozenset({"slow-down"}),
    503: frozenset({"not-ready"}),
}


@dataclass(frozen=True)
class Operation:
    """One operation of the document, and the paths it answers."""

    method: str
    template: str
    described: Mapping[str, Any]
    paths: re.Pattern[str]


@dataclass
class Contract:
    """An OpenAPI document; ``check`` fails a response that it does not describe."""

    document: Mapping[str, Any] = field(repr=False)
    operations: list[Operation] = field(init=False, repr=False)
    _validators: dict[str, Any] = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.operations = [
            Operation(method.upper(), template, described, _paths(template))
            for template, item in self.document["paths"].items()
            for method, described in item.items()
            if method in ("get", "post", "put", "patch", "delete")
        ]

    def operation(self, method: str, path: str) -> Operation | None:
        """The operation that answers ``method`` on ``path``; None when none is described."""
        wanted = "GET" if method == "HEAD" else method
        found = [o for o in self.operations if o.method == wanted and o.paths.fullmatch(path)]
        # A literal path goes before a template, as /v1/pipeline/times before /v1/{…}/times.
        return min(found, key=lambda o: o.template.count("{"), default=None)

    def check(self, method: str, path: str, response: TestResponse) -> None:
        """Fail unless the document says that this may be answered, in this form."""
        status, headers = response.status_code, response.headers
        assert re.fullmatch(r"[0-9]+", headers.get("Ledger-Position", "")), "no Ledger-Position"
        assert headers.get("X-Request-Id"), "no X-Request-Id"
        operation = self.operation(method, path)
        if status >= 400:
            self._check_problem(response)
        if status in _BEFORE:
            return
        if operation is None:
            known = path.startswith("/docs")
            assert known or status in _BEYOND or method == "OPTIONS", f"{status} is beyond all"
            return
        described = operation.described["responses"]
        said = described.get(str(status))
        where = f"{operation.method} {operation.template} → {status}"
        assert said is not None, f"{where} is not described; only {', '.join(described)} are"
        for name, header in said.get("headers", {}).items():
            self._check_header(where, name, header, headers.get(name))
        self._check_content(where, said.get("content"), method, response)

    def _check_problem(self, response: TestResponse) -> None:
        status = response.status_code
        assert response.content_type == PROBLEM, f"{status} came as {response.content_type}"
        if response.request.method == "HEAD":
            return
        problem = json.loads(response.data)
        self.validator({"$ref": "#/components/schemas/ProblemOut"}).validate(problem)
        assert problem["status"] == status
        code = problem["type"].removeprefix(_TYPE)
        assert code in CODES.get(status, frozenset()), f"{status} came as {code}: {problem}"
        assert response.headers["X-Request-Id"] in problem["instance"]
        assert problem["detail"].strip() and problem["title"].strip()
        assert ("errors" in problem) == (code == "invalid")
        assert ("events" in problem) == (code == "stale")
        assert ("Retry-After" in response.headers) == (status in (429, 503))

    def _check_header(
        self, where: str, name: str, header: Mapping[str, Any], value: str | None
    ) -> None:
        if value is None:
            assert not header.get("required", False), f"{where} has no {name}"
            return
        schema = header["schema"]
        instance = int(value) if schema.get("type") == "integer" else value
        self.validator(schema).validate(instance)

    def _check_content(
        self, where: str, content: Mapping[str, Any] | None, method: str, response: TestResponse
    ) -> None:
        if method == "HEAD":
            return
        if not content:
            assert not response.data, f"{where} is described without a body"
            return
        kind = response.mimetype or ""
        assert kind in content, f"{where} came as {kind}; described is {', '.join(content)}"
        validator = self.validator(content[kind].get("schema", {}))
        for instance in _instances(kind, response):
            validator.validate(instance)

    def validator(self, schema: Mapping[str, Any]) -> Any:
        """A validator of ``schema``, whose references lead into the document."""
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole, validate_formats=True)
        return self._validators[key]


def _instances(kind: str, response: TestResponse) -> list[Any]:
    """What the body holds: a JSON value, one in each line, a text, or bytes that nobody reads."""
    if kind.startswith("text/"):
        return [response.text]
    if "spreadsheet" in kind:
        return []
    if kind == "application/x-ndjson":
        return [json.loads(line) for line in response.data.splitlines()]
    if kind not in (JSON, PROBLEM) or response.status_code == 206:
        return []
    return [json.loads(response.data)]


@lru_cache(maxsize=8)
def contract_of(document: bytes) -> Contract:
    """The contract that a served document makes; read once."""
    return Contract(json.loads(document))


def _paths(template: str) -> re.Pattern[str]:
    parts = re.split(r"\{[^}]+\}", template)
    return re.compile("[^/]+".join(map(re.escape, parts)))
