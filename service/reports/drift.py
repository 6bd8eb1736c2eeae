"""How a sealed report drifted: what its numbers would be now, and the events that made it so."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from service.projections.fates import Fate, Retold, Window
from service.reports.annual import Claim, Rule


class Cause(NamedTuple):
    """The event at ``position`` of a lead's, by which a claim counts it, not any more, or with
    another amount."""

    position: int
    number: int


# What a claim counts: lead number → its amount in fen, 0 where amounts are not summed.
Counted = Mapping[int, int]


def counted(claim: Claim) -> Counted:
    """What the claim counts."""
    return {fate.number: _mark(claim.rule, fate) for fate in claim.fates}


def _mark(rule: Rule, fate: Fate) -> int:
    return fate.fen if rule.money else 0


def changed(before: Counted, now: Counted) -> list[int]:
    """The leads that are counted otherwise."""
    return sorted(n for n in {*before, *now} if before.get(n) != now.get(n))


def causes(
    rule: Rule, numbers: list[int], told: Retold, district: str | None, window: Window, upto: int
) -> Iterator[Cause]:
    """The events after ``window.known_at``, up to ``upto``, each of which changed how ``rule``
    counts one of the leads; of a change that was undone, both."""
    for number in numbers:
        before = _counts(rule, told.fate(number, district, window))
        for position in told.positions(number, window.known_at):
            if position > upto:
                break
            then = window._replace(known_at=position)
            now = _counts(rule, told.fate(number, district, then))
            if now != before:
                yield Cause(position, number)
            before = now


def _counts(rule: Rule, fate: Fate | None) -> int | None:
    return _mark(rule, fate) if fate is not None and rule.holds(fate) else None
