"""What the tests of the proof share: a kept ledger, what an auditor has of it, and attackers."""

import io
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from domain.actor import now
from service.application import Ledger
from service.proof import verify_ledger
from service.proof.notes import Key, Note, read_key, read_note
from service.proof.record import read_record, write_record
from service.proof.signer import Signer
from service.settings import Settings
from tests.service.helpers import follow, ledger_at, raw, settings_in

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Answer:
    """How the one-file verifier ended, and its last line."""

    status: int
    said: str


def signed(ledger: Ledger) -> Note | None:
    """One round of the signer."""
    with closing(Signer(ledger.settings, ledger.log_recorder, ledger.published)) as signer:
        return signer.sign(now())


def looked(ledger: Ledger) -> None:
    """What the keeper does each second."""
    with closing(Signer(ledger.settings, ledger.log_recorder, ledger.published)) as signer:
        signer.look()


def forget_what_was_signed(settings: Settings) -> None:
    """What the holder of the signing key can do with the keeper's record."""
    record = read_record(settings.keeper)
    assert record is not None
    write_record(settings.keeper, replace(record, note=None, signed=None, seen=None))


def rehashed(ledger: Ledger) -> None:
    """The night's work."""
    with closing(Signer(ledger.settings, ledger.log_recorder, ledger.published)) as signer:
        signer.rehash(now())


def the_key(ledger: Ledger) -> Key:
    """The newest public key of the present log."""
    return read_key(ledger.published.public_keys()[-1][0])


def present(ledger: Ledger) -> Note:
    """The present checkpoint."""
    made = ledger.published.latest()
    assert made is not None
    return read_note(made.note)


def auditor(*words: str | Path) -> Answer:
    """The one-file verifier, as an auditor calls it."""
    said = io.StringIO()
    with redirect_stdout(said):
        status = verify_ledger.main([str(word) for word in words])
    return Answer(status, said.getvalue().splitlines()[-1])


def kept(folder: Path, name: str, text: object) -> Path:
    """A file that the auditor keeps."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(str(text), "utf-8")
    return path


def copied(settings: Settings, folder: Path) -> Settings:
    """A copy of the whole ledger, keeper's folder and all, as a thief would take it."""
    shutil.copytree(settings.database.parent, folder)
    return settings_in(folder)


@contextmanager
def altered(settings: Settings) -> Iterator[Any]:
    """A connection to the log, past all of the service, in one transaction; of PostgreSQL one that
    is spoken to as SQLite is."""
    if settings.postgres:
        with settings.postgres.connect(autocommit=False) as database:
            database.execute("SET search_path = ledger")
            yield _SpokenToAsSQLite(database)
        return
    with closing(raw(settings.database)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


class _SpokenToAsSQLite:
    def __init__(self, database: Any) -> None:
        self._database = database

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Carry out what is said in SQLite's words."""
        for said, other in (
            ("lower(hex(randomblob(16)))", "gen_random_uuid()"),
            ("rowid", "position"),
            ("?", "%s"),
        ):
            statement = statement.replace(said, other)
        return self._database.execute(statement, values)


def grown(settings: Settings, lead: Any, events: int = 1) -> None:
    """A few events more, recorded as they should be."""
    with ledger_at(settings) as ledger:
        for number in range(events):
            follow(ledger, lead, f"又一次{number}")
