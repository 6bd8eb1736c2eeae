"""Makes a backup while the ledger is written: of the log with tokens and checkpoints, and of the
access record; and, in a folder apart, of the persons' keys.

It is made under another name, which becomes the one asked for when all of it is on the disk. The
log is copied first: whatever was answered before is in it. The keys are copied last, so that there
is one for whoever the log's copy names, unless erased since.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from domain.errors import Refused
from service.application import Ledger
from service.backups.copies import Held, Progress, copy_database, count_keys, head_of, held
from service.backups.gathering import gathered
from service.backups.manifest import (
    ACCESS,
    FILES,
    LEDGER,
    SUBJECTS,
    Manifest,
    part_of,
    write_manifest,
)
from service.durable import sync
from service.log import moment_text
from service.settings import Settings

# Whoever is at work in a folder holds it.
LOCK = ".lock"


class Made(NamedTuple):
    """A backup: what its log holds, and how many persons' keys were backed up, if they were."""

    held: Held
    keys: int | None


def make_backup(
    ledger: Ledger,
    folder: Path,
    keys: Path | None,
    moment: datetime,
    progress: Progress = lambda _events: None,
) -> Made:
    """Back up the ledger into ``folder``, and the persons' keys into the folder ``keys`` if given;
    Refused when there is something of either name."""
    made_at = moment_text(moment)
    if keys is not None and keys.resolve().is_relative_to(folder.resolve()):
        raise Refused(f"{keys} is within {folder}: the keys are to be kept apart from the log.")
    with _growing(folder) as place:
        with _files(ledger, place, keys=False) as files:
            copy_database(files.database, place / LEDGER)
            # After the log, which notes the heads that it has.
            copy_database(files.access, place / ACCESS)
        found, head = held(place / LEDGER, ledger.mapper, progress), head_of(place / ACCESS)
        what = {**found._asdict(), "access": None if head is None else str(head)}
        _finish(place, "ledger", made_at, what)
    if keys is None:
        return Made(found, None)
    ledger.access.note("personal-data", "back up the keys of personal data")
    with _growing(keys) as place:
        with _files(ledger, place, keys=True) as files:
            copy_database(files.subjects, place / SUBJECTS)
        count = count_keys(place / SUBJECTS)
        _finish(place, "keys", made_at, {"keys": count, "root": found.root})
    return Made(found, count)


@contextmanager
def _files(ledger: Ledger, place: Path, *, keys: bool) -> Iterator[Settings]:
    """Where the files are; those of a ledger on PostgreSQL are written for this, and go again."""
    if ledger.settings.postgres is None:
        yield ledger.settings
        return
    folder = place / ".gathered"
    folder.mkdir()
    yield gathered(ledger, folder, keys=keys)
    shutil.rmtree(folder)


def _finish(place: Path, kind: str, made_at: str, what: dict[str, Any]) -> None:
    files = {name: part_of(place / name) for name in sorted(FILES[kind])}
    write_manifest(place, Manifest(kind, made_at, files, what))


@contextmanager
def _growing(folder: Path) -> Iterator[Path]:
    """A folder under another name, which becomes ``folder`` at the end, or goes."""
    folder = folder.absolute()
    if folder.exists():
        raise Refused(f"There is {folder} already; a backup is made under a name of its own.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    place = folder.with_name(f".{folder.name}.unfinished")
    with alone(place):
        try:
            yield place
            _take_name(place, folder)
        except BaseException:
            shutil.rmtree(place, ignore_errors=True)
            raise


def _take_name(place: Path, folder: Path) -> None:
    try:
        # Over an empty folder it would go; over anything else it does not.
        os.rename(place, folder)
    except OSError as why:
        raise Refused(f"{folder} cannot be made: {why.strerror}.") from why
    # Only now: as long as it had its own name, nobody else was to begin there.
    (folder / LOCK).unlink()
    sync(folder)
    sync(folder.parent)


@contextmanager
def alone(place: Path, keep: Callable[[Path], bool] = lambda _path: False) -> Iterator[None]:
    """Make the folder ``place``, empty but for what to ``keep`` of one that was killed there;
    Refused while another is at work in it."""
    place.mkdir(mode=0o700, exist_ok=True)
    handle = os.open(place / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Refused(f"Another one is at work in {place}.") from None
        for path in place.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != LOCK and not keep(path):
                path.unlink()
        yield
    finally:
        os.close(handle)
