"""Doing something to a lead: the form that asks for its facts, and what is told of it."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from flask import Response
from marshmallow import fields

from api.app import request_now
from api.auth import MAY, scope
from api.endpoint import ledger
from api.loading import Loader
from api.pages.asking import Asked, Asking, Group, Part, flat, nested, parts
from api.pages.commands import FORMS, Form, choices, form_named, waivable
from api.pages.lead import found
from api.pages.plain import told_of
from api.pages.session import holder
from api.pages.site import VERSION_FIELD, asked, form, go_to, ours, page, show
from api.pages.travel import Travel
from api.pages.words import EVENTS, FACTS, name_of, who
from api.schemas import Request, RightFacts, Whole
from api.windows import lead_seen
from domain.actor import today_in_china
from domain.correction import REVISABLE, effective, may_be_right
from domain.errors import NotFound

_WRITE = "write leads"
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_LOADERS: Mapping[str, Loader] = {one.name: Loader(one.schema) for one in FORMS}
_CORRECTING = Loader(form_named("correction").schema)
_AT_ONCE = 200
# A fact that lacks → the field that gives it.
_GIVEN_BY = {"contract": "number"}
Json = dict[str, Any]


class DoingQuery(Request):
    """What a link to a form says already: where to go back to, and some of the facts."""

    back = fields.String()
    version = Whole(1, 10**9)
    verdict = fields.String()
    duplicate_of = fields.String()


@page("/leads/<lead_id>/do/<name>", _WRITE, query=DoingQuery())
def ask(lead_id: str, name: str, query: dict[str, Any]) -> Response:
    """The form."""
    wanted, what = lead_seen(lead_id), form_named(name)
    lead = _lead(wanted)
    told = {k: f"{v}" for k, v in query.items() if k in what.asks}
    values = {"occurred_on": f"{today_in_china()}", **_known(what, wanted, lead, told), **told}
    return _shown(what, lead, values, back=query.get("back"))


def _lead(wanted: UUID, version: int | None = None) -> Json:
    now = Travel(None, None, None)
    lead: Json = orjson.loads(found(wanted, now, version).body)
    return lead


def _known(what: Form, wanted: UUID, lead: Json, told: Mapping[str, str]) -> dict[str, str]:
    """What the form's fields hold before anybody has typed: what would be changed by it."""
    if what.name == "revision":
        return flat(_revisable(lead))
    if what.name == "credit":
        shares = [{"member": one["id"], "share": one["share"]} for one in lead["members"]]
        return flat({"shares": shares})
    if what.name == "correction":
        version = int(told.get("version", "0"))
        return flat({"facts": _right(wanted, version), "version": version})
    return {}


def _revisable(lead: Mapping[str, Any]) -> Json:
    """The facts that a revision may change, as they are; whom to call is not told here."""
    return {name: _bare(lead[name]) for name in REVISABLE if name != "contact"}


def _right(wanted: UUID, version: int, upto: int | None = None) -> Json:
    """The facts of an event as they are now taken to be, of those that may be put right."""
    events = ledger().reads.events_of(wanted, upto)
    if not 1 <= version <= len(events):
        raise NotFound(f"Lead {wanted} has no version {version}.")
    told = {event.originator_version: event for event in effective(events)}
    event = told.get(version)
    if event is None:
        return {}
    facts = {**vars(event), **(vars(event).get("facts") or {})}
    names = may_be_right(events[version - 1])
    return {name: _bare(facts.get(name)) for name in names if name != "contact"}


def _bare(value: Any) -> Any:
    """A fact as a command is given it: without what is computed, or says nothing."""
    if isinstance(value, Mapping):
        return {k: v for k, v in value.items() if v is not None and k != "cny"}
    return value


def _again(lead_id: str, name: str, refusal: Any, given: Mapping[str, str]) -> Response:
    """The form with what was typed, and what is wrong with it; or, where somebody was faster, with
    what they did."""
    what, wanted = form_named(name), lead_seen(lead_id)
    told, lead = _json(what, given), _lead(wanted)
    if what.name == "revision":
        changed = _facts(what, wanted, told, request_now().form)
        told = {**_revisable(lead), **changed}
    elif what.name == "correction":
        changed = _facts(what, wanted, told, request_now().form)
        right = _right(wanted, told.get("version", 0))
        told = {**told, "facts": {**right, **changed.get("facts", {})}}
    return _shown(what, lead, flat(told), given.get("_back"), refusal)


@form("/leads/<lead_id>/do/<name>", _WRITE, again=_again)
def do(lead_id: str, name: str) -> Response:
    """Carry it out, and go back to where it was asked from."""
    what, wanted = form_named(name), lead_seen(lead_id)
    given = {k: v.strip() for k, v in request_now().form.items()}
    sent = {k: v for k, v in given.items() if v}
    body = _facts(what, wanted, {**_json(what, sent), **what.fixed}, given)
    load = _CORRECTING if what.name == "correction" else _LOADERS[name]
    facts = load.load(body)
    what.carry(ledger(), wanted, asked(body), facts)
    return _done(lead_id, what, given.get("_back"), body.get("version"))


def _json(what: Form, given: Mapping[str, str]) -> Json:
    """What was filled in, as the API would be sent it."""
    told = nested(what.schema, given)
    if "duplicate_of" in told and (pasted := _ID.search(told["duplicate_of"])):
        told["duplicate_of"] = pasted[0]
    return told


def _facts(what: Form, wanted: UUID, told: Json, given: Mapping[str, str]) -> Json:
    """The same without what was only shown and left as it was; what was emptied is null."""
    if what.name == "signing-plan" and "expected_on" not in told:
        return {**told, "expected_on": None}
    if what.name == "revision":
        version = given.get(VERSION_FIELD, "")
        before = _revisable(_lead(wanted, int(version) if version.isdecimal() else None))
        return _changed(told, before, REVISABLE)
    if what.name == "correction":
        version = given.get(VERSION_FIELD, "")
        upto = int(version) if version.isdecimal() else None
        before = _right(wanted, told.get("version", 0), upto)
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


def _done(lead_id: str, what: Form, back: str | None, of: int | None) -> Response:
    """On to the page it was asked from; a script is told where that is."""
    place = ours(back) if back else f"/leads/{lead_id}"
    words = {"done": what.name, **({"lead": lead_id} if back else {}), **({"of": of} if of else {})}
    place = f"{place}{'&' if '?' in place else '?'}{urlencode(words)}"
    response = go_to(place)
    if request_now().headers.get("HX-Request"):
        del response.headers["Location"]
        response.status_code = 204
        response.headers["HX-Trigger"] = orjson.dumps({"done": {"place": place}}).decode()
    return response


def _shown(
    what: Form,
    lead: Json,
    values: Mapping[str, str],
    back: str | None = None,
    refusal: Any = None,
) -> Response:
    told = told_of(refusal)
    for fact, place in _GIVEN_BY.items():
        if fact in told["by"]:
            told["by"].setdefault(place, told["by"].pop(fact))
    asking = Asking(
        values=values,
        options={**choices(what, lead), **_people(what, values)},
        needed=what.needed,
    )
    fields_ = list(_parts(what, lead, asking))
    shown = {one.name for part in fields_ for one in _fields(part)} | {p.name for p in fields_}
    beside = {name: why for name, why in told["by"].items() if name not in shown}
    return show(
        "doing.html",
        refusal["status"] if refusal else 200,
        what=what,
        lead=lead,
        parts=fields_,
        waivers=list(_waivers(what, values)),
        names={one["id"]: one["name"] for one in lead["members"]},
        said=told["said"],
        wrong=told["by"],
        beside=beside,
        refusal=refusal,
        since=[_since(step) for step in (refusal or {}).get("events", ())],
        back=back,
        allowed=what.event == "" or what.allowed(lead),
        similar=lead["possible_duplicates"] if "duplicate_of" in what.asks else [],
        of=values.get("version"),
        fact_name=name_of,
        inside=bool(request_now().headers.get("HX-Request")),
    )


def _people(what: Form, values: Mapping[str, str]) -> Mapping[str, list[tuple[str, str]]]:
    """The members that a tip may be corrected to name."""
    if what.name != "correction" or "facts.members.0" not in values:
        return {}
    found, after = [], 0
    while True:
        some, more = ledger().reads.members(after, _AT_ONCE, None, None, scope())
        found += [(one["id"], f"{one['name']}（{one['number']}）") for one in some]
        if more is None:
            return {"members": found}
        after = more


def _parts(what: Form, lead: Json, asking: Asking) -> Any:
    names = [name for name in what.asks if name not in what.fixed]
    if what.name != "correction":
        yield from parts(what.schema, asking, names)
        return
    version = asking.values.get("version", "")
    known = _right(UUID(lead["id"]), int(version)) if version.isdecimal() else {}
    for name in names:
        if name == "facts":
            places = [one for one in FACTS if one in known]
            yield from parts(RightFacts(), asking, places, "facts.")
        else:
            yield from parts(what.schema, asking, [name])


def _fields(part: Part) -> list[Asked]:
    return [one for row in part.rows for one in row] if isinstance(part, Group) else [part]


def _waivers(what: Form, values: Mapping[str, str]) -> Any:
    """A reason for each fact that an administrator may do without."""
    who_ = holder()
    if who_ is None or who_.role not in MAY["waive facts"].roles:
        return
    for at, (fact, label) in enumerate(waivable(what)):
        name = f"waivers.{at}"
        yield name, fact, label, values.get(f"{name}.reason", "")


def _since(step: Mapping[str, Any]) -> Json:
    """What somebody else did meanwhile."""
    return {
        "label": EVENTS.get(step["event"], step["event"]),
        "actor": who(step["actor"]),
        "occurred_on": step["occurred_on"],
        "recorded_at": step["recorded_at"],
    }
