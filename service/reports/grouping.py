"""What a period's leads are grouped by: one table, and the bands of amounts."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

_YI = 100_000_000 * 100


class Traits(NamedTuple):
    """Of a lead at a period's end: the band of its amount, who is responsible for it, and the
    sectors of those who reported it. Many leads have the same."""

    band: str
    unit: str | None
    sectors: frozenset[str | None]


class Band(NamedTuple):
    """Amounts of ``least`` fen or more, up to the next band's."""

    name: str
    label: str
    least: int


# 以上 includes the number itself.
BANDS = (
    Band("unknown", "金额不详", 0),
    Band("under_1", "1亿元以下", 1),
    Band("from_1", "1亿元以上、不足10亿元", 1 * _YI),
    Band("from_10", "10亿元以上、不足50亿元", 10 * _YI),
    Band("from_50", "50亿元以上", 50 * _YI),
)

_LEAST = [band.least for band in BANDS]


def band_of(fen: int) -> str:
    """The band of an amount; without one in 元 (0) it is not known."""
    return BANDS[bisect_right(_LEAST, fen) - 1].name


def _by_name(found: Iterable[str]) -> list[tuple[str, str]]:
    """The groups that there are, by name; the leads without one last."""
    return [(key, key or "未填写") for key in sorted(found, key=lambda key: (key == "", key))]


class Dimension(NamedTuple):
    """``keys`` gives the groups that a lead is counted in, '' being that of those without one;
    ``lines`` the lines of the table (key, label), of the groups that were found.

    ``once``: each lead is in one group only, so that the lines add up to the total.
    """

    name: str
    label: str
    once: bool
    keys: Callable[[Traits], Iterable[str]]
    lines: Callable[[Iterable[str]], Sequence[tuple[str, str]]]


DIMENSIONS: Mapping[str, Dimension] = {
    dimension.name: dimension
    for dimension in (
        Dimension(
            "sector",
            "界别",
            False,
            lambda lead: {sector or "" for sector in lead.sectors},
            _by_name,
        ),
        Dimension("unit", "责任单位", True, lambda lead: (lead.unit or "",), _by_name),
        Dimension(
            "band",
            "计划投资",
            True,
            lambda lead: (lead.band,),
            lambda _found: [(band.name, band.label) for band in BANDS],
        ),
    )
}
