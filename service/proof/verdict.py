"""Does this ledger hold? Its events and its tree against every checkpoint that can be had here."""

from collections.abc import Iterator
from contextlib import closing, suppress
from typing import NamedTuple

from domain.sentences import Sentence
from service.application import Ledger
from service.proof.keys import is_signed_by
from service.proof.notes import BadNote, Key, Note, read_key, read_note
from service.proof.record import Record, read_record
from service.proof.signer import SEEN, expected_of
from service.proof.tiles import Tree, View
from service.proof.tree import Inconsistent
from service.proof.verifying import (
    Expected,
    Finding,
    Going,
    Progress,
    Walk,
    driven,
    named,
    quietly,
)


class Verdict(NamedTuple):
    """The log holds: so many events, up to this position, and how many a checkpoint covers."""

    size: int
    position: int
    root: bytes
    covered: int


def judge(ledger: Ledger, since: Note | None = None, progress: Progress = quietly) -> Verdict:
    """Hash the log again, all of it or what came after ``since``; Inconsistent if it fails.

    ``since`` is a checkpoint that was kept elsewhere. What came before it is then taken from the
    tree, if that has the kept root.
    """
    return driven(judging(ledger, since), progress)


def judging(ledger: Ledger, since: Note | None = None) -> Going[Verdict]:
    """The same, a batch at a time: each gives its number of events."""
    expected = sorted(_expected(ledger, since))
    covered = max((e.size for e in expected if e.what != SEEN), default=0)
    tree = Tree(ledger.log_recorder, ledger.settings)
    with closing(tree), tree.view() as view:
        walk, finding = yield from _walk(ledger, expected, since, view)
        if finding:
            raise Inconsistent(finding.sentence)
        view.check(walk.tiles_held)
    return Verdict(walk.frontier.size, walk.position, walk.frontier.root(), covered)


def length_since(ledger: Ledger, since: Note | None) -> int:
    """About how many events ``judge`` will hash."""
    last = ledger.recorder.max_notification_id() or 0
    return max(0, last - (since.checkpoint.size if since else 0))


def _walk(
    ledger: Ledger,
    expected: list[Expected],
    since: Note | None,
    view: View,
) -> Going[tuple[Walk, Finding | None]]:
    recorder = ledger.log_recorder
    size = since.checkpoint.size if since else 0
    known = view.mark.size >= size > 0 and since and view.root(size) == since.checkpoint.root
    if known:
        walk = Walk(recorder, view.frontier(size), view.position_of(size - 1), view)
        expected = [e for e in expected if e.size >= size]
    else:
        walk = Walk(recorder, view=view)
    finding = yield from walk.going(expected)
    return walk, named(walk, finding, expected, view)


def _expected(ledger: Ledger, since: Note | None) -> Iterator[Expected]:
    """Every checkpoint of the present log: kept, published, and in the keeper's own record."""
    keys = [read_key(text) for text, _ in ledger.published.public_keys()]
    record = _keepers(ledger)
    latest = ledger.published.latest()
    newest = (record and record.note) or since or (read_note(latest.note) if latest else None)
    origin = newest.checkpoint.origin if newest else None
    if since:
        yield _checked(since, keys, origin, Sentence("the checkpoint that was kept"))
    if record and record.note:
        yield _checked(record.note, keys, origin, Sentence("the keeper's last checkpoint"))
        yield from expected_of(record)
    for made in ledger.published.all():
        try:
            note = read_note(made.note)
        except BadNote as why:
            raise Inconsistent(
                "The checkpoint of {moment} cannot be read: {why}", moment=made.made_at, why=why
            ) from why
        if note.checkpoint.origin == origin or made == latest:
            yield _checked(
                note, keys, origin, Sentence("the checkpoint of {moment}", moment=made.made_at)
            )


def _keepers(ledger: Ledger) -> Record | None:
    # The keeper's folder may be another user's; what is published is held against the log still.
    with suppress(PermissionError):
        return read_record(ledger.settings.keeper)
    return None


def _checked(note: Note, keys: list[Key], origin: str | None, what: Sentence) -> Expected:
    checkpoint = note.checkpoint
    if checkpoint.origin != origin:
        raise Inconsistent(
            "Of another log: {what} is of {other}, and this is {origin}. It began anew after a "
            "ruling, or is another one.",
            what=what,
            other=checkpoint.origin,
            origin=f"{origin}",
        )
    if not any(is_signed_by(note, key) for key in keys):
        raise Inconsistent("No key of this ledger signed {what}.", what=what)
    return Expected(checkpoint.size, checkpoint.root, what)
