"""Traces through OpenTelemetry, where LEDGER_TRACES_TO says where to send them: a span for each
request, and within it one for what is recorded and one for what the projections take in.

Whoever sends `traceparent` chooses a trace's id and whether it is kept, so only our own proxies are
believed; everybody else's request begins a trace of its own. Nothing of OpenTelemetry is imported
while no address is set. Its own settings (`OTEL_TRACES_SAMPLER`, `OTEL_BSP_…`) are honoured.
"""

from importlib import import_module

from api.stamps import WSGI
from service.application import Ledger
from service.settings import WrongSetting


def traced(app: WSGI, ledger: Ledger) -> WSGI:
    """``app`` with its requests traced, if that is asked for; WrongSetting where it cannot be."""
    if not ledger.settings.traces_to:
        return app
    try:
        spans = import_module("api.spans")
    except ImportError as why:
        raise WrongSetting(
            "LEDGER_TRACES_TO: OpenTelemetry is not installed; 'pip install lead-ledger[traces]' "
            f"does ({why})."
        ) from None
    made: WSGI = spans.Traced(app, ledger)
    return made
