"""Signs checkpoints, after it has convinced itself that nothing before them was changed.

Before each signature: the log still has the event that was seen last, what is served is what
was signed, the root recomputed from the stored events is the one seen and the tree's, and that
tree begins with the one signed before. If anything is otherwise it signs nothing and raises the
alarm, and goes on only after an administrator has ruled.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from domain.sentences import Sentence
from service.log import moment_text
from service.log_recorder import LedgerRecorder
from service.proof import published as tables
from service.proof.keys import KeyFolder, PrivateKey, is_signed_by
from service.proof.notes import BadNote, Checkpoint, Note, read_key, read_note
from service.proof.published import Published
from service.proof.record import Record, Seen, read_record, write_record
from service.proof.tiles import OtherLog, Tree
from service.proof.tree import (
    Inconsistent,
    check_consistency,
    consistency_path,
    leaf_hashes,
)
from service.proof.verifying import Expected, Progress, Walk, quietly, verify
from service.settings import Settings

# What is said of an expectation that no checkpoint is behind.
SEEN = Sentence("what the keeper saw last")
log = logging.getLogger("leadledger.keeper")


class Signer:
    """The signer of one ledger. Only one may be at work: see ``keeper``."""

    def __init__(self, settings: Settings, recorder: LedgerRecorder, published: Published) -> None:
        self._folder = settings.keeper
        self._keys = KeyFolder(settings.keeper)
        self._recorder = recorder
        self._published = published
        self._tree = Tree(recorder, settings)

    def close(self) -> None:
        """Let go of the tree's file."""
        self._tree.close()

    def sign(self, moment: datetime) -> Note | None:
        """The next checkpoint, published; None when the log did not grow, or an alarm stands."""
        if self._published.standing():
            return None
        return self._guarded(moment, self._resume_and_sign)

    def check(self, moment: datetime) -> None:
        """Raise the alarm if this log is older, or another one, than what was seen last."""
        record = read_record(self._folder)
        if record and not self._published.to_resume():
            self._guarded(moment, lambda _: self._check_log(record))

    def look(self) -> None:
        """Take in what was recorded since: from now on it cannot be changed before it is signed."""
        record = read_record(self._folder)
        if record is None or self._published.standing() or self._published.to_resume():
            return
        walk = self._walk_from(record.seen or record.signed)
        if (self._recorder.max_notification_id() or 0) > walk.position:
            walk.to([])
            write_record(self._folder, replace(record, seen=_seen(walk)))

    def grew(self) -> bool:
        """Whether anything was recorded since the last checkpoint."""
        record = read_record(self._folder)
        covered = record.signed.position if record and record.signed else 0
        return (self._recorder.max_notification_id() or 0) > covered

    def rehash(self, moment: datetime, progress: Progress = quietly) -> None:
        """Hash every event that was signed again, and raise the alarm if one is another."""
        record = read_record(self._folder)
        if record and record.note and not self._published.to_resume():
            self._guarded(moment, lambda _: self._rehash(record, progress))

    def _rehash(self, record: Record, progress: Progress) -> None:
        with self._tree.view() as view:
            expected = list(expected_of(record))
            stop = max(seen.position for seen in (record.signed, record.seen) if seen)
            walk, finding = verify(self._recorder, expected, view, stop, progress)
            if finding:
                raise Inconsistent(finding.sentence)
            view.check(walk.tiles_held)

    def _guarded(self, moment: datetime, act: Callable[[datetime], Note | None]) -> Note | None:
        """What ``act`` gives; what does not hold is told to the workers, and None given."""
        try:
            return act(moment)
        except (Inconsistent, OtherLog) as why:
            log.critical("alarm, nothing is signed: %s", why)
            self._published.raise_alarm(why.sentence, moment)
            return None

    def rotate(self, moment: datetime) -> tuple[str, str]:
        """Make a new key; the old and the new public one."""
        record = self._record()
        old = self._keys.signing(moment)[0].public(record.origin)
        new = self._keys.make(moment)
        self._published.add_keys([_served(new, record)])
        return str(old), str(new.public(record.origin))

    def _resume_and_sign(self, moment: datetime) -> Note | None:
        resuming = self._published.to_resume()
        if resuming:
            self._resume(moment)
        note = self._sign(moment)
        if resuming:
            # Not before its checkpoint is there for whoever sees that it went on.
            self._published.resumed(moment)
        return note

    def _sign(self, moment: datetime) -> Note | None:
        record = self._record()
        keys = self._keys.signing(moment)
        self._published.add_keys([_served(key, record) for key in keys])
        self._check_log(record)
        self._check_published(record, moment)
        walk = self._recomputed(record)
        self._check_tree(record.note, walk)
        if record.note and walk.frontier.size == record.note.checkpoint.size:
            return None
        checkpoint = Checkpoint(record.origin, walk.frontier.size, walk.frontier.root())
        note = Note(checkpoint, tuple(key.sign(checkpoint) for key in keys))
        signed = _seen(walk)
        write_record(self._folder, replace(record, note=note, signed=signed, seen=signed))
        self._published.publish(checkpoint.size, str(note), moment)
        return note

    def _record(self) -> Record:
        record = read_record(self._folder)
        if record is None:
            if self._published.latest():
                raise Inconsistent(
                    "Checkpoints were published, and the keeper's folder has no record of them."
                )
            record = Record.fresh()
            write_record(self._folder, record)
        return record

    def _check_log(self, record: Record) -> None:
        """The log still has the event that was seen last, and the one that was signed last."""
        last = self._recorder.max_notification_id() or 0
        for seen, how in ((record.signed, Sentence("signed")), (record.seen, Sentence("seen"))):
            if seen is None or not seen.position:
                continue
            if last < seen.position:
                raise Inconsistent(
                    "The log ends at position {last}, and position {position} was {how}: was an "
                    "older copy restored?",
                    last=last,
                    position=seen.position,
                    how=how,
                )
            rows = self._recorder.stored_rows(seen.position - 1, 1, seen.position)
            if leaf_hashes(rows) != [seen.leaf]:
                raise Inconsistent(
                    "Position {position} does not hold: it is not the event that was {how}.",
                    position=seen.position,
                    how=how,
                )

    def _check_published(self, record: Record, moment: datetime) -> None:
        """What is served is what was signed; what a crash kept from being served now is."""
        strangers = self._strangers(record)
        if strangers:
            raise Inconsistent(
                "A key is served that is none of the keeper's: {key}.", key=strangers[0]
            )
        latest, mine = self._published.latest(), record.note
        if mine is None or (latest and latest.note == str(mine)):
            return
        if latest and not self._is_earlier(latest.note, mine.checkpoint):
            raise Inconsistent("The checkpoint that is served is not the one that was signed.")
        self._published.publish(mine.checkpoint.size, str(mine), moment)

    def _is_earlier(self, text: str, mine: Checkpoint) -> bool:
        try:
            note = read_note(text)
        except BadNote:
            return False
        there = note.checkpoint
        return (there.origin != mine.origin or there.size < mine.size) and self._is_ours(note)

    def _is_ours(self, note: Note) -> bool:
        origin = note.checkpoint.origin
        return any(is_signed_by(note, key.public(origin)) for key in self._keys.all())

    def _strangers(self, record: Record) -> list[str]:
        ours = {str(key.public(record.origin)) for key in self._keys.all()}
        return [
            text
            for text, _ in self._published.public_keys()
            if read_key(text).name == record.origin and text not in ours
        ]

    def _walk_from(self, seen: Seen | None) -> Walk:
        if seen is None:
            return Walk(self._recorder)
        walk = Walk(self._recorder, seen.frontier, seen.position)
        walk.leaf = seen.leaf
        return walk

    def _recomputed(self, record: Record) -> Walk:
        """The tree at the log's end, from the events since the last checkpoint alone."""
        walk = self._walk_from(record.signed)
        finding = walk.to(list(expected_of(record)), self._recorder.max_notification_id() or 0)
        if finding:
            raise Inconsistent(finding.sentence)
        return walk

    def _check_tree(self, before: Note | None, walk: Walk) -> None:
        self._tree.catch_up(walk.position)
        size, root = walk.frontier.size, walk.frontier.root()
        with self._tree.view() as view:
            if view.mark.size < size or view.root(size) != root:
                raise Inconsistent(
                    "The tree of {size} leaves is not that of the stored events.", size=size
                )
            if before:
                old = before.checkpoint
                path = consistency_path(view.subtree, old.size, size)
                check_consistency(old.size, old.root, size, root, path)

    def _resume(self, moment: datetime) -> None:
        """Go on after a ruling: with the same log if it holds, else with one that begins anew."""
        record = read_record(self._folder) or Record.fresh()
        self._tree.forget()
        _, finding = verify(self._recorder, list(expected_of(record)))
        if finding:
            record = record.next_era()
        write_record(self._folder, record)
        self._drop_strangers(record)
        if record.note:
            self._published.publish(record.note.checkpoint.size, str(record.note), moment)

    def _drop_strangers(self, record: Record) -> None:
        strangers = self._strangers(record)
        if strangers:
            with self._published.store.writing() as connection:
                named = tables.keys.c.key.in_(strangers)
                connection.execute(sa.delete(tables.keys).where(named))


def expected_of(record: Record) -> Iterator[Expected]:
    """What the log must have, going by the keeper's record, in order of size."""
    if record.note:
        checkpoint = record.note.checkpoint
        yield Expected(checkpoint.size, checkpoint.root, Sentence("the keeper's last checkpoint"))
    if record.seen:
        yield Expected(record.seen.size, record.seen.frontier.root(), SEEN)


def _seen(walk: Walk) -> Seen:
    frontier = walk.frontier
    return Seen(frontier.size, walk.position, walk.leaf, tuple(frontier.hashes))


def _served(key: PrivateKey, record: Record) -> tuple[str, str]:
    return str(key.public(record.origin)), moment_text(key.since)
