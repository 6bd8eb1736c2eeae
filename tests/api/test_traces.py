"""Traces, as a real receiver of OTLP over HTTP is sent them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_network
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from service.settings import HOME
from tests.api.office import NOBODY, Office, open_office, settings_in

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


class Receiver(HTTPServer):
    """A collector: it keeps the spans that it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        self.paths: set[str] = set()
        super().__init__(("127.0.0.1", 0), Handler)

    def named(self, name: str) -> list[Any]:
        """The spans of a name."""
        return [span for span in self.spans if span.name == name]


class Handler(BaseHTTPRequestHandler):
    """Takes what an exporter sends."""

    server: Receiver

    def do_POST(self) -> None:
        """Keep it."""
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.paths.add(self.path)
        sent = ExportTraceServiceRequest.FromString(data)
        for resource in sent.resource_spans:
            for scope in resource.scope_spans:
                self.server.spans += scope.spans
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quietly."""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A collector that listens."""
    found = Receiver()
    thread = Thread(target=found.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.shutdown()
    thread.join()
    found.server_close()


@contextmanager
def tracing(folder: Path, receiver: Receiver, proxies: str = "10.0.0.0/8") -> Iterator[Office]:
    """An office that is traced; when it ends everything was sent."""
    address = f"http://127.0.0.1:{receiver.server_port}"
    trusted = (ip_network(proxies),)
    settings = replace(settings_in(folder), traces_to=address, trusted_proxies=trusted)
    office = open_office(settings)
    yield office
    office.app.wsgi_app.close()  # type: ignore[attr-defined]
    office.close()


def told(span: Any) -> dict[str, Any]:
    """A span's attributes."""
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in span.attributes}


def test_a_request_is_a_span_by_its_route_with_what_it_did_within(
    tmp_path: Path, receiver: Receiver
) -> None:
    with tracing(tmp_path, receiver) as office:
        officer = office.officer
        lead = officer.tip(officer.register()["id"])["id"]
        answer = officer.get(f"/v1/leads/{lead}")
        officer.get(f"/v1/leads/{NOBODY}")
    assert receiver.paths == {"/v1/traces"}
    (written,) = receiver.named("POST /v1/leads")
    (recorded, *_) = [s for s in receiver.named("record") if s.trace_id == written.trace_id]
    assert recorded.parent_span_id == written.span_id
    read, missing = receiver.named("GET /v1/leads/{lead_id}")
    assert told(read) == {
        "http.request.method": "GET",
        "http.route": "/v1/leads/{lead_id}",
        "http.response.status_code": 200,
        "leadledger.request": answer.headers["X-Request-Id"],
    }
    assert told(missing)["http.response.status_code"] == 404
    caught_up = [s for s in receiver.named("catch up") if s.trace_id == read.trace_id]
    assert [span.parent_span_id for span in caught_up] == [read.span_id]
    sent = "".join(f"{span}" for span in receiver.spans)
    for secret in (lead, NOBODY, officer.token or "", "320812"):
        assert secret not in sent


@pytest.mark.parametrize(("proxies", "believed"), [("127.0.0.1/32", True), ("10.0.0.0/8", False)])
def test_only_our_own_proxies_say_which_trace_a_request_is_of(
    tmp_path: Path, receiver: Receiver, proxies: str, believed: bool
) -> None:
    with tracing(tmp_path, receiver, proxies) as office:
        office.officer.get("/v1/members", traceparent=PARENT)
    (span,) = receiver.named("GET /v1/members")
    assert (span.trace_id.hex() == TRACE) is believed
    assert (span.parent_span_id.hex() == SPAN) is believed


def test_nothing_of_opentelemetry_is_loaded_where_no_address_is_set(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from api import create_app\n"
        "from service.settings import Settings\n"
        "create_app(Settings.from_environment())\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    environment = {"LEDGER_DATABASE": f"sqlite:///{tmp_path}/", "PYTHONPATH": str(HOME)}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)
