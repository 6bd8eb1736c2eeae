"""Clients that send or read nothing more are given up, whatever they have begun."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path

import pytest

from tests.faults.serving import PATIENCE, Server, serving, until

# Of each kind at once.
CLIENTS = 20
JSON_BODY = "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
FORM = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 1000\r\n\r\n--x\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with hardly any patience."""
    folder = Path(tmp_path_factory.mktemp("slow"))
    with serving(folder, LEDGER_WORKERS="2", LEDGER_PATIENCE="0.3") as found:
        yield found


def sockets(server: Server) -> int:
    """How many connections the workers have."""
    found = 0
    for pid in server.workers():
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found += str(handle.readlink()).startswith("socket:")
            except FileNotFoundError:
                continue
    return found


def begun(server: Server, path: str, rest: str) -> socket.socket:
    """A connection on which a POST of ours is begun."""
    made = socket.create_connection(("127.0.0.1", server.port), PATIENCE)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.token}\r\n{rest}"
    made.sendall(head.encode())
    return made


def test_a_body_that_does_not_come_is_answered_408_and_the_connection_ends(server: Server) -> None:
    with begun(server, "/v1/leads", JSON_BODY) as stalled:
        answer = HTTPResponse(stalled)
        answer.begin()
        problem = json.loads(answer.read())
        assert answer.status == problem["status"] == 408
        assert problem["type"] == "urn:leadledger:problem:too-slow"
        assert stalled.recv(1) == b""


@pytest.mark.parametrize(("path", "rest"), [("/v1/leads", JSON_BODY), ("/v1/imports", FORM)])
def test_no_connection_is_kept_for_a_body_that_does_not_come(
    server: Server, path: str, rest: str
) -> None:
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            stack.enter_context(begun(server, path, rest))
        until(lambda: sockets(server) > CLIENTS, "the connections")
        until(lambda: sockets(server) < CLIENTS, "their end")


def test_no_connection_is_kept_for_a_client_that_takes_no_answer(server: Server) -> None:
    with ExitStack() as stack:
        for _ in range(CLIENTS):
            made = stack.enter_context(socket.socket())
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            made.connect(("127.0.0.1", server.port))
            made.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 50)
            assert made.recv(1)
        until(lambda: sockets(server) < CLIENTS, "their end")


def test_others_are_served_meanwhile(server: Server) -> None:
    with ExitStack() as stack, server.client() as client:
        for _ in range(CLIENTS):
            stack.enter_context(begun(server, "/v1/leads", JSON_BODY))
        answer = client.tip(client.member())
        assert client.follow(answer.body["id"], "考察").status == 200


def test_the_server_complained_of_none_of_them(server: Server) -> None:
    assert server.complained == ""
