"""The keeper's own record of what it saw and signed last, in a file that nothing else writes.

It holds enough to go on without trusting the database: the frontier at the signed size, and at
the size that was seen since. It is on the disk before a checkpoint is published.
"""

import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from service.durable import write_durably
from service.proof.notes import Note, read_note
from service.proof.tree import HASH, Frontier


@dataclass(frozen=True)
class Seen:
    """The tree up to a log position: its size, its frontier, and the hash of its last leaf."""

    size: int
    position: int
    leaf: bytes
    hashes: tuple[bytes, ...]

    @property
    def frontier(self) -> Frontier:
        """The tree as it was then, to go on from."""
        return Frontier(self.size, self.hashes)


@dataclass(frozen=True)
class Record:
    """The log's name, how often it began anew after a ruling, the last checkpoint with what it
    covers, and what was seen since."""

    name: str
    era: int
    note: Note | None
    signed: Seen | None
    seen: Seen | None

    @classmethod
    def fresh(cls) -> Self:
        """The record of a log that has no checkpoint yet."""
        return cls(f"leadledger/{secrets.token_hex(6)}", 1, None, None, None)

    @property
    def origin(self) -> str:
        """The log's name on its checkpoints: a tree that begins anew is another log."""
        return f"{self.name}/{self.era}/{HASH}"

    def next_era(self) -> "Record":
        """The record of the log that begins anew."""
        return replace(self, era=self.era + 1, note=None, signed=None, seen=None)


def read_record(folder: Path) -> Record | None:
    """The record in the keeper's folder; None when the keeper never ran."""
    path = _file(folder)
    if not path.exists():
        return None
    found = json.loads(path.read_bytes())
    return Record(
        found["name"],
        found["era"],
        read_note(found["note"]) if found["note"] else None,
        _seen(found["signed"]),
        _seen(found["seen"]),
    )


def write_record(folder: Path, record: Record) -> None:
    """Put ``record`` in place of the one before."""
    data = {
        "name": record.name,
        "era": record.era,
        "note": str(record.note) if record.note else None,
        "signed": _told(record.signed),
        "seen": _told(record.seen),
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(_file(folder), json.dumps(data, ensure_ascii=False, indent=1).encode())


def _seen(told: Any) -> Seen | None:
    if told is None:
        return None
    hashes = tuple(map(bytes.fromhex, told["frontier"]))
    return Seen(told["size"], told["position"], bytes.fromhex(told["leaf"]), hashes)


def _told(seen: Seen | None) -> Any:
    return seen and {
        "size": seen.size,
        "position": seen.position,
        "leaf": seen.leaf.hex(),
        "frontier": [each.hex() for each in seen.hashes],
    }


def _file(folder: Path) -> Path:
    return folder / "signed.json"
