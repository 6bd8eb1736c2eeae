"""The tree: the RFCs' vectors, all sizes up to 65 against the naive model, and beyond."""

from functools import cache
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.proof import tree
from tests.proof import naive

# The leaves that RFC 6962's own implementation is tested with, and the root after each.
VECTORS = [
    ("", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
    ("00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
    ("10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
    ("2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
    ("3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
    ("40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
    ("5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
    (
        "606162636465666768696a6b6c6d6e6f",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ),
]
MOST = 65
DATA = [bytes([number]) * number for number in range(MOST)]
LEAVES = [tree.leaf_hash(data) for data in DATA]


@cache
def root(start: int, end: int) -> bytes:
    """The naive root of some of the data."""
    return naive.root(DATA[start:end])


def subtree(level: int, index: int) -> bytes:
    """What the tiles would give."""
    return root(index << level, (index + 1) << level)


def flipped(data: bytes, bit: int = 0) -> bytes:
    """``data`` with one bit turned."""
    at = bit // 8 % len(data)
    return data[:at] + bytes([data[at] ^ 1 << bit % 8]) + data[at + 1 :]


def test_an_empty_tree_has_the_root_of_nothing() -> None:
    assert tree.Frontier().root() == sha256(b"").digest() == tree.EMPTY
    assert tree.root_of(subtree, 0, 0) == tree.EMPTY


def test_the_roots_are_those_of_the_rfc() -> None:
    frontier = tree.Frontier()
    for data, expected in VECTORS:
        frontier.extend([tree.leaf_hash(bytes.fromhex(data))])
        assert frontier.root().hex() == expected


def test_the_paths_are_those_of_the_rfcs_example() -> None:
    """RFC 9162, 2.1.5, a tree of seven: what each path has to consist of."""
    (a, b, c, d, e, f, j) = LEAVES[:7]
    node = tree.node_hash
    g, h, i = node(a, b), node(c, d), node(e, f)
    k, m = node(g, h), node(i, j)
    assert tree.inclusion_path(subtree, 0, 7) == [b, h, m]
    assert tree.inclusion_path(subtree, 3, 7) == [c, g, m]
    assert tree.inclusion_path(subtree, 4, 7) == [f, j, k]
    assert tree.inclusion_path(subtree, 6, 7) == [i, k]
    assert tree.consistency_path(subtree, 3, 7) == [c, d, g, m]
    assert tree.consistency_path(subtree, 4, 7) == [m]
    assert tree.consistency_path(subtree, 6, 7) == [i, j, k]


@pytest.mark.parametrize("size", range(MOST + 1))
def test_a_tree_grown_in_any_two_steps_has_the_naive_root(size: int) -> None:
    for first in range(size + 1):
        frontier = tree.Frontier()
        frontier.extend(LEAVES[:first])
        frontier = tree.Frontier(frontier.size, frontier.hashes)
        frontier.extend(LEAVES[first:size])
        assert (frontier.size, frontier.root()) == (size, root(0, size))
    assert tree.root_of(subtree, 0, size) == root(0, size)


@pytest.mark.parametrize("size", range(1, MOST + 1))
def test_every_inclusion_proof_is_the_naive_one_and_proves_that_leaf_only(size: int) -> None:
    whole = root(0, size)
    for leaf in range(size):
        path = tree.inclusion_path(subtree, leaf, size)
        assert path == naive.inclusion(leaf, DATA[:size])
        tree.check_inclusion(LEAVES[leaf], leaf, size, whole, path)
        for wrong in (leaf - 1, leaf + 1, size):
            with pytest.raises(tree.Inconsistent):
                tree.check_inclusion(LEAVES[leaf], wrong, size, whole, path)
        for bad in ([*path, whole], path[:-1] if path else [whole]):
            with pytest.raises(tree.Inconsistent):
                tree.check_inclusion(LEAVES[leaf], leaf, size, whole, bad)
        with pytest.raises(tree.Inconsistent):
            tree.check_inclusion(flipped(LEAVES[leaf], leaf), leaf, size, whole, path)


@pytest.mark.parametrize("new", range(MOST + 1))
def test_every_consistency_proof_is_the_naive_one_and_proves_that_pair_only(new: int) -> None:
    whole = root(0, new)
    for old in range(new + 1):
        path = tree.consistency_path(subtree, old, new)
        if old > 0:
            assert path == naive.consistency(old, DATA[:new])
        tree.check_consistency(old, root(0, old), new, whole, path)
        with pytest.raises(tree.Inconsistent):
            tree.check_consistency(old, flipped(root(0, old), old), new, whole, path)
        if 0 < old < new:
            for bad in ([*path, whole], path[:-1], [flipped(path[0]), *path[1:]]):
                with pytest.raises(tree.Inconsistent):
                    tree.check_consistency(old, root(0, old), new, whole, bad)
            with pytest.raises(tree.Inconsistent):
                tree.check_consistency(old, root(0, old), new, flipped(whole), path)


def test_a_tree_never_shrinks() -> None:
    with pytest.raises(tree.Inconsistent, match="does not begin with 7"):
        tree.check_consistency(7, root(0, 7), 5, root(0, 5), [])


@given(st.integers(66, 3000), st.data())
def test_larger_trees_grow_in_any_steps_and_prove_themselves(
    size: int, data: st.DataObject
) -> None:
    leaves = [tree.leaf_hash(b"%d" % number) for number in range(size)]
    levels = [leaves]
    while len(levels[-1]) > 1:
        levels.append(tree.parents(levels[-1][: len(levels[-1]) & ~1]))

    def known(level: int, index: int) -> bytes:
        return levels[level][index]

    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=5)))
    frontier = tree.Frontier()
    for start, end in zip([0, *cuts], [*cuts, size], strict=True):
        frontier.extend(leaves[start:end])
    whole = frontier.root()
    assert whole == tree.root_of(known, 0, size)
    leaf, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    path = tree.inclusion_path(known, leaf, size)
    tree.check_inclusion(leaves[leaf], leaf, size, whole, path)
    proof = tree.consistency_path(known, old, size)
    before = tree.root_of(known, 0, old)
    tree.check_consistency(old, before, size, whole, proof)
    bit = data.draw(st.integers(0, 255))
    for at in range(len(path)):
        bad = [*path[:at], flipped(path[at], bit), *path[at + 1 :]]
        with pytest.raises(tree.Inconsistent):
            tree.check_inclusion(leaves[leaf], leaf, size, whole, bad)
    for at in range(len(proof)):
        bad = [*proof[:at], flipped(proof[at], bit), *proof[at + 1 :]]
        with pytest.raises(tree.Inconsistent):
            tree.check_consistency(old, before, size, whole, bad)


def test_a_leaf_is_its_four_parts_each_after_its_length() -> None:
    data = tree.leaf_data(b"ab", 12, b"lead.tipped", b"{}")
    assert data == (
        b"\0\0\0\0\0\0\0\x02ab\0\0\0\0\0\0\0\x0212\0\0\0\0\0\0\0\x0blead.tipped\0\0\0\0\0\0\0\x02{}"
    )


@given(st.lists(st.tuples(st.binary(), st.integers(0, 2**40), st.binary(), st.binary())))
def test_many_leaves_hashed_at_once_are_each_hashed_alone(
    events: list[tuple[bytes, int, bytes, bytes]],
) -> None:
    rows = [(at, *event) for at, event in enumerate(events)]
    assert tree.leaf_hashes(rows) == [tree.leaf_hash(tree.leaf_data(*e)) for e in events]
    assert len(set(tree.leaf_hashes(rows))) == len(set(events)), "no two events share a leaf"
