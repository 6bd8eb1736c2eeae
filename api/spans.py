"""The spans of each request. It imports OpenTelemetry; see `tracing.py` for who imports it."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from api.counting import ELSEWHERE, RULE, shown
from api.origins import is_trusted
from api.request_log import TRACE
from api.stamps import WSGI, id_of
from service.application import Ledger
from service.settings import Network

_PATH = "/v1/traces"
# What our own proxies may say of the trace that a request is part of.
_SAID = {"traceparent": "HTTP_TRACEPARENT", "tracestate": "HTTP_TRACESTATE"}


class Traced:
    """Traces each request of ``app``."""

    def __init__(self, app: WSGI, ledger: Ledger) -> None:
        self._app = app
        self._proxies = ledger.settings.trusted_proxies
        self._provider = _provider(ledger.settings.traces_to or "")
        self._tracer = self._provider.get_tracer("leadledger")
        recorder, catch_up = ledger.log_recorder, ledger.reads.catch_up
        recorder.insert_events = self._within("record", recorder.insert_events)  # type: ignore[method-assign]
        catch_up.to = self._within("catch up", catch_up.to)  # type: ignore[method-assign]

    def close(self) -> None:
        """Send what is left to be sent, and no more after that."""
        self._provider.shutdown()

    def __call__(
        self, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        """Serve one request."""
        method = environ["REQUEST_METHOD"]
        parent = _parent(environ, self._proxies)
        with self._tracer.start_as_current_span(
            method, context=parent, kind=SpanKind.SERVER
        ) as span:
            environ[TRACE] = format_trace_id(span.get_span_context().trace_id)

            def answering(status: str, headers: Any, exc_info: Any = None) -> Any:
                route = shown(environ.get(RULE, ELSEWHERE))
                span.update_name(f"{method} {route}")
                span.set_attribute("http.request.method", method)
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", int(status[:3]))
                span.set_attribute("leadledger.request", id_of(environ))
                if status[0] == "5":
                    span.set_status(StatusCode.ERROR)
                return start_response(status, headers, exc_info)

            return self._app(environ, answering)

    def _within(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(act)
        def acting(*args: Any, **kwargs: Any) -> Any:
            with self._tracer.start_as_current_span(name):
                return act(*args, **kwargs)

        return acting


def _provider(address: str) -> TracerProvider:
    """What makes spans, and sends them in batches, from a thread of its own."""
    address = address.rstrip("/")
    endpoint = address if address.endswith(_PATH) else address + _PATH
    provider = TracerProvider(resource=Resource.create({"service.name": "leadledger"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider


def _parent(environ: dict[str, Any], proxies: tuple[Network, ...]) -> Context:
    """The trace that the request is part of, by a proxy of ours; else a context without any."""
    if not is_trusted(environ.get("REMOTE_ADDR", ""), proxies):
        return Context()
    carrier = {name: environ[key] for name, key in _SAID.items() if key in environ}
    return TraceContextTextMapPropagator().extract(carrier, context=Context())
