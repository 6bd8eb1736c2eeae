"""Signing in, with a token or through the provider, and out."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from typing import Any

from flask import Response
from marshmallow import fields

from api.app import application_context, request_now
from api.auth import authenticate
from api.endpoint import ledger
from api.noting import caller, client_address
from api.pages.look import told_later as _
from api.pages.look import ways
from api.pages.session import VISIT, drop, holder, keep, keep_visit, of_visit
from api.pages.site import form, go_to, ours, page, show
from api.schemas import Request
from domain.actor import now
from domain.errors import NotFound
from service.access.callers import Unauthenticated, called_by
from service.tokens import OURS, Holder


class NextQuery(Request):
    """Where to go on to, and whether somebody just signed out."""

    next = fields.String()
    out = fields.String()


class SignInForm(Request):
    """A token, and where to go on to."""

    token = fields.String(required=True)
    next = fields.String()


class CameBackQuery(Request):
    """What a provider sends a browser back with."""

    code = fields.String()
    state = fields.String(load_default="")
    iss = fields.String()
    session_state = fields.String()
    error = fields.String()
    error_description = fields.String()
    error_uri = fields.String()


@page("/signin", None, query=NextQuery())
def sign_in(query: dict[str, Any]) -> Response:
    """The way in; whoever is in already goes on."""
    who = holder()
    if who is not None:
        return go_to(_place(who, query.get("next")))
    said = _("已退出登录。") if "out" in query else None
    return _shown(query.get("next"), said=said)


def _shown(
    place: str | None, status: int = 200, refusal: Any = None, said: str | None = None
) -> Response:
    known = place if place and ours(place) == place else None
    provider = ledger().sign_in is not None
    return show(
        "signin.html", status, next=known, refusal=refusal, said=said, has_provider=provider
    )


def _again(refusal: Any, given: Any) -> Response:
    """The way in, with what was refused."""
    return _shown(given.get("next"), refusal["status"], refusal)


@form("/signin", None, fields=SignInForm(), again=_again)
def enter(body: dict[str, Any]) -> Response:
    """In with a token: one that is none is slowed down and recorded as where the API is asked."""
    # Or with a personal link as a whole, which ends with its token.
    token = body["token"].rpartition("#")[2]
    environ = {**request_now().environ, "HTTP_AUTHORIZATION": f"Bearer {token}"}
    who = authenticate(ledger(), environ)
    return _begun(who, body.get("next"), ours_=token.startswith(OURS))


@page("/signin/provider", None, query=NextQuery())
def leave(query: dict[str, Any]) -> Response:
    """Off to the provider."""
    flow = ledger().sign_in
    if flow is None:
        raise NotFound("No provider is set for signing in.")
    place = flow.address(_back(), _state(query.get("next")), _secret("nonce"), _secret("verifier"))
    answer = go_to(place)
    keep_visit(answer)
    return answer


def _came_back_again(refusal: Any, **_: Any) -> Response:
    """The way in; whoever tries that often is slowed down like one who tries tokens."""
    ledger().slowing.failed(client_address(request_now().environ), None)
    return _shown(None, refusal["status"], refusal)


@page("/signin/back", None, query=CameBackQuery(), again=_came_back_again)
def come_back(query: dict[str, Any]) -> Response:
    """Back from the provider, with a code or without one."""
    flow = ledger().sign_in
    if flow is None:
        raise NotFound("No provider is set for signing in.")
    place = _place_in(query["state"])
    if "code" not in query:
        raise Unauthenticated("The provider signed nobody in.")
    who = flow.holder(query["code"], _back(), _secret("nonce"), _secret("verifier"), now())
    application_context().g.holder = who
    return _begun(who, place, ours_=False)


@form("/signout", None)
def sign_out() -> Response:
    """Out, on every worker, at once."""
    found = application_context().g.get("signed_in")
    if found is not None:
        ledger().sessions.end(found.session)
    answer = go_to("/signin?out=1")
    drop(answer)
    return answer


def _begun(who: Holder, place: str | None, *, ours_: bool) -> Response:
    """A new session, in the place of one that there may be."""
    before = application_context().g.pop("signed_in", None)
    if before is not None:
        ledger().sessions.end(before.session)
    answer = go_to(_place(who, place))
    with called_by(caller):
        keep(answer, ledger().sessions.begin(who, ours=ours_))
    answer.delete_cookie(VISIT, secure=True, httponly=True, samesite="Lax")
    return answer


def _place(who: Holder, place: str | None) -> str:
    """Where to go on to: where it was wanted, else the first page that this role may open."""
    if place and ours(place) == place and place != "/":
        return place
    open_to = ways(who)
    return open_to[0].path if open_to else "/"


def _back() -> str:
    """Where the provider sends a browser back to."""
    return f"{request_now().host_url}signin/back"


def _secret(use: str) -> str:
    """A secret of this visit's: nothing is kept here of who went off to sign in."""
    return urlsafe_b64encode(of_visit(use)).rstrip(b"=").decode()


def _state(place: str | None) -> str:
    """What comes back with the answer: where to go on to, under a mark of this visit's."""
    path = ours(place).encode()
    mark = hmac.new(of_visit("state"), path, "sha256").hexdigest()
    return f"{mark}.{urlsafe_b64encode(path).decode()}"


def _place_in(state: str) -> str:
    """Where to go on to; Unauthenticated unless this browser went off with that state."""
    mark, _, text = state.partition(".")
    try:
        path = urlsafe_b64decode(text.encode("ascii"))
    except (ValueError, Error):
        path = b""
    known = hmac.new(of_visit("state"), path, "sha256").hexdigest()
    if not hmac.compare_digest(mark.encode(), known.encode()):
        raise Unauthenticated("The provider's answer belongs to another sign-in.")
    return ours(path.decode("utf-8", "replace"))
