"""What goes from a request into the access record: who calls, from where, and what for."""

from collections.abc import Mapping
from typing import Any

from api.app import application_context, request_now
from api.origins import origin_of
from api.stamps import request_id
from service.access.callers import Caller
from service.application import Ledger
from service.scope import ALL

# Refusals that are recorded, whoever asks; and of who is limited, what it does not see.
RECORDED = frozenset({401, 403, 429})


def caller() -> Caller:
    """Whoever makes this request: its token's holder, if it gave one that is good or was."""
    holder: Any = application_context().g.get("holder")
    origin, request = client_address(request_now().environ), request_id()
    return Caller(holder and holder.id, holder and holder.name, origin, request)


def client_address(environ: Mapping[str, Any]) -> str:
    """The address that the request comes from; no host's name, and nothing that is no address."""
    office: Ledger = application_context().app.extensions["ledger"]
    forwarded = environ.get("HTTP_X_FORWARDED_FOR")
    return origin_of(environ.get("REMOTE_ADDR", ""), forwarded, office.settings.trusted_proxies)


def is_limited() -> bool:
    """Whether whoever makes this request sees only some of the ledger."""
    holder: Any = application_context().g.get("holder")
    return holder is not None and holder.scope != ALL


def note_refusal(code: str, reason: str) -> None:
    """Record that this request was refused with the problem ``code``."""
    office: Ledger = application_context().app.extensions["ledger"]
    request = request_now()
    # The rule, not the path: what a client puts into a path may be a secret.
    rule = request.url_rule.rule if request.url_rule else "no such path"
    office.access.refuse(code, f"{request.method} {rule}", caller(), reason)
