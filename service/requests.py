"""A request and its idempotency key, which is kept in the log beside the events it caused.

The key claims a stream of its own, whose id follows from token and key. Its one event is
recorded in the transaction of the command's events: whoever comes second, on any worker, at
any time, finds it and is given the first answer.
"""

from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

from eventsourcing.domain import DomainEvent

from domain.actor import current_actor
from service.log_recorder import Streams
from service.scope import ALL, Scope

_CLAIMS = UUID("b8a4a6c2-9a53-5a3f-8f0e-51a1c7a0d9e4")


@dataclass(frozen=True)
class Call:
    """What a client asked for, besides the facts.

    ``token`` names the caller, ``key`` is its idempotency key, ``digest`` the SHA-256 of
    method, path and body, ``if_match`` the versions it knows (None: any), and ``scope`` what it
    may see and touch. ``data_version`` is the log's as it was read for the call (None: not yet),
    and ``ahead`` are streams that were read with it, each for whoever takes it out first.
    """

    token: str
    digest: str
    key: str | None = None
    if_match: frozenset[int] | None = None
    scope: Scope = ALL
    data_version: int | None = None
    ahead: Streams = field(default_factory=dict)

    @property
    def claim_id(self) -> UUID | None:
        """The stream that the key claims; None without a key."""
        return claim_of(self.token, self.key) if self.key else None


def claim_of(token: str, key: str) -> UUID:
    """The stream that a token's idempotency key claims."""
    return uuid5(_CLAIMS, f"{token}\n{key}")


@dataclass(frozen=True)
class Answered(DomainEvent):
    """The key's request was carried out: ``subject`` was then at ``version``."""

    TOPIC = "request.answered"
    actor: str
    request: str
    digest: str
    subject: str
    version: int
    status: int


def claim(call: Call, subject: UUID, version: int, status: int) -> list[Any]:
    """The event that claims the call's key; none without a key."""
    claim_id = call.claim_id
    if claim_id is None:
        return []
    actor = current_actor()
    return [
        Answered(
            originator_id=claim_id,
            originator_version=1,
            timestamp=actor.moment,
            actor=actor.name,
            request=actor.request,
            digest=call.digest,
            subject=str(subject),
            version=version,
            status=status,
        )
    ]
