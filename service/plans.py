"""The signing plans of a row that changed: paper tells one expected day, the ledger keeps each.

| the paper now | the plans that came from it |
|---|---|
| has no talks | never were |
| has talks of another day | are of it if they were of the old day, or would be before it |
| expects another day | are followed by one of the day of the import |
| expects a day that was over when the last was made | those made after that day never were |
| expects another day for what was signed or closed | the last that can have been is put right |
| expects none | are withdrawn; never were, of what was signed or closed |
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from domain.actor import today


@dataclass
class _Plan:
    """One that stands, and how: of which day, expecting which; whether it came from paper."""

    version: int
    day: str
    expected: str | None
    paper: bool

    @property
    def over(self) -> bool:
        """Whether it would expect a day before its own, as it can when talks moved."""
        return self.paper and self.expected is not None and self.expected < self.day


class Plans:
    """What is to be done with them is gathered: ``right`` by version, None if it never was, and
    ``new``, the facts of one more."""

    def __init__(self, events: Iterable[Any], paper: Iterable[int]) -> None:
        """``events`` are a lead's effective ones; ``paper`` has the versions that came from it."""
        versions = frozenset(paper)
        self._left = [
            _Plan(
                e.originator_version,
                e.occurred_on,
                e.expected_on,
                e.originator_version in versions,
            )
            for e in events
            if e.TOPIC == "lead.signing_planned"
        ]
        self.right: dict[int, dict[str, Any] | None] = {}
        self.new: dict[str, Any] | None = None

    def void(self) -> None:
        """None of the paper's ever was. The last goes first: it may lean on those before it."""
        for plan in reversed([plan for plan in self._left if plan.paper]):
            self._never(plan)

    def move(self, was: str, since: str) -> None:
        """The talks of ``was`` are of ``since``."""
        for plan in self._left[::-1]:
            if plan.paper and (plan.day == was or plan.day < since):
                plan.day = since
                self.right[plan.version] = {"occurred_on": since}
        for plan in [plan for plan in self._left[:-1] if plan.over]:
            self._never(plan)

    def expect(self, expected: str, since: str, *, moving: bool) -> None:
        """A signing is expected; a plan was made no later than the day that it expects.

        ``since`` is the day of the talks; of what is ``moving`` no more no plan is made anew.
        """
        day = min(today(), expected)
        while len(self._left) > 1 and self._left[-1].paper and self._left[-1].day > day:
            self._never(self._left[-1])
        if not self._left:
            self.new = {"expected_on": expected, "occurred_on": since}
            return
        last = self._left[-1]
        late = last.paper and last.day > day
        if last.expected == expected:
            return
        if moving and not late and not last.over:
            self.new = {"expected_on": expected, "occurred_on": day}
            return
        known = self.right.get(last.version) or {}
        self.right[last.version] = {**known, "expected_on": expected}
        if late:
            self.right[last.version] = {"expected_on": expected, "occurred_on": since}

    def withdraw(self) -> None:
        """A signing is expected no more."""
        if self._left and self._left[-1].over:
            self._never(self._left[-1])
        if self._left and self._left[-1].expected is not None:
            self.new = {"expected_on": None, "occurred_on": today()}

    def _never(self, plan: _Plan) -> None:
        self._left.remove(plan)
        # Put in again, so that it stands behind what was put right before it.
        self.right.pop(plan.version, None)
        self.right[plan.version] = None
