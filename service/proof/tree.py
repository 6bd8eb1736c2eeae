"""The tree of RFC 6962 and 9162 over stored events: its hashes, its proofs, and their checks.

A leaf is ``H(00 ‖ data)`` and a node ``H(01 ‖ left ‖ right)`` with SHA-256. An event's data are
four parts, each after its length in eight bytes, the highest first: originator id, version (in
decimal), topic, state. They are the bytes that the log holds; nothing is written anew.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from typing import Any

from domain.sentences import Sentence

HASH = "sha256"
EMPTY = sha256(b"").digest()
# Bytes of a hash.
SIZE = len(EMPTY)
_length = struct.Struct(">Q").pack

# position in the log, originator id, version, topic, state
Row = tuple[int, bytes, int, bytes, bytes]
# (level, index) → the hash of the full subtree over leaves index·2^level to (index+1)·2^level − 1
Subtree = Callable[[int, int], bytes]


class Inconsistent(Exception):
    """A proof does not prove what it should; the text, ``sentence``, says what is wrong."""

    def __init__(self, pattern: str, /, **places: Any) -> None:
        self.sentence = pattern if isinstance(pattern, Sentence) else Sentence(pattern, **places)
        super().__init__(self.sentence)


def leaf_hash(data: bytes) -> bytes:
    """The hash of one leaf."""
    return sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node from those of its children."""
    return sha256(b"\1" + left + right).digest()


def leaf_data(originator_id: bytes, version: int, topic: bytes, state: bytes) -> bytes:
    """The data of an event's leaf."""
    return b"".join(map(_part, (originator_id, b"%d" % version, topic, state)))


def _part(part: bytes) -> bytes:
    return _length(len(part)) + part


def leaf_hashes(rows: Iterable[Row]) -> list[bytes]:
    """The leaf hash of each row; as ``leaf_hash(leaf_data(…))``, with parts that recur kept."""
    starts, middles, ends = _Starts(), _Middles(), _Lengths()
    join = b"".join
    return [
        sha256(
            join((starts[len(id)], id, middles[version, topic], ends[len(state)], state))
        ).digest()
        for _, id, version, topic, state in rows
    ]


class _Starts(dict[int, bytes]):
    """What comes before an originator id of so many bytes."""

    def __missing__(self, length: int) -> bytes:
        self[length] = start = b"\0" + _length(length)
        return start


class _Lengths(dict[int, bytes]):
    """A length as it stands before a part."""

    def __missing__(self, length: int) -> bytes:
        self[length] = eight = _length(length)
        return eight


class _Middles(dict[tuple[int, bytes], bytes]):
    """Version and topic as parts."""

    def __missing__(self, key: tuple[int, bytes]) -> bytes:
        self[key] = middle = _part(b"%d" % key[0]) + _part(key[1])
        return middle


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """The nodes above an even number of neighbours."""
    each = iter(hashes)
    return [sha256(b"\1" + left + right).digest() for left, right in zip(each, each, strict=True)]


class Frontier:
    """The full subtrees of a tree of ``size`` leaves, by level: all that its growth needs."""

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        """``hashes`` are those of the subtrees, the largest first."""
        levels = [level for level in reversed(range(size.bit_length())) if size >> level & 1]
        self.size = size
        self._at = dict(zip(levels, hashes, strict=True))

    @property
    def hashes(self) -> list[bytes]:
        """The hashes of the full subtrees, the largest first."""
        return [self._at[level] for level in sorted(self._at, reverse=True)]

    def extend(self, leaves: Sequence[bytes], told: int = 0) -> list[bytes]:
        """Append leaves, given by their hashes; the new full subtrees of level ``told``."""
        level, nodes = 0, list(leaves)
        made: list[bytes] = []
        size, self.size = self.size, self.size + len(nodes)
        while nodes or size:
            if level == told:
                made = nodes.copy()
            if size & 1:
                nodes.insert(0, self._at.pop(level))
            if len(nodes) & 1:
                self._at[level] = nodes.pop()
            nodes, size, level = parents(nodes), size >> 1, level + 1
        return made

    def root(self) -> bytes:
        """The root of the tree."""
        hashes = self.hashes
        if not hashes:
            return EMPTY
        root = hashes.pop()
        while hashes:
            root = node_hash(hashes.pop(), root)
        return root


def root_of(subtree: Subtree, start: int, end: int) -> bytes:
    """The root over leaves ``start`` to ``end`` − 1, as the RFC splits them."""
    width = end - start
    if width == 0:
        return EMPTY
    if width & (width - 1) == 0:
        level = width.bit_length() - 1
        return subtree(level, start >> level)
    middle = start + _split(width)
    return node_hash(root_of(subtree, start, middle), root_of(subtree, middle, end))


def _split(width: int) -> int:
    """The largest power of two under ``width``."""
    return 1 << (width - 1).bit_length() - 1


def inclusion_path(subtree: Subtree, leaf: int, size: int) -> list[bytes]:
    """What proves that ``leaf`` is in a tree of ``size``, the lowest first (RFC 9162, 2.1.3.1)."""
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if leaf < middle:
            path.append(root_of(subtree, middle, end))
            end = middle
        else:
            path.append(root_of(subtree, start, middle))
            start = middle
    return path[::-1]


def consistency_path(subtree: Subtree, old: int, new: int) -> list[bytes]:
    """What proves that the tree of ``old`` leaves begins that of ``new`` (RFC 9162, 2.1.4.1)."""
    path: list[bytes] = []
    if not 0 < old < new:
        return path
    start, end, whole = 0, new, True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            path.append(root_of(subtree, middle, end))
            end = middle
        else:
            path.append(root_of(subtree, start, middle))
            start, whole = middle, False
    return path[::-1] if whole else [root_of(subtree, start, end), *path[::-1]]


def check_inclusion(
    leaf_hash: bytes, leaf: int, size: int, root: bytes, path: Sequence[bytes]
) -> None:
    """Inconsistent unless ``path`` leads from the leaf to ``root`` (RFC 9162, 2.1.3.2)."""
    if not 0 <= leaf < size:
        raise Inconsistent("Leaf {leaf} is none of a tree of {size}.", leaf=leaf, size=size)
    found = leaf_hash
    for beside, is_left in _turns(leaf, size - 1, path):
        found = node_hash(beside, found) if is_left else node_hash(found, beside)
    if found != root:
        raise Inconsistent("The proof of leaf {leaf} does not lead to the root.", leaf=leaf)


def check_consistency(
    old: int, old_root: bytes, new: int, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Inconsistent unless ``path`` proves that one tree begins the other (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        raise Inconsistent("A tree of {new} leaves does not begin with {old}.", new=new, old=old)
    if old in (0, new):
        if path or old_root != (new_root if old == new else EMPTY):
            raise Inconsistent("There are two trees of {old} leaves.", old=old)
        return
    rest = list(path) if old & (old - 1) else [old_root, *path]
    if not rest:
        raise Inconsistent("The proof is empty.")
    whole = (old ^ (old - 1)).bit_length() - 1  # the levels that the old tree fills to its end
    first = second = rest[0]
    for beside, is_left in _turns((old - 1) >> whole, (new - 1) >> whole, rest[1:]):
        if is_left:
            first, second = node_hash(beside, first), node_hash(beside, second)
        else:
            second = node_hash(second, beside)
    if (first, second) != (old_root, new_root):
        raise Inconsistent(
            "The tree of {new} leaves does not begin with the one of {old}.", new=new, old=old
        )


def _turns(at: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Each hash of a path from node ``at`` up, and whether it stands to the left.

    ``last`` is the last node of that level.
    """
    for beside in path:
        if last == 0:
            raise Inconsistent("The proof is too long.")
        is_left = bool(at & 1) or at == last
        yield beside, is_left
        while is_left and at and not at & 1:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last:
        raise Inconsistent("The proof is too short.")
