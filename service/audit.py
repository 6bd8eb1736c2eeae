"""What auditors ask: the log as it is stored, its checkpoints, keys and alarms, and proofs."""

from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from domain.errors import Invalid, NotFound, NotReady, none_such
from domain.sentences import Sentence
from service.log_recorder import LedgerRecorder
from service.proof.notes import ALGORITHMS as SIGNATURES
from service.proof.notes import ED25519, Checkpoint, read_key, read_note
from service.proof.published import Made, Published
from service.proof.tiles import Tree, View
from service.proof.tree import HASH, Row, consistency_path, inclusion_path
from service.settings import Settings

PROOF_FORMAT = "leadledger-proof/1"
VERIFIER = Path(__file__).parent / "proof" / "verify_ledger.py"
# Events read at once for a stream: it needs no more memory for a long log than for a short one.
_BATCH = 500


class Audit:
    """The auditors' reads."""

    def __init__(self, recorder: LedgerRecorder, published: Published, settings: Settings) -> None:
        self._recorder = recorder
        self._published = published
        self._tree = Tree(recorder, settings)

    def close(self) -> None:
        """Let go of the tree's file."""
        self._tree.close()

    def events(self, after: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
        """The log after a position, and where to go on (None: the end)."""
        rows = self._recorder.stored_rows(after, limit + 1)
        more = rows[limit - 1][0] if len(rows) > limit else None
        return [shown_event(row) for row in rows[:limit]], more

    def stream(self, after: int, stop: int) -> Iterator[bytes]:
        """The log after a position and up to another, a line of JSON for each event."""
        while rows := self._recorder.stored_rows(after, _BATCH, stop):
            yield b"".join(
                orjson.dumps(shown_event(row), option=orjson.OPT_APPEND_NEWLINE) for row in rows
            )
            after = rows[-1][0]

    def checkpoint(self) -> tuple[Made, Checkpoint]:
        """The present checkpoint; NotFound before the keeper signed the first."""
        made = self._published.latest()
        if made is None:
            raise NotFound("There is no checkpoint yet; the keeper signs the first.")
        return made, read_note(made.note).checkpoint

    def checkpoints(
        self, before: int, limit: int
    ) -> tuple[list[tuple[Made, Checkpoint]], int | None]:
        """Checkpoints from the newest to the oldest, before a place; and where to go on."""
        found = self._published.listed(before, limit + 1)
        some = [(made, read_note(made.note).checkpoint) for made in found[:limit]]
        return some, some[-1][0].id if len(found) > limit else None

    def public_keys(self) -> list[dict[str, Any]]:
        """Every public key that ever signed, the oldest first."""
        return [
            {
                "key": text,
                "origin": read_key(text).name,
                "algorithm": SIGNATURES[read_key(text).kind],
                "since": since,
            }
            for text, since in self._published.public_keys()
        ]

    def alarms(self) -> list[dict[str, Any]]:
        """Every alarm, the newest first, and how it was ruled on."""
        return [dict(row) for row in self._published.alarm_rows()]

    def lead_proof(self, lead_id: UUID) -> dict[str, Any]:
        """A lead's stored events, each with its proof under the present checkpoint; NotFound."""
        rows = self._recorder.stored_rows_of(lead_id)
        if not rows or rows[0][3] != b"lead.tipped":
            raise none_such("lead", lead_id)
        made, checkpoint = self.checkpoint()
        covered, later = [], []
        with self._view(checkpoint) as view:
            for row in rows:
                leaf = view.leaf_of(row[0])
                if leaf < checkpoint.size:
                    path = inclusion_path(view.subtree, leaf, checkpoint.size)
                    covered.append({**shown_event(row), "leaf": leaf, "path": _texts(path)})
                else:
                    later.append(shown_event(row))
        return {
            "format": PROOF_FORMAT,
            "hash": HASH,
            "signature": SIGNATURES[ED25519],
            "lead": str(lead_id),
            "checkpoint": made.note,
            "events": covered,
            "not_covered_yet": later,
        }

    def consistency(self, old: int) -> dict[str, Any]:
        """What proves that the present checkpoint begins with the first ``old`` events."""
        path, note = self.consistency_path(old)
        size = read_note(note).checkpoint.size
        return {"hash": HASH, "from": old, "size": size, "path": _texts(path), "checkpoint": note}

    def consistency_path(self, old: int) -> tuple[list[bytes], str]:
        """The path from ``old`` events to the present checkpoint, and that; Invalid, NotFound."""
        made, checkpoint = self.checkpoint()
        if old > checkpoint.size:
            reason = Sentence(
                "The present checkpoint covers {size} events, not yet {old}.",
                size=checkpoint.size,
                old=old,
            )
            raise Invalid({"from": [reason]})
        with self._view(checkpoint) as view:
            return consistency_path(view.subtree, old, checkpoint.size), made.note

    @contextmanager
    def _view(self, checkpoint: Checkpoint) -> Iterator[View]:
        """The tree, if it is the one that was signed; else NotReady."""
        self._tree.catch_up(self._recorder.max_notification_id() or 0)
        with self._tree.view() as view:
            size, root = checkpoint.size, checkpoint.root
            if view.mark.size < size or view.root(size) != root:
                raise NotReady(
                    "The tree is not the one that was signed: it proves nothing.", retry_after=60
                )
            yield view


def manifest_of(made: Made) -> Mapping[str, Any]:
    """What an export's manifest says of the checkpoint that was made at it."""
    return {"checkpoint": made.note, "size": made.size, "made_at": made.made_at, "hash": HASH}


def paper(made: Made) -> str:
    """A checkpoint as three short lines, to be kept on paper: which log, how many events, root."""
    checkpoint = read_note(made.note).checkpoint
    root = checkpoint.root.hex()
    groups = " ".join(root[at : at + 8] for at in range(0, len(root), 8))
    return f"{checkpoint.origin}\n{checkpoint.size} events, {made.made_at[:16]}Z\n{groups}\n"


def shown_event(row: Row) -> dict[str, Any]:
    """A stored event with every byte that its leaf is made of."""
    position, originator_id, version, topic, state = row
    shown: dict[str, Any] = {
        "position": position,
        "originator_id": originator_id.decode("utf-8", "backslashreplace"),
        "version": version,
        "topic": topic.decode("utf-8", "backslashreplace"),
        "recorded_at": _recorded_at(state),
    }
    try:
        shown["state"] = state.decode()
    except UnicodeDecodeError:
        # No event of ours is like that; whoever put it there is to be seen doing so.
        shown |= {"state": "", "state_base64": b64encode(state).decode()}
    return shown


def _recorded_at(state: bytes) -> str | None:
    try:
        found = orjson.loads(state)["timestamp"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if isinstance(found, str) else None


def _texts(path: list[bytes]) -> list[str]:
    return [b64encode(each).decode() for each in path]
