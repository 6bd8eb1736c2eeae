"""How time and bytes a lead grow with the number of leads: a table, and a plot of it as SVG."""

import math
import subprocess
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from tests.bench.harness import ROOT

TABLE = Path(__file__).with_name("GROWTH.md")
PLOT = Path(__file__).with_name("growth.svg")
# What a client waits for, in this order.
ASKED = (
    "GET one lead",
    "GET a page of 50",
    "GET /v1/pipeline",
    "the same of a district, as known then",
    "POST a follow-up",
)
_COLOURS = ("#1b6ca8", "#c05621", "#2f855a", "#6b46c1", "#97266d")
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 380, 60, 20, 270, 50


class Size(NamedTuple):
    """A ledger of so many leads: bytes a lead of log and projections, microseconds a lead of import
    and rebuild, and the milliseconds that one client waits, by what it asks."""

    leads: int
    log: float
    projections: float
    imported: float
    rebuilt: float
    waits: Mapping[str, float]


def markdown(sizes: Sequence[Size]) -> str:
    """The table, with the plot beneath."""
    heads = ["leads", "log, bytes a lead", "projections, bytes a lead", "import, µs a lead"]
    heads += ["rebuild, µs a lead", *(f"{asked}, ms" for asked in ASKED)]
    rows = [
        [
            f"{size.leads:,}",
            *(f"{value:,.0f}" for value in size[1:5]),
            *(f"{size.waits[asked]:.2f}" for asked in ASKED),
        ]
        for size in sizes
    ]
    lines = [heads, ["---"] * len(heads), *rows]
    commit = subprocess.run(  # noqa: PLW1510
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    told = f"Measured {date.today()} at {commit}; one client's waits, the median of rounds."  # noqa: DTZ011
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{told}\n\n![Waits by the number of leads](tests/bench/growth.svg)\n"


def svg(sizes: Sequence[Size]) -> str:
    """Waits by the number of leads, both on logarithmic scales."""
    values = [size.waits[asked] for size in sizes for asked in ASKED]
    low, high = (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))))
    first, last = (math.log10(sizes[at].leads) for at in (0, -1))

    def x(leads: float) -> float:
        share = (math.log10(leads) - first) / ((last - first) or 1)
        return _LEFT + share * (_WIDTH - _LEFT - _RIGHT)

    def y(wait: float) -> float:
        share = (math.log10(wait) - low) / ((high - low) or 1)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    sized = f'width="{_WIDTH}" height="{_HEIGHT}"'
    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {sized} font-family="sans-serif" font-size="12">',
        f'<rect {sized} fill="#fff"/>',
    ]
    for power in range(low, high + 1):
        at = y(10.0**power)
        end = _WIDTH - _RIGHT
        drawn.append(f'<path d="M{_LEFT} {at:.1f}H{end}" stroke="#ddd"/>')
        label = f"{10.0**power:g} ms"
        drawn.append(f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{label}</text>')
    for size in sizes:
        at, under = x(size.leads), _HEIGHT - _BOTTOM + 18
        drawn.append(f'<text x="{at:.1f}" y="{under}" text-anchor="middle">{size.leads:,}</text>')
    middle = (_LEFT + _WIDTH - _RIGHT) / 2
    drawn.append(f'<text x="{middle}" y="{_HEIGHT - 12}" text-anchor="middle">leads</text>')
    for number, (asked, colour) in enumerate(zip(ASKED, _COLOURS, strict=True)):
        points = " ".join(f"{x(s.leads):.1f},{y(s.waits[asked]):.1f}" for s in sizes)
        drawn.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        drawn += [
            f'<circle cx="{x(s.leads):.1f}" cy="{y(s.waits[asked]):.1f}" r="3" fill="{colour}"/>'
            for s in sizes
        ]
        at = _TOP + 20 + 22 * number
        left = _WIDTH - _RIGHT + 20
        drawn.append(f'<path d="M{left} {at - 4}h22" stroke="{colour}" stroke-width="2"/>')
        drawn.append(f'<text x="{left + 28}" y="{at}">{asked}</text>')
    return "\n".join([*drawn, "</svg>", ""])
