"""A lead's course (历程) in one cell, for a life that one row's columns cannot tell.

"2025-03-18 信息 30亿元; 2025-04-02 洽谈 商务局; 2025-06-01 流失 去了邻区; 2025-07-01 重开": each
step with its day, its word and what belongs to it, in the order in which they were recorded. A
person can read and write it, and an import takes the lead along it.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from domain.sentences import Sentence
from domain.stage import OUTCOMES
from service import written

TIPPED, PLANNED, PASSED, NOTHING = "信息", "拟签约", "流转", "无"
_RECOGNISED = {"signed": "签约认定", "groundbroken": "开工认定"}
ENDS = {label: name for name, (label, _) in OUTCOMES.items() if name != "transferred"}
WORDS = (
    *(TIPPED, "研判", "洽谈", PLANNED, "框架协议", "签约", "开工", "投资", "暂缓", "恢复", "重开"),
    PASSED,
    *_RECOGNISED.values(),
    *ENDS,
)
# Longer words first: 签约认定 is no 签约.
_WORDS = "|".join(sorted(WORDS, key=len, reverse=True))
_ENTRY = re.compile(f"(?P<day>.*?[0-9日号])\\s*(?P<word>{_WORDS})(?P<more>.*)")
_BETWEEN = re.compile(r"[;；\r\n]+")


class Entry(NamedTuple):
    """One step: its day, its word, and what belongs to it ('' for nothing)."""

    day: str
    word: str
    more: str

    def __str__(self) -> str:
        return " ".join(filter(None, self))

    def agrees(self, known: "Entry") -> bool:
        """Whether it is ``known``, of which it may leave something open."""
        return self[:2] == known[:2] and self.more in ("", known.more)


def entries_in(text: str) -> list[Entry]:
    """The steps that a cell tells; ValueError says which of them cannot be read."""
    found = []
    for part in filter(None, map(str.strip, _BETWEEN.split(text))):
        entry = _ENTRY.fullmatch(part)
        if entry is None:
            raise ValueError(
                Sentence(
                    "'{part}' is no day with one of {words}.",
                    part=part[:40],
                    words="、".join(WORDS),
                )
            )
        found.append(Entry(written.day(entry["day"]), entry["word"], entry["more"].strip()))
    return found


def course_of(events: Iterable[Any]) -> str:
    """The course that the (effective) events of a lead took, as its cell."""
    return "; ".join(map(str, known_course(events)))


def known_course(events: Iterable[Any]) -> list[Entry]:
    """The same, step by step."""
    return [entry for event in events if (entry := entry_of(event))]


def entry_of(event: Any) -> Entry | None:
    """What a course says of an event; None for one that moves neither lead nor money nor flag."""
    tell = _TOLD.get(event.TOPIC)
    told = tell(event) if tell else None
    if told is None:
        return None
    word, *more = told
    text = " ".join(filter(None, more))
    if not text.isalnum():
        # There may be blanks in it, or what divides steps.
        text = " ".join(_BETWEEN.sub("，", text).split())
    return Entry(event.occurred_on, word, text)


def _money(money: Mapping[str, str] | None) -> str:
    return f"{money['amount']}{money['unit']}" if money else ""


def _screened(event: Any) -> tuple[str | None, ...]:
    outcome = {"decline": "declined", "duplicate": "duplicate"}.get(event.verdict)
    return (OUTCOMES[outcome][0], event.reason) if outcome else ("研判",)


def _revised(event: Any) -> tuple[str, ...] | None:
    if "investment" not in event.facts:
        return None
    return "投资", _money(event.facts["investment"]) or NOTHING


_TOLD: Mapping[str, Callable[[Any], tuple[Any, ...] | None]] = {
    "lead.tipped": lambda event: (TIPPED, _money(event.investment)),
    "lead.screened": _screened,
    "lead.negotiation_opened": lambda event: ("洽谈", event.responsible_unit),
    "lead.signing_planned": lambda event: (PLANNED, event.expected_on or NOTHING),
    "lead.framework_agreed": lambda event: ("框架协议", _money(event.investment)),
    "lead.signed": lambda event: ("签约", _money(event.investment)),
    "lead.groundbroken": lambda _event: ("开工",),
    "lead.recognised": lambda event: (_RECOGNISED[event.stage], event.authority),
    "lead.suspended": lambda event: ("暂缓", event.review_on, event.reason),
    "lead.resumed": lambda event: ("恢复", event.reason),
    "lead.closed": lambda event: (OUTCOMES[event.outcome][0], event.reason),
    "lead.reopened": lambda event: ("重开", event.reason),
    "lead.revised": _revised,
    "lead.transferred": lambda event: (PASSED, event.district),
}
