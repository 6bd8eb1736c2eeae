"""Bearer tokens: who holds one, and in which role. Only a hash of the secret is kept.

A token reads ``ll_<id>_<secret>``: the id finds the row, the secret (256 random bits) proves
the holder. A hash of so much chance needs no salt and no slow function.
"""

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256

import sqlalchemy as sa

from domain.actor import now
from domain.errors import Invalid
from domain.values import check_text
from service.log import moment_text
from service.projections.store import Prepared, Store
from service.settings import Settings

ROLES = ("member", "officer", "auditor", "admin")

metadata = sa.MetaData()
tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("id", sa.String(12), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("member_id", sa.String(36)),
    sa.Column("issued_at", sa.String(32), nullable=False),
)
_ONE = Prepared(
    lambda _insert: sa.select(
        tokens.c.id, tokens.c.digest, tokens.c.role, tokens.c.name, tokens.c.member_id
    ).where(tokens.c.id == sa.bindparam("id")),
    ["id"],
)


@dataclass(frozen=True)
class Holder:
    """Who holds a token; ``member_id`` is whom a token of role member tips for and reads."""

    id: str
    digest: str
    role: str
    name: str
    member_id: str | None


class Tokens:
    """The tokens, kept in the ledger's own file."""

    def __init__(self, settings: Settings) -> None:
        self.store = Store(settings.database, settings.lock_timeout, metadata, durable=True)
        self._known: dict[str, Holder] = {}
        self._as_of: int | None = None

    def issue(self, role: str, name: str | None = None, member_id: str | None = None) -> str:
        """A new token, told once: what is kept of it cannot give it again."""
        if role not in ROLES:
            raise Invalid({"role": [f"'{role}' is none of {', '.join(ROLES)}."]})
        if (role == "member") != (member_id is not None):
            raise Invalid({"member": ["A token of role member, and only it, names its member."]})
        token_id, secret = secrets.token_hex(6), secrets.token_urlsafe(32)
        row = {
            "id": token_id,
            "digest": _digest(secret),
            "role": role,
            "name": check_text("name", name or role, 100),
            "member_id": member_id,
            "issued_at": moment_text(now()),
        }
        with self.store.writing() as connection:
            connection.execute(sa.insert(tokens), row)
        return f"ll_{token_id}_{secret}"

    def any(self) -> bool:
        """Whether a token was ever issued."""
        with self.store.reading() as connection:
            return connection.execute(sa.select(tokens.c.id).limit(1)).first() is not None

    def holder(self, token: str, data_version: int) -> Holder | None:
        """Who holds ``token``; None for one that was never issued.

        ``data_version`` is the ledger file's: while it stays, what was read before still holds.
        """
        prefix, _, rest = token.partition("_")
        token_id, _, secret = rest.partition("_")
        if prefix != "ll" or not secret.isascii():
            return None
        if data_version != self._as_of:
            self._known, self._as_of = {}, data_version
        known = self._known.get(token_id) or self._look_up(token_id)
        if known is None or not hmac.compare_digest(known.digest, _digest(secret)):
            return None
        self._known[token_id] = known
        return known

    def _look_up(self, token_id: str) -> Holder | None:
        row = self.store.first(_ONE, token_id)
        return Holder(*row) if row else None


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
