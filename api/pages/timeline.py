"""A lead's history as a time line: each step in both its dates, with what was put right."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from api.auth import scope
from api.endpoint import ledger
from api.pages.figures import listed
from api.pages.texts import gettext
from api.pages.words import EVENTS, FACTS, name_of, value_of, who
from domain.correction import CORRECTABLE, effective

# As they are asked; a note comes last.
_ORDER = {name: place for place, name in enumerate([*FACTS, "note"])}
_LAST = len(FACTS)
# What a step says beside its facts, or that says nothing to who reads it.
_UNTOLD = frozenset({"facts", "void", "source", "waived", "id", "version"})


class Line(NamedTuple):
    """A fact of a step: what it is called, as it was recorded, and what is right instead (None:
    that is)."""

    label: str
    was: str
    right: str | None = None


class Happening(NamedTuple):
    """One step. ``explained``: the corrections of it, each its version, whether it says that the
    step never was, and why."""

    version: int
    event: str
    label: str
    occurred_on: str
    recorded_at: str
    actor: str
    lines: Sequence[Line]
    waived: Sequence[str]
    voided: bool
    right_day: str | None
    corrects: int | None
    explained: Sequence[Mapping[str, Any]]
    correctable: bool


class Paper(NamedTuple):
    """A document that stands behind a step: of what, what it is, and its reference."""

    event: str
    kind: str
    reference: str


class Told(NamedTuple):
    """A lead's time line, oldest first, and the documents that stand behind it."""

    happenings: Sequence[Happening]
    papers: Sequence[Paper]


def timeline(lead_id: UUID, known_at: int | None = None) -> Told:
    """What happened to the lead, as known at a position."""
    office, named = ledger(), scope().member is None
    told = office.reads.history(lead_id, known_at=known_at)
    steps = office.personal.steps(told, named=named)
    events = office.reads.events_of(lead_id, steps[-1]["version"])
    right = {event.originator_version: vars(event) for event in effective(events)}
    reasons = {step["version"]: step["facts"] for step in steps if step["corrects"]}
    happenings = [_happening(step, right.get(step["version"]), reasons) for step in steps]
    return Told(happenings, list(_papers(effective(events))))


def _papers(events: Sequence[Any]) -> Iterator[Paper]:
    for event in events:
        name, facts = event.TOPIC.partition(".")[2], vars(event)
        label = gettext(EVENTS.get(name, name))
        for fact in ("number", "document_sha256"):
            if facts.get(fact):
                yield Paper(label, name_of(fact), facts[fact])
        for piece in facts.get("evidence") or ():
            yield Paper(label, value_of("evidence.kind", piece["kind"]), piece["reference"])


def _happening(
    step: Mapping[str, Any], right: Mapping[str, Any] | None, reasons: Mapping[int, Any]
) -> Happening:
    explained = [
        {"version": by, "void": reasons[by]["void"], "reason": reasons[by]["reason"]}
        for by in step["corrected_by"]
        if by in reasons
    ]
    day = right["occurred_on"] if right else step["occurred_on"]
    return Happening(
        version=step["version"],
        event=step["event"],
        label=gettext(EVENTS.get(step["event"], step["event"])),
        occurred_on=step["occurred_on"],
        recorded_at=step["recorded_at"],
        actor=who(step["actor"]),
        lines=list(_lines(step, right if explained else None)),
        waived=[value_of("waived", one) for one in step["facts"].get("waived") or ()],
        voided=step["voided"],
        right_day=day if day != step["occurred_on"] else None,
        corrects=step["corrects"],
        explained=explained,
        correctable=f"lead.{step['event']}" in CORRECTABLE or step["corrects"] is not None,
    )


def _lines(step: Mapping[str, Any], right: Mapping[str, Any] | None) -> Iterator[Line]:
    facts = dict(step["facts"])
    if step["corrects"] is not None:
        yield from _put_right(facts)
    for name, value in sorted(facts.items(), key=lambda fact: _ORDER.get(fact[0], _LAST)):
        told = facts["facts"] if name == "facts" and step["corrects"] is None else None
        if isinstance(told, Mapping):
            then = right.get("facts", {}) if right else {}
            for inner, said in told.items():
                yield _line(inner, said, then.get(inner, said))
        elif name not in _UNTOLD and value not in (None, []):
            yield _line(name, value, right.get(name, value) if right else value)


def _put_right(facts: Mapping[str, Any]) -> Iterator[Line]:
    """What a correction says."""
    if facts.get("void"):
        yield Line(gettext("更正为"), gettext("此事从未发生"))
    for name, value in (facts.get("facts") or {}).items():
        yield Line(name_of(name), _said(name, value))


def _line(name: str, was: Any, right: Any) -> Line:
    if name == "contact" or right == was:
        return Line(name_of(name), _said(name, was))
    return Line(name_of(name), _said(name, was), _said(name, right))


def _said(name: str, value: Any) -> str:
    """A fact in words; members and leads by what they are called."""
    if name == "members":
        return listed(_members(value))
    if name == "shares":
        names = _members([one["member"] for one in value])
        return listed(f"{n} {one['share']}" for n, one in zip(names, value, strict=True))
    return value_of(name, value)


def _members(ids: Sequence[str]) -> list[str]:
    return list(ledger().names_of(ids).values())
