"""Bearer tokens: who holds one, in which role and until when. Only a hash of the secret is kept.

A token reads ``ll_<id>_<secret><checksum>``: the id finds the row, the secret (256 random bits)
proves the holder, the checksum (CRC-32 of what stands before it) tells a token from what merely
looks like one, so that whoever finds it where it should not be can be sure. A hash of so much
chance needs no salt and no slow function.
"""

import hmac
import re
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any, NamedTuple
from zlib import crc32

import sqlalchemy as sa

from domain.actor import now
from domain.errors import Invalid, NotFound, Refused
from domain.sentences import Sentence
from domain.values import check_text, district_prefix_fault
from service.access.record import Access
from service.log import moment_text
from service.projections.store import Prepared
from service.requests import Call
from service.roles import ROLES as ROLES
from service.scope import Scope
from service.settings import Settings
from service.stores import LEDGER, store_of
from service.token_keys import done_before, keep, keys_table
from service.uses import uses_of

# What whoever looks for leaked ones searches for.
PATTERN = "ll_[0-9a-f]{12}_[A-Za-z0-9_-]{43}[0-9a-f]{8}"
MOST_DAYS = 3650
_TOKEN = re.compile(PATTERN)
_CLAIMED = re.compile("ll_([0-9a-f]{12})_")
# What each of them begins with, and nothing that a provider signs.
OURS = "ll_"
_CHECKSUM = 8

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
    sa.Column("expires_at", sa.String(32)),
    sa.Column("revoked_at", sa.String(32)),
    # A prefix; null for no limit.
    sa.Column("district", sa.String(6)),
)
_KEYS = keys_table(metadata)


@dataclass(frozen=True)
class Holder:
    """Who holds a token; ``member_id`` is whom a token of role member tips for and reads, and
    ``district`` a prefix that limits what the others see and touch (None: nothing does). Moments
    are RFC 3339 in UTC, None for never."""

    id: str
    digest: str
    role: str
    name: str
    member_id: str | None
    expires_at: str | None = None
    revoked_at: str | None = None
    district: str | None = None

    @cached_property
    def scope(self) -> Scope:
        """What it may see and touch."""
        return Scope(self.district, self.member_id if self.role == "member" else None)

    @property
    def ends(self) -> bool:
        """Whether an end is known."""
        return (self.expires_at or self.revoked_at) is not None

    def ended(self, moment: datetime) -> str | None:
        """Why the token is good no more at ``moment``; None while it is."""
        if self.revoked_at is not None and self.revoked_at <= moment_text(moment):
            return Sentence("This token was revoked at {revoked_at}.", revoked_at=self.revoked_at)
        if self.expires_at is not None and self.expires_at <= moment_text(moment):
            return Sentence("This token expired at {expires_at}.", expires_at=self.expires_at)
        return None


_ONE = Prepared(
    lambda _insert: sa.select(*(tokens.c[field.name] for field in fields(Holder))).where(
        tokens.c.id == sa.bindparam("id")
    ),
    ["id"],
)


class Listed(NamedTuple):
    """A token as it is listed; of its secret nothing is known. It was last used at about
    ``last_used_at``."""

    id: str
    role: str
    name: str
    member_id: str | None
    district: str | None
    issued_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None = None


_LISTED = sa.select(*(tokens.c[name] for name in Listed._fields[:-1]))
# Role, name, member, district: what another token takes over from the one it replaces.
Who = tuple[str, str, str | None, str | None]


class Tokens:
    """The tokens, kept in the ledger's own file. Each change is in the access record first: a
    change that cannot be recorded is not made."""

    def __init__(self, settings: Settings, access: Access) -> None:
        self._access = access
        self.store = store_of(settings, LEDGER, metadata)
        self.uses = uses_of(settings)
        self._known: dict[str, Holder] = {}
        self._as_of: int | None = None

    def issue(
        self,
        role: str,
        name: str | None = None,
        member_id: str | None = None,
        days: int | None = None,
        district: str | None = None,
        call: Call | None = None,
    ) -> str:
        """A new token, good for so many ``days`` (None: until revoked), told once: what is kept of
        it cannot give it again. ``district``, a prefix, limits what it sees and touches. Refused
        when the ``call`` has an idempotency key that made one before."""
        if role not in ROLES:
            raise Invalid.of("role", "'{role}' is none of {roles}.", role=role, roles=ROLES)
        if (role == "member") != (member_id is not None):
            raise Invalid.of("member", "A token of role member, and only it, names its member.")
        if district is not None and role == "member":
            raise Invalid.of("district", "A token of role member has its member, and no district.")
        if district is not None and (fault := district_prefix_fault(district)):
            raise Invalid({"district": [fault]})
        name = check_text("name", name or role, 100)
        with self.store.writing() as connection:
            _check_first(connection, call)
            token = _issued(connection, (role, name, member_id, district), days, call)
            limit = f", limited to district {district}" if district else ""
            self._note(f"issue a token of role {role}{limit}", id_of(token))
            return token

    def link(self, member_id: str, name: str, days: int | None, call: Call | None = None) -> str:
        """A new token of role member, in the place of all those of its member, which end; told
        once. Refused as ``issue`` is."""
        with self.store.writing() as connection:
            _check_first(connection, call)
            good = tokens.c.revoked_at.is_(None) | (tokens.c.revoked_at > moment_text(now()))
            others = sa.update(tokens).where(tokens.c.member_id == member_id, good)
            connection.execute(others.values(revoked_at=moment_text(now())))
            token = _issued(connection, ("member", name, member_id, None), days, call)
            self._note("issue a token of role member in the place of its others", id_of(token))
            return token

    def linked(self, member_id: str) -> Listed | None:
        """The member's last token, as it is listed; None before the first."""
        of = _LISTED.where(tokens.c.member_id == member_id)
        last = of.order_by(tokens.c.issued_at.desc(), tokens.c.id.desc()).limit(1)
        return next(iter(self._listed(last)), None)

    def listed(self, after: tuple[str, str] = ("", ""), limit: int | None = None) -> list[Listed]:
        """Tokens that were ever issued, in the order of issue, after (moment, id)."""
        place = (tokens.c.issued_at, tokens.c.id)
        wanted = _LISTED.where(sa.tuple_(*place) > sa.tuple_(*map(sa.literal, after)))
        return self._listed(wanted.order_by(*place).limit(limit))

    def one(self, token_id: str) -> Listed:
        """A token as it is listed; NotFound."""
        found = self._listed(_LISTED.where(tokens.c.id == token_id))
        if not found:
            raise _unknown(token_id)
        return found[0]

    def _listed(self, wanted: sa.Select[Any]) -> list[Listed]:
        with self.store.reading() as connection:
            found = [Listed(*row) for row in connection.execute(wanted)]
        return [one._replace(last_used_at=self.uses.last(one.id)) for one in found]

    def rotate(
        self,
        token_id: str,
        days: int | None = None,
        overlap: timedelta = timedelta(0),
        call: Call | None = None,
    ) -> str:
        """Another token in the place of one, which ends now, or after ``overlap``; NotFound,
        Refused for one that has ended, and as ``issue`` is. ``days`` None: as many as the other."""
        with self.store.writing() as connection:
            _check_first(connection, call)
            old = _good(connection, token_id)
            days = days or _days_of(connection, old.id)
            _end(connection, old, now() + overlap)
            kept = (old.role, old.name, old.member_id, old.district)
            token = _issued(connection, kept, days, call)
            self._note(f"rotate a token, whose place {id_of(token)} takes", old.id)
            return token

    def revoke(self, token_id: str, call: Call | None = None) -> bool:
        """End a token, on every worker at its next request; NotFound, Refused if it has ended.

        False when the ``call`` has an idempotency key by which that was done before.
        """
        with self.store.writing() as connection:
            if done_before(connection, _KEYS, call):
                return False
            _end(connection, _good(connection, token_id), now())
            keep(connection, _KEYS, call, token_id)
            self._note("revoke a token", token_id)
            return True

    def any(self) -> bool:
        """Whether a token was ever issued."""
        with self.store.reading() as connection:
            return connection.execute(sa.select(tokens.c.id).limit(1)).first() is not None

    def holder(self, token: str, data_version: int) -> Holder | None:
        """Who holds ``token``, or held it until it ``ended``; None for one never issued.

        ``data_version`` is the ledger file's: while it stays, what was read before still holds.
        """
        token_id, secret = _parts(token)
        if not token_id or not secret.isascii():
            return None
        kept = self._follow(data_version)
        known = kept.get(token_id) or (self._look_up(token_id) if is_token(token) else None)
        if known is None or not hmac.compare_digest(known.digest, _digest(secret)):
            return None
        kept[token_id] = known
        return known

    def remembered(self, token: str) -> Holder | None:
        """Who held ``token`` when it was last proven here; whether that still holds, only
        ``holder()`` tells. Nothing is asked of the database."""
        token_id, secret = _parts(token)
        known = self._known.get(token_id)
        if known is None or not hmac.compare_digest(known.digest, _digest(secret)):
            return None
        return known

    def proven(self, token_id: str, data_version: int) -> Holder | None:
        """The holder of the token of that id, good or ended, for whoever proved it before."""
        kept = self._follow(data_version)
        known = kept.get(token_id) or self._look_up(token_id)
        if known is not None:
            kept[token_id] = known
        return known

    def _follow(self, data_version: int) -> dict[str, Holder]:
        """What is known since the file changed last. (While something is looked up, all that is
        kept may become void: so whoever looks up keeps it where it began.)"""
        if data_version != self._as_of:
            self._known, self._as_of = {}, data_version
        return self._known

    def _note(self, action: str, token_id: str) -> None:
        self._access.note("token", action, subject=token_id)

    def _look_up(self, token_id: str) -> Holder | None:
        row = self.store.first(_ONE, token_id)
        return Holder(*row) if row else None


def is_token(text: str) -> bool:
    """Whether it is whole and of our making, issued here or not."""
    return bool(_TOKEN.fullmatch(text)) and text[-_CHECKSUM:] == _checksum(text[:-_CHECKSUM])


def claimed_id(header: str) -> str | None:
    """The id of the token that an Authorization header gives, good or not; None without one."""
    found = _CLAIMED.search(header)
    return found[1] if found else None


def id_of(token: str) -> str:
    """The id in a token of our making."""
    return token.split("_", 2)[1]


def _checksum(text: str) -> str:
    return f"{crc32(text.encode()):08x}"


def _check_first(connection: sa.Connection, call: Call | None) -> None:
    """Refused when the call's key made a token before: that was told, and cannot be again."""
    made = done_before(connection, _KEYS, call)
    if made and call:
        raise Refused(
            "Idempotency-Key '{key}' made token {made}, which was told then and is "
            "not kept. If its answer was lost, revoke it, and ask for another with "
            "another key.",
            key=call.key,
            made=made,
        )


def _issued(connection: sa.Connection, who: Who, days: int | None, call: Call | None) -> str:
    if days is not None and not 1 <= days <= MOST_DAYS:
        raise Invalid.of(
            "days",
            "{days} is no number of days from 1 to {most}.",
            days=days,
            most=MOST_DAYS,
        )
    moment, token_id = now(), secrets.token_hex(6)
    begin = f"ll_{token_id}_{secrets.token_urlsafe(32)}"
    token = f"{begin}{_checksum(begin)}"
    row = {
        "id": token_id,
        "digest": _digest(token.split("_", 2)[2]),
        **dict(zip(("role", "name", "member_id", "district"), who, strict=True)),
        "issued_at": moment_text(moment),
        "expires_at": moment_text(moment + timedelta(days)) if days else None,
    }
    connection.execute(sa.insert(tokens), row)
    keep(connection, _KEYS, call, token_id)
    return token


def _unknown(token_id: str) -> NotFound:
    return NotFound(
        "There is no token {token_id}; the list of tokens has all.", token_id=token_id[:40]
    )


def _good(connection: sa.Connection, token_id: str) -> Holder:
    row = _ONE.one(connection, token_id)
    if row is None:
        raise _unknown(token_id)
    holder = Holder(*row)
    if ended := holder.ended(now()):
        raise Refused(ended)
    return holder


def _days_of(connection: sa.Connection, token_id: str) -> int | None:
    """For how many days a token was issued; None without an end."""
    asked = sa.select(tokens.c.issued_at, tokens.c.expires_at).where(tokens.c.id == token_id)
    issued_at, expires_at = connection.execute(asked).one()
    if expires_at is None:
        return None
    return (datetime.fromisoformat(expires_at) - datetime.fromisoformat(issued_at)).days


def _end(connection: sa.Connection, token: Holder, moment: datetime) -> None:
    ends = sa.update(tokens).where(tokens.c.id == token.id)
    connection.execute(ends.values(revoked_at=moment_text(moment)))


def _parts(token: str) -> tuple[str, str]:
    """Id and secret; both empty when it does not begin like one of ours."""
    prefix, _, rest = token.partition("_")
    token_id, _, secret = rest.partition("_")
    return (token_id, secret) if prefix == "ll" else ("", "")


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
