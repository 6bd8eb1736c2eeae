"""The posting rules of the double-entry book: from what happened to entries that sum to zero.

A lead's *path* is the list of its dated placements: from this day on it stands in that account
with that amount. The book is the difference between neighbouring placements. A fact learnt
late goes where its day belongs, and what it changes is posted as the difference, on the days
the changed entries stand on: so a fact put right posts exactly the reversal.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from domain.money import fen_of
from domain.stage import (
    CLOSED,
    GROUNDBROKEN,
    NEGOTIATING,
    OUTCOMES,
    SIGNED,
    STAGES,
    TIP,
    VERDICT_OUTCOME,
)

OUTSIDE = "outside"
ABOUT_TO_SIGN = "negotiating/about_to_sign"


def closed_account(outcome: str) -> str:
    """The account of one outcome of closed leads."""
    return f"{CLOSED}/{outcome}"


# Every account of the book → the stage it belongs to.
ACCOUNTS: Mapping[str, str] = {
    OUTSIDE: OUTSIDE,
    **{stage: stage for stage in STAGES if stage != CLOSED},
    ABOUT_TO_SIGN: NEGOTIATING,
    **{closed_account(outcome): CLOSED for outcome in OUTCOMES},
}

# How an entry came about: the first time the lead comes to a stage, a return to one it had left,
# a move within negotiating, or another amount.
FIRST, RETURN, PLAN, AMOUNT = KINDS = ("first", "return", "plan", "amount")


class Placement(NamedTuple):
    """From ``day`` on: ``account`` and/or ``fen`` as given, None where unchanged."""

    day: str
    account: str | None
    fen: int | None


class Posting(NamedTuple):
    """One line of the book: so many leads (0 or 1) and fen pass from ``source`` to ``target``.

    It says −1 here and +1 there at once, so that no line can be out of balance. A reversal
    carries the opposite signs.
    """

    day: str
    kind: str
    source: str
    target: str
    leads: int
    fen: int


def _fen(money: Mapping[str, str] | None) -> int:
    """An event's amount in fen; 0 where nothing (or only foreign money) is stated."""
    return (fen_of(money["amount"], money["unit"]) or 0) if money else 0


def _tipped(event: Any, _track: "Track") -> Placement:
    return Placement(event.occurred_on, TIP, _fen(event.investment))


def _screened(event: Any, _track: "Track") -> Placement | None:
    outcome = VERDICT_OUTCOME.get(event.verdict)
    return Placement(event.occurred_on, closed_account(outcome), None) if outcome else None


def _negotiation_opened(event: Any, _track: "Track") -> Placement:
    return Placement(event.occurred_on, NEGOTIATING, None)


def _signing_planned(event: Any, _track: "Track") -> Placement:
    account = ABOUT_TO_SIGN if event.expected_on else NEGOTIATING
    return Placement(event.occurred_on, account, None)


def _signed(event: Any, _track: "Track") -> Placement:
    fen = _fen(event.investment) if event.investment else None
    return Placement(event.occurred_on, SIGNED, fen)


def _groundbroken(event: Any, _track: "Track") -> Placement:
    return Placement(event.occurred_on, GROUNDBROKEN, None)


def _closed(event: Any, _track: "Track") -> Placement:
    return Placement(event.occurred_on, closed_account(event.outcome), None)


def _reopened(event: Any, track: "Track") -> Placement:
    left = next(p for p in reversed(track.path) if p.account and ACCOUNTS[p.account] != CLOSED)
    return Placement(event.occurred_on, ACCOUNTS[str(left.account)], None)


def _revised(event: Any, _track: "Track") -> Placement | None:
    if "investment" not in event.facts:
        return None
    return Placement(event.occurred_on, None, _fen(event.facts["investment"]))


# What happened → where the lead stands from that day on. Everything else posts nothing.
POSTING_RULES: Mapping[str, Callable[[Any, "Track"], Placement | None]] = {
    "lead.tipped": _tipped,
    "lead.screened": _screened,
    "lead.negotiation_opened": _negotiation_opened,
    "lead.signing_planned": _signing_planned,
    "lead.signed": _signed,
    "lead.groundbroken": _groundbroken,
    "lead.closed": _closed,
    "lead.reopened": _reopened,
    "lead.revised": _revised,
}


class Track:
    """A lead's path, and where its end has brought it: account, amount, stages ever come to."""

    __slots__ = ("account", "fen", "path", "reached")

    def __init__(self, path: Iterable[Placement] = ()) -> None:
        self.path: list[Placement] = []
        self.account = OUTSIDE
        self.fen = 0
        self.reached: list[str] = []
        for placement in path:
            self._go_on(placement)

    def post(self, placement: Placement) -> list[Posting]:
        """Take in one more placement; the entries by which the book comes to agree with it."""
        if not self.path or self.path[-1].day <= placement.day:
            return self._go_on(placement)
        before = postings(self.path)
        after = Track(_placed(self.path, placement))
        self.path, self.account, self.fen = after.path, after.account, after.fen
        self.reached = after.reached
        return _difference(before, postings(after.path))

    def _go_on(self, placement: Placement) -> list[Posting]:
        """Append ``placement``; its entries against what stood before."""
        day, account, fen = placement
        source, target = self.account, account or self.account
        amount = self.fen if fen is None else fen
        change = amount - self.fen
        lines: list[Posting] = []
        # A lead comes from outside with its money; other money follows it, or goes back there,
        # before it moves on.
        if change > 0 and source != OUTSIDE:
            lines.append(Posting(day, AMOUNT, OUTSIDE, source, 0, change))
        elif change < 0:
            lines.append(Posting(day, AMOUNT, source, OUTSIDE, 0, -change))
        if target != source:
            kind = self._kind(ACCOUNTS[source], ACCOUNTS[target])
            lines.append(Posting(day, kind, source, target, 1, amount))
        self.path.append(placement)
        self.account, self.fen = target, amount
        return lines

    def _kind(self, source: str, target: str) -> str:
        if source == target:
            return PLAN
        if target in self.reached:
            return RETURN
        self.reached.append(target)
        return FIRST


def postings(path: Iterable[Placement]) -> list[Posting]:
    """The lead's whole book: every placement against the one before it."""
    track = Track()
    return [line for placement in path for line in track._go_on(placement)]


def _placed(path: list[Placement], placement: Placement) -> list[Placement]:
    """``path`` with a placement dated before its end, after those of its own day.

    A lead that moves on a day takes with it the plans dated after that day: they are void.
    """
    later = [p for p in path if p.day > placement.day]
    if placement.account not in (None, ABOUT_TO_SIGN):
        later = [Placement(p.day, None, p.fen) for p in later if p.fen is not None]
    return [*(p for p in path if p.day <= placement.day), placement, *later]


def _difference(before: list[Posting], after: list[Posting]) -> list[Posting]:
    """Entries that turn the book ``before`` into ``after``, each on its own day."""
    leads: Counter[tuple[str, str, str, str]] = Counter()
    money: Counter[tuple[str, str, str, str]] = Counter()
    for sign, lines in ((-1, before), (1, after)):
        for line in lines:
            leads[line[:4]] += sign * line.leads
            money[line[:4]] += sign * line.fen
    return [
        Posting(*key, leads[key], money[key])
        for key in sorted(leads.keys() | money.keys())
        if leads[key] or money[key]
    ]
