"""The tree as RFC 9162 defines it, slow and obvious: what the real one is held against."""

from collections.abc import Sequence
from hashlib import sha256


def split(width: int) -> int:
    """The largest power of two under ``width``."""
    power = 1
    while power * 2 < width:
        power *= 2
    return power


def root(data: Sequence[bytes]) -> bytes:
    """MTH (2.1.1)."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\0" + data[0]).digest()
    k = split(len(data))
    return sha256(b"\1" + root(data[:k]) + root(data[k:])).digest()


def inclusion(leaf: int, data: Sequence[bytes]) -> list[bytes]:
    """PATH (2.1.3.1)."""
    if len(data) == 1:
        return []
    k = split(len(data))
    if leaf < k:
        return [*inclusion(leaf, data[:k]), root(data[k:])]
    return [*inclusion(leaf - k, data[k:]), root(data[:k])]


def consistency(old: int, data: Sequence[bytes]) -> list[bytes]:
    """PROOF (2.1.4.1)."""
    return subproof(old, data, True)


def subproof(old: int, data: Sequence[bytes], whole: bool) -> list[bytes]:
    """SUBPROOF (2.1.4.1)."""
    if old == len(data):
        return [] if whole else [root(data)]
    k = split(len(data))
    if old <= k:
        return [*subproof(old, data[:k], whole), root(data[k:])]
    return [*subproof(old - k, data[k:], False), root(data[:k])]
