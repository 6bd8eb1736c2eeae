"""What the access record has of requests, who reads it, and that no secret is ever in it or in a
log line."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from domain.actor import today_in_china
from service.access.scrub import Scrubbing
from service.application import Ledger
from service.tokens import id_of
from tests.api.office import Body, Caller, Office, a_tip, problem_of
from tests.faults.serving import Client, Reply, Server, serving

PATH = "/v1/audit/access"
PHONE = "13987654321"
# Whole and of our making by its looks, and never issued.
MARK = "ll_5ec2e75ec2e7_SECRETSECRETSECRETSECRETSECRETSECRETSECRETS00000000"


@pytest.fixture
def auditor(office: Office) -> Caller:
    """An auditor of an empty office."""
    return office.one("auditor")


def refusals(auditor: Caller) -> list[Body]:
    """The refusals that stand in the record, the newest first."""
    items: list[Body] = auditor.ok(f"{PATH}?kind=refusal")["items"]
    return items


def test_a_request_without_a_good_token_is_recorded(office: Office, auditor: Caller) -> None:
    answer = office.holding(MARK).get("/v1/leads/x?q=y")
    (row,) = refusals(auditor)
    assert (row["outcome"], row["action"]) == ("unauthenticated", "GET /v1/leads/<lead_id>")
    assert (row["holder"], row["name"], row["origin"]) == (None, None, "127.0.0.1")
    assert row["request"] == answer.headers["X-Request-Id"]
    assert row["reason"] == (answer.json or {})["detail"]


def test_a_role_that_may_not_is_recorded_with_its_holder(office: Office, auditor: Caller) -> None:
    problem = problem_of(auditor.post("/v1/leads", {}), 403, "forbidden")
    (row,) = refusals(auditor)
    assert row["holder"] == id_of(auditor.token or "")
    assert (row["outcome"], row["reason"]) == ("forbidden", problem["detail"])


def test_a_token_that_has_ended_is_recorded_with_its_holder(
    office: Office, auditor: Caller
) -> None:
    token = office.ledger.tokens.issue("officer", "走了的人")
    office.ledger.tokens.revoke(id_of(token))
    problem_of(office.holding(token).get("/v1/leads"), 401, "unauthenticated")
    (row,) = refusals(auditor)
    assert (row["holder"], row["name"]) == (id_of(token), "走了的人")
    assert row["reason"].startswith("This token was revoked at ")


def test_what_is_answered_or_wrong_in_itself_is_not_recorded(
    office: Office, auditor: Caller, officer: Caller
) -> None:
    for path in ("/v1/leads", "/v1/leads/x", "/v1/nothing", "/v1/leads?nonsense=1", "/healthz"):
        officer.get(path)
    assert refusals(auditor) == []


def test_what_a_limited_token_does_not_see_is_recorded_there_or_not(
    office: Office, auditor: Caller, officer: Caller
) -> None:
    elsewhere = officer.tip(officer.register()["id"])["id"]
    limited = office.holding(office.ledger.tokens.issue("officer", district="320871"))
    for lead in (elsewhere, "00000000-0000-4000-8000-000000000000", PHONE):
        problem_of(limited.get(f"/v1/leads/{lead}/history"), 404, "not-found")
        office.ledger.access.flush()
    one, two, three = refusals(auditor)
    about = ("outcome", "action", "holder", "reason")
    assert [one[name] for name in about] == [two[name] for name in about]
    assert [one[name] for name in about] == [three[name] for name in about]
    assert (one["action"], one["outcome"]) == ("GET /v1/leads/<lead_id>/history", "not-found")
    assert elsewhere not in f"{one}{two}{three}"


def test_pages_of_any_size_are_the_whole_record(office: Office, auditor: Caller) -> None:
    for number in range(7):
        office.ledger.tokens.issue("officer", f"{number}")
    whole = auditor.ok(PATH)["items"]
    assert [row["id"] for row in whole] == list(range(len(whole), 0, -1))
    found, path = [], f"{PATH}?limit=3"
    while path:
        answer = auditor.get(path)
        found += (answer.json or {})["items"]
        path = answer.headers.get("Link", "").partition(">")[0].removeprefix("<")
        office.ledger.tokens.issue("officer", "meanwhile")
    assert found == whole


def test_the_record_is_chosen_by_day_and_kind(auditor: Caller) -> None:
    today = today_in_china()
    asked = {
        f"from={today}": True,
        f"to={today}": True,
        "from=9999-12-31": False,
        "to=9999-12-31": True,
        "to=2025-01-01": False,
        "kind=token": True,
        "kind=sign-in": False,
        "holder=000000000000": False,
    }
    found = {query: bool(auditor.ok(f"{PATH}?{query}")["items"]) for query in asked}
    assert found == asked
    problem_of(auditor.get(f"{PATH}?kind=nonsense"), 422, "invalid")


# No secret


def everything(client: Client) -> Iterator[Reply]:
    """Every way to be refused, each with the marked token or the phone number in it: the answers
    that refuse."""
    tip = a_tip("x", contact={"name": "李", "phone": PHONE})
    for method, path, body in (
        ("GET", f"/v1/leads/{MARK}", None),
        ("GET", f"/v1/leads?q={PHONE}", None),
        ("GET", f"/v1/leads?token={MARK}", None),
        ("GET", f"/v1/leads?cursor={MARK}", None),
        ("GET", f"/{MARK}", None),
        ("PUT", f"/v1/leads/{MARK}", tip),
        ("POST", "/v1/leads", tip),
        ("POST", "/v1/leads", {**tip, MARK: PHONE}),
        ("POST", "/v1/imports", tip),
        ("POST", f"/v1/leads/{PHONE}/screening", {"note": PHONE}),
        ("GET", f"/v1/exports/{PHONE}/{MARK}", None),
    ):
        answers = (
            client.ask(method, path, body),
            client.ask(method, path, body, If_Match=MARK, Idempotency_Key=f"{PHONE} {MARK}"),
            client.ask(method, path, body, Accept=f"text/{MARK}"),
        )
        yield from (answer for answer in answers if answer.status >= 400)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A real one, whose words can be read."""
    with serving(tmp_path, LEDGER_WORKERS="1") as found:
        yield found


def test_no_secret_and_no_phone_number_is_ever_logged_or_recorded(server: Server) -> None:
    with server.client() as admin:
        good = admin.tip(admin.member(), f"{PHONE}的项目")
        assert good.status == 201
        refused = [*everything(admin)]
        for token in (MARK, f"{server.token}x", PHONE, "x", f"eyJ{'a' * 20}.eyJ{PHONE}.{MARK}"):
            with server.client(token) as stranger:
                refused += everything(stranger)
        refused_unread = raw_lines(server)
        said = admin.get(PATH)
    assert {row["kind"] for row in said.body["items"]} == {"token", "refusal"}
    server.end()
    files = [path for path in server.folder.iterdir() if ".access" in path.name]
    assert len(files) >= 1
    told = b"".join(path.read_bytes() for path in [*files, server.folder / "stderr"])
    assert len(refused) > 100
    told += f"{[answer.body for answer in refused]}".encode() + refused_unread
    assert b"Invalid request from" in told
    for secret in (MARK.split("_", 2)[2], PHONE, server.token.split("_", 2)[2]):
        assert secret not in f"{said.body}"
        assert secret.encode() not in told


def raw_lines(server: Server) -> bytes:
    """What gunicorn itself refuses, and logs: its answers."""
    told = b""
    for line in (
        f"GET /?{MARK} HTTP/9.9\r\n\r\n",
        f"{MARK} {PHONE}\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization Bearer: {MARK}\r\n\r\n",
        f"GET / HTTP/1.1\r\nAuthorization: Bearer {MARK}\x01\r\n\r\n",
        f"GET /{PHONE}晶 HTTP/1.1\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", server.port), 60) as connection:
            connection.sendall(line.encode())
            while some := connection.recv(65536):
                told += some
    return told


def test_a_fault_is_logged_without_the_secrets_that_it_names(
    office: Office, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError(f"{MARK} {PHONE}")

    monkeypatch.setattr(Ledger, "tip", broken)
    # Not as a caller of the office: no document promises a fault.
    headers = {"Authorization": f"Bearer {office.officer.token}"}
    body = a_tip("00000000-0000-4000-8000-000000000000")
    answer = office.app.test_client().post("/v1/leads", json=body, headers=headers)
    problem_of(answer, 500, "internal")
    assert "RuntimeError" in caplog.text
    assert not [secret for secret in (MARK, PHONE) if secret in caplog.text + answer.text]


def test_the_filter_scrubs_words_and_arguments() -> None:
    record = logging.LogRecord("x", 40, "x", 1, "%s of %s", (MARK, PHONE), None)
    assert Scrubbing().filter(record)
    assert record.getMessage() == "ll_5ec2e75ec2e7_… of 139****4321"
