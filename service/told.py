"""What the events of a lead tell that a row of a paper ledger tells as well, by command.

It has the shape of a row's own commands (`paper.py`), so that the two can be laid side by side.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple


class Told(NamedTuple):
    """What a command's facts are now, and the version that says so; ``revised`` has the version
    of each fact that a later one says."""

    version: int
    facts: dict[str, Any]
    revised: dict[str, int]


Life = dict[str, Told]

TIP_FACTS = ("title", "investor", "industry", "investment")
# event → the command it came from, and its facts that paper tells
_FACTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "lead.negotiation_opened": ("open_negotiation", ("responsible_unit", "manager")),
    "lead.signing_planned": ("plan_signing", ("expected_on",)),
    "lead.framework_agreed": ("agree_framework", ("investment",)),
    "lead.signed": ("sign", ("investment",)),
    "lead.groundbroken": ("break_ground", ("evidence",)),
    "lead.closed": ("close", ("outcome", "reason")),
}
ENDS = ("close", "screen")
_MARK = re.compile(r"paper row ([0-9a-f]{16})")


def mark_of(event: Any) -> re.Match[str] | None:
    """The digest of the changed row that an event was recorded for, if it was."""
    return _MARK.fullmatch(event.note or "")


def from_paper(past: Sequence[Any]) -> list[Any]:
    """Those of a lead's events that its rows were taken in with; all, if it came from no paper:
    then its first row is one that an export wrote of it."""
    if past[0].source is None:
        return list(past)
    first = past[0].request
    return [event for event in past if event.request == first or mark_of(event)]


def life_of(events: Iterable[Any]) -> Life:
    """The last of each command that ``events`` (effective ones, in order) tell of and that still
    stands: an end is undone by a reopening, a framework agreement stays beside a contract."""
    life: Life = {}
    dated: dict[str, str] = {}
    for event in events:
        if event.TOPIC == "lead.revised":
            _revised(life, dated, event)
        elif event.TOPIC == "lead.tipped":
            facts = {name: getattr(event, name) for name in TIP_FACTS}
            facts |= {name: getattr(event, name) for name in ("occurred_on", "members", "note")}
            life["tip"] = Told(event.originator_version, facts, {})
            dated = dict.fromkeys(TIP_FACTS, event.occurred_on)
        else:
            _went_on(life, event)
    if "plan_signing" in life and life["plan_signing"].facts["expected_on"] is None:
        del life["plan_signing"]
    if "tip" in life:
        life["tip"].facts["investor"] = paper_investor(life["tip"].facts["investor"])
    return life


def _went_on(life: Life, event: Any) -> None:
    """What an event after the tip tells."""
    if event.TOPIC in _FACTS:
        method, names = _FACTS[event.TOPIC]
        facts = {name: getattr(event, name) for name in ("occurred_on", *names)}
        life[method] = Told(event.originator_version, facts, {})
    elif event.TOPIC == "lead.reopened":
        for end in ENDS:
            life.pop(end, None)
    elif event.TOPIC == "lead.screened" and event.verdict != "pursue":
        name = "screen" if event.verdict == "duplicate" else "close"
        outcome = {} if event.verdict == "duplicate" else {"outcome": "declined"}
        facts = {"occurred_on": event.occurred_on, "reason": event.reason, **outcome}
        life[name] = Told(event.originator_version, facts, {})


def paper_investor(investor: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """An investor as paper tells it: without a country."""
    return {name: investor[name] for name in ("name", "uscc")} if investor else None


def _revised(life: Life, dated: dict[str, str], event: Any) -> None:
    """What a revision says of the tip's facts; an amount after the contract is none of them."""
    for name, value in event.facts.items():
        since = dated.get(name)
        if since is None or event.occurred_on < since:
            continue
        if name != "investment" or "sign" not in life:
            life["tip"].facts[name] = value
            life["tip"].revised[name] = event.originator_version
            dated[name] = event.occurred_on


def tells_amount(event: Any) -> bool:
    """Whether it is a revision of the amount."""
    return event.TOPIC == "lead.revised" and "investment" in event.facts


def amount_from(events: Iterable[Any]) -> Any:
    """Which of ``events`` (effective ones, in order) says the amount that stands."""
    said = [
        event
        for event in events
        if event.TOPIC == "lead.tipped"
        or tells_amount(event)
        or (event.TOPIC == "lead.signed" and event.investment)
    ]
    # Of one day the last.
    return max(reversed(said), key=lambda event: event.occurred_on)
