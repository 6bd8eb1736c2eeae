"""The posting rules of the double-entry book: from what happened to entries that sum to zero.

A lead's *path* is the list of its dated placements: from this day on it stands in that account
with that amount. The book is the difference between neighbouring placements. A fact learnt
late goes where its day belongs, and what it changes is posted as the difference, on the days
the changed entries stand on: so a fact put right posts exactly the reversal.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from domain.money import Money
from domain.stage import CLOSED, GROUNDBROKEN, NEGOTIATING, SIGNED, TIP, VERDICT_OUTCOME

OUTSIDE = "outside"
ABOUT_TO_SIGN = "negotiating/about_to_sign"

# How an entry came about. `reached` is a memorandum beside the book: it counts each lead once
# in every stage it ever came to, and takes no part in the trial balance.
MOVE, PLAN, AMOUNT, REACHED = "move", "plan", "amount", "reached"
IN, OUT = "in", "out"


class Placement(NamedTuple):
    """From ``day`` on: ``account`` and/or ``fen`` as given, None where unchanged."""

    day: str
    account: str | None
    fen: int | None


class Posting(NamedTuple):
    """One line of the book. ``count`` and ``fen`` are signed: + in, − out, reversals opposed."""

    day: str
    account: str
    kind: str
    side: str
    count: int  # type: ignore[assignment]  # no one asks for tuple.count
    fen: int


Path = list[Placement]


def stage_of(account: str) -> str:
    """The stage that an account belongs to: closed/lost → closed."""
    return account.partition("/")[0]


def closed_account(outcome: str) -> str:
    """The account of one outcome of closed leads."""
    return f"{CLOSED}/{outcome}"


def _fen(money: Mapping[str, str] | None) -> int:
    """An event's amount in fen; 0 where nothing (or only foreign money) is stated."""
    return (Money(money["amount"], money["unit"]).fen or 0) if money else 0


def _tipped(event: Any, _path: Path) -> Placement:
    return Placement(event.occurred_on, TIP, _fen(event.investment))


def _screened(event: Any, _path: Path) -> Placement | None:
    outcome = VERDICT_OUTCOME.get(event.verdict)
    return Placement(event.occurred_on, closed_account(outcome), None) if outcome else None


def _negotiation_opened(event: Any, _path: Path) -> Placement:
    return Placement(event.occurred_on, NEGOTIATING, None)


def _signing_planned(event: Any, _path: Path) -> Placement:
    account = ABOUT_TO_SIGN if event.expected_on else NEGOTIATING
    return Placement(event.occurred_on, account, None)


def _signed(event: Any, _path: Path) -> Placement:
    fen = _fen(event.investment) if event.investment else None
    return Placement(event.occurred_on, SIGNED, fen)


def _groundbroken(event: Any, _path: Path) -> Placement:
    return Placement(event.occurred_on, GROUNDBROKEN, None)


def _closed(event: Any, _path: Path) -> Placement:
    return Placement(event.occurred_on, closed_account(event.outcome), None)


def _reopened(event: Any, path: Path) -> Placement:
    left = next(p for p in reversed(path) if p.account and stage_of(p.account) != CLOSED)
    return Placement(event.occurred_on, stage_of(str(left.account)), None)


def _revised(event: Any, _path: Path) -> Placement | None:
    if "investment" not in event.facts:
        return None
    return Placement(event.occurred_on, None, _fen(event.facts["investment"]))


# What happened → where the lead stands from that day on. Everything else posts nothing.
POSTING_RULES: Mapping[str, Callable[[Any, Path], Placement | None]] = {
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


def place(path: Path, placement: Placement) -> Path:
    """``path`` with one more placement, in the order of days (of one day: as they came).

    A lead that moves on a day takes with it the plans dated after that day: they are void.
    """
    if not path or path[-1].day <= placement.day:
        return [*path, placement]
    day, account, _ = placement
    moves = account is not None and account != ABOUT_TO_SIGN
    earlier = [p for p in path if p.day <= day]
    later = [p for p in path if p.day > day]
    if moves:
        later = [Placement(p.day, None, p.fen) for p in later if p.fen is not None]
    return [*earlier, placement, *later]


def postings(path: Path) -> list[Posting]:
    """The lead's whole book: every placement against the one before it."""
    return [line for at, placement in enumerate(path) for line in _step(path[:at], placement)]


def new_postings(path: Path, placement: Placement) -> tuple[Path, list[Posting]]:
    """The path after ``placement``, and what the book needs to agree with it."""
    after = place(path, placement)
    if len(after) == len(path) + 1 and after[-1] is placement:
        return after, _step(path, placement)
    return after, _difference(postings(path), postings(after))


def _step(path: Path, placement: Placement) -> list[Posting]:
    """The entries of the placement that follows ``path``."""
    accounts = [p.account for p in path if p.account]
    account = accounts[-1] if accounts else OUTSIDE
    fen = next((p.fen for p in reversed(path) if p.fen is not None), 0)
    reached = list(dict.fromkeys(map(stage_of, accounts)))
    day = placement.day
    target = placement.account or account
    amount = fen if placement.fen is None else placement.fen
    change = amount - fen
    lines: list[Posting] = []
    if target != account:
        kind = PLAN if stage_of(target) == stage_of(account) else MOVE
        lines.append(Posting(day, account, kind, OUT, -1, -fen))
        lines.append(Posting(day, target, kind, IN, 1, amount))
    elif change:
        lines.append(Posting(day, target, AMOUNT, IN if change > 0 else OUT, 0, change))
    if change:
        # New money comes from outside, where the lead itself came from.
        lines.append(Posting(day, OUTSIDE, AMOUNT, OUT if change > 0 else IN, 0, -change))
        lines += [Posting(day, stage, REACHED, IN, 0, change) for stage in reached]
    if stage_of(target) not in reached:
        lines.append(Posting(day, stage_of(target), REACHED, IN, 1, amount))
    return lines


def _difference(before: list[Posting], after: list[Posting]) -> list[Posting]:
    """Entries that turn the book ``before`` into ``after``, each on its own day."""
    change: Counter[tuple[str, str, str, str]] = Counter()
    money: Counter[tuple[str, str, str, str]] = Counter()
    for sign, lines in ((-1, before), (1, after)):
        for line in lines:
            change[line[:4]] += sign * line.count
            money[line[:4]] += sign * line.fen
    return [
        Posting(*key, change[key], money[key])
        for key in sorted(change.keys() | money.keys())
        if change[key] or money[key]
    ]
