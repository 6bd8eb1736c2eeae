"""Credit: which member has which share of a lead, in exact fractions.

Without a ruling the members of a lead share alike. A ruling names every member of the lead with a
share; they sum to 1. It holds whenever the lead's members are exactly those it names, so that one
more member, or one less, makes the shares equal again until somebody rules anew.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from functools import cache
from typing import Any, NamedTuple, Self

from domain.errors import Invalid
from domain.sentences import Sentence

# Finer parts than thousandths nobody rules, and sums over many leads stay of a length to read.
MOST_PARTS = 1000
SHARE_SHAPE = "^([01]|[1-9][0-9]{0,2}/([1-9][0-9]{0,2}|1000))$"
_SHARE = re.compile(SHARE_SHAPE)


class CreditRuling(NamedTuple):
    """From ``day`` on: member → share, of all members that the lead then had; and why."""

    day: str
    shares: Mapping[str, str]
    reason: str

    @classmethod
    def of(cls, event: Any) -> Self:
        """What the event CreditRuled, perhaps put right since, says."""
        shares = {told["member"]: f"{Fraction(told['share'])}" for told in event.shares}
        return cls(event.occurred_on, shares, event.reason)


def share_fault(text: str) -> str | None:
    """Why ``text`` is no share, or None. 0 is one: who reported the lead, and has no credit."""
    if _SHARE.fullmatch(text):
        return None
    return Sentence(
        "'{text}' is no share like 1/3, 0 or 1, in parts of 1/{most_parts} at the finest.",
        text=text[:40],
        most_parts=MOST_PARTS,
    )


def checked_shares(
    shares: Sequence[Mapping[str, str]], members: Sequence[str]
) -> list[dict[str, str]]:
    """``shares`` ({"member", "share"}) in lowest terms, in the order of ``members``; Invalid
    unless each of these, and nobody else, is named once, and they sum to 1."""
    named = [share["member"] for share in shares]
    told = {share["member"]: share["share"] for share in shares}
    faults = [
        *(
            Sentence("Member {member} is none of this lead's.", member=m)
            for m in told
            if m not in members
        ),
        *(
            Sentence("Member {member} is named twice.", member=m)
            for m in told
            if named.count(m) > 1
        ),
        *(
            Sentence("Member {member} of this lead is not named.", member=m)
            for m in members
            if m not in told
        ),
        *(fault for text in told.values() if (fault := share_fault(text))),
    ]
    if faults:
        raise Invalid({"shares": faults})
    parts = {member: Fraction(text) for member, text in told.items()}
    total = sum(parts.values())
    if total != 1:
        summed = " + ".join(map(str, parts.values()))
        raise Invalid.of(
            "shares",
            "{summed} is {total}; the shares of a lead sum to 1.",
            summed=summed,
            total=total,
        )
    return [{"member": member, "share": f"{parts[member]}"} for member in members]


def ruled(rulings: Sequence[CreditRuling], members: Iterable[str]) -> CreditRuling | None:
    """The ruling that holds for these members: the last, by its day, that names exactly them."""
    who = set(members)
    fitting = [ruling for ruling in rulings if ruling.shares.keys() == who]
    # Of one day the one recorded last.
    return max(reversed(fitting), key=lambda ruling: ruling.day, default=None)


def shares_of(members: Sequence[str], ruling: CreditRuling | None) -> list[str]:
    """The share of each of ``members``: as ruled, else equal ones."""
    if ruling is None:
        return [_one_of(len(members))] * len(members)
    return [ruling.shares[member] for member in members]


@cache
def _one_of(number: int) -> str:
    return f"{Fraction(1, number)}"
