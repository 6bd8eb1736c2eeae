"""What the API's tests share: the people of one office, and what they say most often."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from flask import Flask
from werkzeug.test import TestResponse

from api import create_app
from service.application import Ledger
from service.settings import Settings
from tests.api.contract import Contract, contract_of
from tests.databases import database_for

DISTRICT = "320812"
MONEY = {"amount": "30", "unit": "亿元"}
NOBODY = "00000000-0000-4000-8000-000000000000"
Body = dict[str, Any]


def settings_in(folder: Path, lock_timeout: float = 5.0) -> Settings:
    """Settings of a ledger in ``folder``."""
    return Settings(
        database=folder / "ledger.sqlite",
        bind="127.0.0.1",
        port=8000,
        workers=2,
        lock_timeout=lock_timeout,
        keeper_dir=None,
        checkpoint_every=600,
        checkpoint_to=None,
        postgres=database_for(folder),
        # Tests fail on purpose, all from one address.
        failures_a_minute=0,
    )


@dataclass(frozen=True)
class Caller:
    """Whoever holds ``token`` (None: nobody). Every answer is held against the document."""

    app: Flask
    contract: Contract = field(repr=False)
    token: str | None = field(default=None, repr=False)

    def call(
        self,
        method: str,
        path: str,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """One request, and its answer."""
        sent = dict(headers or {})
        if self.token is not None:
            sent.setdefault("Authorization", f"Bearer {self.token}")
        client = self.app.test_client()
        answer = client.open(path, method=method, data=data, headers=sent, buffered=True)
        self.contract.check(method, urlsplit(path).path, answer)
        return answer

    def get(self, path: str, **headers: str) -> TestResponse:
        """GET ``path``; ``If_None_Match=…`` is that header."""
        return self.call("GET", path, headers=_named(headers))

    def post(self, path: str, body: Any, **headers: str) -> TestResponse:
        """POST ``body`` as JSON."""
        data = orjson.dumps(body)
        return self.call("POST", path, data, {"Content-Type": "application/json"} | _named(headers))

    def ok(self, path: str, body: Any = None, **headers: str) -> Any:
        """What a GET, or with a body a POST, answers; fails unless that is a 2xx."""
        answer = self.get(path, **headers) if body is None else self.post(path, body, **headers)
        assert 200 <= answer.status_code < 300, answer.text
        return answer.json

    def ready(self) -> Any:
        """What readiness says, besides how far the projections were behind."""
        told = self.ok("/readyz")
        assert told.pop("lag").keys() == {"events", "seconds"}
        return told

    def register(self, number: str = "QJP-001", **facts: Any) -> Any:
        """Register a member."""
        known = {"name": "王委员", "sector": "工商联", "district": DISTRICT, "number": number}
        return self.ok("/v1/members", {**known, "occurred_on": "2025-01-02", **facts})

    def tip(self, member: str, **facts: Any) -> Any:
        """A tip of that member."""
        return self.ok("/v1/leads", a_tip(member, **facts))

    def command(self, lead: Body, command: str, **facts: Any) -> Any:
        """A command on a lead; the lead afterwards."""
        body = {**BODIES[command], **facts}
        return self.ok(f"/v1/leads/{lead['id']}/{command}", body)


_OF_A_PART = {"file": '"file"; filename="upload"'}


def send(caller: Caller, data: bytes, **fields: str) -> TestResponse:
    """Upload a file, with more fields of the form."""
    return send_parts(caller, ("file", data), *((k, v.encode()) for k, v in fields.items()))


def send_parts(caller: Caller, *parts: tuple[str, bytes]) -> TestResponse:
    """Upload a form of these parts, in this order; those of the name "file" are files."""
    head = b"--x\r\nContent-Disposition: form-data; name="
    # Put together here: werkzeug's client keeps large bodies in a file that it leaves open.
    body = b"".join(
        head + _OF_A_PART.get(name, f'"{name}"').encode() + b"\r\n\r\n" + value + b"\r\n"
        for name, value in parts
    )
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    return caller.call("POST", "/v1/imports", body + b"--x--\r\n", headers)


@dataclass
class Office:
    """A ledger's application, and a token for everybody who asks."""

    app: Flask
    contract: Contract = field(init=False)
    _callers: dict[str, Caller] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.contract = contract_of(self.app.test_client().get("/openapi.json").data)

    @property
    def ledger(self) -> Ledger:
        """The ledger beneath."""
        found: Ledger = self.app.extensions["ledger"]
        return found

    @property
    def position(self) -> int:
        """The log's last position; 0 while nothing is recorded."""
        return self.ledger.recorder.max_notification_id() or 0

    def holding(self, token: str | None) -> Caller:
        """Whoever holds this token."""
        return Caller(self.app, self.contract, token)

    def one(self, role: str, member: str | None = None) -> Caller:
        """A caller of this role; the same one when asked again."""
        key = f"{role} {member}"
        if key not in self._callers:
            self._callers[key] = self.holding(self.ledger.tokens.issue(role, key, member))
        return self._callers[key]

    @property
    def officer(self) -> Caller:
        """An officer."""
        return self.one("officer")

    def close(self) -> None:
        """Let go of every file."""
        self.ledger.close()


def open_office(settings: Settings) -> Office:
    """The office on these files: a worker as gunicorn would start it."""
    return Office(create_app(settings))


def a_tip(member: str, **facts: Any) -> Body:
    """The body of a tip."""
    known = {"title": "12英寸大晶圆项目", "members": [member], "district": DISTRICT}
    return {**known, "investment": MONEY, "occurred_on": "2025-03-18", **facts}


# command → a body that a lead in the right stage takes
BODIES: Mapping[str, Body] = {
    "screening": {"verdict": "pursue", "occurred_on": "2025-03-20"},
    "negotiation": {"responsible_unit": "商务局", "occurred_on": "2025-04-02"},
    "follow-ups": {"form": "visit", "result": "去了一次", "occurred_on": "2025-04-10"},
    "notice": {"note": "电话告知", "occurred_on": "2025-04-12"},
    "signing-plan": {"expected_on": "2026-01-15", "occurred_on": "2025-05-01"},
    "signing": {
        "agreement": "contract",
        "number": "HT-1",
        "investment": {"amount": "31.25", "unit": "亿元"},
        "occurred_on": "2025-06-01",
    },
    "groundbreaking": {
        "start": "construction",
        "evidence": [{"kind": "permit", "reference": "施-1"}],
        "occurred_on": "2025-09-01",
    },
    "recognition": {"stage": "signed", "authority": "市商务局", "occurred_on": "2025-10-01"},
    # Of a lead of this member alone; of another one the shares are told as they are there.
    "credit": {
        "shares": [{"member": NOBODY, "share": "1"}],
        "reason": "首报为主",
        "occurred_on": "2025-04-15",
    },
    "corrections": {
        "version": 1,
        "facts": {"title": "更正后的标题"},
        "reason": "录入有误",
        "occurred_on": "2025-10-02",
    },
    "suspension": {"reason": "等土地", "review_on": "2025-08-01", "occurred_on": "2025-04-20"},
    "resumption": {"reason": "土地有了", "occurred_on": "2025-04-25"},
    "closure": {"outcome": "declined", "reason": "不合适", "occurred_on": "2025-04-01"},
    "reopening": {"reason": "又来了", "occurred_on": "2025-04-05"},
    "transfer": {"district": "320871", "reason": "用地在对方", "occurred_on": "2025-04-16"},
    "transfer/acceptance": {"occurred_on": "2025-04-18"},
    "transfer/refusal": {"reason": "没有指标", "occurred_on": "2025-04-18"},
    "revision": {"title": "新标题", "occurred_on": "2025-04-01"},
}


def problem_of(answer: TestResponse, status: int, code: str) -> Body:
    """The problem document of an answer; fails unless it is this one."""
    assert answer.status_code == status, f"{answer.status_code}: {answer.text[:400]}"
    problem: Body = answer.json or {}
    assert problem["type"] == f"urn:leadledger:problem:{code}", problem
    return problem


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
