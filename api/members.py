"""Members: register, read, retire."""

from typing import Any

import orjson
from flask_smorest import Blueprint

from api.answers import MemberOut, MembersOut, MemberWithResultsOut
from api.auth import scope
from api.cursors import page_of, read_cursor, write_cursor
from api.endpoint import answered, call, endpoint, ledger, shown
from api.replica import by_replica, reading
from api.reply import Reply
from api.schemas import Command, MemberIn, MembersQuery, id_of
from api.token_schemas import LinkIn, NewTokenOut
from api.tokens import told
from domain.actor import current_actor
from service.reads import Tipping
from service.requests import Call

blueprint = Blueprint("members", __name__, url_prefix="/v1", description="Members (委员).")
_REFUSED = (409,)


@endpoint(
    blueprint,
    "POST",
    "/members",
    "write members",
    MemberOut,
    body=MemberIn(),
    status=201,
    refusals=_REFUSED,
)
def register(body: dict[str, Any]) -> Reply:
    """Register a member. Its number is unique in its district."""
    asked = call(body)
    today = f"{current_actor().today}"
    facts = {**body, "occurred_on": body["occurred_on"] or today}
    return answered(ledger().register_member(asked, facts))


@endpoint(blueprint, "GET", "/members", "read members", MembersOut, query=MembersQuery())
@by_replica
def members(query: dict[str, Any]) -> Reply:
    """The members in the order they were registered, with what came of their tips."""
    after = (read_cursor(query, (int,)) or [0])[0]
    reads = reading().reads
    chosen = (query.get("district"), query.get("sector"))
    tipping = Tipping(query["year"], query.get("tipped")) if "year" in query else None
    found, more = reads.members(after, query["limit"], *chosen, scope(), tipping)
    cursor = write_cursor(more) if more else None
    return page_of(orjson.dumps(found), cursor, reads.seen_position)


@endpoint(
    blueprint,
    "GET",
    "/members/<member_id>",
    "read a member",
    MemberWithResultsOut,
    refusals=(404,),
)
@by_replica
def member(member_id: str) -> Reply:
    """A member with its tips, those landed, and its credit."""
    found = reading().reads.member(id_of(member_id, "member"), scope())
    return shown(found, reading().reads.seen_position, at=found["version"])


@endpoint(
    blueprint,
    "POST",
    "/members/<member_id>/retirement",
    "write members",
    MemberOut,
    body=Command(),
    refusals=(404, 409, 412),
)
def retire(member_id: str, body: dict[str, Any]) -> Reply:
    """The member's term ended."""
    return answered(ledger().retire_member(id_of(member_id, "member"), call(body), body))


@endpoint(
    blueprint,
    "POST",
    "/members/<member_id>/link",
    "hand out personal links",
    NewTokenOut,
    body=LinkIn(),
    bodiless=True,
    status=201,
    refusals=(404, 409),
)
def link(member_id: str, body: dict[str, Any]) -> Reply:
    """A token of role member for the member's personal link (`/tip#<token>`), told once. Those that
    the member had before end: a link that was lost is good no more."""
    return told(new_link(member_id, call(body), body["days"]))


def new_link(member_id: str, asked: Call, days: int | None) -> str:
    """The token of the member's new link; NotFound for a member outside."""
    found = ledger().reads.member(id_of(member_id, "member"), scope())
    return ledger().tokens.link(found["id"], found["name"], days, asked)
