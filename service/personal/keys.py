"""The persons' keys: one row each, in a file of its own that nothing is made from.

A person is found by a keyed hash of what tells them apart. It stands in the row beside the key and
nowhere else; the log knows the row's id alone, which is chance. So with the row everything goes
that leads from a telephone number to what was sealed, and back.
"""

import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

import sqlalchemy as sa

from domain.actor import now
from domain.errors import NotReady
from service.log import moment_text
from service.personal.ciphers import KEY_BYTES, NotOpened, open_sealed, seal
from service.personal.masters import Master, Masters
from service.projections.store import Prepared, inserting, rows_of
from service.settings import Settings, WrongSetting
from service.stores import KEYS, store_of

# The row of the key that tells persons apart; the master that wrapped it wraps what is new.
INDEX = "index"
_AT_ONCE = 500

metadata = sa.MetaData()
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("person", sa.String(64), unique=True),
    sa.Column("made_at", sa.String(32), nullable=False),
    sa.Column("master", sa.String(16), nullable=False, index=True),
    sa.Column("alg", sa.String(10), nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)
_WRAPPED = (keys.c.id, keys.c.master, keys.c.alg, keys.c.wrapped)
_BY_ID = Prepared(
    lambda _insert: sa.select(*_WRAPPED).where(keys.c.id == sa.bindparam("id")), ["id"]
)
_BY_PERSON = Prepared(
    lambda _insert: sa.select(*_WRAPPED).where(keys.c.person == sa.bindparam("person")), ["person"]
)
_KEEP = inserting(keys)


class Key(NamedTuple):
    """A person's key, and the id that the log knows it by."""

    id: str
    key: bytes


class Keys:
    """The persons' keys of a ledger."""

    def __init__(self, settings: Settings) -> None:
        self.store = store_of(settings, KEYS, metadata)
        self._masters = Masters(settings)
        self._algorithm = settings.cipher
        self._index_key: bytes | None = None

    def create(self) -> None:
        """Make what is missing: the file, the master key if none is set, and the key that tells
        persons apart. WrongSetting where the master key is not the one that wrapped it."""
        self.store.create_tables()
        with self.store.reading() as connection:
            row = _BY_ID.one(connection, INDEX)
        if row is None:
            row = self._first()
        if not self._masters.read():
            raise WrongSetting(
                f"LEDGER_SECRET_KEY: the master key of {self.store.place} is missing from "
                f"{self._masters.place}; without it no contact can be read. Put it back."
            )
        try:
            self._unwrapped(row)
        except (NotOpened, NotReady):
            raise WrongSetting(
                f"LEDGER_SECRET_KEY: {self._masters.place} holds another master key than the one "
                f"that wrapped {self.store.place}; put the right one there."
            ) from None

    def _first(self) -> Any:
        with self.store.writing() as connection:
            row = _BY_ID.one(connection, INDEX)
            if row is None:
                master = self._masters.make()[0]
                self._keep(connection, INDEX, None, master)
                row = _BY_ID.one(connection, INDEX)
            return row

    def of_person(self, told_by: str) -> Key:
        """The key of whoever ``told_by`` tells apart; made, and on the disk, if there is none."""
        return self.of_persons([told_by])[0]

    def of_persons(self, told_by: Sequence[str]) -> list[Key]:
        """The same of many, in their order; those that are missing are made in one transaction."""
        persons = [self._person(text) for text in told_by]
        found = self._known(persons)
        missing = sorted(set(persons) - found.keys())
        if missing:
            with self.store.writing() as connection:
                master = self._masters.named(_BY_ID.one(connection, INDEX)[1])
                for person in missing:
                    # Made meanwhile by another process?
                    if _BY_PERSON.one(connection, person) is None:
                        self._keep(connection, f"{uuid4()}", person, master)
            found |= self._known(missing)
        return [found[person] for person in persons]

    def of_ids(self, ids: Sequence[str]) -> dict[str, Key]:
        """The keys of these ids; nothing of one that is none, or was destroyed. NotReady."""
        if len(ids) == 1:
            row = self.store.first(_BY_ID, ids[0])
            rows = [] if row is None else [row]
        else:
            with self.store.reading() as connection:
                rows = list(rows_of(connection, sa.select(*_WRAPPED), keys.c.id, ids))
        return {row[0]: self._unwrapped(row) for row in rows}

    def there(self, ids: Sequence[str]) -> list[str]:
        """Those of these ids that have a key still."""
        with self.store.reading() as connection:
            rows = list(rows_of(connection, sa.select(keys.c.id), keys.c.id, ids))
        return [row[0] for row in rows]

    def made_at(self, key_id: str) -> str | None:
        """When a key was made, RFC 3339 in UTC; None for one that is none."""
        with self.store.reading() as connection:
            made = sa.select(keys.c.made_at).where(keys.c.id == key_id, keys.c.id != INDEX)
            found: str | None = connection.execute(made).scalar_one_or_none()
        return found

    def destroy(self, ids: Iterable[str]) -> None:
        """Nothing of these keys is left in the file or beside it when this returns; NotReady where
        somebody reads so long that it cannot be made sure of."""
        gone = sorted(set(ids) - {INDEX})
        with self.store.writing() as connection:
            for start in range(0, len(gone), _AT_ONCE):
                some = gone[start : start + _AT_ONCE]
                connection.execute(sa.delete(keys).where(keys.c.id.in_(some)))
        self.store.wipe()

    def rotate(self, progress: Callable[[int], object] = lambda _keys: None) -> int:
        """Wrap every key anew with a new master key; how many. What was broken off goes on."""
        master = self._masters.begin_rotation()
        # First the one that says by which master new keys are wrapped.
        done = self._wrap_again(master, keys.c.id == INDEX)
        while some := self._wrap_again(master, keys.c.id != INDEX):
            progress(some)
            done += some
        self.store.wipe()
        self._masters.end_rotation()
        return done

    def count(self) -> int:
        """How many keys there are."""
        counted = sa.select(sa.func.count()).select_from(keys)
        with self.store.reading() as connection:
            found: int = connection.execute(counted).scalar_one()
        return found

    def close(self) -> None:
        """Let go of the file."""
        self.store.close()

    def _wrap_again(self, master: Master, which: sa.ColumnElement[bool]) -> int:
        """Some of the keys that another master wrapped; how many."""
        old = sa.select(*_WRAPPED).where(which, keys.c.master != master.id).limit(_AT_ONCE)
        with self.store.writing() as connection:
            rows = connection.execute(old).all()
            for row in rows:
                wrapped = self._wrapped(row[0], self._unwrapped(row).key, master)
                connection.execute(sa.update(keys).where(keys.c.id == row[0]).values(wrapped))
        return len(rows)

    def _keep(
        self, connection: sa.Connection, key_id: str, person: str | None, master: Master
    ) -> None:
        row = self._wrapped(key_id, secrets.token_bytes(KEY_BYTES), master)
        made_at = moment_text(now())
        values = (key_id, person, made_at, row["master"], row["alg"], row["wrapped"])
        _KEEP.many(connection, [values])

    def _wrapped(self, key_id: str, key: bytes, master: Master) -> dict[str, Any]:
        wrapped = seal(self._algorithm, master.key, key, f"key\n{key_id}")
        return {"master": master.id, "alg": self._algorithm, "wrapped": wrapped}

    def _unwrapped(self, row: Any) -> Key:
        key_id, master, algorithm, wrapped = row
        found = self._masters.named(master).key
        return Key(key_id, open_sealed(algorithm, found, bytes(wrapped), f"key\n{key_id}"))

    def _known(self, persons: Sequence[str]) -> dict[str, Key]:
        """Of each person that has a key, by the person's hash."""
        if len(persons) == 1:
            row = self.store.first(_BY_PERSON, persons[0])
            return {} if row is None else {persons[0]: self._unwrapped(row)}
        wanted = sa.select(keys.c.person, *_WRAPPED)
        with self.store.reading() as connection:
            rows = list(rows_of(connection, wanted, keys.c.person, sorted(set(persons))))
        return {row[0]: self._unwrapped(row[1:]) for row in rows}

    def _person(self, told_by: str) -> str:
        if self._index_key is None:
            self._index_key = self.of_ids([INDEX])[INDEX].key
        return hmac.digest(self._index_key, told_by.encode(), "sha256").hex()
