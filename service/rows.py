"""What a row of a paper ledger comes to: its commands, or what is wrong with its cells."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from domain.stage import missing_facts
from service.course import Entry

WAIVED = "the imported paper lacks it"


class Command(NamedTuple):
    """One command that a row stands for. ``columns`` says which heading a field came from."""

    method: str
    facts: dict[str, Any]
    columns: Mapping[str, str]


class Paper(NamedTuple):
    """What a row says: its number, its members, and the commands in their order."""

    number: str
    district: str
    members: list[str]
    sector: str | None
    tip: Command
    steps: list[Command]
    # What its 历程 says, if it has one: then that, and not the columns, tells the steps.
    course: list[Entry] | None = None


class BadRow(Exception):
    """``cells``: heading → what is wrong with its cell."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        super().__init__(cells)
        self.cells = dict(cells)


def step(day: str, facts: Mapping[str, Any], needed: Sequence[str]) -> dict[str, Any]:
    """A step's facts, with a waiver for each needed one that the paper lacks."""
    lacking = missing_facts(needed, facts)
    waivers = [{"fact": fact, "reason": WAIVED} for fact in lacking]
    return {**facts, "occurred_on": day, "waivers": waivers}
