"""Who asks, and what that role may do: one table."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from api.app import application_context
from api.errors import Unauthenticated
from api.noting import caller, client_address
from api.request_log import HOLDER
from domain.actor import Actor, now
from domain.errors import Forbidden
from service.application import Ledger
from service.scope import Scope
from service.tokens import OURS, Holder, claimed_id

if TYPE_CHECKING:
    from service.signin.provider import Provider


class Rule(NamedTuple):
    """The roles that may do something, a member with its own only. A token that is limited to a
    district may do it within; unless it is done to the ``whole`` ledger, which says why not."""

    roles: frozenset[str]
    whole: str | None = None


_MEMBERS = frozenset({"member", "officer", "auditor", "admin"})
_OFFICE = frozenset({"officer", "auditor", "admin"})
_WRITERS = frozenset({"officer", "admin"})
_AUDITORS = frozenset({"auditor", "admin"})
_ADMINS = frozenset({"admin"})

# What it is → who may. The README's table is made from this one.
MAY: Mapping[str, Rule] = {
    "read members": Rule(_OFFICE),
    "read a member": Rule(_MEMBERS),
    "write members": Rule(_WRITERS),
    "hand out personal links": Rule(_WRITERS),
    "tip": Rule(_WRITERS | {"member"}),
    "read leads": Rule(_MEMBERS),
    "write leads": Rule(_WRITERS),
    "waive facts": Rule(_ADMINS),
    "read the pipeline": Rule(_OFFICE),
    "import": Rule(_WRITERS),
    "read the worklist": Rule(_OFFICE),
    "read reports": Rule(_OFFICE),
    "seal reports": Rule(_WRITERS),
    "read exports": Rule(_OFFICE, "an export holds the leads of all districts"),
    "audit": Rule(_AUDITORS),
    "read the log": Rule(
        _AUDITORS, "the log, its alarms and the access record are of all districts"
    ),
    "read metrics": Rule(_OFFICE, "the figures are of all districts"),
    "handle tokens": Rule(_ADMINS, "tokens are for all districts"),
    "read personal data": Rule(_WRITERS),
    "erase personal data": Rule(_ADMINS, "a person may be on leads of all districts"),
}


def authenticate(
    ledger: Ledger,
    environ: dict[str, Any],
    wanted: Callable[[Holder], Sequence[UUID]] | None = None,
) -> Holder:
    """The holder of the request's token; Unauthenticated, SlowDown. Remembered for the request, and
    so are the streams that are ``wanted`` of the log for this holder, where it was asked anyway."""
    try:
        holder = _holder(ledger, environ, wanted)
    except Unauthenticated:
        header = environ.get("HTTP_AUTHORIZATION", "")
        ledger.slowing.failed(client_address(environ), claimed_id(header))
        raise
    if ledger.slowing.requests:
        ledger.slowing.asked(holder.id)
    return holder


def _holder(
    ledger: Ledger, environ: dict[str, Any], wanted: Callable[[Holder], Sequence[UUID]] | None
) -> Holder:
    scheme, _, token = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthenticated("Send a token: 'Authorization: Bearer ll_…'.")
    about = application_context().g
    token = token.strip()
    # For who has proven the token here before; whoever has not learns nothing by how long it takes.
    expected = ledger.tokens.remembered(token) if wanted else None
    ids = wanted(expected) if wanted and expected else ()
    data_version, about.ahead = ledger.reads.data_version_beside(ids)
    about.data_version = data_version
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
    if token.startswith(OURS):
        ledger.tokens.uses.note(holder.id)
    about.holder = holder
    environ[HOLDER] = holder.id
    return holder


def _vouched_for(ledger: Ledger, provider: "Provider", token: str) -> Holder:
    """Who holds a token of the provider's. That it is first seen here is in the access record."""
    holder, fresh = provider.holder(token, now())
    if fresh:
        by = caller()._replace(holder=holder.id, name=holder.name)
        ledger.access.note("sign-in", f"take a provider's token as {holder.role}", by=by)
        provider.keep(token, holder)
    return holder


def check_may(holder: Holder, action: str) -> None:
    """Forbidden unless the holder's role, and its limits, allow ``action``."""
    rule = MAY[action]
    if holder.role not in rule.roles:
        raise Forbidden("A token of role {role} may not {action}.", role=holder.role, action=action)
    if rule.whole and holder.district is not None:
        raise Forbidden(
            "A token limited to district {district} may not {action}: {whole}.",
            district=holder.district,
            action=action,
            whole=rule.whole,
        )


def actor_for(holder: Holder, request_id: str) -> Actor:
    """The actor that events will name: the token's name and id."""
    return Actor(
        name=f"{holder.name} ({holder.id})",
        moment=now(),
        request=request_id,
        may_waive=holder.role in MAY["waive facts"].roles,
    )


def scope() -> Scope:
    """What this request may see and touch: whoever reads or writes goes by it."""
    holder: Holder = application_context().g.holder
    return holder.scope
