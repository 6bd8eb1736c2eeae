"""Corrections: what may be put right in which event, and what the events then tell.

A correction names the version it puts right. It changes nothing that was recorded: from it on the
lead is read as if that event had been right from the start (or, voided, had never been). A
correction can itself be corrected, or voided, which gives back what it took.
"""

import copy
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from domain.stage import CLOSED, NEGOTIATING, OPEN, SIGNED, STAGES, TIP, TRANSFERABLE

CORRECTED = "lead.corrected"
JOINED, LEFT = "lead.members_joined", "lead.members_left"
# What a revision may change; of each the fact dated last is the one that stands.
REVISABLE = ("title", "summary", "investor", "industry", "investment", "contact")
# What may be put right in every event.
ALWAYS = ("occurred_on", "note")


class Correctable(NamedTuple):
    """The command whose rules the right facts must meet, the facts that may be put right, and
    whether the event may be voided."""

    command: str
    facts: tuple[str, ...]
    void: bool = True


# event → what may be put right in it, besides its day and its note
CORRECTABLE: Mapping[str, Correctable] = {
    # A tip is counted once, for ever: a mistaken one is declined, or ruled a duplicate.
    "lead.tipped": Correctable("tip", (*REVISABLE, "members", "district"), void=False),
    "lead.screened": Correctable("screen", ("reason", "duplicate_of")),
    "lead.negotiation_opened": Correctable("open_negotiation", ("responsible_unit", "manager")),
    "lead.followed_up": Correctable("follow_up", ("form", "result", "reason", "next_on")),
    "lead.members_told": Correctable("tell_members", ()),
    "lead.signing_planned": Correctable("plan_signing", ("expected_on",)),
    "lead.framework_agreed": Correctable(
        "agree_framework", ("number", "investment", "document_sha256")
    ),
    "lead.signed": Correctable("sign", ("number", "investment", "document_sha256")),
    "lead.groundbroken": Correctable("break_ground", ("start", "evidence")),
    "lead.recognised": Correctable("recognise", ("authority",)),
    "lead.suspended": Correctable("suspend", ("reason", "review_on")),
    "lead.resumed": Correctable("resume", ("reason",)),
    "lead.closed": Correctable("close", ("outcome", "reason", "lost_to")),
    "lead.reopened": Correctable("reopen", ("reason",)),
    "lead.transfer_proposed": Correctable("propose_transfer", ("district", "reason")),
    "lead.transferred": Correctable("accept_transfer", ()),
    "lead.transfer_refused": Correctable("refuse_transfer", ("reason",)),
    "lead.credit_ruled": Correctable("rule_credit", ("shares", "reason")),
    # Of the facts, those that the revision stated.
    "lead.revised": Correctable("revise", (*REVISABLE, "reason")),
}


class Happens(NamedTuple):
    """The stages an event happens in; what its day may not come before; whether it is of a lead
    that is on hold, or (False) of a day on which it was not (None: it makes no difference)."""

    stages: tuple[str, ...]
    since: tuple[str, ...]
    on_hold: bool | None = None


_IN_STAGE, _EVER = ("entered_on",), ("tipped_on",)
# What every event after a corrected one must still find: event → where, since when, on hold.
HAPPENS: Mapping[str, Happens] = {
    "lead.screened": Happens((TIP,), _IN_STAGE),
    "lead.negotiation_opened": Happens((TIP,), _IN_STAGE, on_hold=False),
    "lead.followed_up": Happens(OPEN, _EVER),
    "lead.members_told": Happens(STAGES, _EVER),
    JOINED: Happens(STAGES, _EVER),
    LEFT: Happens(STAGES, _EVER),
    "lead.signing_planned": Happens((NEGOTIATING,), ("entered_on", "planned_on"), on_hold=False),
    "lead.framework_agreed": Happens((NEGOTIATING,), _IN_STAGE, on_hold=False),
    "lead.signed": Happens((NEGOTIATING,), _IN_STAGE, on_hold=False),
    "lead.groundbroken": Happens((SIGNED,), _IN_STAGE, on_hold=False),
    "lead.recognised": Happens(OPEN, _EVER),
    "lead.suspended": Happens(OPEN, ("tipped_on", "flagged_on", "moved_on")),
    "lead.resumed": Happens(OPEN, ("tipped_on", "flagged_on"), on_hold=True),
    "lead.closed": Happens(OPEN, _IN_STAGE),
    "lead.reopened": Happens((CLOSED,), _IN_STAGE),
    "lead.transfer_proposed": Happens(TRANSFERABLE, ("tipped_on", "settled_on")),
    "lead.transferred": Happens(TRANSFERABLE, _EVER),
    "lead.transfer_refused": Happens(OPEN, _EVER),
    "lead.credit_ruled": Happens(STAGES, _EVER),
    "lead.revised": Happens(STAGES, _EVER),
}


class Correction(NamedTuple):
    """``version`` says of the event ``corrects``: these are the right facts, or it never was."""

    version: int
    corrects: int
    facts: Mapping[str, Any]
    void: bool


def effective(events: Sequence[Any], more: Iterable[Correction] = ()) -> list[Any]:
    """The events of a lead as they are to be read: without corrections, with what those say.

    ``events`` is the lead's stream up to some version; ``more`` are corrections that follow it.
    """
    corrections = [*_corrections(events), *more]
    if not corrections:
        return list(events)
    right = _right(corrections)
    told = []
    for event in events:
        if event.TOPIC == CORRECTED:
            continue
        facts = _merged({}, right[event.originator_version])
        if facts is not None:
            told.append(put_right(event, facts) if facts else event)
    return told


def _corrections(events: Iterable[Any]) -> list[Correction]:
    return [
        Correction(e.originator_version, e.corrects, e.facts or {}, e.void)
        for e in events
        if e.TOPIC == CORRECTED
    ]


def _right(corrections: Sequence[Correction]) -> Mapping[int, list[tuple[bool, Any]]]:
    """Version → the (void, facts) that stand of its corrections, the last one first.

    A correction only ever names an earlier version, so from the last one back each is known to
    stand, or not, before what it corrects is looked at.
    """
    right: defaultdict[int, list[tuple[bool, Any]]] = defaultdict(list)
    for version, corrects, facts, void in reversed(corrections):
        standing = _merged(facts, right[version])
        if standing is not None:
            right[corrects].append((void, standing))
    return right


def _merged(
    facts: Mapping[str, Any], right: Sequence[tuple[bool, Mapping[str, Any]]]
) -> dict[str, Any] | None:
    """``facts`` with what is right instead; None when they never were."""
    if any(void for void, _ in right):
        return None
    merged = dict(facts)
    for _, changes in reversed(right):
        merged.update(changes)
    return merged


def put_right(event: Any, facts: Mapping[str, Any]) -> Any:
    """A copy of ``event`` with other facts. What was waived and is now given is waived no more."""
    state = dict(vars(event))
    if "facts" in state:
        revised = {name: facts[name] for name in state["facts"] if name in facts}
        state["facts"] = {**state["facts"], **revised}
        facts = {name: value for name, value in facts.items() if name not in revised}
    state.update(facts)
    if "waived" in state:
        state["waived"] = [w for w in state["waived"] if not state.get(w["fact"])]
    right = copy.copy(event)
    vars(right).clear()
    vars(right).update(state)
    return right


def chain_of(events: Sequence[Any], version: int) -> list[int]:
    """``version``, the version it corrects if it is a correction, and so on to what is none."""
    chain = [version]
    while events[chain[-1] - 1].TOPIC == CORRECTED:
        chain.append(events[chain[-1] - 1].corrects)
    return chain


def voided_by(events: Sequence[Any], version: int) -> int | None:
    """The correction by which ``version`` counts as never having been; None if it counts."""
    right = _right(_corrections(events))
    if not any(void for void, _ in right[version]):
        return None
    standing = [
        e.originator_version
        for e in events
        if e.TOPIC == CORRECTED and e.corrects == version and e.void
    ]
    by: int = next(v for v in reversed(standing) if _merged({}, right[v]) is not None)
    return by


def may_be_right(event: Any) -> tuple[str, ...]:
    """The facts that a correction may put right in ``event``."""
    facts = CORRECTABLE[event.TOPIC].facts
    if event.TOPIC == "lead.revised":
        facts = tuple(name for name in facts if name in event.facts or name == "reason")
    return (*ALWAYS, *facts)
