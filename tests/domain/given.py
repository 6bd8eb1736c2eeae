"""Given events, when a command, then events: the words the domain's tests are written in.

Every test acts as one office on one morning: 2026-01-05, 09:00 in China (01:00 UTC).
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from domain.actor import Actor, acting
from domain.errors import Invalid, LedgerError
from domain.lead import Lead
from domain.member import Member

MORNING = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)
TODAY, TOMORROW = "2026-01-05", "2026-01-06"
OFFICER = Actor("officer:wang", MORNING, "request-7")
ADMIN = Actor("admin:li", MORNING, "request-8", may_waive=True)

LEAD_ID = UUID("00000000-0000-4000-8000-000000000001")
OTHER_ID = UUID("00000000-0000-4000-8000-000000000002")
LONG_AGO = datetime(2025, 12, 31, 8, 0, tzinfo=UTC)

# What the library, and the actor of the moment, put into every event.
_COMMON = {
    "originator_id", "originator_version", "originator_topic", "timestamp", "actor", "request",
}  # fmt: skip


class Happened(NamedTuple):
    """An event and its facts: one that was recorded before, or one that is expected now."""

    event: type[Any]
    facts: dict[str, Any]


def happened(event: type[Any], occurred_on: str, **facts: Any) -> Happened:
    """``event`` on that day; without a note unless one is among the facts."""
    return Happened(event, {"occurred_on": occurred_on, "note": None, **facts})


def tipped(occurred_on: str = "2025-03-18", **facts: Any) -> Happened:
    """A lead that one member tipped, with no more than a title."""
    known: dict[str, Any] = {
        "members": ["member-1"],
        "district": "320812",
        "title": "12英寸大晶圆项目",
        "summary": None,
        "investor": None,
        "industry": None,
        "investment": None,
        "contact": None,
        "source": None,
    }
    return happened(Lead.Tipped, occurred_on, **{**known, **facts})


def screened(
    occurred_on: str,
    verdict: str = "pursue",
    reason: str | None = None,
    duplicate_of: str | None = None,
) -> Happened:
    """A verdict on the tip."""
    return happened(
        Lead.Screened,
        occurred_on,
        verdict=verdict,
        reason=reason,
        duplicate_of=duplicate_of,
        waived=[],
    )


def negotiating(occurred_on: str = "2025-04-02", **facts: Any) -> Happened:
    """Talks that began."""
    known: dict[str, Any] = {"responsible_unit": "区商务局", "manager": None, "waived": []}
    return happened(Lead.NegotiationOpened, occurred_on, **{**known, **facts})


def planned(occurred_on: str, expected_on: str | None) -> Happened:
    """A signing that is expected, or no longer."""
    return happened(Lead.SigningPlanned, occurred_on, expected_on=expected_on)


def signed(occurred_on: str = "2025-06-10", **facts: Any) -> Happened:
    """A contract at 30 亿元."""
    known: dict[str, Any] = {
        "number": None,
        "investment": {"amount": "30", "unit": "亿元"},
        "document_sha256": None,
        "waived": [],
    }
    return happened(Lead.Signed, occurred_on, **{**known, **facts})


def groundbroken(occurred_on: str = "2025-09-01", **facts: Any) -> Happened:
    """Main works that started."""
    known: dict[str, Any] = {
        "start": "construction",
        "evidence": [{"kind": "permit", "reference": "施许2025-09"}],
        "waived": [],
    }
    return happened(Lead.Groundbroken, occurred_on, **{**known, **facts})


def suspended(
    occurred_on: str, reason: str = "等待环评", review_on: str = "2026-03-01"
) -> Happened:
    """A lead that was put on hold."""
    return happened(Lead.Suspended, occurred_on, reason=reason, review_on=review_on)


def resumed(occurred_on: str, reason: str | None = None) -> Happened:
    """A lead that was taken up again."""
    return happened(Lead.Resumed, occurred_on, reason=reason)


def closed(occurred_on: str, outcome: str = "lost", **facts: Any) -> Happened:
    """A lead that came to an end."""
    known: dict[str, Any] = {
        "outcome": outcome,
        "reason": "落户外地",
        "lost_to": None,
        "waived": [],
    }
    return happened(Lead.Closed, occurred_on, **{**known, **facts})


def reopened(occurred_on: str, reason: str = "企业再次来访") -> Happened:
    """A closed lead that came back."""
    return happened(Lead.Reopened, occurred_on, reason=reason)


def revised(occurred_on: str, reason: str | None = None, **facts: Any) -> Happened:
    """Facts that changed."""
    return happened(Lead.Revised, occurred_on, facts=facts, reason=reason)


def recognised(occurred_on: str, stage: str = "signed", authority: str = "市商务局") -> Happened:
    """A claim that a higher office accepted."""
    return happened(Lead.Recognised, occurred_on, stage=stage, authority=authority)


def corrected(
    version: int, *, reason: str = "录入有误", void: bool = False, **facts: Any
) -> Happened:
    """An event that was put right, or voided, today."""
    return happened(
        Lead.Corrected, TODAY, corrects=version, facts=facts or None, void=void, reason=reason
    )


def registered(occurred_on: str = "2025-01-02", **facts: Any) -> Happened:
    """A member of the conference."""
    known = {"number": "QJP-001", "name": "张伟", "sector": "工商联", "district": "320812"}
    return happened(Member.Registered, occurred_on, **{**known, **facts})


def lead_after(*history: Happened) -> Lead:
    """The lead as its events leave it, read from the log: nobody acts, nothing is checked."""
    lead: Lead = _replayed(history, "domain.lead:Lead")
    return lead


def member_after(*history: Happened) -> Member:
    """The member as its events leave it."""
    member: Member = _replayed(history, "domain.member:Member")
    return member


def _replayed(history: tuple[Happened, ...], topic: str) -> Any:
    aggregate: Any = None
    for event in stored(*history, topic=topic):
        aggregate = event.mutate(aggregate)
    return aggregate


def stored(*history: Happened, topic: str = "domain.lead:Lead") -> list[Any]:
    """The events themselves, as they would be read from the log."""
    events: list[Any] = []
    for version, (event, facts) in enumerate(history, 1):
        common: dict[str, Any] = {
            "originator_id": LEAD_ID,
            "originator_version": version,
            "timestamp": LONG_AGO,
            "actor": "archive",
            "request": f"request-of-event-{version}",
        }
        if version == 1:
            common["originator_topic"] = topic
        events.append(event(**common, **facts))
    return events


def recorded(aggregate: Any) -> list[Happened]:
    """What was recorded since it was loaded, or since this was asked last."""
    return [
        Happened(type(event), {k: v for k, v in vars(event).items() if k not in _COMMON})
        for event in aggregate.collect_events()
    ]


@contextmanager
def office(actor: Actor = OFFICER) -> Iterator[Actor]:
    """Everything within is done by ``actor``."""
    with acting(actor):
        yield actor


@contextmanager
def refusal(
    error: type[LedgerError], *words: str, of: Lead | Member | None = None, by: Actor = OFFICER
) -> Iterator[pytest.ExceptionInfo[Any]]:
    """What is done within is refused with ``error``, whose sentence holds ``words``; those that end
    like a sentence are the whole of it, or of one of its reasons.

    Nothing is recorded, and nothing that the aggregate ``of`` remembers is changed.
    """
    before = remembered(of) if of else {}
    with acting(by), pytest.raises(error) as caught:
        yield caught
    assert type(caught.value) is error
    for word in words:
        assert word in str(caught.value)
        if word.endswith("."):
            assert word in _whole_sentences(caught.value)
    if of:
        assert recorded(of) == []
        assert remembered(of) == before


def _whole_sentences(error: LedgerError) -> list[str]:
    reasons = [*error.errors.values()] if isinstance(error, Invalid) else []
    return [str(error), *(str(reason) for some in reasons for reason in some)]


def remembered(aggregate: Any) -> Mapping[str, Any]:
    """A copy of all that the aggregate keeps for its rules."""
    own = {k: v for k, v in vars(aggregate).items() if not k.startswith("_") and k != "past"}
    return {k: dict(v) if isinstance(v, dict) else v for k, v in own.items()}
