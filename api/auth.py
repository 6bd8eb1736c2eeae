"""Who asks, and what that role may do: one table."""

from collections.abc import Mapping
from typing import Any

from api.app import application_context
from api.errors import Unauthenticated
from api.noting import caller, client_address
from domain.actor import Actor, now
from domain.errors import Forbidden, NotFound
from service.application import Ledger
from service.signin.provider import Provider
from service.tokens import OURS, Holder, claimed_id

# action            → the roles that may. A member does so with their own only.
MAY: Mapping[str, frozenset[str]] = {
    "read members": frozenset({"officer", "auditor", "admin"}),
    "read a member": frozenset({"member", "officer", "auditor", "admin"}),
    "write members": frozenset({"officer", "admin"}),
    "tip": frozenset({"member", "officer", "admin"}),
    "read leads": frozenset({"member", "officer", "auditor", "admin"}),
    "write leads": frozenset({"officer", "admin"}),
    "waive facts": frozenset({"admin"}),
    "read the pipeline": frozenset({"officer", "auditor", "admin"}),
    "import": frozenset({"officer", "admin"}),
    "read the worklist": frozenset({"officer", "auditor", "admin"}),
    "read reports": frozenset({"officer", "auditor", "admin"}),
    "seal reports": frozenset({"officer", "admin"}),
    "read exports": frozenset({"officer", "auditor", "admin"}),
    "audit": frozenset({"auditor", "admin"}),
}


def authenticate(ledger: Ledger, environ: Mapping[str, Any]) -> Holder:
    """The holder of the request's token; Unauthenticated, SlowDown. Remembered for the request."""
    try:
        holder = _holder(ledger, environ)
    except Unauthenticated:
        header = environ.get("HTTP_AUTHORIZATION", "")
        ledger.slowing.failed(client_address(environ), claimed_id(header))
        raise
    if ledger.slowing.requests:
        ledger.slowing.asked(holder.id)
    return holder


def _holder(ledger: Ledger, environ: Mapping[str, Any]) -> Holder:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send a token: 'Authorization: Bearer ll_…'.")
    about = application_context().g
    about.data_version = data_version = ledger.reads.data_version()
    token = token.strip()
    holder: Holder | None
    if ledger.provider is not None and not token.startswith(OURS):
        holder = _vouched_for(ledger, ledger.provider, token)
    else:
        holder = ledger.tokens.holder(token, data_version)
    if holder is None:
        raise Unauthenticated("This token was never issued here.")
    if holder.ends and (why := holder.ended(now())):
        about.holder = holder  # for the access record
        raise Unauthenticated(why)
    about.holder = holder
    return holder


def _vouched_for(ledger: Ledger, provider: Provider, token: str) -> Holder:
    """Who holds a token of the provider's. That it is first seen here is in the access record."""
    holder, fresh = provider.holder(token, now())
    if fresh:
        by = caller()._replace(holder=holder.id, name=holder.name)
        ledger.access.note("sign-in", f"take a provider's token as {holder.role}", by=by)
        provider.keep(token, holder)
    return holder


def check_may(holder: Holder, action: str) -> None:
    """Forbidden unless the holder's role may do ``action``."""
    if holder.role not in MAY[action]:
        raise Forbidden(f"A token of role {holder.role} may not {action}.")


def actor_for(holder: Holder, request_id: str) -> Actor:
    """The actor that events will name: the token's name and id."""
    return Actor(
        name=f"{holder.name} ({holder.id})",
        moment=now(),
        request=request_id,
        may_waive=holder.role in MAY["waive facts"],
    )


def own_member() -> str | None:
    """The one member whose leads this request may see; None when it may see all."""
    holder: Holder = application_context().g.holder
    return holder.member_id if holder.role == "member" else None


def check_own_member(member_id: Any, kind: str = "member") -> None:
    """NotFound when the request is limited to another member."""
    own = own_member()
    if own is not None and str(member_id) != own:
        raise NotFound(f"There is no {kind} {member_id}.")
