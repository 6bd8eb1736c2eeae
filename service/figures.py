"""Numbers that only grow, counted by all workers of a service and told as one.

The memory is made before the workers are (``gunicorn_conf`` imports this), so all of them have it;
each counts in a part of its own, without a lock or a file: no disk can be too full to count, and
what a killed worker had counted stays. A worker that comes after one that ended goes on in its
part. Counted are whole numbers; a count costs a tenth of a microsecond. (Two threads of one process
that count the same at the same moment may lose one: the workers have one thread.)
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from mmap import mmap
from typing import NamedTuple

# As many workers as there may be, twice while they are replaced, and some; in each so many cells of
# 8 bytes.
PARTS, CELLS = 160, 16_384
# Upper bounds of what a histogram counts apart, in seconds.
BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# A histogram's cells: one for each bound and one beyond, then the sum in microseconds.
WIDTH = len(BOUNDS) + 2
_SUM = WIDTH - 1

# Families that several layers count: events that commands recorded; how long a lock was waited for,
# by what the lock is of.
EVENTS = "leadledger_events_recorded_total"
WAITS = "leadledger_lock_wait_seconds"
LOCKS = ("log", "projections", "rebuild", "access", "subjects", "tree", "slowing")

# A family of numbers, and what tells one of them from the others.
Key = tuple[str, ...]


_NOTHING = memoryview(bytes(CELLS * 8)).cast("Q")


class Spread(NamedTuple):
    """What a histogram has: how many up to each bound and beyond, and their sum in seconds."""

    counts: tuple[int, ...]
    seconds: float


class Figures:
    """The numbers, by key; those that nobody has laid out are not counted."""

    def __init__(self) -> None:
        self._cells = memoryview(mmap(-1, PARTS * CELLS * 8)).cast("Q")
        self._begin = 0
        self._places: dict[Key, int] = {}
        self._widths: dict[Key, int] = {}

    def take(self, part: int) -> None:
        """Count in this part from now on, which nobody else does; with what it has counted."""
        self._begin = part * CELLS
        if self._widths:
            self.lay_out(self._widths)

    def lay_out(self, widths: Mapping[Key, int]) -> None:
        """Count these: 1 for a number, WIDTH for a histogram. The same always lie in the same
        place; what another version of the service counted, by another layout, is dropped."""
        places, at = {}, 1
        for key, width in widths.items():
            places[key], at = at, at + width
        if at > CELLS:
            raise ValueError(f"{at} cells are too many figures; there is room for {CELLS}.")
        drawn = blake2b(repr(list(widths.items())).encode(), digest_size=8).digest()
        mark = int.from_bytes(drawn, "little") or 1
        if self._cells[self._begin] != mark:
            self._cells[self._begin : self._begin + CELLS] = _NOTHING
            self._cells[self._begin] = mark
        self._places, self._widths = places, dict(widths)

    def add(self, key: Key, count: int = 1) -> None:
        """So many more."""
        at = self._places.get(key)
        if at is not None:
            self._cells[self._begin + at] += count

    def took(self, key: Key, seconds: float) -> None:
        """One more that took so long."""
        at = self._places.get(key)
        if at is not None:
            self.took_at(at, seconds)

    def place(self, key: Key) -> int:
        """Where a key's number lies, for who counts so often that looking it up is felt."""
        return self._places[key]

    def took_at(self, place: int, seconds: float) -> None:
        """As ``took``."""
        cells, at = self._cells, self._begin + place
        cells[at + bisect_left(BOUNDS, seconds)] += 1
        cells[at + _SUM] += int(seconds * 1e6)

    def counted(self, family: str) -> Iterator[tuple[Key, int]]:
        """Every number of a family, as all workers have counted it."""
        for key, (count,) in self._sums(family):
            yield key[1:], count

    def spread(self, family: str) -> Iterator[tuple[Key, Spread]]:
        """Every histogram of a family that something was counted in."""
        for key, (*counts, micros) in self._sums(family):
            if any(counts):
                yield key[1:], Spread(tuple(counts), micros / 1e6)

    def _sums(self, family: str) -> Iterator[tuple[Key, Sequence[int]]]:
        mark = self._cells[self._begin]
        parts = [at for at in range(0, PARTS * CELLS, CELLS) if mark and self._cells[at] == mark]
        for key, at in self._places.items():
            if key[0] == family:
                ranges = [self._cells[p + at : p + at + self._widths[key]] for p in parts]
                yield key, [sum(column) for column in zip(*ranges, strict=True)]


FIGURES = Figures()
