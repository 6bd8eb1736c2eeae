"""The tree as a projection of the log: tiles of 256 hashes, and which leaf stands where.

Level 0 holds the leaf hashes, each level above the roots of the full tiles below. The last tile
of each level may be partial; together they are the frontier. Rows and bookmark go into one
transaction. Whoever needs the tree brings it up: the keeper, and those who ask for proofs.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import sqlalchemy as sa

from domain.errors import NotReady
from service.log_recorder import LedgerRecorder
from service.projections.store import Prepared, inserting, upserting
from service.proof import tree
from service.settings import Settings
from service.stores import TREE, store_of

BATCH = 8_192
WIDTH = 256
BITS = 8

metadata = sa.MetaData()
tiles = sa.Table(
    "tiles",
    metadata,
    sa.Column("level", sa.Integer, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
)
# Where leaves and positions part ways: from each first leaf on, both grow by one.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("leaf", sa.BigInteger, primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False, unique=True),
)
bookmark = sa.Table(
    "bookmark",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    # The leaf at that position: by it a log that is another one is known.
    sa.Column("leaf", sa.LargeBinary, nullable=False),
)
_TILE = Prepared(
    lambda _insert: sa.select(tiles.c.hashes).where(
        tiles.c.level == sa.bindparam("level"), tiles.c.number == sa.bindparam("number")
    ),
    ["level", "number"],
)
_PUT_TILE, _PUT_RUN, _MARK = upserting(tiles), inserting(runs), upserting(bookmark)
_BOOKMARK = Prepared(
    lambda _insert: sa.select(bookmark.c.size, bookmark.c.position, bookmark.c.leaf), []
)


class OtherLog(NotReady):
    """The tree was made from another log than this one, or the log was changed since."""


class Mark(NamedTuple):
    """How far the tree has come: leaves, the last one's log position, its hash."""

    size: int = 0
    position: int = 0
    leaf: bytes = b""


class View:
    """The tree at one moment."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._kept: dict[tuple[int, int], list[list[bytes]]] = {}
        self.mark = _mark(connection)

    def subtree(self, level: int, index: int) -> bytes:
        """The hash of a full subtree; see ``tree.Subtree``."""
        tile_level, within = divmod(level, BITS)
        number = (index << within) >> BITS
        nodes = self._tile(tile_level, number)
        while len(nodes) <= within:
            last = nodes[-1]
            nodes.append(tree.parents(last[: len(last) & ~1]))
        place = index - (number << BITS >> within)
        if place >= len(nodes[within]):
            raise tree.Inconsistent(
                "The tree lacks node {index} of level {level}.", index=index, level=level
            )
        return nodes[within][place]

    def _tile(self, level: int, number: int) -> list[list[bytes]]:
        if (level, number) not in self._kept:
            self._kept[level, number] = [_hashes(self._connection, level, number)]
        return self._kept[level, number]

    def root(self, size: int) -> bytes:
        """The root of the first ``size`` leaves."""
        return tree.root_of(self.subtree, 0, size)

    def frontier(self, size: int) -> tree.Frontier:
        """The full subtrees of the first ``size`` leaves."""
        hashes, start = [], 0
        for level in reversed(range(size.bit_length())):
            if size >> level & 1:
                hashes.append(self.subtree(level, start >> level))
                start += 1 << level
        return tree.Frontier(size, hashes)

    def hashes(self, level: int, start: int, count: int) -> bytes:
        """So many hashes of a level of tiles, one behind the other; fewer at the end. Level 0 has
        the leaves, level 1 the roots of the tiles of it."""
        numbers = range(start // WIDTH, (start + count - 1) // WIDTH + 1)
        rows = [_TILE.one(self._connection, level, number) for number in numbers]
        skipped = start % WIDTH * tree.SIZE
        return b"".join(row[0] for row in rows if row)[skipped : skipped + count * tree.SIZE]

    def check(self, held: int = 0) -> None:
        """Inconsistent unless each full tile's root stands in the tile above it. Of the first
        ``held`` tiles of level 0 that is known."""
        full = sa.select(tiles).where((tiles.c.level > 0) | (tiles.c.number >= held))
        in_order = full.order_by(tiles.c.level, tiles.c.number)
        for level, number, hashes in self._connection.execute(in_order):
            if len(hashes) == WIDTH * tree.SIZE:
                root = _root(_split(hashes))
                if self.subtree((level + 1) * BITS, number) != root:
                    raise tree.Inconsistent(
                        "Tile {number} of level {level} is another.", number=number, level=level
                    )

    def position_of(self, leaf: int) -> int:
        """The log position of a leaf."""
        return leaf + self._shift(runs.c.leaf, leaf)

    def leaf_of(self, position: int) -> int:
        """The leaf of a log position that holds an event."""
        return position - self._shift(runs.c.position, position)

    def _shift(self, column: sa.Column[int], value: int) -> int:
        last = sa.select(runs).where(column <= value).order_by(column.desc()).limit(1)
        row = self._connection.execute(last).first()
        return row.position - row.leaf if row else 1


class Tree:
    """The tree of one ledger, in a file of its own beside it."""

    def __init__(self, recorder: LedgerRecorder, settings: Settings) -> None:
        self._recorder = recorder
        self._store = store_of(settings, TREE, metadata)
        self._made = False

    @contextmanager
    def view(self) -> Iterator[View]:
        """The tree as it is now."""
        self._make()
        with self._store.snapshot() as connection:
            yield View(connection)

    def catch_up(
        self, position: int, progress: Callable[[int], object] = lambda _events: None
    ) -> None:
        """Return once the tree holds the log up to ``position``; OtherLog if it cannot.

        ``progress`` is called with each batch's number of events.
        """
        self._make()
        while True:
            with self._store.snapshot() as connection:
                mark = _mark(connection)
            self._check_log(mark)
            if mark.position >= position:
                return
            with self._store.writing() as connection:
                progress(self._advance(connection, position))

    def forget(self) -> None:
        """Begin anew: the next ``catch_up`` makes all of it from the log."""
        self._make()
        with self._store.writing() as connection:
            for table in metadata.sorted_tables:
                connection.execute(sa.delete(table))

    def close(self) -> None:
        """Let go of the file."""
        self._store.close()

    def _make(self) -> None:
        if not self._made:
            self._store.create_tables()
            self._made = True

    def _check_log(self, mark: Mark) -> None:
        if not mark.size:
            return
        rows = self._recorder.stored_rows(mark.position - 1, 1, mark.position)
        if tree.leaf_hashes(rows) != [mark.leaf]:
            raise OtherLog(
                "The event at position {position} of the log is not the one that the tree was "
                "made from: the log was altered, or another copy of it put here.",
                retry_after=60,
                position=mark.position,
            )

    def _advance(self, connection: sa.Connection, position: int) -> int:
        mark = _mark(connection)
        rows = self._recorder.stored_rows(mark.position, BATCH, position)
        if mark.position >= position:
            # Somebody else was faster.
            return 0
        if not rows:
            raise OtherLog("The log has no position {position}.", retry_after=60, position=position)
        _PUT_RUN.many(connection, list(_new_runs(mark, [row[0] for row in rows])))
        hashes = tree.leaf_hashes(rows)
        _append(connection, 0, mark.size, hashes)
        _MARK.many(connection, [(1, mark.size + len(rows), rows[-1][0], hashes[-1])])
        return len(rows)


def _mark(connection: sa.Connection) -> Mark:
    row = _BOOKMARK.one(connection)
    return Mark(*row) if row else Mark()


def _hashes(connection: sa.Connection, level: int, number: int) -> list[bytes]:
    row = _TILE.one(connection, level, number)
    return _split(row[0]) if row else []


def _split(data: bytes) -> list[bytes]:
    return [data[at : at + tree.SIZE] for at in range(0, len(data), tree.SIZE)]


def _new_runs(mark: Mark, positions: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Each place where a position does not follow the one before, as (leaf, position)."""
    before = mark.position if mark.size else -1
    for leaf, position in enumerate(positions, mark.size):
        if position != before + 1:
            yield leaf, position
        before = position


def _append(connection: sa.Connection, level: int, there: int, hashes: list[bytes]) -> None:
    """Put ``hashes`` after the ``there`` that the level holds, and full tiles' roots above."""
    number, held = divmod(there, WIDTH)
    nodes = (_hashes(connection, level, number) if held else []) + hashes
    parts = [nodes[at : at + WIDTH] for at in range(0, len(nodes), WIDTH)]
    rows = [(level, number + at, b"".join(part)) for at, part in enumerate(parts)]
    _PUT_TILE.many(connection, rows)
    roots = [_root(part) for part in parts if len(part) == WIDTH]
    if roots:
        _append(connection, level + 1, there // WIDTH, roots)


def _root(nodes: list[bytes]) -> bytes:
    while len(nodes) > 1:
        nodes = tree.parents(nodes)
    return nodes[0]
