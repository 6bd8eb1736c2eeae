"""The access record: a row for each entry, chained, in a file of its own beside the ledger.

Each row's digest is over the digest of the row before it and its own fields, so that a row that is
altered, taken out or put in is noticed, by ``verify``; a cut at the end is noticed by the heads
(number and digest of the last row) that the keeper and whoever else has kept. Rows are added and
never changed. They are durable: what is noted is on the disk when ``note`` returns.
"""

import logging
from collections.abc import Generator, Sequence
from dataclasses import asdict, fields
from hashlib import sha256
from typing import Any, NamedTuple
from weakref import finalize

import orjson
import sqlalchemy as sa

from domain.actor import now
from domain.errors import NotReady
from service.access.callers import Caller, current_caller
from service.access.scrub import scrubbed
from service.access.sums import Entry, Sums
from service.log import moment_text
from service.projections.store import Store
from service.settings import Settings
from service.stores import ACCESS, store_of

log = logging.getLogger("leadledger")

# kind → what is recorded as such
KINDS = {
    "refusal": "somebody was refused: no or bad token, a role that may not, too many attempts",
    "sign-in": "somebody signed in or out, with a token or through the provider",
    "token": "a token was issued, rotated or revoked",
    "personal-data": "personal data were read unmasked, exported or erased",
}
DONE = "done"
# What the first row is chained to.
GENESIS = "0" * 64
_LONGEST = 300
_AT_ONCE = 1000

metadata = sa.MetaData()
access = sa.Table(
    "access",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("at", sa.String(32), nullable=False, index=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("outcome", sa.String(40), nullable=False),
    sa.Column("action", sa.String(100), nullable=False),
    sa.Column("holder", sa.String(40)),
    sa.Column("name", sa.String(100)),
    sa.Column("origin", sa.String(50)),
    sa.Column("request", sa.String(32)),
    sa.Column("subject", sa.String(40)),
    sa.Column("reason", sa.Text),
    sa.Column("count", sa.Integer),
    sa.Column("until", sa.String(32)),
    sa.Column("digest", sa.String(64), nullable=False),
)
_COLUMNS = [f"{column.name}" for column in access.columns]
_SAID = [field.name for field in fields(Entry)]
_LAST = sa.select(access.c.id, access.c.digest).order_by(access.c.id.desc()).limit(1)


class Head(NamedTuple):
    """The last row's number and digest: whoever keeps it can tell later that nothing was cut."""

    id: int
    digest: str

    def __str__(self) -> str:
        return f"{self.id}:{self.digest}"


class Access:
    """The access record of one ledger."""

    def __init__(self, settings: Settings) -> None:
        self.store = store_of(settings, ACCESS, metadata)
        store = self.store
        self._sums = Sums(lambda entries: _kept(store, entries))
        # A worker that ends in order writes what it has counted.
        self._flush = finalize(self, self._sums.flush)

    def close(self) -> None:
        """Write what was counted, and let go of the file."""
        self._flush()
        self.store.close()

    def note(
        self,
        kind: str,
        action: str,
        *,
        by: Caller | None = None,
        subject: str | None = None,
        reason: str | None = None,
        outcome: str = DONE,
    ) -> None:
        """Record that somebody did something: durable when this returns, else NotReady is raised.

        So note first and do it then: better a record of what did not come about than the other way
        round. ``kind`` is one of ``KINDS``, ``action`` what was done in a few words that are the
        same each time ("rotate a token", "read a contact"), ``subject`` the id of what it was done
        to, ``reason`` what was given as one. ``by`` is who calls: by default the caller of the
        request or command (in a GET of the API, ``api.noting.caller()`` is it). No secret and no
        personal data belong into any of them; tokens and phone numbers are taken out.

            ledger.access.note("personal-data", "read a contact", by=caller(),
                               subject=str(lead_id), reason=query["reason"])
        """
        who = by or current_caller()
        entry = Entry(moment_text(now()), kind, outcome, action, *who, subject, reason)
        with self.store.writing() as connection:
            _append(connection, [entry])

    def refuse(self, code: str, action: str, by: Caller, reason: str | None = None) -> None:
        """Record that ``by`` was refused with the problem ``code``. Never raises NotReady, for a
        refusal stands even where it cannot be written: then it is logged, and tried again."""
        moment = moment_text(now())
        self._sums.add(Entry(moment, "refusal", code, action, *by, reason=reason))

    def flush(self) -> None:
        """Write now what this process has counted of the present minute."""
        self._sums.flush()

    def head(self) -> Head | None:
        """The last row; None while there is none."""
        with self.store.reading() as connection:
            row = connection.execute(_LAST).first()
        return Head(*row) if row else None

    def has(self, head: Head) -> bool:
        """Whether that was the last row once, and is there as it was."""
        asked = sa.select(access.c.digest).where(access.c.id == head.id)
        with self.store.reading() as connection:
            return connection.execute(asked).scalar() == head.digest

    def listed(
        self,
        limit: int,
        before: int | None = None,
        kind: str | None = None,
        start: str | None = None,
        end: str | None = None,
        holder: str | None = None,
    ) -> tuple[list[dict[str, Any]], int | None]:
        """Records from the newest to the oldest, and the id before which to go on (None: the end).

        ``start`` and ``end`` are moments (RFC 3339 in UTC): from the one on, and before the other.
        ``holder`` is a token's id.
        """
        asked = sa.select(access).order_by(access.c.id.desc()).limit(limit + 1)
        for value, is_so in (
            (before, access.c.id.__lt__),
            (kind, access.c.kind.__eq__),
            (holder, access.c.holder.__eq__),
            (start, access.c.at.__ge__),
            (end, access.c.at.__lt__),
        ):
            asked = asked if value is None else asked.where(is_so(value))
        with self.store.reading() as connection:
            rows = [_shown(row) for row in connection.execute(asked)]
        return rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None

    def rows(self) -> Generator[dict[str, Any]]:
        """Every record, from the oldest to the newest, as stored when the first is asked for. Who
        does not take all of them closes it."""
        some = sa.select(access).order_by(access.c.id).limit(_AT_ONCE)
        asked = some
        with self.store.snapshot() as connection:
            while found := connection.execute(asked).all():
                yield from map(_shown, found)
                asked = some.where(access.c.id > found[-1].id)


def _shown(row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(_COLUMNS, row, strict=True))


def digest_of(before: str, row: dict[str, Any]) -> str:
    """The digest of a row that follows the one with digest ``before``.

    Over JSON of its fields that are not null, so that a column that comes later changes none.
    """
    said = {"id": row["id"], **{name: row[name] for name in _SAID if row[name] is not None}}
    return sha256(before.encode() + orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _kept(store: Store, entries: Sequence[Entry]) -> bool:
    try:
        with store.writing() as connection:
            _append(connection, entries)
    except NotReady as why:
        log.warning("%s access records could not be written yet: %s", len(entries), why)
        return False
    return True


def _append(connection: sa.Connection, entries: Sequence[Entry]) -> None:
    last = connection.execute(_LAST).first()
    so_far, digest = last or (0, GENESIS)
    for number, entry in enumerate(entries, so_far + 1):
        row = {"id": number, **asdict(entry)}
        row |= {name: _clean(row[name]) for name in _SAID if isinstance(row[name], str)}
        digest = row["digest"] = digest_of(digest, row)
        connection.execute(sa.insert(access), row)


def _clean(text: str) -> str:
    return scrubbed(text.encode("utf-8", "backslashreplace").decode())[:_LONGEST]
