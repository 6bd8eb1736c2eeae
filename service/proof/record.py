"""The keeper's own record of what it signed last, in a file that nothing else writes.

It holds enough to go on without trusting the database: the frontier at the signed size, and the
hash of the last event that was signed. It is on the disk before a checkpoint is published.
"""

import json
import secrets
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from service.proof.durable import write_durably
from service.proof.notes import Note, read_note
from service.proof.tree import HASH, Frontier


@dataclass(frozen=True)
class Signed:
    """The last checkpoint, the log position of its last event, that one's hash, the frontier."""

    note: Note
    position: int
    leaf: bytes
    hashes: tuple[bytes, ...]

    @property
    def frontier(self) -> Frontier:
        """The tree as it was then, to go on from."""
        return Frontier(self.note.checkpoint.size, self.hashes)


@dataclass(frozen=True)
class Record:
    """The log's name, how often it began anew after a ruling, and what was signed last."""

    name: str
    era: int
    signed: Signed | None

    @classmethod
    def fresh(cls) -> Self:
        """The record of a log that has no checkpoint yet."""
        return cls(f"leadledger/{secrets.token_hex(6)}", 1, None)

    @property
    def origin(self) -> str:
        """The log's name on its checkpoints: a tree that begins anew is another log."""
        return f"{self.name}/{self.era}/{HASH}"

    def next_era(self) -> "Record":
        """The record of the log that begins anew."""
        return replace(self, era=self.era + 1, signed=None)


def read_record(folder: Path) -> Record | None:
    """The record in the keeper's folder; None when the keeper never ran."""
    path = _file(folder)
    if not path.exists():
        return None
    found = json.loads(path.read_bytes())
    told = found["signed"]
    signed = told and Signed(
        read_note(told["note"]),
        told["position"],
        bytes.fromhex(told["leaf"]),
        tuple(map(bytes.fromhex, told["frontier"])),
    )
    return Record(found["name"], found["era"], signed)


def write_record(folder: Path, record: Record) -> None:
    """Put ``record`` in place of the one before."""
    signed = record.signed and {
        "note": str(record.signed.note),
        "position": record.signed.position,
        "leaf": record.signed.leaf.hex(),
        "frontier": [each.hex() for each in record.signed.hashes],
    }
    data = {"name": record.name, "era": record.era, "signed": signed}
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_durably(_file(folder), json.dumps(data, ensure_ascii=False, indent=1).encode())


def _file(folder: Path) -> Path:
    return folder / "signed.json"
