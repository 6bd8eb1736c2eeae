"""The stage tables: where a lead can stand, how it moves, and what each step needs.

A lead goes forward one stage at a time. It leaves the way through ``OUTCOMES``, and comes
back only by reopening, into the stage it left.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from domain.sentences import Named

TIP, NEGOTIATING, SIGNED, GROUNDBROKEN, CLOSED = STAGES = (
    "tip",
    "negotiating",
    "signed",
    "groundbroken",
    "closed",
)
LABELS = {
    TIP: "信息",
    NEGOTIATING: "在谈",
    SIGNED: "签约",
    GROUNDBROKEN: "开工",
    CLOSED: "终止",
}
OPEN = (TIP, NEGOTIATING, SIGNED, GROUNDBROKEN)
# 落地 has no fixed meaning elsewhere; in this ledger it is the two stages that are also the ones
# a higher office recognises (认定):
LANDED = (SIGNED, GROUNDBROKEN)


class Step(NamedTuple):
    """One step forward: its Chinese name, whence, whither, and the facts it needs."""

    label: str
    source: str
    target: str
    facts: tuple[str, ...]


# command         label     from          to             required facts
STEPS: Mapping[str, Step] = {
    "negotiation": Step("洽谈", TIP, NEGOTIATING, ("responsible_unit",)),
    "signing": Step("签约", NEGOTIATING, SIGNED, ("contract", "investment")),
    "groundbreaking": Step("开工", SIGNED, GROUNDBROKEN, ("start", "evidence")),
}

# outcome: the Chinese word, and the stages it can close. `transferred` comes by a transfer,
# not by a closure.
OUTCOMES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "declined": ("不予跟进", (TIP,)),
    "duplicate": ("重复", (TIP,)),
    "lost": ("流失", (NEGOTIATING,)),
    "withdrawn": ("撤回", (NEGOTIATING,)),
    "rescinded": ("解约", (SIGNED,)),
    "transferred": ("流转", (TIP, NEGOTIATING, SIGNED)),
}

# The stages in which a lead may pass to another district.
TRANSFERABLE = OUTCOMES["transferred"][1]

# What a closure may say; a duplicate is a verdict, a transfer the other district's to accept.
CLOSURE_OUTCOMES = ("declined", "lost", "withdrawn", "rescinded")

# verdict of a screening → the facts it needs
VERDICTS: Mapping[str, tuple[str, ...]] = {
    "pursue": (),
    "decline": ("reason",),
    "duplicate": ("reason", "duplicate_of"),
}
CLOSING_FACTS = ("reason",)
VERDICT_OUTCOME = {"decline": "declined", "duplicate": "duplicate"}
FOLLOW_UP_FORMS = ("visit", "call", "meeting", "site", "none")
AGREEMENTS = ("contract", "framework")
STARTS = ("construction", "equipment", "opening")
EVIDENCE_KINDS = ("permit", "filing", "contract", "photo", "acceptance")

# What either is called in a sentence.
NAMED = {name: Named(name, label) for name, label in LABELS.items()}
NAMED_OUTCOME = {name: Named(name, label) for name, (label, _) in OUTCOMES.items()}

NEXT_STEP = {step.source: step for step in STEPS.values()}


def missing_facts(needed: Sequence[str], given: Mapping[str, Any]) -> list[str]:
    """The ``needed`` facts that ``given`` lacks, in the table's order."""
    return [fact for fact in needed if not given.get(fact)]


def still_missing(stage: str) -> list[str]:
    """The facts needed to enter the stage after ``stage``; nothing after the last."""
    return list(NEXT_STEP[stage].facts) if stage in NEXT_STEP else []
