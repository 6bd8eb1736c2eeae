"""What the keeping of the proof itself records in the log, in a stream of its own."""

from dataclasses import dataclass
from uuid import UUID

from eventsourcing.domain import DomainEvent

AUDIT = UUID("a0d17000-9a53-5a3f-8f0e-51a1c7a0d9e4")


@dataclass(frozen=True)
class KeyRotated(DomainEvent):
    """From now on ``new`` signs; ``old`` signs beside it until ``old_until``."""

    TOPIC = "audit.key_rotated"
    actor: str
    request: str
    old: str
    new: str
    old_until: str


@dataclass(frozen=True)
class AccessesNoted(DomainEvent):
    """The access record had this ``head`` (``42:9f…``) when the keeper was about to sign: whatever
    vouches for this event vouches for all access records up to that one."""

    TOPIC = "audit.accesses_noted"
    actor: str
    request: str
    head: str


@dataclass(frozen=True)
class Ruled(DomainEvent):
    """An administrator ruled on ``alarms``. ``checkpoint`` is the last that was published."""

    TOPIC = "audit.ruled"
    actor: str
    request: str
    reason: str
    alarms: list[str]
    checkpoint: str | None
