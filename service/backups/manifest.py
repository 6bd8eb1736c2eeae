"""What a backup says of itself, in a file that is written last."""

from pathlib import Path
from typing import Any, NamedTuple

import orjson

from domain.errors import Refused
from service.backups.copies import Damaged, digest_of_file
from service.durable import write_durably

NAME = "manifest.json"
FORMAT = 1
# kind → the files of such a backup
LEDGER, ACCESS, SUBJECTS = "ledger.sqlite", "ledger.sqlite.access", "ledger.sqlite.subjects"
FILES = {"ledger": {LEDGER, ACCESS}, "keys": {SUBJECTS}}


class Part(NamedTuple):
    """A file of it."""

    bytes: int
    sha256: str


class Manifest(NamedTuple):
    """``kind``: "ledger" or "keys". ``held``: what is in it, as whoever made it found."""

    kind: str
    made_at: str
    files: dict[str, Part]
    held: dict[str, Any]


def part_of(path: Path) -> Part:
    """A file as the manifest names it."""
    return Part(path.stat().st_size, digest_of_file(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """With it a backup is whole."""
    told: dict[str, Any] = {"format": FORMAT, **manifest._asdict()}
    told["files"] = {name: part._asdict() for name, part in manifest.files.items()}
    write_durably(folder / NAME, orjson.dumps(told, option=orjson.OPT_INDENT_2) + b"\n")


def read_manifest(folder: Path, kind: str) -> Manifest:
    """The manifest of a whole backup of this kind; Refused for what is none, Damaged when it cannot
    be read."""
    try:
        told = orjson.loads((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise Refused(f"{folder} is no whole backup: it has no {NAME}.") from None
    except ValueError as why:
        raise Damaged(f"{folder / NAME} cannot be read: {why}.") from None
    try:
        if told.pop("format") != FORMAT:
            raise Refused(f"{folder} is a backup of a format that is unknown here.")
        files = {name: Part(**part) for name, part in told.pop("files").items()}
        found = Manifest(files=files, **told)
    except (AttributeError, KeyError, TypeError) as why:
        raise Damaged(f"{folder / NAME} lacks something, or has too much: {why}.") from None
    if found.kind != kind:
        raise Refused(f"{folder} is a backup of kind {found.kind}, and one of {kind} is needed.")
    if files.keys() != FILES[kind]:
        raise Damaged(f"{folder / NAME} names other files than a backup has: {', '.join(files)}.")
    return found


def check_files(folder: Path, manifest: Manifest) -> None:
    """Damaged names the file that is not what the manifest says."""
    for name, part in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise Damaged(f"{path} is missing from the backup.")
        if path.stat().st_size != part.bytes or digest_of_file(path) != part.sha256:
            raise Damaged(f"{path} is not the file that was backed up: its digest is another one.")
