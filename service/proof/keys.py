"""Ed25519: signing and verifying notes, and the folder of private keys that only the keeper reads.

Each private key is a file of its own, named by the moment it was made. The newest signs; the one
before it signs beside it for thirty days more, so that whoever knows only the old one has time
to learn of the new one from a log that the old one still vouches for.
"""

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from service.durable import write_durably
from service.proof.notes import COSIGNATURE, ED25519, Checkpoint, Key, Note, Signature

OVERLAP = timedelta(days=30)
_STAMP = "%Y%m%dT%H%M%S%fZ"


class PrivateKey(NamedTuple):
    """A private key and since when it signs."""

    since: datetime
    key: Ed25519PrivateKey

    def public(self, name: str, kind: int = ED25519) -> Key:
        """Its public key under ``name``."""
        return Key(name, kind, self.key.public_key().public_bytes_raw())

    def sign(self, checkpoint: Checkpoint) -> Signature:
        """The line that vouches for ``checkpoint``."""
        public = self.public(checkpoint.origin)
        return Signature(public.name, public.id, self.key.sign(checkpoint.body.encode()))

    def cosign(self, checkpoint: Checkpoint, name: str, seconds: int) -> Signature:
        """A witness's line (C2SP's cosignature/v1), made at ``seconds`` since 1970."""
        public = self.public(name, COSIGNATURE)
        signature = self.key.sign(_cosigned(checkpoint, seconds))
        return Signature(name, public.id, struct.pack(">Q", seconds) + signature)


def is_signed_by(note: Note, key: Key) -> bool:
    """Whether ``note`` has a signature by ``key``, and none by it that is false."""
    found = note.by(key)
    return bool(found) and all(_is_true(note.checkpoint, key, s.made) for s in found)


def _is_true(checkpoint: Checkpoint, key: Key, signature: bytes) -> bool:
    message = checkpoint.body.encode()
    if key.kind == COSIGNATURE:
        if len(signature) <= 8:
            return False
        message = _cosigned(checkpoint, struct.unpack(">Q", signature[:8])[0])
        signature = signature[8:]
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _cosigned(checkpoint: Checkpoint, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{checkpoint.body}".encode()


class KeyFolder:
    """The private keys, each readable by its owner alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def signing(self, moment: datetime) -> list[PrivateKey]:
        """The keys that sign at ``moment``, the newest first; one is made if there is none."""
        keys = self.all() or [self.make(moment)]
        newer = [None, *(key.since for key in keys)]
        return [k for k, next_ in zip(keys, newer, strict=False) if not _is_over(next_, moment)]

    def make(self, moment: datetime) -> PrivateKey:
        """A new key, on the disk before it is used."""
        made = PrivateKey(moment, Ed25519PrivateKey.generate())
        data = made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_durably(self._folder / f"{moment.strftime(_STAMP)}.key.pem", data)
        return made

    def all(self) -> list[PrivateKey]:
        """Every key there ever was, the newest first."""
        return [_read(path) for path in sorted(self._folder.glob("*.key.pem"), reverse=True)]


def _is_over(next_since: datetime | None, moment: datetime) -> bool:
    return next_since is not None and moment - next_since > OVERLAP


def _read(path: Path) -> PrivateKey:
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} holds no Ed25519 key.")
    since = datetime.strptime(path.name.partition(".")[0], _STAMP).replace(tzinfo=UTC)
    return PrivateKey(since, key)
