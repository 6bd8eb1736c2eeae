"""What the sheet tells of a lead and the lead itself does not show: contract, evidence, reasons.

It is kept beside the lead, among what the next event needs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from service.course import entry_of

Told = dict[str, Any]


def told_of_tip(event: Any) -> Told:
    """What cells tell of a lead that the lead itself does not show, at its beginning."""
    course = [f"{entry_of(event)}"]
    return {"note": event.note, "course": course, "district": event.district}


def hear(told: Told, event: Any, lead: Mapping[str, Any]) -> None:
    """Keep what cells tell of a later event, with the lead as it was before."""
    entry = entry_of(event)
    if entry is not None:
        told["course"].append(f"{entry}")
    heard = HEARD.get(event.TOPIC)
    if heard is not None:
        heard(told, event, lead)


def _signed(told: Told, event: Any, lead: Mapping[str, Any]) -> None:
    told["contract"] = [event.number, bool(event.investment)]
    told["planned"] = lead["investment"]


def _framework_agreed(told: Told, event: Any, _lead: Mapping[str, Any]) -> None:
    told["framework_on"] = event.occurred_on


def _groundbroken(told: Told, event: Any, _lead: Mapping[str, Any]) -> None:
    first = event.evidence[0] if event.evidence else None
    told["start"] = event.start
    told["evidence"] = f"{first['kind']}:{first['reference']}" if first else None


def _closed(told: Told, event: Any, _lead: Mapping[str, Any]) -> None:
    told["reason"], told["lost_to"] = event.reason, event.lost_to


def _screened(told: Told, event: Any, _lead: Mapping[str, Any]) -> None:
    if event.verdict != "pursue":
        told["reason"] = event.reason


def _reopened(told: Told, _event: Any, _lead: Mapping[str, Any]) -> None:
    told["reason"] = told["lost_to"] = None


# What happened → what is kept of it, with the lead as it was before.
HEARD: Mapping[str, Callable[[Told, Any, Mapping[str, Any]], None]] = {
    "lead.signed": _signed,
    "lead.framework_agreed": _framework_agreed,
    "lead.groundbroken": _groundbroken,
    "lead.closed": _closed,
    "lead.screened": _screened,
    "lead.reopened": _reopened,
}
