"""The posting rules of the double-entry book: from what happened to entries that sum to zero.

A lead's *path* is the list of its dated placements: from this day on it stands in that account
with that amount. The book is the difference between neighbouring placements. A fact learnt
late goes where its day belongs, and what it changes is posted as the difference, on the days
the changed entries stand on: so a fact put right posts exactly the reversal.

There are two books, which differ only where a signing or groundbreaking is not yet recognised:
one counts from the day it happened, the other from the day a higher office recognised it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from domain.money import fen_of
from domain.stage import (
    CLOSED,
    GROUNDBROKEN,
    LANDED,
    NEGOTIATING,
    OUTCOMES,
    SIGNED,
    STAGES,
    TIP,
    VERDICT_OUTCOME,
)
from domain.values import NEVER

OUTSIDE = "outside"
# In the book of a district: where leads come from that another district passed to it.
ELSEWHERE = "elsewhere"
ABOUT_TO_SIGN = "negotiating/about_to_sign"


def closed_account(outcome: str) -> str:
    """The account of one outcome of closed leads."""
    return f"{CLOSED}/{outcome}"


# Where leads stand, in the book of a district, that it passed to another one.
PASSED_ON = closed_account("transferred")

_LANDED = frozenset(LANDED)

# Every account of the book → the stage it belongs to.
ACCOUNTS: Mapping[str, str] = {
    OUTSIDE: OUTSIDE,
    ELSEWHERE: ELSEWHERE,
    **{stage: stage for stage in STAGES if stage != CLOSED},
    ABOUT_TO_SIGN: NEGOTIATING,
    **{closed_account(outcome): CLOSED for outcome in OUTCOMES},
}

# How an entry came about: the first time the lead comes to a stage, a return to one it had left,
# a move within negotiating, or another amount.
FIRST, RETURN, PLAN, AMOUNT = KINDS = ("first", "return", "plan", "amount")
# The book an entry stands in: in both, or in that by the day it happened, or was recognised.
BOTH, OCCURRED, RECOGNISED = "both", "occurred", "recognised"


class Placement(NamedTuple):
    """From ``day`` on: ``account``, ``fen`` and ``district`` as given, None where unchanged."""

    day: str
    account: str | None
    fen: int | None
    # By a transfer; the tip's is not among the placements.
    district: str | None = None


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
    by: str = BOTH


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


def _transferred(event: Any, _track: "Track") -> Placement:
    return Placement(event.occurred_on, None, None, event.district)


# What happened → where the lead stands from that day on. Everything else posts nothing.
# (A transfer posts in the books of the districts only: in that of all it moves nothing.)
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
    "lead.transferred": _transferred,
}


TIPPED, TRANSFER = "lead.tipped", "lead.transferred"
RECOGNITION, CORRECTION = "lead.recognised", "lead.corrected"
# Every event that can change the books.
BOOKED = frozenset({*POSTING_RULES, RECOGNITION, CORRECTION})


class Track:
    """A lead's path, and where its end has brought it: account, amount, stages ever come to."""

    __slots__ = ("account", "fen", "path", "reached")

    def __init__(self, path: Iterable[Placement] = (), begins: str = OUTSIDE) -> None:
        self.path: list[Placement] = []
        self.account = begins
        self.fen = 0
        self.reached: list[str] = []
        for placement in path:
            self._go_on(placement)

    def post(self, placement: Placement) -> list[Posting]:
        """Take in one more placement; the entries by which the book comes to agree with it."""
        if self.ends_by(placement.day):
            return self._go_on(placement)
        before = postings(self.path)
        after = Track(_placed(self.path, placement))
        self.path, self.account, self.fen = after.path, after.account, after.fen
        self.reached = after.reached
        return difference(before, postings(after.path))

    def ends_by(self, day: str) -> bool:
        """Whether nothing in the path is dated after ``day``."""
        return not self.path or self.path[-1].day <= day

    def _go_on(self, placement: Placement) -> list[Posting]:
        """Append ``placement``; its entries against what stood before."""
        day, account, fen, _ = placement
        source, target = self.account, account or self.account
        amount = self.fen if fen is None else fen
        change = amount - self.fen
        lines: list[Posting] = []
        # A lead comes from outside, or elsewhere, with its money; other money follows it from
        # outside, or goes back there, before it moves on.
        if change > 0 and source not in (OUTSIDE, ELSEWHERE):
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


class Books:
    """A lead in both books. ``recognised``: stage → the day it was recognised."""

    __slots__ = ("recognised", "track")

    def __init__(
        self, path: Iterable[Placement] = (), recognised: Mapping[str, str] | None = None
    ) -> None:
        self.track = Track(path)
        self.recognised = dict(recognised or {})

    def happened(self, event: Any) -> list[Posting]:
        """The entries that ``event`` (no correction) posts."""
        if event.TOPIC == RECOGNITION:
            before = self._by_recognition()
            self.recognised[event.stage] = event.occurred_on
            return _split([], difference(before, self._by_recognition()))
        placement = POSTING_RULES[event.TOPIC](event, self.track)
        if placement is None:
            return []
        if placement.account not in LANDED and not self._apart:
            return self.track.post(placement)
        if not self.recognised and self.track.ends_by(placement.day):
            others = sorted(self._unrecognised()._go_on(_uncounted(placement)))
            return _split(self.track.post(placement), others)
        before = self._by_recognition()
        return _split(self.track.post(placement), difference(before, self._by_recognition()))

    def retold(self, events: Iterable[Any]) -> list[Posting]:
        """The entries by which the books come to agree with ``events``, and with these only."""
        now = Books()
        for event in events:
            if event.TOPIC in BOOKED:
                now.happened(event)
        lines = difference(postings(self.track.path), postings(now.track.path))
        others = difference(self._by_recognition(), now._by_recognition())
        self.track, self.recognised = now.track, now.recognised
        return _split(lines, others)

    @property
    def _apart(self) -> bool:
        return not _LANDED.isdisjoint(self.track.reached)

    def _unrecognised(self) -> Track:
        """Where the end of the path has brought the lead by recognition, of which there is none:
        what has landed is still negotiated. Without a path of its own."""
        counted, track = Track(), self.track
        counted.account = NEGOTIATING if track.account in LANDED else track.account
        counted.fen = track.fen
        counted.reached = [NEGOTIATING if s in LANDED else s for s in track.reached]
        return counted

    def _by_recognition(self) -> list[Posting]:
        return postings(recognised_path(self.track.path, self.recognised))


def recognised_path(path: Sequence[Placement], recognised: Mapping[str, str]) -> list[Placement]:
    """``path`` as it counts by recognition: whatever has landed stands in negotiation until its
    stage is recognised, and a recognised groundbreaking recognises the signing with it."""
    days = {stage: recognised[stage] for stage in LANDED if stage in recognised}
    if GROUNDBROKEN in days:
        days[SIGNED] = min(days.get(SIGNED, days[GROUNDBROKEN]), days[GROUNDBROKEN])
    counted: list[Placement] = []
    waiting = sorted(days.items(), key=lambda entry: (entry[1], LANDED.index(entry[0])))
    account = OUTSIDE
    for placement in path:
        while waiting and waiting[0][1] < placement.day:
            counted += _recognition(*waiting.pop(0), account)
        account = placement.account or account
        shown = placement.account and _counted(placement.account, placement.day, days)
        counted.append(placement._replace(account=shown))
    for stage, day in waiting:
        counted += _recognition(stage, day, account)
    return counted


def _recognition(stage: str, day: str, account: str) -> list[Placement]:
    """What the recognition of ``stage`` moves, of a lead that stands in ``account`` by then."""
    counts = account in LANDED and LANDED.index(stage) <= LANDED.index(account)
    return [Placement(day, stage, None)] if counts else []


def _counted(account: str, day: str, recognised: Mapping[str, str]) -> str:
    """Where a lead that stands in ``account`` is counted on ``day``."""
    if account not in LANDED:
        return account
    upto = LANDED[: LANDED.index(account) + 1]
    counts = [stage for stage in upto if recognised.get(stage, NEVER) < day]
    return counts[-1] if counts else NEGOTIATING


def _uncounted(placement: Placement) -> Placement:
    """``placement`` as it counts by recognition while nothing of the lead is recognised."""
    if placement.account in LANDED:
        return Placement(placement.day, NEGOTIATING, placement.fen)
    return placement


def _split(occurred: list[Posting], recognised: list[Posting]) -> list[Posting]:
    """The entries of each book as lines that name the book, or both."""
    if occurred == recognised:
        return occurred
    both = [line for line in occurred if line in recognised]
    return [
        *both,
        *(line._replace(by=OCCURRED) for line in occurred if line not in both),
        *(line._replace(by=RECOGNISED) for line in recognised if line not in both),
    ]


def postings(path: Iterable[Placement], begins: str = OUTSIDE) -> list[Posting]:
    """The lead's whole book: every placement against the one before it."""
    track = Track((), begins)
    return [line for placement in path for line in track._go_on(placement)]


def _placed(path: list[Placement], placement: Placement) -> list[Placement]:
    """``path`` with a placement dated before its end, after those of its own day.

    A lead that moves on a day takes with it the plans dated after that day: they are void.
    """
    later = [p for p in path if p.day > placement.day]
    if placement.account not in (None, ABOUT_TO_SIGN):
        later = [p._replace(account=None) for p in later if p.fen is not None or p.district]
    return [*(p for p in path if p.day <= placement.day), placement, *later]


def difference(before: list[Posting], after: list[Posting]) -> list[Posting]:
    """Entries that turn the book ``before`` into ``after``, each on its own day."""
    sums: dict[tuple[Any, ...], list[int]] = {}
    for sign, lines in ((-1, before), (1, after)):
        for line in lines:
            total = sums.setdefault(line[:4], [0, 0])
            total[0] += sign * line.leads
            total[1] += sign * line.fen
    return [Posting(*key, *total) for key, total in sorted(sums.items()) if any(total)]


# The books of districts

# How many digits of a code name a province, a city, a district.
LEVELS = (2, 4, 6)


def prefixes_crossed(events: Sequence[Any]) -> set[str]:
    """The prefixes of districts that a lead came to, or left, by what ``events`` (effective ones)
    tell."""
    districts = [event.district for event in events if event.TOPIC in (TIPPED, TRANSFER)]
    levels = [{district[:level] for district in districts} for level in LEVELS]
    return {prefix for prefixes in levels if len(prefixes) > 1 for prefix in prefixes}


def difference_within(prefix: str, before: Sequence[Any], after: Sequence[Any]) -> list[Posting]:
    """The entries that turn the book of the districts of ``prefix``, as the (effective) events
    ``before`` tell it, into that of ``after``."""
    (occurred, recognised), (occurs, recognises) = _within(prefix, before), _within(prefix, after)
    return _split(difference(occurred, occurs), difference(recognised, recognises))


def _within(prefix: str, events: Sequence[Any]) -> tuple[list[Posting], list[Posting]]:
    """A lead in both books of a prefix."""
    if not events:
        return [], []
    books, home = Books(), events[0].district
    for event in events:
        if event.TOPIC in BOOKED:
            books.happened(event)
    path = books.track.path
    counted = recognised_path(path, books.recognised)
    return _book_within(prefix, home, path), _book_within(prefix, home, counted)


def _book_within(prefix: str, home: str, path: Iterable[Placement]) -> list[Posting]:
    begins = OUTSIDE if home.startswith(prefix) else ELSEWHERE
    return postings(path_within(prefix, home, path), begins)


def path_within(prefix: str, home: str, path: Iterable[Placement]) -> Iterator[Placement]:
    """``path`` as the districts of ``prefix`` see it, of a lead tipped in ``home``: it comes with
    what it has by then, and is closed as transferred when it goes; what happens elsewhere does not
    show here."""
    district, account, fen = home, OUTSIDE, 0
    for placement in path:
        was_here = district.startswith(prefix)
        district = placement.district or district
        account = placement.account or account
        fen = fen if placement.fen is None else placement.fen
        if not district.startswith(prefix):
            if was_here:
                yield Placement(placement.day, PASSED_ON, None)
        elif was_here:
            yield placement
        else:
            yield Placement(placement.day, account, fen)
