"""Who looks at a page: the cookie, what it lets do, and that forms come from our own pages."""

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from flask import Request, Response

from api.app import application_context, request_now
from api.endpoint import ledger
from domain.errors import Forbidden
from service.access.callers import Unauthenticated
from service.sessions import SignedIn
from service.tokens import Holder

# Kept for this host and by HTTPS alone (on this machine browsers take HTTP for it): RFC 6265bis.
COOKIE, VISIT = "__Host-session", "__Host-visit"
_SAFE: Mapping[str, Any] = {"secure": True, "httponly": True, "path": "/"}
CSRF_FIELD, CSRF_HEADER = "_csrf", "X-CSRF-Token"


def signed_in() -> SignedIn:
    """Who is signed in; Unauthenticated. Remembered for the request."""
    about, office = application_context().g, ledger()
    about.data_version = office.reads.data_version()
    cookie = request_now().cookies.get(COOKIE, "")
    if not cookie:
        raise Unauthenticated("You are not signed in.")
    found = office.sessions.find(cookie, about.data_version)
    about.signed_in, about.holder = found, found.holder
    if office.slowing.requests:
        office.slowing.asked(found.holder.id)
    return found


def maybe_signed_in() -> SignedIn | None:
    """The same for a page that anybody sees."""
    try:
        return signed_in()
    except Unauthenticated:
        return None


def holder() -> Holder | None:
    """Who looks at the page; None for nobody known."""
    found: Holder | None = application_context().g.get("holder")
    return found


def keep(response: Response, cookie: str) -> None:
    """Let the browser keep the session, until it is closed."""
    response.set_cookie(COOKIE, cookie, samesite="Lax", **_SAFE)


def renew(response: Response) -> None:
    """Note in the cookie that it was seen just now, if that is to be noted."""
    found: SignedIn | None = application_context().g.get("signed_in")
    if found is not None and found.cookie is not None:
        keep(response, found.cookie)


def drop(response: Response) -> None:
    """Let the browser forget it."""
    response.delete_cookie(COOKIE, samesite="Lax", **_SAFE)


# What is asked before anybody is signed in belongs to a visit: chance that the browser keeps.


def visit() -> str:
    """The visit of this request, a new one if there is none yet."""
    about = application_context().g
    if "visit" not in about:
        known = request_now().cookies.get(VISIT, "")
        about.visit = known if len(known) == 43 and known.isascii() else secrets.token_urlsafe(32)
    found: str = about.visit
    return found


def keep_visit(response: Response) -> None:
    """Let the browser keep the visit, if it was asked for and is new."""
    made = application_context().g.get("visit")
    if made is not None and request_now().cookies.get(VISIT) != made:
        response.set_cookie(VISIT, made, samesite="Lax", **_SAFE)


def of_visit(use: str) -> bytes:
    """A key of this visit's for one use."""
    return hmac.digest(visit().encode(), use.encode(), "sha256")


def _form_key() -> bytes:
    found: SignedIn | None = application_context().g.get("signed_in")
    return found.session.key("form") if found else of_visit("form")


def csrf_token() -> str:
    """What a form of this browser's carries, written another way in each answer, so that what is
    compressed with it tells nothing of it."""
    about = application_context().g
    found: str | None = about.get("csrf_token")
    if found is None:
        key = _form_key()
        pad = secrets.token_bytes(len(key))
        found = about.csrf_token = urlsafe_b64encode(pad + _xor(pad, key)).decode()
    return found


def _xor(one: bytes, other: bytes) -> bytes:
    both = int.from_bytes(one) ^ int.from_bytes(other)
    return both.to_bytes(len(one))


def check_form(request: Request) -> None:
    """Forbidden unless the request comes from a form of ours in this browser."""
    _check_origin(request.environ)
    told = request.form.get(CSRF_FIELD) or request.headers.get(CSRF_HEADER, "")
    key = _form_key()
    try:
        sent = urlsafe_b64decode(told.encode("ascii"))
    except (ValueError, Error):
        sent = b""
    half = len(key)
    if len(sent) != 2 * half or not hmac.compare_digest(_xor(sent[:half], sent[half:]), key):
        raise Forbidden("This form is an old one, or none of this page's; open the page anew.")


def _check_origin(environ: Mapping[str, Any]) -> None:
    """Browsers say from where a request comes, and no page can have them say otherwise. (Our pages
    have no referrer, for which some browsers call their origin null: it tells only where nothing
    better does.)"""
    site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
    if site is None and origin is not None:
        site = "same-origin" if urlsplit(origin).netloc == environ.get("HTTP_HOST") else "elsewhere"
    if site not in (None, "same-origin"):
        raise Forbidden("This request comes from another site's page.")
