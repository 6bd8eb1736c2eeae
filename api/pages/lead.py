"""一个项目: what it is, what happened to it, and what may be done next."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from flask import Response
from marshmallow import fields

from api.auth import scope
from api.endpoint import ledger
from api.leads import in_plain
from api.pages import figures
from api.pages.commands import CORRECTION, Form, form_named, offered
from api.pages.session import holder
from api.pages.site import form, page, show
from api.pages.texts import gettext
from api.pages.timeline import timeline
from api.pages.travel import Travel, TravelQuery, travel
from api.pages.words import ALIKE
from api.reply import Reply
from api.schemas import Request, Text, Whole
from api.windows import lead_seen
from service.industries import DIVISIONS
from service.reads import Found

_READ = "read leads"


class LeadPageQuery(TravelQuery):
    """Which version of it; ``done`` names the command that leads here, and ``of``
    the version that it put right."""

    version = Whole(1, 10**9)
    done = fields.String()
    of = fields.String()


class ContactAsked(Request):
    """Why somebody asks for a contact as it is."""

    reason = Text(200, required=True)


@page("/leads/<lead_id>", _READ, query=LeadPageQuery())
def lead(lead_id: str, query: dict[str, Any]) -> Response:
    """The lead as it stands, or as it was at a version, as of a day, or known at a moment."""
    when = travel(query)
    done = form_named(query["done"]) if "done" in query else None
    kept = "/".join(query[name] for name in ("done", "of") if name in query)
    return _shown(lead_seen(lead_id), when, query.get("version"), done=done, kept=kept)


def found(wanted: UUID, when: Travel, version: int | None = None) -> Found:
    """The lead then, with what it may be the same as for whoever may know."""
    office = ledger().similar.within(scope()) if scope().member is None else ledger().reads
    if version is None and not when.words:
        return office.lead(wanted, ledger().reads.position())
    return office.lead_at(wanted, version, when.position, when.day)


def _shown(
    wanted: UUID,
    when: Travel,
    version: int | None = None,
    *,
    done: Form | None = None,
    kept: str = "",
    plain: Mapping[str, Any] | None = None,
    refusal: Any = None,
    status: int = 200,
) -> Response:
    named = scope().member is None
    told = ledger().personal.body(found(wanted, when, version).body, named=named)[0]
    lead = orjson.loads(told)
    last = ledger().reads.lead(wanted).version
    past = bool(when.words) or lead["version"] < last
    history = timeline(wanted, when.position)
    return show(
        "lead.html",
        status,
        lead=lead,
        last=last,
        past=past,
        when=when,
        done=done,
        kept=kept,
        contact=plain,
        refusal=refusal,
        history=[one for one in history.happenings if one.version <= lead["version"]],
        papers=history.papers,
        forms=[] if past else list(offered(lead, holder())),
        correction=CORRECTION,
        screening=form_named("screening"),
        alike=_alike,
        none_of=lambda: figures.money(None),
        grouped=figures.grouped,
        industry_name=lambda code: DIVISIONS.get(code[:3], ""),
    )


def _alike(reasons: Sequence[str]) -> str:
    """Why two leads may be the same, in words."""
    return figures.listed(gettext(ALIKE[reason]) for reason in reasons)


def _again(lead_id: str, refusal: Any, **_: Any) -> Response:
    now = Travel(None, None, None)
    return _shown(lead_seen(lead_id), now, refusal=refusal, status=refusal["status"])


@form("/leads/<lead_id>/contact", "read personal data", fields=ContactAsked(), again=_again)
def contact(lead_id: str, body: dict[str, Any]) -> Response:
    """The contact as it is; who asks and why is recorded before it is shown."""
    wanted, now = lead_seen(lead_id), Travel(None, None, None)
    told = in_plain(found(wanted, now), body["reason"])
    return _shown(wanted, now, plain=told["contact"])


@page("/leads/<lead_id>/proof", "audit")
def proof(lead_id: str) -> Reply:
    """The lead's history as it is stored and what proves it, to keep."""
    told = ledger().audit.lead_proof(lead_seen(lead_id))
    name = f'attachment; filename="lead-{lead_id}-proof.json"'
    return Reply(
        orjson.dumps(told, option=orjson.OPT_INDENT_2),
        200,
        ("Content-Disposition", name),
        ("Cache-Control", "no-store"),
    )
