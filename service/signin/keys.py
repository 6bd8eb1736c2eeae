"""The provider's public keys: found through its discovery document, kept, and asked for again.

They are fetched when a token names one that is not known, but not twice in ``REST`` seconds, so
that nobody can have us ask the provider as often as they like; and when they are ``STALE``, so that
a key that was withdrawn is not believed for ever. What cannot be fetched leaves the known ones in
use, until they are ``OLD``.
"""

import json
import logging
import time
from collections.abc import Mapping
from threading import Lock
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from domain.errors import NotReady

log = logging.getLogger("leadledger")
DISCOVERY = "/.well-known/openid-configuration"
# In seconds.
REST, STALE, OLD = 10.0, 3600.0, 86400.0
_PATIENCE, _MOST_BYTES = 5.0, 1 << 18
_PLAIN: Mapping[str, str] = {}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


class _Straight(HTTPRedirectHandler):
    """Nobody else is asked in the provider's place."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Go nowhere."""
        return


class ProviderKeys:
    """The keys of one issuer, in one process."""

    def __init__(self, issuer: str) -> None:
        self._issuer = issuer
        self._keys = KeySet([])
        self._told: dict[str, Any] = {}
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._generation = 0
        self._turn = Lock()
        self._open = build_opener(_Straight()).open

    def generation(self) -> int:
        """Another number whenever the keys were fetched anew, as they are when they are stale."""
        if self._fetched_at is not None:
            self._renew(STALE)
        return self._generation

    def named(self, kid: str | None) -> Any:
        """The key of that id (None: the only one); None when the provider has none such, NotReady
        when it never told its keys, or not for long."""
        self._renew(STALE)
        found = self._found(kid)
        if found is None:
            self._renew(REST)
            found = self._found(kid)
        if not self._is_younger(self._fetched_at, OLD):
            raise NotReady(
                "The provider of sign-ins cannot be reached to check this token.", retry_after=30
            )
        return found

    def endpoint(self, name: str) -> str | None:
        """The address that the provider's document tells under that name; None while it tells
        none that is safe to use."""
        self._renew(STALE)
        if name not in self._told:
            self._renew(REST)
        try:
            return check_address(str(self._told[name]), query=True)
        except (KeyError, ValueError):
            return None

    def _found(self, kid: str | None) -> Any:
        fit = [key for key in self._keys if kid is None or key.kid == kid]
        return fit[0] if len(fit) == 1 else None

    def _renew(self, age: float) -> None:
        """Fetch the keys if they are that old, unless that was tried a moment ago."""
        if self._is_younger(self._fetched_at, age):
            return
        # Whoever has keys does not wait for newer ones that another is fetching.
        if not self._turn.acquire(blocking=self._fetched_at is None):
            return
        try:
            rests = self._is_younger(self._tried_at, REST)
            if not rests and not self._is_younger(self._fetched_at, age):
                self._tried_at = time.monotonic()
                self._keys = self._fetch()
                self._fetched_at = time.monotonic()
                self._generation += 1
        except (OSError, ValueError, TypeError, KeyError, AttributeError, JoseError) as why:
            log.warning("the keys of %s could not be fetched: %s", self._issuer, why)
        finally:
            self._turn.release()

    @staticmethod
    def _is_younger(moment: float | None, age: float) -> bool:
        return moment is not None and time.monotonic() - moment < age

    def _fetch(self) -> KeySet:
        told = self.document(check_address(self._issuer.rstrip("/") + DISCOVERY))
        if told["issuer"] != self._issuer:
            raise ValueError("the provider calls itself otherwise")
        keys = self.document(check_address(told["jwks_uri"]))["keys"]
        self._told = told
        # What is for encryption, or is no public key, signs nothing.
        signing = [key for key in keys if key.get("use", "sig") == "sig" and key["kty"] != "oct"]
        return KeySet.import_key_set({"keys": signing})

    def document(
        self, address: str, data: bytes | None = None, headers: Mapping[str, str] = _PLAIN
    ) -> dict[str, Any]:
        """The JSON object that the provider answers at an address that was checked; OSError,
        ValueError."""
        asked = Request(address, data, {**headers, "Accept": "application/json"})  # noqa: S310
        with self._open(asked, timeout=_PATIENCE) as answer:
            told = answer.read(_MOST_BYTES + 1)
        if len(told) > _MOST_BYTES:
            raise URLError("the provider's answer is too long")
        found = json.loads(told)
        if not isinstance(found, dict):
            raise ValueError("the provider's answer is no object")
        return found


def check_address(address: str, *, query: bool = False) -> str:
    """``address``; ValueError unless it is HTTPS, or on this machine, without a ``query``."""
    parts = urlsplit(address)
    if parts.username or parts.fragment or (parts.query and not query) or not parts.hostname:
        raise ValueError(f"'{address}' is no address like https://sso.example/realms/office")
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        raise ValueError(f"'{address}' is not https")
    return address
