#!/usr/bin/env python3
"""Check a lead ledger's history without trusting whoever keeps it.

  verify_ledger.py SOURCE --key KEY [--checkpoint FILE] [--kept FILE] [--witness KEY]

SOURCE is one of
  a copy of the database       ledger.sqlite (with ledger.sqlite.tree beside it, if at hand,
                               the very event that was altered is named)
  the events                   GET /v1/audit/events with Accept: application/x-ndjson
  a lead's proof               GET /v1/audit/leads/ID/proof
  a proof of consistency       GET /v1/audit/consistency?from=SIZE, with --kept

KEY is the ledger's public key, name+id+base64, or a file with one on each line, or what
GET /v1/audit/keys answered: as you kept it, not as the ledger tells you today. --checkpoint is
the present checkpoint, --kept the one that you kept last time. Whatever was covered by the kept
one and is different now is found.

The last line of the output says "holds", or the first position that does not hold, and why.
Exit status: 0 it holds, 1 it does not, 2 it could not be checked.

This file needs Python 3.10 and nothing else; signatures are checked with the package
'cryptography' where it is installed, else with the command 'openssl'. It shares no code with the
ledger: read it, it is short.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import hashlib
import itertools
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import Any, NamedTuple, NoReturn

LIMITS = """Known limits. Nothing here detects
- what was never recorded, or was recorded falsely by someone who may record;
- changes since the last checkpoint by someone who holds both the database and the signing key, or
  within a second of the recording by someone who holds the database;
- in a lead's proof: that later events of the lead were left out (check the whole log for that).
Times and positions of a person's events stay visible after erasure."""
KINDS = {1: "Ed25519", 4: "Ed25519 cosignature/v1"}
HASHES = ("sha256",)
FORMATS = ("leadledger-proof/1",)


class DoesNotHold(Exception):
    """The history is not what it should be."""


class CannotTell(Exception):
    """What was given cannot be checked."""


class Key(NamedTuple):
    """A public key."""

    name: str
    kind: int
    raw: bytes
    id: bytes


class Signed(NamedTuple):
    """A checkpoint: what was signed, what it says, and the signature lines."""

    body: str
    origin: str
    size: int
    root: bytes
    lines: list[str]


# What a checkpoint is called in what is said of it, and the checkpoint.
Named = tuple[str, Signed]


class Event(NamedTuple):
    """A stored event, in the bytes that were stored."""

    position: int
    originator_id: bytes
    version: int
    topic: bytes
    state: bytes


# Hashes


def sha256(data: bytes) -> bytes:
    """The one hash of these trees."""
    return hashlib.sha256(data).digest()


def node(left: bytes, right: bytes) -> bytes:
    """RFC 9162, 2.1.1."""
    return sha256(b"\x01" + left + right)


def leaf_of(event: Event) -> bytes:
    """The hash of an event: four parts, each after its length in eight bytes."""
    parts = (event.originator_id, str(event.version).encode(), event.topic, event.state)
    return sha256(b"\x00" + b"".join(len(p).to_bytes(8, "big") + p for p in parts))


def split(size: int) -> int:
    """The largest power of two under ``size``."""
    power = 1
    while power * 2 < size:
        power *= 2
    return power


class Growing:
    """A tree to which leaves are added: a stack of (height, hash) of its full parts."""

    def __init__(self) -> None:
        self.size = 0
        self.stack: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        """One more leaf."""
        self.size += 1
        height = 0
        while self.stack and self.stack[-1][0] == height:
            leaf = node(self.stack.pop()[1], leaf)
            height += 1
        self.stack.append((height, leaf))

    def root(self) -> bytes:
        """The root as it is now."""
        if not self.stack:
            return sha256(b"")
        found = self.stack[-1][1]
        for _, left in reversed(self.stack[:-1]):
            found = node(left, found)
        return found


def root_by_inclusion(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """The root that a path from a leaf leads to (RFC 9162, 2.1.3.1, read backwards)."""
    if size == 1:
        if path:
            raise DoesNotHold("its path is too long")
        return leaf
    if not path:
        raise DoesNotHold("its path is too short")
    k, beside = split(size), path[-1]
    if index < k:
        return node(root_by_inclusion(leaf, index, k, path[:-1]), beside)
    return node(beside, root_by_inclusion(leaf, index - k, size - k, path[:-1]))


def roots_by_consistency(
    old: int, new: int, path: list[bytes], known: bytes | None
) -> tuple[bytes, bytes]:
    """The old and the new root that a path leads to (RFC 9162, 2.1.4.1, read backwards).

    ``known`` is the root of the old tree as long as it is a whole left part of the new one.
    """
    if old == new:
        if len(path) != (known is None):
            raise DoesNotHold("the proof of consistency has the wrong length")
        root = path[0] if known is None else known
        return root, root
    if not path:
        raise DoesNotHold("the proof of consistency is too short")
    k, beside = split(new), path[-1]
    if old <= k:
        first, second = roots_by_consistency(old, k, path[:-1], known)
        return first, node(second, beside)
    first, second = roots_by_consistency(old - k, new - k, path[:-1], None)
    return node(beside, first), node(beside, second)


# Keys, checkpoints, signatures


def unbase64(text: str, what: str) -> bytes:
    """The bytes that strict base64 stands for."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise CannotTell(f"{what} is no base64") from None
    if base64.b64encode(data).decode() != text:
        raise CannotTell(f"{what} is no base64 as it should be written")
    return data


def key_of(text: str) -> Key:
    """A public key from ``name+id+base64``."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise CannotTell(f"'{text[:60]}' is no public key like name+id+base64")
    data = unbase64(parts[2], "the public key")
    if len(data) != 33 or data[0] not in KINDS:
        raise CannotTell(f"the key of {parts[0]} is of a kind unknown here")
    named = parts[0].encode() + b"\n" + data
    if sha256(named)[:4].hex() != parts[1]:
        raise CannotTell(f"the id of {parts[0]}'s key does not belong to it: was it mistyped?")
    return Key(parts[0], data[0], data[1:], sha256(named)[:4])


def keys_of(given: list[str]) -> list[Key]:
    """The keys in arguments, each a key or a file of keys."""
    found = []
    for text in given:
        lines = [text]
        if os.path.exists(text):
            with open(text, encoding="utf-8") as file:
                lines = file.readlines()
        if lines and lines[0].startswith("{"):
            lines = [each["key"] for each in json.loads("".join(lines))["items"]]
        found += [key_of(line) for line in lines if line.strip()]
    return found


def checkpoint_of(text: str, what: str) -> Signed:
    """A checkpoint from its text, or from the JSON that the ledger answers."""
    if text.lstrip().startswith("{"):
        text = json.loads(text)["checkpoint"]
    body, empty, tail = text.rpartition("\n\n")
    lines = body.split("\n")
    if not empty or len(lines) != 3 or not tail.endswith("\n"):
        raise CannotTell(f"{what} is no checkpoint of three lines and signatures")
    origin, size, root = lines
    if origin.rpartition("/")[2] not in HASHES:
        raise CannotTell(f"the hash that {origin} ends with is unknown here")
    if not (size.isascii() and size.isdigit()) or str(int(size)) != size:
        raise CannotTell(f"{what} has the size '{size}'")
    data = unbase64(root, "the root")
    if len(data) != 32:
        raise CannotTell(f"{what} has a root of {len(data)} bytes")
    return Signed(body + "\n", origin, int(size), data, tail[:-1].split("\n"))


def signatures_by(signed: Signed, key: Key) -> Iterator[bytes]:
    """What ``key`` is said to have made."""
    for line in signed.lines:
        dash, _, rest = line.partition(" ")
        name, _, encoded = rest.partition(" ")
        if dash == "\u2014" and name == key.name:
            data = unbase64(encoded, f"the signature by {name}")
            if data[:4] == key.id:
                yield data[4:]


def is_true(key: Key, body: str, made: bytes, use_openssl: bool) -> bool:
    """Whether the key made this signature of the body."""
    message = body.encode()
    if key.kind == 4:
        seconds = int.from_bytes(made[:8], "big")
        message, made = f"cosignature/v1\ntime {seconds}\n{body}".encode(), made[8:]
    if len(made) != 64:
        return False
    if not use_openssl:
        try:
            return by_cryptography(key.raw, message, made)
        except ImportError:
            pass
    return by_openssl(key.raw, message, made)


def by_cryptography(key: bytes, message: bytes, made: bytes) -> bool:
    """Ed25519 by the package."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(made, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def by_openssl(key: bytes, message: bytes, made: bytes) -> bool:
    """Ed25519 by the command; it needs OpenSSL 3."""
    encoded = base64.b64encode(bytes.fromhex("302a300506032b6570032100") + key).decode()
    pem = f"-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----\n"
    with tempfile.TemporaryDirectory() as folder:
        names = [os.path.join(folder, name) for name in ("key", "message", "signature")]
        for name, data in zip(names, (pem.encode(), message, made), strict=True):
            with open(name, "wb") as file:
                file.write(data)
        command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", names[0], "-rawin"]
        command += ["-in", names[1], "-sigfile", names[2]]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise CannotTell("neither 'cryptography' nor 'openssl' is installed") from None
    if done.returncode and "erification" not in done.stdout + done.stderr:
        raise CannotTell(f"openssl: {done.stderr.strip()[:200]}")
    return done.returncode == 0


def check_signed(signed: Signed, what: str, keys: list[Key], use_openssl: bool) -> None:
    """Fail unless one of the keys signed it, and none of them falsely."""
    found = [(key, made) for key in keys for made in signatures_by(signed, key)]
    if not found:
        raise DoesNotHold(f"{what} is signed by none of the keys given")
    for key, made in found:
        if not is_true(key, signed.body, made, use_openssl):
            raise DoesNotHold(f"{what} bears a false signature by {key.name}")


# Where the events come from


def events_of_database(path: str) -> Iterator[Event]:
    """The stored events of a copy of the database."""
    database = opened(path)
    statement = (
        "SELECT rowid, CAST(originator_id AS BLOB), originator_version, CAST(topic AS BLOB), "
        "CAST(state AS BLOB) FROM stored_events ORDER BY rowid"
    )
    for row in database.execute(statement):
        yield Event(*row)
    database.close()


def opened(path: str) -> sqlite3.Connection:
    """A database that is only read; a copy without its -wal file as well."""
    name = "file:" + "".join(c if c.isalnum() or c in "/._-" else f"%{ord(c):02x}" for c in path)
    for mode in ("?mode=ro", "?mode=ro&immutable=1"):
        try:
            database = sqlite3.connect(name + mode, uri=True)
            database.execute("SELECT name FROM sqlite_master").fetchone()
            return database
        except sqlite3.OperationalError as why:
            failed = why
    raise CannotTell(f"{path} cannot be opened: {failed}")


def events_of_lines(path: str) -> Iterator[Event]:
    """The events in a file of JSON lines."""
    last = 0
    with open(path, encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                event = event_of(json.loads(line))
            except (ValueError, KeyError, TypeError) as why:
                raise CannotTell(f"line {number} of {path} is no event: {why!r}") from None
            if event.position <= last:
                raise DoesNotHold(f"position {event.position} comes after position {last}")
            last = event.position
            yield event


def event_of(told: dict[str, Any]) -> Event:
    """An event as the ledger tells it."""
    if "state_base64" in told:
        state = unbase64(told["state_base64"], "a state")
    else:
        state = told["state"].encode()
    originator_id, topic = told["originator_id"].encode(), told["topic"].encode()
    return Event(int(told["position"]), originator_id, int(told["version"]), topic, state)


# The checks


def check_log(
    events: Iterator[Event], checkpoints: list[Named], leaves: list[bytes] | None = None
) -> tuple[int, int]:
    """Go through the log; each of ``checkpoints``, (what, Signed) by size, must be met.

    ``leaves`` are the leaf hashes of a tree that is known to be the signed one. Gives the number
    of events and the last position.
    """
    tree, ahead = Growing(), list(checkpoints)
    position = right = 0
    while True:
        while ahead and ahead[0][1].size == tree.size:
            what, signed = ahead.pop(0)
            if tree.root() != signed.root:
                where = f"positions {right + 1} to {max(position, right + 1)}"
                raise DoesNotHold(f"something in {where} is not what {what} covers")
            right = position
        event = next(events, None)
        if event is None:
            break
        position, leaf = event.position, leaf_of(event)
        if leaves and tree.size < len(leaves) and leaf != leaves[tree.size]:
            raise DoesNotHold(f"position {position} is not the event that was signed")
        tree.add(leaf)
    if ahead:
        what, signed = ahead[0]
        told = f"{what} covers {signed.size} events"
        raise DoesNotHold(f"position {position + 1} is missing: {told}, the log has {tree.size}")
    return tree.size, position


def leaves_of(path: str, signed: list[Named]) -> list[bytes] | None:
    """The leaf hashes in the tree's own file, if it is the tree of the largest checkpoint."""
    if not os.path.exists(path):
        return None
    leaves: list[bytes] = []
    try:
        tiles = opened(path).execute("SELECT hashes FROM tiles WHERE level = 0 ORDER BY number")
        for (tile,) in tiles:
            leaves += [tile[at : at + 32] for at in range(0, len(tile), 32)]
    except (sqlite3.Error, CannotTell):
        return None
    for _, largest in reversed(signed):
        tree = Growing()
        for leaf in leaves[: largest.size]:
            tree.add(leaf)
        if tree.size == largest.size and tree.root() == largest.root:
            return leaves[: largest.size]
    return None


def published_in(path: str, origin: str, keys: list[Key], use_openssl: bool) -> Iterator[Named]:
    """The checkpoints in the database that the keys have signed: they narrow down a failure."""
    try:
        rows = opened(path).execute("SELECT note, made_at FROM checkpoints").fetchall()
    except sqlite3.Error:
        return
    for text, made_at in rows:
        try:
            signed = checkpoint_of(text, "it")
            check_signed(signed, "it", keys, use_openssl)
        except (CannotTell, DoesNotHold):
            continue
        if signed.origin == origin:
            yield f"the checkpoint of {made_at}", signed


def check_database(path: str, signed: list[Named], keys: list[Key], use_openssl: bool) -> str:
    """A copy of the database."""
    try:
        size, position = check_log(events_of_database(path), signed)
    except DoesNotHold:
        # Once more, to say where.
        more = list(published_in(path, signed[0][1].origin, keys, use_openssl))
        every = sorted(signed + more, key=lambda each: each[1].size)
        check_log(events_of_database(path), every, leaves_of(path + ".tree", every))
        raise
    return held(size, position, signed)


def held(size: int, position: int, signed: list[Named]) -> str:
    """What is said of a log that holds."""
    later = size - signed[-1][1].size
    return f"{size} events up to position {position}; {later} came after {signed[-1][0]}"


def check_proof(proof: dict[str, Any]) -> str:
    """A lead's proof, whose checkpoint was found to be signed."""
    if proof.get("format") not in FORMATS or proof.get("hash") not in HASHES:
        raise CannotTell(f"a proof of format {proof.get('format')}, {proof.get('hash')}")
    if proof.get("signature") != "ed25519":
        raise CannotTell(f"the signature {proof.get('signature')} is unknown here")
    signed = checkpoint_of(proof["checkpoint"], "the checkpoint in the proof")
    lead = proof["lead"].replace("-", "").encode()
    for version, each in enumerate(proof["events"] + proof["not_covered_yet"], 1):
        event = event_of(each)
        where = f"position {event.position} does not hold: "
        if (event.originator_id, event.version) != (lead, version):
            raise DoesNotHold(f"{where}it is not version {version} of the lead")
        if "leaf" in each:
            check_inclusion(event, each, signed, where)
    covered, later = len(proof["events"]), len(proof["not_covered_yet"])
    return f"{covered} events of lead {proof['lead']}; {later} more are not covered yet"


def check_inclusion(event: Event, told: dict[str, Any], signed: Signed, where: str) -> None:
    """One event of a proof."""
    index = int(told["leaf"])
    if not 0 <= index < signed.size:
        raise DoesNotHold(f"{where}the checkpoint has no leaf {index}")
    path = [unbase64(each, "a path") for each in told["path"]]
    try:
        root = root_by_inclusion(leaf_of(event), index, signed.size, path)
    except DoesNotHold as why:
        raise DoesNotHold(f"{where}{why}") from None
    if root != signed.root:
        raise DoesNotHold(f"{where}it is not in the tree that was signed")


def check_consistency(proof: dict[str, Any], signed: list[Named]) -> str:
    """A proof that the present checkpoint begins with the kept one."""
    if proof.get("hash") not in HASHES:
        raise CannotTell(f"the hash {proof.get('hash')} is unknown here")
    if len(signed) < 2:
        raise CannotTell("give the checkpoint that you kept with --kept")
    (_, kept), (_, now) = signed[0], signed[-1]
    if int(proof["from"]) != kept.size:
        raise CannotTell(f"the proof is from {proof['from']} events, you kept {kept.size}")
    path = [unbase64(each, "a path") for each in proof["path"]]
    if kept.size in (0, now.size):
        same = not path and (kept.size == 0 or kept.root == now.root)
    else:
        same = roots_by_consistency(kept.size, now.size, path, kept.root) == (kept.root, now.root)
    if not same:
        raise DoesNotHold(f"something in the first {kept.size} events was changed")
    return f"the log of {now.size} events begins with the {kept.size} that were kept"


# The command


def main(arguments: list[str] | None = None) -> int:
    """Check what the command line names; the exit status."""
    asked = options().parse_args(arguments)
    try:
        found = check(asked)
    except DoesNotHold as why:
        return ended(1, f"DOES NOT HOLD: {why}.")
    except (CannotTell, OSError, KeyError, TypeError, ValueError, sqlite3.Error) as why:
        return ended(2, f"CANNOT TELL: {why if isinstance(why, CannotTell) else repr(why)}.")
    return ended(0, f"holds: {found}.")


def ended(status: int, line: str) -> int:
    """Say how it ended."""
    sys.stdout.write(f"{LIMITS}\n\n{line}\n")
    return status


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--key", action="append", required=True)
    parser.add_argument("--checkpoint")
    parser.add_argument("--kept")
    parser.add_argument("--witness", action="append", default=[])
    parser.add_argument("--openssl", action="store_true", help="use openssl for the signatures")
    return parser


def check(asked: argparse.Namespace) -> str:
    """All of it; what was found to hold."""
    keys = keys_of(asked.key)
    proof = None if is_database(asked.source) or is_lines(asked.source) else read_json(asked.source)
    signed = checkpoints_of(asked, proof, keys)
    if proof is not None:
        return check_consistency(proof, signed) if "from" in proof else check_proof(proof)
    if is_database(asked.source):
        return check_database(asked.source, signed, keys, asked.openssl)
    return held(*check_log(events_of_lines(asked.source), signed), signed)


def checkpoints_of(asked: argparse.Namespace, proof: Any, keys: list[Key]) -> list[Named]:
    """Every checkpoint that was given, checked on its own and against the others, by size."""
    found = []
    for what, path in (("the kept checkpoint", asked.kept), ("the checkpoint", asked.checkpoint)):
        if path:
            with open(path, encoding="utf-8") as file:
                found.append((what, checkpoint_of(file.read(), what)))
    if proof is not None:
        found.append(("the proof's checkpoint", checkpoint_of(proof["checkpoint"], "the proof's")))
    if not found:
        raise CannotTell("give a checkpoint, with --checkpoint or --kept")
    for what, signed in found:
        check_signed(signed, what, keys, asked.openssl)
    witnesses = keys_of(asked.witness)
    if witnesses:
        check_signed(found[-1][1], f"{found[-1][0]}, for the witness,", witnesses, asked.openssl)
    check_together(found)
    return sorted(found, key=lambda each: each[1].size)


def check_together(found: list[Named]) -> None:
    """Fail when two checkpoints cannot be of one log."""
    for (what, one), (_, other) in itertools.pairwise(found):
        if one.origin != other.origin:
            raise DoesNotHold(
                f"{what} is of the log {one.origin}, the present of {other.origin}: it began anew "
                "after a ruling (look for audit.ruled among the events), or is another log"
            )
        if one.size > other.size:
            raise DoesNotHold(
                f"the log has shrunk: {what} covers {one.size} events, the present one {other.size}"
            )
        if one.size == other.size and one.root != other.root:
            raise DoesNotHold(f"there are two logs of {one.size} events, signed with one key")


def is_database(path: str) -> bool:
    """Whether it is an SQLite file."""
    with open(path, "rb") as file:
        return file.read(16) == b"SQLite format 3\x00"


def is_lines(path: str) -> bool:
    """Whether it is a file of events, a line each; the empty one is as well."""
    with open(path, encoding="utf-8") as file:
        first = file.readline()
    try:
        return not first or "position" in json.loads(first)
    except ValueError:
        return False


def read_json(path: str) -> Any:
    """The proof in a file."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def leave() -> NoReturn:
    """End with the status."""
    sys.exit(main())


if __name__ == "__main__":
    leave()
