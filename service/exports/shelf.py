"""The folder where finished exports stand, one folder for each date: whole, or not there.

An export is written under another name, brought to the disk, and renamed. What a killed run has
left is removed by the next one.
"""

import errno
import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson

from domain.errors import NotFound, NotReady, Refused
from domain.sentences import Sentence
from service.durable import sync
from service.exports.cut import Cut

MANIFEST = "manifest.json"
_LOCK = ".lock"
_UNFINISHED = re.compile(r"\.[0-9]{4}-[0-9]{2}-[0-9]{2}\.[0-9a-f]{32}")


@dataclass(frozen=True)
class Shelf:
    """The exports in ``folder``."""

    folder: Path

    def days(self) -> list[date]:
        """The dates that have an export, the newest first."""
        with suppress(FileNotFoundError):
            days = (_day(path.name) for path in self.folder.iterdir())
            return sorted((day for day in days if day), reverse=True)
        return []

    def newest(self, before: date = date.max) -> date | None:
        """The last date before that one which has an export."""
        return next((day for day in self.days() if day < before), None)

    def manifest(self, day: date) -> dict[str, Any]:
        """What an export says of itself; NotFound."""
        found: dict[str, Any] = orjson.loads(self._manifest(day))
        return found

    def may_hold(self, day: date, position: int) -> bool:
        """Whether something is in an export that was recorded after ``position``: it may be where
        the manifest does not say."""
        with suppress(NotFound, OSError, ValueError, KeyError, TypeError):
            return bool(self.manifest(day)["position"] > position)
        return True

    def file(self, day: date, name: str) -> tuple[Path, str]:
        """A file of an export and its SHA-256; NotFound for any name that its manifest has not,
        NotReady for one that is not as it was written."""
        text = self._manifest(day)
        if name == MANIFEST:
            return self.folder / f"{day}" / MANIFEST, sha256(text).hexdigest()
        for one in orjson.loads(text)["files"]:
            if one["name"] == name:
                path = self.folder / f"{day}" / one["name"]
                if fault := _misfit(path, one):
                    raise NotReady(
                        "The export of {day} is not whole: {name} {fault}.",
                        day=day,
                        name=name,
                        fault=fault,
                    )
                return path, one["sha256"]
        raise NotFound("The export of {day} has no file of that name.", day=day)

    def faults(self, day: date, *, sizes_only: bool = False) -> list[str]:
        """What is otherwise than the manifest says: nothing, unless somebody touched the files.

        ``sizes_only`` reads none of them.
        """
        find = _misfit if sizes_only else _fault
        return [
            Sentence("{name} {fault}", name=one["name"], fault=fault)
            for one in self.manifest(day)["files"]
            if (fault := find(self.folder / f"{day}" / one["name"], one))
        ]

    def _manifest(self, day: date) -> bytes:
        try:
            return (self.folder / f"{day}" / MANIFEST).read_bytes()
        except FileNotFoundError:
            if (self.folder / f"{day}").exists():
                raise NotFound(
                    "The folder {day} has no {manifest}, so it is no export: move it away, "
                    "and 'leadledger export --date {day}' makes one.",
                    day=day,
                    manifest=MANIFEST,
                ) from None
            raise NotFound("There is no export of {day}.", day=day) from None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Within, no other process makes an export here; those that want to wait.

        A lock that a killed holder lets go, on one machine and, where the folder is shared, on all.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def sweep(self) -> None:
        """Remove what killed runs have left. The caller is alone."""
        for path in self.folder.iterdir():
            if _UNFINISHED.fullmatch(path.name):
                shutil.rmtree(path)

    @contextmanager
    def unfinished(self, day: date) -> Iterator[Path]:
        """A new folder to write in, which is gone at the end unless it was put in its place."""
        path = self.folder / f".{day}.{uuid4().hex}"
        path.mkdir()
        try:
            yield path
        finally:
            if path.exists():
                shutil.rmtree(path)

    def put_in_place(self, unfinished: Path, day: date) -> None:
        """Have the disk know everything in the folder, and then the folder under its date.

        Refused when somebody else has put one there meanwhile.
        """
        for file in unfinished.iterdir():
            sync(file)
        sync(unfinished)
        try:
            unfinished.rename(self.folder / f"{day}")
        except OSError as why:
            if why.errno in (errno.EEXIST, errno.ENOTEMPTY):
                raise Refused(
                    "The export of {day} was made by somebody else meanwhile.", day=day
                ) from why
            raise
        sync(self.folder)


def cut_of(manifest: Mapping[str, Any]) -> Cut:
    """The cut that an export was made at."""
    return Cut(date.fromisoformat(manifest["date"]), manifest["position"])


def _day(name: str) -> date | None:
    try:
        day = date.fromisoformat(name)
    except ValueError:
        return None
    return day if f"{day}" == name else None


def _misfit(path: Path, told: Mapping[str, Any]) -> str | None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return Sentence("is missing")
    if size == told["bytes"]:
        return None
    return Sentence("has {size} bytes, not {told}", size=size, told=told["bytes"])


def _fault(path: Path, told: Mapping[str, Any]) -> str | None:
    if fault := _misfit(path, told):
        return fault
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return None if digest == told["sha256"] else Sentence("has other bytes than were written")
