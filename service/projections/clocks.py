"""What is due of a lead: the rules, and the days that start and stop their clocks.

Rules read a lead as the API shows it, and the clocks: the last day of each kind of event.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from domain.correction import JOINED, LEFT
from domain.stage import NEGOTIATING, SIGNED, TIP

# clock → the events whose last day it shows
CLOCKS: Mapping[str, frozenset[str]] = {
    # Somebody answered the tip.
    "answered": frozenset(
        {"lead.followed_up", "lead.screened", "lead.negotiation_opened", "lead.closed"}
    ),
    # Something was heard of the talks.
    "heard": frozenset(
        {
            "lead.followed_up",
            "lead.negotiation_opened",
            "lead.signing_planned",
            "lead.framework_agreed",
            "lead.resumed",
            "lead.reopened",
        }
    ),
    # There is something to tell the members.
    "news": frozenset(
        {
            "lead.screened",
            "lead.negotiation_opened",
            "lead.signed",
            "lead.groundbroken",
            "lead.closed",
        }
    ),
    "told": frozenset({"lead.members_told"}),
    # The members who share it became others, or their shares were ruled on.
    "shared": frozenset({JOINED, LEFT, "lead.credit_ruled"}),
}
# event → the clocks that it sets
CLOCKS_OF: Mapping[str, tuple[str, ...]] = {
    topic: tuple(clock for clock, topics in CLOCKS.items() if topic in topics)
    for topic in frozenset[str]().union(*CLOCKS.values())
}

Lead = Mapping[str, Any]
Clocks = Mapping[str, Any]


class DueRule(NamedTuple):
    """``since(lead, clocks)`` is the day (ISO) from which on something is waited for, None while
    nothing is. ``unit``: whether so many days are "working" or "calendar" days, or (None) the
    thing is due on that day itself. ``what`` is its sentence, in Chinese."""

    name: str
    label: str
    unit: str | None
    days: int
    since: Callable[[Lead, Clocks], str | None]
    what: str


def _waiting(lead: Lead, stage: str) -> bool:
    return bool(lead["stage"] == stage and not lead["suspended"])


def _unanswered(lead: Lead, clocks: Clocks) -> str | None:
    waits = _waiting(lead, TIP) and "answered" not in clocks
    return lead["dates"][TIP] if waits else None


def _unscreened(lead: Lead, _clocks: Clocks) -> str | None:
    waits = _waiting(lead, TIP) and lead["screened"] is None
    return lead["dates"][TIP] if waits else None


def untold(clocks: Clocks) -> str | None:
    """Since when there is news that the members were not told."""
    news: str | None = clocks.get("news")
    return news if news and news > clocks.get("told", "") else None


def _silent(lead: Lead, clocks: Clocks) -> str | None:
    return clocks["heard"] if _waiting(lead, NEGOTIATING) else None


def _slipped(lead: Lead, _clocks: Clocks) -> str | None:
    return lead["expected_signing_on"] if _waiting(lead, NEGOTIATING) else None


def _unstarted(lead: Lead, clocks: Clocks) -> str | None:
    return clocks["entered"] if _waiting(lead, SIGNED) else None


def _review(lead: Lead, _clocks: Clocks) -> str | None:
    return lead["review_on"] if lead["suspended"] else None


def _proposed(lead: Lead, _clocks: Clocks) -> str | None:
    since: str | None = lead["transfer_proposed_on"]
    return since


def _unruled(lead: Lead, clocks: Clocks) -> str | None:
    return clocks["shared"] if lead["credit_ruling_needed"] else None


# By default; the numbers are a setting.
RULES = (
    DueRule("answer", "答复", "working", 1, _unanswered, "提供的信息尚未答复提供人"),
    DueRule("screen", "研判", "working", 3, _unscreened, "提供的信息尚未研判"),
    DueRule("tell", "反馈", "calendar", 7, lambda _l, c: untold(c), "的进展尚未反馈提供人"),
    DueRule("follow_up", "跟进", "calendar", 14, _silent, "之后没有跟进记录"),
    DueRule("silent", "久无进展", "calendar", 30, _silent, "之后一直没有跟进记录"),
    DueRule("slipped", "拟签约到期", None, 0, _slipped, "预计签约，到期未签"),
    DueRule("start", "未开工", "calendar", 180, _unstarted, "签约，至今未开工"),
    DueRule("transfer", "流转答复", "calendar", 7, _proposed, "提出流转，接收方尚未答复"),
    DueRule("credit", "份额裁定", "calendar", 7, _unruled, "裁定份额后提供人有变，待重新裁定"),
    DueRule("review", "暂缓复核", None, 0, _review, "应复核暂缓"),
)
# What the district that a lead is proposed to has to do of it, as well as the one it is in.
ANSWERED_ELSEWHERE = "transfer"
# The graver rule of two that run on one clock takes the milder one's place.
INSTEAD = {"follow_up": "silent"}
DAYS: Mapping[str, int] = {rule.name: rule.days for rule in RULES if rule.unit}
