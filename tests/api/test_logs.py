"""The log as lines of JSON, and one for each request where that is asked for."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from service.journal import JsonLines
from tests.api.office import NOBODY, Office, open_office, settings_in
from tests.faults.serving import serving


@contextmanager
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged within, as the lines that would stand on stderr."""
    found: list[dict[str, Any]] = []
    stream = StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("leadledger")
    before = log.level
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    try:
        yield found
    finally:
        log.removeHandler(handler)
        log.setLevel(before)
        found += map(json.loads, stream.getvalue().splitlines())


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office that logs each request."""
    found = open_office(replace(settings_in(tmp_path), log="requests"))
    yield found
    found.close()
    log = logging.getLogger("leadledger")
    for handler in [h for h in log.handlers if isinstance(h.formatter, JsonLines)]:
        log.removeHandler(handler)
    log.propagate = True
    log.setLevel(logging.NOTSET)


def test_a_request_is_one_line_by_its_route_and_the_id_of_its_answer(office: Office) -> None:
    officer = office.officer
    with lines() as found:
        lead = officer.tip(officer.register()["id"])
        answer = officer.get(f"/v1/leads/{NOBODY}?contact=13800000001")
    assert [(line["method"], line["route"], line["status"]) for line in found] == [
        ("POST", "/v1/members", 201),
        ("POST", "/v1/leads", 201),
        ("GET", "/v1/leads/{lead_id}", 422),
    ]
    refused = found[-1]
    assert answer.json and answer.json["instance"].endswith(refused["request"])
    assert answer.headers["X-Request-Id"] == refused["request"]
    assert refused["problem"] == "invalid"
    assert officer.token and refused["token"] == officer.token.split("_")[1]
    assert found[1]["position"] == 2 and found[1]["ms"] > 0
    assert found[1]["time"].endswith("Z") and found[1]["level"] == "info"
    text = json.dumps(found, ensure_ascii=False)
    for secret in (lead["id"], NOBODY, "13800000001", officer.token, "320812"):
        assert secret not in text


def test_what_is_logged_besides_is_scrubbed() -> None:
    log = logging.getLogger("leadledger.trial")
    with lines() as found:
        log.warning("a token: %s", "ll_0123456789ab_" + "x" * 43)
        try:
            raise ValueError("call 13800000001")
        except ValueError:
            log.exception("it failed")
    assert [line["message"] for line in found] == ["a token: ll_0123456789ab_…", "it failed"]
    assert "138****0001" in found[1]["exception"] and "13800000001" not in str(found)


def test_every_line_of_a_service_is_json_where_that_is_asked_for(tmp_path: Path) -> None:
    with serving(tmp_path, LEDGER_LOG="requests", LEDGER_WORKERS="2") as server:
        with server.client() as client:
            asked = client.get("/v1/members")
            client.get("/v1/nothing")
        server.process.terminate()
        server.process.wait(60)
        found = [json.loads(line) for line in server.complained.splitlines()]
    by_id = {line["request"]: line for line in found if "request" in line}
    assert by_id[asked.headers["x-request-id"]]["route"] == "/v1/members"
    assert {line["route"] for line in by_id.values()} == {"/v1/members", "other"}
