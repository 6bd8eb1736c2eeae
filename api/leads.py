"""Leads: tip, read, and every command that moves or describes one."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import orjson
from flask import g
from flask_smorest import Blueprint

from api import schemas
from api.answers import HistoryOut, LeadOut, LeadsOut
from api.auth import check_may, scope
from api.cursors import page_of, read_cursor, write_cursor
from api.endpoint import View, answered, call, endpoint, ledger, shown
from api.noting import caller
from api.replica import by_replica, reading
from api.reply import Reply
from api.windows import as_of, known_at, lead_seen, selection
from domain.errors import Forbidden, Invalid
from service.application import Ledger
from service.commands.carrying import Answer
from service.projections.lead_list import Question
from service.projections.store import FOREVER, LAST_DAY
from service.reads import Found, LeadPage

# (ledger, lead's id, call, facts) → what is answered
Carry = Callable[..., Answer]

blueprint = Blueprint("leads", __name__, url_prefix="/v1", description="Leads (项目).")


@endpoint(
    blueprint,
    "POST",
    "/leads",
    "tip",
    LeadOut,
    body=schemas.LeadIn(),
    status=201,
    refusals=(409,),
)
def tip(body: dict[str, Any]) -> Reply:
    """A member's tip begins a lead. A token of role member tips for its own member only."""
    own = scope().member
    if own is not None and body["members"] != [own]:
        raise Forbidden("This token tips for its own member only; name it alone in members.")
    # Whether it is the same as somebody else's lead is not a member's to know.
    if own is None:
        return answered(ledger().enter(call(body), body))
    return answered(_nameless(ledger().tip(call(body), body)))


@endpoint(blueprint, "GET", "/leads", "read leads", LeadsOut, query=schemas.LeadsQuery())
@by_replica
def leads(query: dict[str, Any]) -> Reply:
    """Leads, chosen and sorted; later pages show them as they were at the first."""
    page, cursor = page_of_leads(query)
    bodies = ledger().personal.bodies(page.bodies, named=scope().member is None)
    return page_of(b"[" + b",".join(bodies) + b"]", cursor, page.reflects)


def page_of_leads(query: Mapping[str, Any], of: str | None = None) -> tuple[LeadPage, str | None]:
    """The page that the query asks for, and the cursor of the next one; None at the end. ``of``: as
    in `cursors`."""
    page = reading().reads.leads(question_of(query, of))
    return page, write_cursor(page.position, *page.last, of=of) if page.last else None


def question_of(query: Mapping[str, Any], of: str | None = None) -> Question:
    """Which leads, sorted how, as of when, from which cursor on."""
    sort: str = query["sort"]
    key = int if sort.lstrip("-") in ("recorded", "amount") else str
    place = read_cursor(query, (int, key, int), of)
    chosen = selection(
        query,
        stage=query.get("stage"),
        about_to_sign=query.get("about_to_sign"),
        suspended=query.get("suspended"),
        most_fen=query["max_cny"] * 100 if "max_cny" in query else None,
        tip_from=query.get("tip_from"),
        tip_to=query.get("tip_to"),
        words=query.get("q"),
    )
    day, moment = as_of(query), known_at(query)
    moments = [at for at in (moment, place[0] if place else None) if at is not None]
    return Question(
        selection=chosen,
        sort=sort.lstrip("-"),
        descending=sort.startswith("-"),
        limit=query["limit"],
        as_of=LAST_DAY if day is None else f"{day}",
        known_at=min([FOREVER - 1, *moments]),
        after=(place[1], place[2]) if place else None,
    )


@endpoint(
    blueprint,
    "GET",
    "/leads/<lead_id>",
    "read leads",
    LeadOut,
    query=schemas.LeadQuery(),
    refusals=(404,),
)
@by_replica
def lead(lead_id: str, query: dict[str, Any]) -> Reply:
    """A lead as it stands, or as it was at a version, or as it was known at a moment. Its contact
    is masked, unless an officer or administrator asks for it with a reason."""
    wanted, named = lead_seen(lead_id), scope().member is None
    office = reading().similar.within(scope()) if named else reading().reads
    if query:
        found = office.lead_at(wanted, query.get("version"), known_at(query), as_of(query))
    else:
        found = office.lead(wanted, g.position)
    if "contact" in query:
        told = in_plain(found, query["reason"])
        return shown(told, found.position, found.version, fresh=True)
    body, gone = ledger().personal.body(found.body, named=named)
    # Whoever holds the lead as it was before its person was erased is not told that it still is.
    return shown(body, found.position, found.version, fresh=gone)


def in_plain(found: Found, reason: str) -> dict[str, Any]:
    """A lead with its contact as it is; who asks, and why, is recorded before it is shown."""
    check_may(g.holder, "read personal data")
    lead = orjson.loads(found.body)
    access = ledger().access
    access.note("personal-data", "read a contact", by=caller(), subject=lead["id"], reason=reason)
    return ledger().personal.shown(lead, plain=True)


@endpoint(
    blueprint,
    "GET",
    "/leads/<lead_id>/history",
    "read leads",
    HistoryOut,
    query=schemas.HistoryQuery(),
    refusals=(404,),
)
@by_replica
def history(lead_id: str, query: dict[str, Any]) -> Reply:
    """What happened to a lead, oldest first: when it was recorded, by whom, what it changed."""
    reads = reading().reads
    told = reads.history(lead_seen(lead_id), known_at=known_at(query))
    items = ledger().personal.steps(told, named=scope().member is None)
    return shown({"items": items}, reads.seen_position)


def _nameless(answer: Answer) -> Answer:
    """The answer as a member gets it: whom a contact is on other leads is not theirs to know."""
    contact = answer.body["contact"]
    if contact:
        told = {name: contact[name] for name in ("name", "phone")}
        return replace(answer, body={**answer.body, "contact": told})
    return answer


def _declare(path: str, body: schemas.Command, method: Carry) -> None:
    """Declare ``POST /leads/{id}/<path>``, carried out by ``method`` of the application."""

    def view(lead_id: str, body: dict[str, Any]) -> Reply:
        wanted = schemas.id_of(lead_id, "lead")
        return answered(method(ledger(), wanted, call(body), body))

    view.__name__ = path.replace("-", "_").replace("/", "_")
    view.__doc__ = body.__doc__
    declared: View = view
    endpoint(
        blueprint,
        "POST",
        f"/leads/<lead_id>/{path}",
        "write leads",
        LeadOut,
        body=body,
        refusals=(404, 409, 412),
    )(declared)


def _sign(ledger: Ledger, lead_id: Any, asked: Any, body: dict[str, Any]) -> Any:
    """A contract or a framework agreement, as ``agreement`` says."""
    facts = {name: value for name, value in body.items() if name != "agreement"}
    if body["agreement"] == "contract":
        return ledger.sign(lead_id, asked, facts)
    waivers = facts.pop("waivers")
    if waivers:
        raise Invalid.of("waivers", "A framework agreement needs no fact, so none.")
    return ledger.agree_framework(lead_id, asked, facts)


def _revise(ledger: Ledger, lead_id: Any, asked: Any, body: dict[str, Any]) -> Any:
    """The facts apart from what says when and why."""
    about = ("occurred_on", "note", "reason")
    facts = {name: value for name, value in body.items() if name not in about}
    return ledger.revise(lead_id, asked, {"facts": facts, **{n: body[n] for n in about}})


# path → what it is told, and what carries it out. The pages have their forms from here as well.
COMMANDS: Mapping[str, tuple[schemas.Command, Carry]] = {
    "screening": (schemas.ScreeningIn(), Ledger.screen),
    "negotiation": (schemas.NegotiationIn(), Ledger.open_negotiation),
    "follow-ups": (schemas.FollowUpIn(), Ledger.follow_up),
    "notice": (schemas.NoticeIn(), Ledger.tell_members),
    "signing-plan": (schemas.SigningPlanIn(), Ledger.plan_signing),
    "signing": (schemas.SigningIn(), _sign),
    "groundbreaking": (schemas.GroundbreakingIn(), Ledger.break_ground),
    "recognition": (schemas.RecognitionIn(), Ledger.recognise),
    "suspension": (schemas.SuspensionIn(), Ledger.suspend),
    "resumption": (schemas.ResumptionIn(), Ledger.resume),
    "closure": (schemas.ClosureIn(), Ledger.close_lead),
    "reopening": (schemas.ReopeningIn(), Ledger.reopen),
    "transfer": (schemas.TransferIn(), Ledger.propose_transfer),
    "transfer/acceptance": (schemas.AcceptanceIn(), Ledger.accept_transfer),
    "transfer/refusal": (schemas.RefusalIn(), Ledger.refuse_transfer),
    "revision": (schemas.RevisionIn(), _revise),
    "credit": (schemas.CreditIn(), Ledger.rule_credit),
    "corrections": (schemas.CorrectionIn(), Ledger.correct),
}

for _path, (_body, _method) in COMMANDS.items():
    _declare(_path, _body, _method)
