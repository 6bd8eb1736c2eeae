"""What is sent of a form that changes what is there already: only what is other than before."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson

from api.endpoint import ledger
from api.pages.asking import flat, nested
from api.pages.commands import Form
from api.pages.lead import found
from api.pages.site import VERSION_FIELD
from api.pages.travel import Travel
from domain.correction import CORRECTABLE, REVISABLE, effective, may_be_right
from domain.errors import NotFound

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Json = dict[str, Any]


def lead_at(wanted: UUID, version: int | None = None) -> Json:
    """The lead as it stands, or stood at a version."""
    lead: Json = orjson.loads(found(wanted, Travel(None, None, None), version).body)
    return lead


def known(what: Form, wanted: UUID, lead: Json, told: Mapping[str, str]) -> dict[str, str]:
    """What the form's fields hold before anybody has typed: what would be changed by it."""
    if what.name == "revision":
        return flat(revisable(lead))
    if what.name == "credit":
        shares = [{"member": one["id"], "share": one["share"]} for one in lead["members"]]
        return flat({"shares": shares})
    if what.name == "correction":
        version = int(told.get("version", "0"))
        return flat({"facts": right_facts(wanted, version), "version": version})
    return {}


def revisable(lead: Mapping[str, Any]) -> Json:
    """The facts that a revision may change, as they are; whom to call is not told here."""
    return {name: _bare(lead[name]) for name in REVISABLE if name != "contact"}


def right_facts(wanted: UUID, version: int, upto: int | None = None) -> Json:
    """The facts of an event as they are now taken to be, of those that may be put right."""
    events = ledger().reads.events_of(wanted, upto)
    if not 1 <= version <= len(events):
        raise NotFound("Lead {wanted} has no version {version}.", wanted=wanted, version=version)
    told = {event.originator_version: event for event in effective(events)}
    event = told.get(version)
    if event is None:
        return {}
    facts = {**vars(event), **(vars(event).get("facts") or {})}
    names = may_be_right(events[version - 1])
    # Whom to call is asked for, and what is known of it not told.
    return {name: None if name == "contact" else _bare(facts.get(name)) for name in names}


def voidable(wanted: UUID, version: int) -> bool:
    """Whether an event may be said never to have been."""
    events = ledger().reads.events_of(wanted, None)
    about = CORRECTABLE.get(events[version - 1].TOPIC) if 1 <= version <= len(events) else None
    return about is None or about.void


def _bare(value: Any) -> Any:
    """A fact as a command is given it: without what is computed, or says nothing."""
    if isinstance(value, Mapping):
        return {k: v for k, v in value.items() if v is not None and k != "cny"}
    return value


def filled_in(what: Form, given: Mapping[str, str]) -> Json:
    """What was filled in, as the API would be sent it."""
    told = nested(what.schema, given)
    if "duplicate_of" in told and (pasted := _ID.search(told["duplicate_of"])):
        told["duplicate_of"] = pasted[0]
    return told


def facts_of(what: Form, wanted: UUID, told: Json, given: Mapping[str, str]) -> Json:
    """The same without what was only shown and left as it was; what was emptied is null."""
    if what.name == "signing-plan" and "expected_on" not in told:
        return {**told, "expected_on": None}
    if what.name == "revision":
        version = given.get(VERSION_FIELD, "")
        before = revisable(lead_at(wanted, int(version) if version.isdecimal() else None))
        return _changed(told, before, REVISABLE)
    if what.name == "correction":
        version = given.get(VERSION_FIELD, "")
        upto = int(version) if version.isdecimal() else None
        before = right_facts(wanted, told.get("version", 0), upto)
        right = _changed(told.get("facts", {}), before, tuple(before))
        said = {name: value for name, value in told.items() if name != "facts"}
        return {**said, **({"facts": right} if right and not told.get("void") else {})}
    return told


def _changed(told: Json, before: Json, names: Any) -> Json:
    """Of the facts of these names those that are not as ``before``."""
    kept = {name: value for name, value in told.items() if name not in names}
    for name in names:
        now, was = told.get(name), before.get(name)
        if name == "contact":
            kept.update({name: now} if now else {})
        elif (now or None) != (was or None):
            kept[name] = now
    return kept
