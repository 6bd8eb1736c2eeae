"""A signed token of the provider's (JWT), held against its keys and made a holder of a role here.

What it must have: a signature by one of the issuer's keys, with an algorithm of the closed list
that fits the key; ``iss`` and ``aud`` as the settings say; ``exp`` to come; ``sub``; and a role, by
the settings' map. What is not told is refused: a district or a member, where the settings name a
claim for it. A token for a sign-in page (ID token) is none for requests.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from hashlib import blake2b, sha256
from math import isfinite
from typing import Any, NamedTuple
from uuid import UUID

from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jws import JWSRegistry, extract_compact, validate_compact
from joserfc.jwt import JWTClaimsRegistry

from domain.errors import Invalid
from domain.values import check_text, district_prefix_fault
from service.access.callers import Unauthenticated
from service.log import moment_text
from service.settings import Settings
from service.signin.keys import ProviderKeys
from service.tokens import Holder

# No `none`, nothing with a shared secret (HS…), for which a public key could be taken.
ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "Ed25519"),
)
# By how many seconds the provider's clock may be off.
LEEWAY = 30
# No token is good for longer, in seconds since 1970.
LAST = 2**33
MOST_CHARACTERS = 16_384
_MOST_KEPT = 1024
# A district claim of whoever is not limited to one.
EVERYWHERE = "*"
# What only tokens for a sign-in page, about signing out, or bound to a key of the client's have.
_OTHER_TOKENS = ("nonce", "at_hash", "c_hash", "events", "cnf")
# What a token may say that it is, in its header and, as some providers do, in a claim.
_TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
_TYPES_CLAIMED = (None, "bearer", "at+jwt")


class Accepted(NamedTuple):
    """A holder, and whether this process sees the token for the first time."""

    holder: Holder
    fresh: bool


class Provider:
    """The provider that the settings name."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._issuer = settings.oidc_issuer or ""
        self.keys = ProviderKeys(self._issuer)
        self._registry = JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        # Digest of a token → its holder: what was checked holds until it ends.
        self._known: dict[bytes, Holder] = {}
        self._known_of = 0

    def holder(self, token: str, moment: datetime) -> Accepted:
        """Who holds ``token``; Unauthenticated, or NotReady without the provider's keys."""
        if len(token) > MOST_CHARACTERS or not token.isascii():
            raise Unauthenticated("This is no token of the provider's.")
        known = self._still_known().get(sha256(token.encode()).digest())
        if known is not None:
            return Accepted(known, fresh=False)
        return Accepted(self._holder_of(self._claims(token, moment)), fresh=True)

    def keep(self, token: str, holder: Holder) -> None:
        """Know ``token`` from now on, until it ends, or its key is withdrawn."""
        known = self._still_known()
        if len(known) >= _MOST_KEPT:
            known.clear()
        known[sha256(token.encode()).digest()] = holder

    def _still_known(self) -> dict[bytes, Holder]:
        """What was checked with the keys that there are now."""
        generation = self.keys.generation()
        if generation != self._known_of:
            self._known, self._known_of = {}, generation
        return self._known

    def identity(self, token: str, client: str, moment: datetime) -> dict[str, Any]:
        """What an ID token for ``client`` says, once that is proven; Unauthenticated, NotReady."""
        if len(token) > MOST_CHARACTERS or not token.isascii():
            raise Unauthenticated("This is no token of the provider's.")
        try:
            claims = self._decoded(token)
            self._check_claims(claims, client, int(moment.timestamp()))
            if claims.get("azp", client) != client or not isinstance(claims["sub"], str):
                raise ValueError("it is for another client")
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated("The provider's answer proves nobody's identity.") from None
        return claims

    def id_of(self, subject: str) -> str:
        """Whom the subject is here. It may be an address of mail: its hash names them as well."""
        named = f"{self._issuer} {subject}".encode("utf-8", "backslashreplace")
        return f"oidc{blake2b(named, digest_size=8).hexdigest()}"

    def _claims(self, token: str, moment: datetime) -> dict[str, Any]:
        """What the token says, once that is proven to be the issuer's, for us, and now."""
        try:
            claims = self._decoded(token)
            self._check(claims, int(moment.timestamp()))
        except ExpiredTokenError:
            raise Unauthenticated("This token of the provider's has expired.") from None
        except (JoseError, ValueError, TypeError, RecursionError):
            raise Unauthenticated(
                "This is no token that the provider gave for this ledger."
            ) from None
        return claims

    def _decoded(self, token: str) -> dict[str, Any]:
        signed = extract_compact(token.encode(), registry=self._registry)
        header = signed.headers()
        kid = header.get("kid")
        if header.get("alg") not in ALGORITHMS or not isinstance(kid, str | None):
            raise ValueError("it is signed in another way")
        if lower(header.get("typ")) not in _TYPES:
            raise ValueError("it is a token of another kind")
        key = self.keys.named(kid)
        if key is None or key.alg not in (None, header["alg"]):
            raise ValueError("the issuer has no such key")
        if not validate_compact(signed, key, ALGORITHMS, self._registry):
            raise ValueError("the signature is another's")
        claims = json.loads(signed.payload or b"")
        if not isinstance(claims, dict):
            raise TypeError("it says nothing")
        return claims

    def _check(self, claims: dict[str, Any], now: int) -> None:
        self._check_claims(claims, self._settings.oidc_audience, now)
        other = lower(claims.get("typ")) not in _TYPES_CLAIMED
        if other or any(name in claims for name in _OTHER_TOKENS):
            raise ValueError("it is for something else")

    def _check_claims(self, claims: dict[str, Any], wanted: str, now: int) -> None:
        registry = JWTClaimsRegistry(
            now=now,
            leeway=LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": wanted},
            exp={"essential": True},
            sub={"essential": True},
        )
        registry.validate(claims)
        # JSON as Python reads it has numbers that are none, which no comparison refuses.
        if claims["exp"] > LAST or not isfinite(claims["exp"]):
            raise ValueError("it has no end")

    def _holder_of(self, claims: dict[str, Any]) -> Holder:
        settings, subject = self._settings, claims["sub"]
        role = self._role(claim_of(claims, settings.oidc_role_claim))
        member = district = None
        if role == "member":
            member = self._member(claims)
        elif settings.oidc_district_claim:
            district = self._district(claims)
        return Holder(
            id=self.id_of(subject),
            digest="",
            role=role,
            name=_name(claims),
            member_id=member,
            expires_at=moment_text(datetime.fromtimestamp(int(claims["exp"]) + LEEWAY, UTC)),
            district=district,
        )

    def _role(self, said: Any) -> str:
        """The first role of the settings' map that the token has."""
        values = said if isinstance(said, list) else str(said or "").split()
        for value, role in self._settings.oidc_roles.items():
            if value in values:
                return role
        raise Unauthenticated("The provider's token has no role of this ledger.")

    def _member(self, claims: dict[str, Any]) -> str:
        said = claim_of(claims, self._settings.oidc_member_claim)
        try:
            return f"{UUID(said)}"
        except (ValueError, TypeError, AttributeError):
            raise Unauthenticated("The provider's token names no member by its id.") from None

    def _district(self, claims: dict[str, Any]) -> str | None:
        said = claim_of(claims, self._settings.oidc_district_claim)
        if said == EVERYWHERE:
            return None
        if isinstance(said, str) and not district_prefix_fault(said):
            return said
        raise Unauthenticated("The provider's token names no district.")


def lower(text: Any) -> Any:
    """A text in small letters; anything else as it is."""
    return text.lower() if isinstance(text, str) else text


def claim_of(claims: Mapping[str, Any], path: str) -> Any:
    """What the claim at ``path`` says, like ``realm_access.roles``; None when it is not there."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for part in path.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _name(claims: Mapping[str, Any]) -> str:
    """What people call them; a name that cannot be shown is not taken."""
    for claim in ("name", "preferred_username", "client_id", "sub"):
        with suppress(Invalid):
            if isinstance(claims.get(claim), str):
                return check_text("name", claims[claim], 100)
    raise Unauthenticated("The provider's token has no name that can be shown.")
