"""Is the log still what the checkpoints say? Every event is hashed again, and nothing trusted."""

from collections.abc import Callable, Generator, Sequence
from typing import NamedTuple, TypeVar

from domain.sentences import Sentence
from service.log_recorder import LedgerRecorder
from service.proof import tiles, tree
from service.proof.tiles import View

# What a processor's own memory holds: larger batches are slower.
BATCH = 512
Progress = Callable[[int], object]
T = TypeVar("T")
# Gives the number of events of each batch, and in the end what was found.
Going = Generator[int, None, T]


def quietly(_events: int) -> None:
    """No progress is shown."""


def driven(going: Going[T], progress: Progress) -> T:
    """What comes of it in the end; ``progress`` gets what it gives on the way."""
    while True:
        try:
            events = next(going)
        except StopIteration as end:
            found: T = end.value
            return found
        progress(events)


class Expected(NamedTuple):
    """The root that the first ``size`` events must have; ``what`` names who says so."""

    size: int
    root: bytes
    what: Sentence


class Finding(NamedTuple):
    """What does not hold: from ``position`` on, or somewhere up to ``last``."""

    position: int
    last: int
    why: Sentence

    @property
    def sentence(self) -> Sentence:
        """The same in one sentence."""
        if self.position == self.last:
            pattern = "Position {position} does not hold: {why}"
            return Sentence(pattern, position=self.position, why=self.why)
        return Sentence(
            "Something in positions {first} to {last} does not hold: {why}",
            first=self.position,
            last=self.last,
            why=self.why,
        )

    def __str__(self) -> str:
        return f"{self.sentence}"


class Walk:
    """One pass through the log."""

    def __init__(
        self,
        recorder: LedgerRecorder,
        start: tree.Frontier | None = None,
        after: int = 0,
        view: View | None = None,
    ) -> None:
        """It begins with the tree of ``start``, whose last leaf is at position ``after``.

        With ``view`` every event is held against its leaf there as well.
        """
        self._recorder = recorder
        self._view = view
        self.frontier = start or tree.Frontier()
        self.position = after
        self.leaf = b""
        # The position of the first event that is not its leaf in the tree; and of how many of its
        # tiles, from the first on, the root is the one that stands above it.
        self.differs: int | None = None
        self.tiles_held = 0
        self._right = after

    def to(
        self, expected: Sequence[Expected], stop: int = 2**62, progress: Progress = quietly
    ) -> Finding | None:
        """Go through to position ``stop``; the first of ``expected`` that is not met.

        ``expected`` are in order of size. ``progress`` gets each batch's number of events.
        """
        return driven(self.going(expected, stop), progress)

    def going(self, expected: Sequence[Expected], stop: int = 2**62) -> Going["Finding | None"]:
        """The same, a batch at a time: each gives its number of events."""
        ahead = [e for e in reversed(expected) if e.size >= self.frontier.size]
        while rows := self._recorder.stored_rows(self.position, BATCH, stop):
            finding = self._take(rows, ahead)
            if finding:
                return finding
            yield len(rows)
        return self._compare(ahead) or self._too_short(ahead)

    def _take(self, rows: Sequence[tree.Row], ahead: list[Expected]) -> Finding | None:
        hashes, done = tree.leaf_hashes(rows), 0
        self._hold_against_tree(rows, hashes)
        while done < len(rows):
            finding = self._compare(ahead)
            if finding:
                return finding
            next_ = ahead[-1].size - self.frontier.size if ahead else len(rows)
            taken = hashes[done : done + next_]
            self._hold_tiles(self.frontier.extend(taken, tiles.BITS))
            done += len(taken)
            self.position, self.leaf = rows[done - 1][0], taken[-1]
        return None

    def _hold_against_tree(self, rows: Sequence[tree.Row], hashes: list[bytes]) -> None:
        if self._view is None or self.differs is not None:
            return
        there = self._view.hashes(0, self.frontier.size, len(rows))
        # At once: to take it apart costs a tenth of all that is done with an event.
        if b"".join(hashes)[: len(there)] != there:
            its = [there[at : at + tree.SIZE] for at in range(0, len(there), tree.SIZE)]
            pairs = zip(rows, hashes, its, strict=False)
            self.differs = next(row[0] for row, mine, its in pairs if mine != its)

    def _hold_tiles(self, roots: list[bytes]) -> None:
        # So that nobody need hash them again from the leaves, which are the events' by now.
        first = (self.frontier.size >> tiles.BITS) - len(roots)
        if not roots or self._view is None or self.differs is not None or first != self.tiles_held:
            return
        if self._view.hashes(1, first, len(roots)) == b"".join(roots):
            self.tiles_held += len(roots)

    def _compare(self, ahead: list[Expected]) -> Finding | None:
        while ahead and ahead[-1].size == self.frontier.size:
            expected = ahead.pop()
            if self.frontier.root() != expected.root:
                begin = self._right + 1
                why = Sentence(
                    "the first {size} events do not have the root of {what}.",
                    size=expected.size,
                    what=expected.what,
                )
                return Finding(begin, max(begin, self.position), why)
            self._right = self.position
        return None

    def _too_short(self, ahead: list[Expected]) -> Finding | None:
        if not ahead:
            return None
        missing = self.position + 1
        why = Sentence(
            "the log ends after {size} events; {what} covers {covered}.",
            size=self.frontier.size,
            what=ahead[-1].what,
            covered=ahead[-1].size,
        )
        return Finding(missing, missing, why)


def verify(
    recorder: LedgerRecorder,
    expected: Sequence[Expected],
    view: View | None = None,
    stop: int = 2**62,
    progress: Progress = quietly,
) -> tuple[Walk, Finding | None]:
    """Hash the whole log up to ``stop``; what does not hold, of the events or of the tree.

    With ``view`` the very event is named, if that tree is the one expected.
    """
    walk = Walk(recorder, view=view)
    finding = walk.to(sorted(expected), stop, progress)
    return walk, named(walk, finding, expected, view)


def named(
    walk: Walk, finding: Finding | None, expected: Sequence[Expected], view: View | None
) -> Finding | None:
    """``finding`` with the very event named, or what is wrong with the tree if nothing else is."""
    at = walk.differs
    if view is None or at is None:
        return finding
    if finding and any(_has_root(view, e) for e in expected if e.size > view.leaf_of(at)):
        why = Sentence("it is not the event that the checkpoints cover.")
        return Finding(at, at, why)
    return finding or Finding(at, at, Sentence("its leaf in the tree is not the event's."))


def _has_root(view: View, expected: Expected) -> bool:
    try:
        return view.mark.size >= expected.size and view.root(expected.size) == expected.root
    except tree.Inconsistent:
        return False
