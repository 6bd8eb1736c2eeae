"""What the keeper tells the web workers, in the ledger's own file: checkpoints, keys, alarms.

The workers read it and never the private keys. Alarms are asked for by every command, so what
was read is kept until the file changes.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson
import sqlalchemy as sa

from domain.errors import NotReady
from domain.sentences import Sentence, packed, unpacked
from service.log import moment_text
from service.projections.store import Prepared
from service.settings import Settings
from service.stores import LEDGER, store_of

metadata = sa.MetaData()
checkpoints = sa.Table(
    "checkpoints",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("made_at", sa.String(32), nullable=False),
    sa.Column("sent_at", sa.String(32)),
)
keys = sa.Table(
    "checkpoint_keys",
    metadata,
    sa.Column("key", sa.String(300), primary_key=True),
    sa.Column("since", sa.String(32), nullable=False),
)
alarms = sa.Table(
    "alarms",
    metadata,
    sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
    sa.Column("raised_at", sa.String(32), nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("ruled_at", sa.String(32)),
    sa.Column("ruled_by", sa.String(100)),
    sa.Column("reason", sa.Text),
    # When the keeper went on after the ruling.
    sa.Column("resumed_at", sa.String(32)),
)

# How a sentence begins that is kept by its pattern.
_PACKED = '{"pattern":'
_STANDING = Prepared(
    lambda _insert: (
        sa.select(alarms.c.detail).where(alarms.c.ruled_at.is_(None)).order_by(alarms.c.id)
    ),
    [],
)


class Alarmed(NotReady):
    """The history does not hold: nothing is written until an administrator has ruled."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "The history of this ledger does not hold: {detail} It can be read and not be written "
            "until an administrator rules ('leadledger audit rule').",
            retry_after=60,
            detail=detail,
        )


class Made(NamedTuple):
    """A checkpoint as it was published."""

    id: int
    size: int
    note: str
    made_at: str


class Published:
    """The keeper's tables in the ledger's file."""

    def __init__(self, settings: Settings) -> None:
        self.store = store_of(settings, LEDGER, metadata)
        self._as_of: int | None = None
        self._alarm: str | None = None

    # Alarms

    def alarm(self, data_version: int) -> str | None:
        """What does not hold, until it is ruled on. ``data_version`` is the ledger file's."""
        if data_version != self._as_of:
            # Whenever another worker has recorded something, so at almost every command.
            first = self.store.first(_STANDING)
            self._alarm = _said(first[0]) if first else None
            self._as_of = data_version
        return self._alarm

    def check_quiet(self, data_version: int) -> None:
        """Alarmed while an alarm stands."""
        alarm = self.alarm(data_version)
        if alarm is not None:
            raise Alarmed(alarm)

    def standing(self) -> list[str]:
        """The alarms that nobody has ruled on, the oldest first."""
        with self.store.reading() as connection:
            return [_said(kept) for (kept,) in _STANDING.all(connection)]

    def alarm_rows(self) -> list[dict[str, str | None]]:
        """Every alarm there was, the newest first, and how it was ruled on."""
        shown = [c for c in alarms.columns if c.name != "id"]
        with self.store.reading() as connection:
            rows = connection.execute(sa.select(*shown).order_by(alarms.c.id.desc()))
            found = [{f"{name}": row[name] for name in row} for row in rows.mappings()]
        return [{**row, "detail": _said(row["detail"])} for row in found]

    def raise_alarm(self, detail: str, moment: datetime) -> None:
        """Let everybody know, once for each thing that does not hold."""
        if detail not in self.standing():
            row = {"detail": _kept(detail), "raised_at": moment_text(moment)}
            with self.store.writing() as connection:
                connection.execute(sa.insert(alarms), row)

    def rule(self, reason: str, by: str, moment: datetime) -> None:
        """An administrator has looked into every alarm that stands."""
        ruling = {"ruled_at": moment_text(moment), "ruled_by": by, "reason": reason}
        with self.store.writing() as connection:
            connection.execute(sa.update(alarms).where(alarms.c.ruled_at.is_(None)).values(ruling))

    def to_resume(self) -> bool:
        """Whether a ruling waits for the keeper to go on after it."""
        waiting = alarms.c.ruled_at.is_not(None) & alarms.c.resumed_at.is_(None)
        with self.store.reading() as connection:
            return connection.execute(sa.select(alarms.c.id).where(waiting)).first() is not None

    def resumed(self, moment: datetime) -> None:
        """The keeper has gone on after every ruling."""
        ruled = alarms.c.ruled_at.is_not(None) & alarms.c.resumed_at.is_(None)
        with self.store.writing() as connection:
            values = {"resumed_at": moment_text(moment)}
            connection.execute(sa.update(alarms).where(ruled).values(values))

    # Checkpoints and keys

    def publish(self, size: int, note: str, moment: datetime) -> None:
        """The present checkpoint."""
        row = {"size": size, "note": note, "made_at": moment_text(moment)}
        with self.store.writing() as connection:
            connection.execute(sa.insert(checkpoints), row)

    def latest(self) -> Made | None:
        """The present checkpoint; None before the first."""
        with self.store.reading() as connection:
            row = connection.execute(_made().order_by(checkpoints.c.id.desc()).limit(1)).first()
        return Made._make(row) if row else None

    def all(self) -> list[Made]:
        """Every checkpoint that was published, the oldest first."""
        with self.store.reading() as connection:
            return [
                Made._make(row) for row in connection.execute(_made().order_by(checkpoints.c.id))
            ]

    def listed(self, before: int, limit: int) -> list[Made]:
        """Checkpoints from the newest to the oldest, of those before the id ``before``."""
        found = _made().where(checkpoints.c.id < before).order_by(checkpoints.c.id.desc())
        with self.store.reading() as connection:
            return [Made._make(row) for row in connection.execute(found.limit(limit))]

    def covering(self, size: int) -> Made | None:
        """The first checkpoint that covers so many events; None before there is one."""
        found = _made().where(checkpoints.c.size >= size).order_by(checkpoints.c.id).limit(1)
        with self.store.reading() as connection:
            row = connection.execute(found).first()
        return Made._make(row) if row else None

    def unsent(self) -> Made | None:
        """The oldest checkpoint that has not left the house."""
        waiting = _made().where(checkpoints.c.sent_at.is_(None)).order_by(checkpoints.c.id)
        with self.store.reading() as connection:
            row = connection.execute(waiting.limit(1)).first()
        return Made._make(row) if row else None

    def sent(self, made: Made, moment: datetime) -> None:
        """It has left the house."""
        statement = sa.update(checkpoints).where(checkpoints.c.id == made.id)
        with self.store.writing() as connection:
            connection.execute(statement.values(sent_at=moment_text(moment)))

    def add_keys(self, found: Sequence[tuple[str, str]]) -> None:
        """Serve these public keys, (key, since), for ever."""
        known = {key for key, _ in self.public_keys()}
        new = [{"key": key, "since": since} for key, since in found if key not in known]
        if new:
            with self.store.writing() as connection:
                connection.execute(sa.insert(keys), new)

    def public_keys(self) -> list[tuple[str, str]]:
        """Every public key, (key, since), the oldest first."""
        with self.store.reading() as connection:
            rows = connection.execute(sa.select(keys).order_by(keys.c.since, keys.c.key))
            return [(row.key, row.since) for row in rows]


def _kept(detail: str) -> str:
    """What does not hold as it is kept: by its pattern, so that it can be told in any language."""
    return orjson.dumps(packed(detail)).decode() if isinstance(detail, Sentence) else detail


def _said(kept: str) -> str:
    """The same again; of an alarm that was raised before there were patterns, its text."""
    said: str = unpacked(orjson.loads(kept)) if kept.startswith(_PACKED) else kept
    return said


def _made() -> sa.Select[tuple[int, int, str, str]]:
    c = checkpoints.c
    return sa.select(c.id, c.size, c.note, c.made_at)
