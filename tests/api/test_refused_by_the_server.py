"""What the server refuses before any of our code is asked: problem documents, all the same."""

import json
import socket
from collections.abc import Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import pytest

from service.worker import refusal
from tests.faults.serving import PATIENCE, Server, serving

REFUSED = {
    "characters that are not percent-encoded": ("GET /v1/leads?q=晶圆 HTTP/1.1\r\n\r\n", 400),
    "a header name with a space": ("GET / HTTP/1.1\r\nA b: x\r\n\r\n", 400),
    "no HTTP at all": ("<html>GARBAGE\r\n\r\n", 400),
    "another version of HTTP": ("GET / HTTP/9.9\r\n\r\n", 400),
    "an address of 9,000 characters": (f"GET /{'x' * 9_000} HTTP/1.1\r\n\r\n", 414),
    "a header of 200,000 characters": (f"GET / HTTP/1.1\r\nA: {'x' * 200_000}\r\n\r\n", 431),
    "a header line too many": ("GET / HTTP/1.1\r\n" + "A: x\r\n" * 120 + "\r\n", 431),
    "a coding that is none": ("POST / HTTP/1.1\r\nTransfer-Encoding: no\r\n\r\n", 501),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A real one."""
    with serving(Path(tmp_path_factory.mktemp("refused")), LEDGER_WORKERS="1") as found:
        yield found


def answer_to(server: Server, request: str) -> tuple[HTTPResponse, Any]:
    """What it answers to these very bytes."""
    with socket.create_connection(("127.0.0.1", server.port), PATIENCE) as connection:
        connection.sendall(request.encode())
        answer = HTTPResponse(connection)
        answer.begin()
        return answer, json.loads(answer.read())


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_read_at_all_is_answered_with_a_problem(server: Server, what: str) -> None:
    request, status = REFUSED[what]
    answer, problem = answer_to(server, request)
    assert answer.status == problem["status"] == status
    assert answer.getheader("Content-Type") == "application/problem+json"
    assert answer.getheader("Connection") == "close"
    assert problem["type"].startswith("urn:leadledger:problem:")
    assert problem["instance"] == f"urn:leadledger:request:{answer.getheader('X-Request-Id')}"
    assert problem["title"] and problem["detail"].endswith(".")
    assert len(problem["detail"]) < 300


@pytest.mark.parametrize("chunk", ["zz\r\n{}\r\n0\r\n\r\n", "2\r\n{}XX0\r\n\r\n", "-1\r\n\r\n"])
def test_a_body_in_chunks_that_are_none_cannot_be_read(server: Server, chunk: str) -> None:
    head = f"POST /v1/members HTTP/1.1\r\nAuthorization: Bearer {server.token}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    answer, problem = answer_to(server, head + chunk)
    assert answer.status == problem["status"] == 400
    assert problem["type"] == "urn:leadledger:problem:malformed"
    assert problem["detail"].startswith("The body cannot be read: ")


def test_who_does_not_encode_chinese_is_told_how_it_is_done(server: Server) -> None:
    _, problem = answer_to(server, REFUSED["characters that are not percent-encoded"][0])
    assert "percent-encoded" in problem["detail"]
    assert "--data-urlencode" in problem["detail"]


def test_who_puts_a_token_where_it_does_not_belong_is_not_told_it(server: Server) -> None:
    _, problem = answer_to(server, f"GET / {server.token} HTTP/1.1\r\n\r\n")
    assert server.token[:16] in problem["detail"]
    assert server.token not in problem["detail"]


def test_the_server_answers_others_afterwards(server: Server) -> None:
    with server.client() as client:
        assert client.get("/v1/leads?q=%E6%99%B6").status == 200


def test_a_fault_of_the_server_tells_nothing_of_itself() -> None:
    head, _, body = refusal(500, RuntimeError("a secret")).partition(b"\r\n\r\n")
    assert b" 500 Internal Server Error" in head
    assert json.loads(body)["type"] == "urn:leadledger:problem:internal"
    assert b"secret" not in body
