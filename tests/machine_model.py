"""The ledger a second time, slowly and obviously: what stands where, from a list of facts.

It knows nothing of the service: no postings, no totals, no projections. Every question goes
through all facts of all leads again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

STAGES = ("tip", "negotiating", "signed", "groundbroken", "closed")
OUTCOMES = ("declined", "duplicate", "lost", "withdrawn", "rescinded", "transferred")
FEN = {"元": 10**2, "万元": 10**6, "亿元": 10**10, "万美元": 0, "亿美元": 0}

Money = dict[str, str] | None
# (how many, how many fen)
Figure = tuple[int, int]


def fen(money: Money) -> int:
    """What it is in fen; foreign money, and none, is nothing."""
    return int(Decimal(money["amount"]) * FEN[money["unit"]]) if money else 0


class Fact(NamedTuple):
    """From ``day`` on, as known since log ``position``: what is not None is so."""

    day: str
    position: int
    stage: str | None = None
    outcome: str | None = None
    planned: bool | None = None
    amount: tuple[Money] | None = None


class State(NamedTuple):
    """Where a lead is on one day."""

    stage: str | None = None
    outcome: str | None = None
    planned: bool = False
    amount: Money = None


@dataclass
class ModelLead:
    """One lead: who reported it, and everything that was ever said of it."""

    district: str
    members: list[str]
    facts: list[Fact] = field(default_factory=list)
    # To which other districts it passed, one after the other.
    passed: list[str] = field(default_factory=list)

    def crossed(self, prefix: str) -> bool:
        """Whether it ever came to, or left, what begins with the prefix."""
        return len({code.startswith(prefix) for code in (self.district, *self.passed)}) > 1

    def known(self, position: int) -> list[Fact]:
        """What was known then, by day, and of one day in the order it was learnt.

        A plan to sign is void once the lead is known to have moved on before it was made.
        """
        told = [fact for fact in self.facts if fact.position <= position]
        moves = [fact for fact in told if fact.stage]
        void = [
            plan
            for plan in told
            if plan.planned is not None
            for move in moves
            if move.position > plan.position and move.day < plan.day
        ]
        return sorted((f for f in told if f not in void), key=lambda f: (f.day, f.position))

    def steps(self, position: int) -> Iterator[tuple[Fact, State, State]]:
        """(fact, state before it, state after it), in the order of days."""
        state = State()
        for fact in self.known(position):
            before = state
            if fact.stage:
                state = state._replace(stage=fact.stage, outcome=fact.outcome, planned=False)
            if fact.planned is not None:
                state = state._replace(planned=fact.planned)
            if fact.amount is not None:
                state = state._replace(amount=fact.amount[0])
            yield fact, before, state

    def at(self, day: str, position: int) -> State:
        """Where it is at the end of ``day``."""
        state = State()
        for fact, _, after in self.steps(position):
            if fact.day <= day:
                state = after
        return state

    def now(self) -> State:
        """Where it is, after all that is known."""
        return self.at("9999-12-31", 2**62)

    def amounts(self) -> list[tuple[str, Money]]:
        """(day, amount) wherever the amount changes."""
        return [
            (fact.day, after.amount)
            for fact, before, after in self.steps(2**62)
            if before.amount != after.amount
        ]


def total(amounts: Iterable[Money]) -> Figure:
    """How many, and how much together."""
    listed = list(amounts)
    return len(listed), sum(map(fen, listed))


@dataclass
class Model:
    """All leads."""

    leads: dict[str, ModelLead] = field(default_factory=dict)

    def pipeline(
        self,
        start: str,
        end: str,
        position: int = 2**62,
        district: str = "",
        member: str | None = None,
    ) -> dict[str, Any]:
        """What GET /v1/pipeline has to say of the numbers, cny in fen."""
        chosen = [
            lead
            for lead in self.leads.values()
            if lead.district.startswith(district) and member in (None, *lead.members)
        ]
        standing = [lead.at(end, position) for lead in chosen]
        seen = [
            (lead, fact, before, after)
            for lead in chosen
            for fact, before, after in lead.steps(position)
            if fact.day <= end
        ]
        moved = [step for step in seen if step[1].stage and step[1].day >= start]
        answer: dict[str, Any] = {
            "tips": sum(1 for _, _, before, _ in moved if before.stage is None),
            "landed": total(s.amount for s in standing if s.stage in ("signed", "groundbroken")),
            "about_to_sign": total(s.amount for s in standing if s.planned),
            "outcomes": {o: sum(1 for s in standing if s.outcome == o) for o in OUTCOMES},
        }
        for stage in STAGES:
            # Each lead with what it came with when it first came.
            first = {id(lead): after for lead, f, _, after in reversed(seen) if f.stage == stage}
            answer[stage] = {
                "standing": total(s.amount for s in standing if s.stage == stage),
                "entered": total(a.amount for _, f, _, a in moved if f.stage == stage),
                # What is agreed on signing is so before the lead leaves for there.
                "left": total(a.amount for _, _, b, a in moved if b.stage == stage),
                "reached": total(after.amount for after in first.values()),
            }
        return answer


def plain(answer: dict[str, Any]) -> dict[str, Any]:
    """An answer of the service in the model's shape."""

    def figure(shown: dict[str, Any]) -> Figure:
        return shown["count"], int(Decimal(shown["cny"]) * 100)

    found: dict[str, Any] = {
        "tips": answer["tips"],
        "landed": figure(answer["landed"]),
        "about_to_sign": figure(answer["about_to_sign"]),
        "outcomes": answer["stages"][-1]["outcomes"],
    }
    for stage in answer["stages"]:
        rules = ("standing", "entered", "left", "reached")
        found[stage["stage"]] = {rule: figure(stage[rule]) for rule in rules}
    return found
