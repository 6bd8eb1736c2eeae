"""Tokens: who may ask, in which role, limited to what, until when. For administrators."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
from flask import g
from flask_smorest import Blueprint

from api.cursors import page_of, read_cursor, write_cursor
from api.endpoint import call, endpoint, ledger, shown
from api.reply import Reply
from api.schemas import Paged
from api.token_schemas import NewTokenOut, RevocationIn, RotationIn, TokenIn, TokenOut, TokensOut
from domain.errors import Invalid, NotFound
from service.tokens import Listed, id_of

blueprint = Blueprint("tokens", __name__, url_prefix="/v1/tokens", description="Who may ask.")
_MAY = "handle tokens"


@endpoint(blueprint, "GET", "", _MAY, TokensOut, query=Paged())
def tokens(query: dict[str, Any]) -> Reply:
    """Every token that was ever issued, in the order of issue, and until when it is good."""
    moment, token_id = read_cursor(query, (str, str)) or ["", ""]
    found = ledger().tokens.listed((moment, token_id), query["limit"] + 1)
    some = found[: query["limit"]]
    more = len(found) > len(some)
    cursor = write_cursor(some[-1].issued_at, some[-1].id) if more else None
    return page_of(orjson.dumps(list(map(_shown, some))), cursor, g.position, by_body=True)


@endpoint(blueprint, "GET", "/<token_id>", _MAY, TokenOut, refusals=(404,))
def token(token_id: str) -> Reply:
    """One of them."""
    return shown(_shown(ledger().tokens.one(token_id)), g.position)


@endpoint(blueprint, "POST", "", _MAY, NewTokenOut, body=TokenIn(), status=201, refusals=(409,))
def issue(body: dict[str, Any]) -> Reply:
    """A new token, told once. With an idempotency key that made one before it is refused: nothing
    is kept that could be told again, and no second token is made."""
    check_member(body["member"])
    made = ledger().tokens.issue(
        body["role"], body["name"], body["member"], body["days"], body["district"], call(body)
    )
    return told(made)


def check_member(member: str | None) -> None:
    """Invalid for one that there is not."""
    if member is not None:
        try:
            ledger().reads.member(UUID(member))
        except NotFound as why:
            raise Invalid({"member": [why.sentence]}) from None


@endpoint(
    blueprint,
    "POST",
    "/<token_id>/rotation",
    _MAY,
    NewTokenOut,
    body=RotationIn(),
    bodiless=True,
    status=201,
    refusals=(404, 409),
)
def rotate(token_id: str, body: dict[str, Any]) -> Reply:
    """Another one in its place, told once, with the same name, role, member and district."""
    overlap = timedelta(hours=body["overlap_hours"])
    return told(ledger().tokens.rotate(token_id, body["days"], overlap, call(body)))


@endpoint(
    blueprint,
    "POST",
    "/<token_id>/revocation",
    _MAY,
    TokenOut,
    body=RevocationIn(),
    bodiless=True,
    refusals=(404, 409),
)
def revoke(token_id: str, body: dict[str, Any]) -> Reply:
    """It ends: every worker refuses it at its next request."""
    first = ledger().tokens.revoke(token_id, call(body))
    reply = Reply(orjson.dumps(_shown(ledger().tokens.one(token_id))), 200)
    if not first:
        reply.headers.append(("Idempotent-Replay", "true"))
    return reply


def told(token: str) -> Reply:
    """A new token, which nobody on the way is to keep."""
    token_id = id_of(token)
    body = {**_shown(ledger().tokens.one(token_id)), "token": token}
    headers = [("Location", f"/v1/tokens/{token_id}"), ("Cache-Control", "no-store")]
    return Reply(orjson.dumps(body), 201, *headers)


def _shown(one: Listed) -> dict[str, Any]:
    told = one._asdict()
    return {"member" if name == "member_id" else name: value for name, value in told.items()}
