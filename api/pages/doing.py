"""Doing something to a lead: the form that asks for its facts, and what is told of it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
from flask import Response
from markupsafe import Markup
from marshmallow import fields, pre_load

from api.app import request_now
from api.auth import MAY
from api.endpoint import ledger
from api.loading import Loader
from api.pages.asking import Asked, Asking, Group, Part, flat, parts
from api.pages.changing import (
    Json,
    facts_of,
    filled_in,
    known,
    lead_at,
    revisable,
    right_facts,
    voidable,
)
from api.pages.commands import FORMS, Form, choices, form_named, waivable
from api.pages.correcting import BY, by_their_ids, listed, people_for, righted, shown_as
from api.pages.look import macro
from api.pages.look import told_later as _
from api.pages.refusals import told_of
from api.pages.session import holder
from api.pages.site import asked, form, go_to, ours, page, show
from api.pages.texts import gettext, language
from api.pages.words import EVENTS, FACTS, who
from api.schemas import Request, RightFacts, Whole
from api.windows import lead_seen
from domain.actor import today_in_china

_WRITE = "write leads"
_LOADERS: Mapping[str, Loader] = {one.name: Loader(one.schema) for one in FORMS}
_CORRECTING = Loader(form_named("correction").schema)
# What a correction says of itself, and of the event as well → what it is called.
_OF_ITSELF = {"occurred_on": _("更正日期"), "note": _("更正备注")}
# So many forms are kept as nobody has filled them in yet, some 2 MB.
_KEPT = 512
# A mapping's pairs, to be kept by
_Items = tuple[tuple[str, Any], ...]
# A fact that lacks → the field that gives it.
_GIVEN_BY = {"contract": "number"}


class DoingQuery(Request):
    """What a link to a form says already: where to go back to, and some of the facts."""

    back = fields.String()
    version = Whole(1, 10**9)
    verdict = fields.String()
    duplicate_of = fields.String()
    typed = fields.String()

    @pre_load
    def _of_whom(self, data: Mapping[str, Any], **_more: Any) -> dict[str, Any]:
        """What was typed so far of a member, whichever field it is in."""
        return {"typed" if n.startswith(f"{BY}.") else n: v for n, v in data.items()}


@page("/leads/<lead_id>/do/<name>", _WRITE, query=DoingQuery())
def ask(lead_id: str, name: str, query: dict[str, Any]) -> Response:
    """The form."""
    wanted, what = lead_seen(lead_id), form_named(name)
    lead = lead_at(wanted)
    told = {k: f"{v}" for k, v in query.items() if k in what.asks}
    values = {"occurred_on": f"{today_in_china()}", **known(what, wanted, lead, told), **told}
    return _shown(what, lead, values, back=query.get("back"), typed=query.get("typed", ""))


def _again(lead_id: str, name: str, refusal: Any, given: Mapping[str, str]) -> Response:
    """The form with what was typed, and what is wrong with it; or, where somebody was faster, with
    what they did."""
    what, wanted = form_named(name), lead_seen(lead_id)
    told, lead = filled_in(what, given), lead_at(wanted)
    if what.name == "revision":
        changed = facts_of(what, wanted, told, request_now().form)
        told = {**revisable(lead), **changed}
    elif what.name == "correction":
        changed = facts_of(what, wanted, told, request_now().form)
        right = right_facts(wanted, told.get("version", 0))
        told = {**told, "facts": {**right, **changed.get("facts", {})}}
    return _shown(what, lead, flat(told), given.get("_back"), refusal)


@form("/leads/<lead_id>/do/<name>", _WRITE, again=_again)
def do(lead_id: str, name: str) -> Response:
    """Carry it out, and go back to where it was asked from."""
    what, wanted = form_named(name), lead_seen(lead_id)
    given = {k: v.strip() for k, v in request_now().form.items()}
    sent = {k: v for k, v in given.items() if v}
    sent = by_their_ids(wanted, sent)
    body = facts_of(what, wanted, {**filled_in(what, sent), **what.fixed}, given)
    load = _CORRECTING if what.name == "correction" else _LOADERS[name]
    facts = load.load(body)
    what.carry(ledger(), wanted, asked(body), facts)
    return _done(lead_id, what, given.get("_back"), body.get("version"))


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
    typed: str = "",
) -> Response:
    told = told_of(refusal)
    for fact, place in _GIVEN_BY.items():
        if fact in told["by"]:
            told["by"].setdefault(place, told["by"].pop(fact))
    them = people_for(what, values, typed)
    options = {**choices(what, lead), **listed(them, values)}
    if them and them.many:
        values = {name: shown_as(name, value) for name, value in values.items()}
    names = {one["id"]: one["name"] for one in lead["members"]}
    seek = f"/leads/{lead['id']}/do/{what.name}?version={values.get('version', '')}"
    beside: Mapping[str, Any] = {}
    if refusal is None and what.name != "correction":
        asks = _asks(
            what.name, *(tuple(one.items()) for one in (values, options, names)), language()
        )
    else:
        sought = frozenset({"members"}) if them and them.many else frozenset()
        fields_ = list(_parts(what, lead, Asking(values, options, what.needed, sought)))
        shown = {one.name for part in fields_ for one in _fields(part)} | {p.name for p in fields_}
        beside = {name: why for name, why in told["by"].items() if name not in shown}
        asks = macro("asking.html", "asks")(what.name, fields_, told["by"], names, seek)
    return show(
        "doing.html",
        refusal["status"] if refusal else 200,
        what=what,
        lead=lead,
        asks=asks,
        waivers=list(_waivers(what, values)),
        said=told["said"],
        wrong=told["by"],
        beside=beside,
        refusal=refusal,
        since=[_since(step) for step in (refusal or {}).get("events", ())],
        back=back,
        allowed=what.event == "" or what.allowed(lead),
        similar=lead["possible_duplicates"] if "duplicate_of" in what.asks else [],
        of=values.get("version"),
        people=them.them if them and them.many else None,
        righted=righted(lead, values) if what.name == "correction" else None,
        inside=bool(request_now().headers.get("HX-Request")),
    )


@lru_cache(maxsize=_KEPT)
def _asks(name: str, values: _Items, options: _Items, names: _Items, _language: str) -> Markup:
    """The fields of a form before anybody typed. The same is always asked in the same words."""
    what = form_named(name)
    asking = Asking(dict(values), dict(options), what.needed)
    asked_ = [one for one in what.asks if one not in what.fixed]
    told = list(parts(what.schema, asking, asked_))
    return macro("asking.html", "asks")(name, told, {}, dict(names))


def _parts(what: Form, lead: Json, asking: Asking) -> Any:
    names = [name for name in what.asks if name not in what.fixed]
    if what.name != "correction":
        yield from parts(what.schema, asking, names)
        return
    version = int(words) if (words := asking.values.get("version", "")).isdecimal() else 0
    wanted = UUID(lead["id"])
    known = right_facts(wanted, version) if version else {}
    for name in names:
        if name == "facts":
            places = [one for one in FACTS if one in known]
            yield from parts(RightFacts(), asking, places, "facts.")
        elif name != "void" or voidable(wanted, version):
            for part in parts(what.schema, asking, [name]):
                yield part._replace(label=gettext(_OF_ITSELF.get(name, part.label)))


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
