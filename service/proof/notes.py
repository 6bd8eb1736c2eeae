"""Checkpoints as text: C2SP's tlog-checkpoint in a signed-note, and the keys in a line each.

A checkpoint is three lines, origin, size and root, then an empty one, then a line for each
signature: ``— name base64(key id ‖ signature)``. Which algorithms made it is in it: the hash ends
the origin, the signature's type is in the key id. Neither has a default; unknown ones are refused.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from service.proof.tree import HASH

ED25519, COSIGNATURE = 1, 4
ALGORITHMS = {ED25519: "ed25519", COSIGNATURE: "ed25519 cosignature/v1"}
_DASH = "— "
_MOST = 1_000_000
_NAME = re.compile(r"[^\s+]+")
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_HASH_BYTES, _KEY_BYTES = 32, 32


class BadNote(ValueError):
    """A text is no checkpoint, no key, or of an algorithm unknown here."""


class Key(NamedTuple):
    """A public key: its name, its signature type, and its bytes."""

    name: str
    kind: int
    public: bytes

    @property
    def id(self) -> bytes:
        """The four bytes that name it in a signature line."""
        named = self.name.encode() + b"\n" + bytes([self.kind]) + self.public
        return sha256(named).digest()[:4]

    def __str__(self) -> str:
        encoded = b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{encoded}"


class Signature(NamedTuple):
    """A signature line: whose, the key's id, and what that key made."""

    name: str
    key_id: bytes
    made: bytes

    def __str__(self) -> str:
        return f"{_DASH}{self.name} {b64encode(self.key_id + self.made).decode()}\n"


@dataclass(frozen=True)
class Checkpoint:
    """The tree that a log had at ``size``."""

    origin: str
    size: int
    root: bytes

    @property
    def body(self) -> str:
        """What is signed: the three lines."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root).decode()}\n"


@dataclass(frozen=True)
class Note:
    """A checkpoint and its signatures."""

    checkpoint: Checkpoint
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        return f"{self.checkpoint.body}\n{''.join(map(str, self.signatures))}"

    def by(self, key: Key) -> list[Signature]:
        """The signatures that say they are by ``key``."""
        return [s for s in self.signatures if (s.name, s.key_id) == (key.name, key.id)]


def read_note(text: str) -> Note:
    """The checkpoint in ``text``; BadNote says what is wrong with it."""
    if len(text) > _MOST or any(c < " " and c != "\n" for c in text):
        raise BadNote("It is too long, or has a control character.")
    body, empty, lines = text.rpartition("\n\n")
    if not empty or not lines.endswith("\n"):
        raise BadNote("It is no signed checkpoint: no empty line, or no line end at the end.")
    signatures = tuple(map(_signature, lines[:-1].split("\n")))
    return Note(read_checkpoint(body + "\n"), signatures)


def read_checkpoint(body: str) -> Checkpoint:
    """The three lines that are signed."""
    parts = body.split("\n")
    if len(parts) != 4 or parts[3]:
        raise BadNote("A checkpoint of this ledger is three lines: origin, size, root.")
    origin, size, root = parts[:3]
    if not _NAME.fullmatch(origin):
        raise BadNote(f"'{origin}' is no origin.")
    if origin.rpartition("/")[2] != HASH:
        raise BadNote(f"The hash that '{origin}' ends with is unknown here; {HASH} is known.")
    if not _DECIMAL.fullmatch(size):
        raise BadNote(f"'{size}' is no tree size.")
    return Checkpoint(origin, int(size), _bytes(root, _HASH_BYTES))


def read_key(text: str) -> Key:
    """The public key in a line like ``name+0123abcd+base64``."""
    name, plus, rest = text.strip().partition("+")
    key_id, other, encoded = rest.partition("+")
    if not (plus and other and _NAME.fullmatch(name)):
        raise BadNote(f"'{text[:80]}' is no public key of the form name+id+base64.")
    data = _bytes(encoded, 1 + _KEY_BYTES)
    key = Key(name, data[0], data[1:])
    if key.kind not in ALGORITHMS:
        raise BadNote(f"The signature type {key.kind} is unknown here.")
    if key.id.hex() != key_id:
        raise BadNote(f"The key's id is {key.id.hex()}, not '{key_id}'.")
    return key


def _signature(line: str) -> Signature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not (line.startswith(_DASH) and space and _NAME.fullmatch(name)):
        raise BadNote(f"'{line[:80]}' is no signature line.")
    data = _bytes(encoded)
    if len(data) < 5:
        raise BadNote(f"The signature by {name} is too short.")
    return Signature(name, data[:4], data[4:])


def _bytes(text: str, length: int | None = None) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except (NoBase64, ValueError):
        raise BadNote(f"'{text[:80]}' is no base64.") from None
    if b64encode(data).decode() != text or length not in (None, len(data)):
        raise BadNote(f"'{text[:80]}' is no base64 of {length or 'so many'} bytes.")
    return data
