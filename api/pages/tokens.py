"""令牌: who may ask, in which role, until when; for administrators."""

from datetime import timedelta
from typing import Any

from flask import Response
from marshmallow import fields, validate

from api.checks import OneOf
from api.endpoint import ledger
from api.pages.look import ROLES
from api.pages.site import asked, form, go_to, page, show
from api.pages.texts import gettext
from api.schemas import DistrictPrefix, Id, Request, Text, Whole
from api.token_schemas import MOST_OVERLAP
from api.tokens import check_member
from domain.actor import now
from service.log import moment_text
from service.tokens import MOST_DAYS, Listed, id_of

_MAY = "handle tokens"
_MOST = 100


class TokensQuery(Request):
    """After which token the list goes on: its moment and its id."""

    after = fields.String(validate=validate.Regexp(r"[0-9TZ:.+-]{1,40},[0-9a-f]{12}\Z"))


class IssueForm(Request):
    """A new token, as `TokenIn` says."""

    role = fields.String(required=True, validate=OneOf(list(ROLES)))
    name = Text(100, load_default=None)
    member = Id(load_default=None)
    district = DistrictPrefix(load_default=None)
    days = Whole(1, MOST_DAYS, load_default=None)


class RotateForm(Request):
    """Another one in its place, as `RotationIn` says."""

    days = Whole(1, MOST_DAYS, load_default=None)
    overlap_hours = Whole(0, MOST_OVERLAP, load_default=0)


@page("/tokens", _MAY, query=TokensQuery())
def tokens(query: dict[str, Any]) -> Response:
    """Every token that was ever issued, and the form for another one."""
    return _listed(query.get("after"))


def _listed(
    after: str | None = None, refusal: Any = None, given: Any = None, status: int = 200
) -> Response:
    moment, _, token_id = (after or "").partition(",")
    found = ledger().tokens.listed((moment, token_id), _MOST + 1)
    some = found[:_MOST]
    more = f"{some[-1].issued_at},{some[-1].id}" if len(found) > _MOST else None
    facts = {"tokens": some, "more": more, "ended": _ended, "roles": ROLES}
    return show("tokens.html", status, refusal=refusal, given=given or {}, **facts)


def _ended(token: Listed) -> bool:
    moment = moment_text(now())
    return any(end is not None and end <= moment for end in (token.revoked_at, token.expires_at))


def _issue_again(refusal: Any, given: Any) -> Response:
    return _listed(None, refusal, given, refusal["status"])


@form("/tokens", _MAY, fields=IssueForm(), again=_issue_again)
def issue(body: dict[str, Any]) -> Response:
    """A new token, shown this once."""
    check_member(body["member"])
    name = body["name"] or gettext(ROLES[body["role"]])
    made = ledger().tokens.issue(
        body["role"], name, body["member"], body["days"], body["district"], asked(body)
    )
    return _told(made)


@page("/tokens/<token_id>", _MAY)
def token(token_id: str) -> Response:
    """One of them, and what may be done with it."""
    return _one(token_id)


def _one(token_id: str, refusal: Any = None, given: Any = None) -> Response:
    found = ledger().tokens.one(token_id)
    status = refusal["status"] if refusal else 200
    facts = {"token": found, "over": _ended(found), "given": given or {}}
    return show("token.html", status, refusal=refusal, **facts)


@form("/tokens/<token_id>/rotation", _MAY, fields=RotateForm(), again=_one)
def rotate(token_id: str, body: dict[str, Any]) -> Response:
    """Another one in its place, shown this once."""
    overlap = timedelta(hours=body["overlap_hours"])
    return _told(ledger().tokens.rotate(token_id, body["days"], overlap, asked(body)))


@form("/tokens/<token_id>/revocation", _MAY, again=_one)
def revoke(token_id: str) -> Response:
    """It ends, on every worker at its next request."""
    ledger().tokens.revoke(token_id, asked({}))
    return go_to("/tokens")


def _told(made: str) -> Response:
    return show("token_new.html", token=ledger().tokens.one(id_of(made)), secret=made)
