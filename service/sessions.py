"""Sign-ins to the pages: who is signed in, until when. Kept with the tokens, in the ledger's file.

What a browser keeps reads ``<id>.<secret>.<minute>.<mark>``. The id finds the row, the secret
proves the browser (only its hash is kept here). The minute is when it was last seen, and the mark
is over it, with a key that never leaves the row: so an idle end needs no write at each request, and
nobody who finds an old copy can make it younger.

A session is no more than its token: one begun with a token of ours ends with it, on every worker at
its next request, and is limited as it is.
"""

import hmac
import secrets
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa

from domain.actor import now
from service.access.callers import Unauthenticated
from service.access.record import Access
from service.log import moment_text
from service.projections.store import Prepared
from service.settings import Settings
from service.stores import LEDGER, store_of
from service.tokens import Holder, Tokens

metadata = sa.MetaData()
sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("seal", sa.String(64), nullable=False),
    # Ours, which it began with; null for one of the provider's.
    sa.Column("token_id", sa.String(12)),
    sa.Column("holder", sa.String(40), nullable=False),
    sa.Column("role", sa.String(10), nullable=False),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("member_id", sa.String(36)),
    sa.Column("district", sa.String(6)),
    sa.Column("begun_at", sa.String(32), nullable=False),
    sa.Column("ends_at", sa.String(32), nullable=False, index=True),
)
_MARK = 16


@dataclass(frozen=True)
class Session:
    """A row; the holder's words stand in it where no token of ours has them."""

    id: str
    digest: str
    seal: str
    token_id: str | None
    holder: str
    role: str
    name: str
    member_id: str | None
    district: str | None
    begun_at: str
    ends_at: str

    def key(self, use: str) -> bytes:
        """A key of this session's for one use; whoever has the cookie does not have it."""
        return hmac.digest(bytes.fromhex(self.seal), use.encode(), "sha256")

    def cookie(self, secret: str, moment: datetime) -> str:
        """What the browser keeps, seen at ``moment``."""
        seen = f"{int(moment.timestamp()) // 60:x}"
        return f"{self.id}.{secret}.{seen}.{self._mark(seen)}"

    def _mark(self, seen: str) -> str:
        return hmac.new(self.key("seen"), seen.encode(), "sha256").hexdigest()[:_MARK]

    def seen(self, minute: str, mark: str) -> int | None:
        """The minute since 1970 in which it was seen last, if the mark says so too."""
        known = hmac.compare_digest(mark.encode(), self._mark(minute).encode())
        return int(minute, 16) if known else None


class SignedIn(NamedTuple):
    """Who is signed in; ``cookie`` is what the browser is to keep from now on (None: what it
    has)."""

    session: Session
    holder: Holder
    cookie: str | None


_ONE = Prepared(
    lambda _insert: sa.select(*(sessions.c[field.name] for field in fields(Session))).where(
        sessions.c.id == sa.bindparam("id")
    ),
    ["id"],
)


class Sessions:
    """The sign-ins of one ledger. Each, and each sign-out, is in the access record first."""

    def __init__(self, settings: Settings, tokens: Tokens, access: Access) -> None:
        self._tokens = tokens
        self._access = access
        self._idle, self._hours = settings.session_idle, timedelta(hours=settings.session_hours)
        self.store = store_of(settings, LEDGER, metadata)
        self._known: dict[str, Session] = {}
        self._as_of: int | None = None

    def begin(self, holder: Holder, *, ours: bool) -> str:
        """A new session of whoever proved to be ``holder``, with a token of ``ours`` or through the
        provider: what the browser is to keep. Those that are over are swept away."""
        moment, secret = now(), secrets.token_urlsafe(32)
        session = Session(
            secrets.token_hex(8),
            _digest(secret),
            secrets.token_hex(32),
            holder.id if ours else None,
            holder.id,
            holder.role,
            holder.name,
            holder.member_id,
            holder.district,
            moment_text(moment),
            moment_text(moment + self._hours),
        )
        how = "with a token" if ours else "through the provider"
        self._access.note("sign-in", f"sign in {how} as {holder.role}", subject=session.id)
        with self.store.writing() as connection:
            over = sessions.c.ends_at <= session.begun_at
            connection.execute(sa.delete(sessions).where(over))
            connection.execute(sa.insert(sessions), vars(session))
        return session.cookie(secret, moment)

    def find(self, cookie: str, data_version: int) -> SignedIn:
        """Who is signed in; Unauthenticated says why nobody is. ``data_version`` as for tokens."""
        id, _, rest = cookie.partition(".")
        session = self._session(id, data_version)
        secret, _, rest = rest.partition(".")
        if session is None or not hmac.compare_digest(session.digest, _digest(secret)):
            raise Unauthenticated("You are not signed in. Please sign in again.")
        moment = now()
        minute, _, mark = rest.partition(".")
        seen, present = session.seen(minute, mark), int(moment.timestamp()) // 60
        if session.ends_at <= moment_text(moment) or seen is None:
            raise Unauthenticated("Your sign-in has ended. Please sign in again.")
        if present - seen >= self._idle:
            raise Unauthenticated(
                "Nothing was asked for {minutes} minutes. Please sign in again.", minutes=self._idle
            )
        holder = self._holder(session, moment, data_version)
        return SignedIn(session, holder, session.cookie(secret, moment) if present > seen else None)

    def end(self, session: Session) -> None:
        """Signed out, on every worker at its next request."""
        self._access.note("sign-in", "sign out", subject=session.id)
        with self.store.writing() as connection:
            connection.execute(sa.delete(sessions).where(sessions.c.id == session.id))

    def _holder(self, session: Session, moment: datetime, data_version: int) -> Holder:
        if session.token_id is None:
            told = (session.holder, "", session.role, session.name, session.member_id)
            return Holder(*told, expires_at=session.ends_at, district=session.district)
        holder = self._tokens.proven(session.token_id, data_version)
        if holder is None:
            raise Unauthenticated(
                "The token that you signed in with is gone. Please sign in again."
            )
        if why := holder.ended(moment):
            raise Unauthenticated("{why} Please sign in again.", why=why)
        self._tokens.uses.note(holder.id)
        return holder

    def _session(self, id: str, data_version: int) -> Session | None:
        if data_version != self._as_of:
            self._known, self._as_of = {}, data_version
        # While one is looked up, all that is kept may become void.
        kept = self._known
        if id not in kept:
            row = self.store.first(_ONE, id) if len(id) == 16 and id.isalnum() else None
            if row is None:
                return None
            kept[id] = Session(*row)
        return kept[id]


def _digest(secret: str) -> str:
    return sha256(secret.encode("utf-8", "backslashreplace")).hexdigest()
