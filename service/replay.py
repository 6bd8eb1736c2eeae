"""The history of a lead, step by step: what happened, who recorded it when, what it changed."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from domain.correction import CORRECTED, voided_by
from service.projections.view import Names, View, recorded_at, view_of

# What every event says besides its facts; a step says it beside them.
_ENVELOPE = frozenset(
    "originator_id originator_version originator_topic timestamp recorded_at occurred_on actor "
    "request corrects".split()
)
# What is told beside the changes, or follows from them.
_UNTOLD = frozenset(
    {"id", "version", "recorded_at", "last_activity_on", "missing", "possible_duplicates"}
)
# Of a fact with several parts, those that say nothing to who reads it.
_UNSAID = frozenset({"id", "cny"})
# Shown by its parts, since each is a fact of its own.
_APART = frozenset({"dates", "recognised"})


def steps(
    events: Sequence[Any], positions: Mapping[int, int], names: Names
) -> Iterator[dict[str, Any]]:
    """Each of a lead's events: version, position, event, occurred_on, recorded_at, actor, facts as
    recorded; ``corrects``, the version it puts right; ``changes`` ({"fact", "from", "to"}) of what
    the lead shows; ``corrected_by`` and ``voided``, of what all of ``events`` make of it now.

    ``positions`` by version, ``names`` by member id.
    """
    corrected: dict[int, list[int]] = {}
    for event in events:
        if event.TOPIC == CORRECTED:
            corrected.setdefault(event.corrects, []).append(event.originator_version)
    before: dict[str, Any] = {}
    view: View | None = None
    for number, event in enumerate(events, 1):
        if view is None or event.TOPIC == CORRECTED:
            view = view_of(events[:number], names, alone=True)
        else:
            view.fold(event)
        shown = _flat(view.lead)
        version = event.originator_version
        by = corrected.get(version, [])
        yield {
            "version": version,
            "position": positions[version],
            "event": event.TOPIC.partition(".")[2],
            "occurred_on": event.occurred_on,
            "recorded_at": recorded_at(event),
            "actor": event.actor,
            "facts": {name: v for name, v in vars(event).items() if name not in _ENVELOPE},
            "corrects": event.corrects if event.TOPIC == CORRECTED else None,
            "corrected_by": by,
            "voided": bool(by) and voided_by(events, version) is not None,
            "changes": _changes(before, shown),
        }
        before = shown


def _flat(lead: Mapping[str, Any]) -> dict[str, Any]:
    """What a lead shows, by name, as it is at this moment."""
    flat: dict[str, Any] = {}
    for name, value in lead.items():
        if name in _APART:
            flat.update({f"{name}.{part}": inner for part, inner in value.items()})
        elif name not in _UNTOLD:
            flat[name] = list(value) if isinstance(value, list) else value
    return flat


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {"fact": name, "from": before.get(name), "to": value}
        for name, value in after.items()
        if value != before.get(name) and (before or value not in (None, [], False))
    ]


def lines(lead: Mapping[str, Any], told: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """The steps for a terminal, under a heading."""
    yield f"{lead['title']}  {lead['district']}  {lead['id']}"
    for step in told:
        yield ""
        yield f"{step['version']:>4}  {step['occurred_on']}  {step['event']}{_about(step)}"
        yield (
            f"      recorded {step['recorded_at']} by {step['actor']}, position {step['position']}"
        )
        for name in ("reason", "note"):
            if step["facts"].get(name):
                yield f"      {name}: {step['facts'][name]}"
        for change in step["changes"]:
            yield f"      {change['fact']}: {_text(change['from'])} → {_text(change['to'])}"


def _about(step: Mapping[str, Any]) -> str:
    """What it corrects, and what corrected it."""
    about = ""
    if step["corrects"] is not None:
        what = "voids" if step["facts"]["void"] else "puts right"
        about += f"  {what} version {step['corrects']}"
    if step["voided"]:
        about += "  (voided)"
    elif step["corrected_by"]:
        about += f"  (corrected by version {', '.join(map(str, step['corrected_by']))})"
    return about


def _text(value: Any) -> str:
    """A fact in a few words."""
    if value is None:
        return "–"
    if isinstance(value, Mapping):
        said = {name: inner for name, inner in value.items() if name not in _UNSAID}
        return " ".join(f"{inner}" for inner in said.values() if inner is not None)
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "–"
    return f"{value}"
