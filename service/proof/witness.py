"""A witness: somebody else's program that saw every tree grow, and vouches for no second one.

It follows C2SP's tlog-witness: a request says which size the log believes was witnessed last,
proves that the new checkpoint begins with that tree, and is answered with a cosignature line.
"""

from base64 import b64decode, b64encode
from binascii import Error as NoBase64
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from service.durable import write_durably
from service.locks import FileLock
from service.proof.keys import KeyFolder, PrivateKey, is_signed_by
from service.proof.notes import COSIGNATURE, BadNote, Key, Note, Signature, read_note
from service.proof.tree import EMPTY, Inconsistent, check_consistency

_MOST_LINES = 63


class NotWitnessed(Exception):
    """``status`` is the one of HTTP that tlog-witness has for it."""

    def __init__(self, status: int, why: str) -> None:
        self.status = status
        super().__init__(why)


class Witness:
    """A witness of any number of logs, with its key and what it saw last in a folder."""

    def __init__(self, folder: Path, name: str, logs: Sequence[Key]) -> None:
        """``logs`` are the public keys of the logs that it knows."""
        self._folder = folder
        self._name = name
        self._logs = logs
        self._lock = FileLock(folder / "lock", 10.0)

    def key(self, moment: datetime) -> Key:
        """The public key of its cosignatures; made when there is none."""
        return self._private(moment).public(self._name, COSIGNATURE)

    def cosign(self, request: str, moment: datetime) -> Signature:
        """The cosignature of the request's checkpoint; NotWitnessed says why there is none.

        What it saw is on the disk before it vouches for it.
        """
        old, path, note = _read_request(request)
        self._check_signed(note)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock.held():
            self._check_grown(old, path, note)
            write_durably(self._file(note), str(note).encode())
        return self._private(moment).cosign(note.checkpoint, self._name, int(moment.timestamp()))

    def _check_signed(self, note: Note) -> None:
        known = [key for key in self._logs if key.name == note.checkpoint.origin]
        if not known:
            raise NotWitnessed(404, f"The log {note.checkpoint.origin} is unknown here.")
        if not any(is_signed_by(note, key) for key in known):
            raise NotWitnessed(403, "No key that is known here signed this checkpoint.")

    def _check_grown(self, old: int, path: Sequence[bytes], note: Note) -> None:
        size, root = note.checkpoint.size, note.checkpoint.root
        seen_size, seen_root = self._seen(note)
        if old > size:
            raise NotWitnessed(400, f"The checkpoint of {size} is smaller than {old}.")
        if old != seen_size:
            raise NotWitnessed(409, f"{seen_size}")
        if old == size and root != seen_root:
            raise NotWitnessed(409, f"There are two trees of {size} leaves.")
        try:
            check_consistency(old, seen_root, size, root, path)
        except Inconsistent as why:
            raise NotWitnessed(422, str(why)) from why

    def _seen(self, note: Note) -> tuple[int, bytes]:
        file = self._file(note)
        if not file.exists():
            return 0, EMPTY
        seen = read_note(file.read_text("utf-8")).checkpoint
        return seen.size, seen.root

    def _file(self, note: Note) -> Path:
        digest = sha256(note.checkpoint.origin.encode()).hexdigest()[:16]
        return self._folder / f"{digest}.checkpoint"

    def _private(self, moment: datetime) -> PrivateKey:
        return KeyFolder(self._folder).signing(moment)[0]


def witness_request(old: int, path: Sequence[bytes], note: str) -> str:
    """What a witness is asked, in tlog-witness's form."""
    lines = "".join(f"{b64encode(each).decode()}\n" for each in path)
    return f"old {old}\n{lines}\n{note}"


def _read_request(text: str) -> tuple[int, list[bytes], Note]:
    head, _, rest = text.partition("\n\n")
    first, *lines = head.split("\n")
    word, _, size = first.partition(" ")
    if word != "old" or not (size.isascii() and size.isdigit()) or len(lines) > _MOST_LINES:
        raise NotWitnessed(400, "The request does not begin with 'old' and a size.")
    try:
        path = [b64decode(line, validate=True) for line in lines]
        return int(size), path, read_note(rest)
    except (NoBase64, BadNote) as why:
        raise NotWitnessed(400, f"The request cannot be read: {why}") from why
