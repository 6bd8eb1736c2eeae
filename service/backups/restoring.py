"""Puts a backup back where there is no ledger, after every event of it was read and hashed.

What is put there is copied first, into a folder beside, and that copy is what is checked. While
that folder is there the service does not start: a restore that was killed is to be run again.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from eventsourcing.persistence import Mapper

from domain.errors import Refused
from service.backups.copies import (
    Damaged,
    Held,
    Progress,
    count_keys,
    digest_of_file,
    head_of,
    held,
)
from service.backups.making import alone
from service.backups.manifest import (
    ACCESS,
    LEDGER,
    SUBJECTS,
    Manifest,
    check_files,
    read_manifest,
)
from service.durable import sync
from service.settings import Settings

# Written once it was seen that there is no ledger: from then on what is there was put there by us.
_EMPTY = "was-empty"


class Restored(NamedTuple):
    """What was put back: the log, and how many persons' keys if they were given."""

    held: Held
    made_at: str
    keys: int | None


def restore(
    settings: Settings,
    mapper: Mapper[UUID],
    folder: Path,
    keys: Path | None,
    progress: Progress = lambda _events: None,
) -> Restored:
    """Put back the backup in ``folder``, and the persons' keys of the one in ``keys``.

    Refused where there is a ledger, or any part of one; Damaged when the backup is not what it was.
    """
    if settings.postgres is not None:
        raise Refused(
            "A backup is put back into files: set LEDGER_DATABASE to sqlite:///PATH for it; then "
            "'leadledger migrate --to' moves them into an empty database."
        )
    manifest = read_manifest(folder, "ledger")
    of_keys = read_manifest(keys, "keys") if keys else None
    # The log comes last: with it there is a ledger.
    files = [(folder / ACCESS, settings.access), (folder / LEDGER, settings.database)]
    if keys:
        files.insert(0, (keys / SUBJECTS, settings.subjects))
    place = settings.restoring
    place.parent.mkdir(parents=True, exist_ok=True)
    with alone(place, lambda path: path.name == _EMPTY):
        try:
            _check_empty(settings, place, {**manifest.files, **(of_keys.files if of_keys else {})})
            found = _checked_copy(place, folder, manifest, mapper, progress)
            count = _checked_keys(place, keys, of_keys)
        except (Refused, Damaged):
            if not (place / _EMPTY).exists() or not _placed(settings):
                shutil.rmtree(place)
            raise
        for source, target in files:
            _put(place / source.name, target)
        shutil.rmtree(place)
        sync(place.parent)
    return Restored(found, manifest.made_at, count)


def check_whole(settings: Settings) -> None:
    """Refused while a restore was begun here and not finished."""
    if settings.restoring.exists():
        raise Refused(
            f"A restore was begun here and not finished ({settings.restoring} is there): run it "
            "again. Nothing is served before."
        )


def _placed(settings: Settings) -> list[Path]:
    """Whatever there is of a ledger, with what SQLite leaves beside its files when it is killed."""
    parts = (settings.database, settings.access, settings.subjects)
    beside = [
        part.with_name(part.name + end)
        for part in (*parts, settings.projections, settings.tree)
        for end in ("", "-wal", "-journal")
    ]
    return [path for path in beside if path.exists()]


def _check_empty(settings: Settings, place: Path, files: dict[str, Any]) -> None:
    """Nothing is there, or what a restore of the same backup put there before it was killed."""
    marker = place / _EMPTY
    for path in _placed(settings):
        name = {settings.database: LEDGER, settings.access: ACCESS, settings.subjects: SUBJECTS}
        part = files.get(name.get(path, "no part of a backup"))
        if not marker.exists() or part is None or digest_of_file(path) != part.sha256:
            raise Refused(
                f"There is {path} already; a backup is put back only where no part of a ledger is."
            )
    marker.touch()
    sync(place)


def _checked_copy(
    place: Path, folder: Path, manifest: Manifest, mapper: Mapper[UUID], progress: Progress
) -> Held:
    _copied(place, folder, manifest)
    found, head = held(place / LEDGER, mapper, progress), head_of(place / ACCESS)
    told = {**found._asdict(), "access": None if head is None else str(head)}
    if told != manifest.held:
        raise Damaged(f"{folder} holds {told}, and its manifest says {manifest.held}.")
    return found


def _checked_keys(place: Path, keys: Path | None, manifest: Manifest | None) -> int | None:
    if keys is None or manifest is None:
        return None
    _copied(place, keys, manifest)
    return count_keys(place / SUBJECTS)


def _copied(place: Path, folder: Path, manifest: Manifest) -> None:
    for name in manifest.files:
        with suppress(FileNotFoundError):
            shutil.copyfile(folder / name, place / name)
            (place / name).chmod(0o600)
            sync(place / name)
    check_files(place, manifest)


def _put(source: Path, target: Path) -> None:
    """Give the file its name, if there is none of it."""
    with suppress(FileExistsError):
        os.link(source, target)
        sync(target.parent)
