"""Signing people in through the provider: OpenID Connect's authorization code flow, with PKCE.

Who it is the ID token proves, which is for this sign-in alone (its nonce). What they may, the
access token says, exactly as where it is sent to the API; both must be of the same person.
"""

import hmac
import json
from base64 import b64encode, urlsafe_b64encode
from datetime import datetime
from hashlib import sha256
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlencode, urlsplit

from domain.errors import NotReady
from domain.sentences import Sentence
from service.access.callers import Unauthenticated
from service.settings import Settings
from service.signin.provider import Provider
from service.tokens import Holder

_UNREACHABLE = Sentence("The provider of sign-ins cannot be reached just now.")


def challenge_of(verifier: str) -> str:
    """What the provider is told of it beforehand (S256)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).rstrip(b"=").decode()


class CodeFlow:
    """The flow, for the client that the settings name."""

    def __init__(self, settings: Settings, provider: Provider) -> None:
        self._settings = settings
        self._provider = provider

    def address(self, back: str, state: str, nonce: str, verifier: str) -> str:
        """Where a browser is sent to sign in, from where it comes ``back``; NotReady."""
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client,
            "redirect_uri": back,
            "scope": self._settings.oidc_scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        place = self._endpoint("authorization_endpoint")
        return f"{place}{'&' if urlsplit(place).query else '?'}{urlencode(asked)}"

    def holder(self, code: str, back: str, nonce: str, verifier: str, moment: datetime) -> Holder:
        """Who came back with ``code``; Unauthenticated, NotReady."""
        told = self._exchange(code, back, verifier)
        claims = self._provider.identity(
            str(told.get("id_token", "")), self._settings.oidc_client, moment
        )
        known = claims.get("nonce")
        if not isinstance(known, str) or not hmac.compare_digest(known.encode(), nonce.encode()):
            raise Unauthenticated("The provider's answer belongs to another sign-in.")
        holder = self._provider.holder(str(told.get("access_token", "")), moment).holder
        if holder.id != self._provider.id_of(claims["sub"]):
            raise Unauthenticated("The provider's two tokens are of two people.")
        return holder

    def _endpoint(self, name: str) -> str:
        found = self._provider.keys.endpoint(name)
        if found is None:
            raise NotReady(_UNREACHABLE, retry_after=30)
        return found

    def _exchange(self, code: str, back: str, verifier: str) -> dict[str, Any]:
        asked = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": self._settings.oidc_client,
            "code_verifier": verifier,
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if self._settings.oidc_client_secret:
            headers["Authorization"] = f"Basic {self._credentials()}"
        place = self._endpoint("token_endpoint")
        try:
            return self._provider.keys.document(place, urlencode(asked).encode(), headers)
        except HTTPError as why:
            if 400 <= why.code < 500:
                raise Unauthenticated("The provider does not know this sign-in any more.") from None
            raise NotReady(_UNREACHABLE, retry_after=30) from why
        except (OSError, HTTPException, json.JSONDecodeError, ValueError) as why:
            raise NotReady(_UNREACHABLE, retry_after=30) from why

    def _credentials(self) -> str:
        """The client's, each part encoded as a form's (RFC 6749, 2.3.1)."""
        client, secret = self._settings.oidc_client, self._settings.oidc_client_secret
        return b64encode(f"{quote_plus(client)}:{quote_plus(secret)}".encode()).decode()
