"""Lines on logarithmic scales, as SVG that can be read on light and on dark ground.

It brings its own ground, light or dark as the reader's system asks for it; each line has its name
at its end and a mark of its own, so that no colour is needed to tell them apart.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 800, 330
LEFT, RIGHT, TOP, BOTTOM = 62, 280, 34, 48
_STYLE = """\
text{font:12px sans-serif;fill:#24292f}
.ground{fill:#fff}.grid{stroke:#d0d7de}.fine{stroke:#eaeef2}
.l0{--c:#0969da}.l1{--c:#bc4c00}.l2{--c:#1a7f37}.l3{--c:#8250df}.l4{--c:#bf3989}
.title{font-weight:bold}.line{stroke:var(--c);stroke-width:1.8;fill:none}.mark,text.name{fill:var(--c)}.to{stroke:var(--c)}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}.ground{fill:#0d1117}.grid{stroke:#3d444d}.fine{stroke:#21262d}
.l0{--c:#58a6ff}.l1{--c:#f0883e}.l2{--c:#56d364}.l3{--c:#bc8cff}.l4{--c:#ff7bc5}
}"""
# Around (0, 0); a mark of each line.
_MARKS = (
    "M-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0z",
    "M-3.2-3.2h6.4v6.4h-6.4z",
    "M0-4.2l4.2 7.4h-8.4z",
    "M0-4.6l4.6 4.6l-4.6 4.6l-4.6-4.6z",
    "M0 4.2l4.2-7.4h-8.4z",
)
_APART = 16.0


class Line(NamedTuple):
    """A line's name, and its points (x, y), all above 0, by x."""

    name: str
    points: Sequence[tuple[float, float]]


class Panel(NamedTuple):
    """Lines on one pair of scales, and what the scales are of."""

    of_y: str
    of_x: str
    lines: Sequence[Line]


class Scale(NamedTuple):
    """From ``low`` to ``high``, logarithms of ten, drawn at ``begin`` to ``end``."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a value is drawn."""
        share = (math.log10(value) - self.low) / ((self.high - self.low) or 1)
        return self.begin + share * (self.end - self.begin)


def drawn(*panels: Panel) -> str:
    """The panels, one beneath the other."""
    height = HEIGHT * len(panels)
    sized = f'width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {sized}>',
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" {sized}/>',
    ]
    for number, panel in enumerate(panels):
        parts += [f'<g transform="translate(0 {number * HEIGHT})">', *_panel(panel), "</g>"]
    return "\n".join([*parts, "</svg>", ""])


def scales(panel: Panel) -> tuple[Scale, Scale]:
    """Its scales: of x from the first to the last value, of y between powers of ten."""
    xs = [math.log10(x) for line in panel.lines for x, _ in line.points]
    ys = [math.log10(y) for line in panel.lines for _, y in line.points]
    low, high = math.floor(min(ys)), math.ceil(max(ys))
    return (
        Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT),
        Scale(low, max(high, low + 1), HEIGHT - BOTTOM, TOP),
    )


def _panel(panel: Panel) -> list[str]:
    x, y = scales(panel)
    parts = [_text(8, 18, panel.of_y, "title"), *_rules(y)]
    for value in sorted({at for line in panel.lines for at, _ in line.points}):
        place = x.at(value)
        parts.append(_rule(f"M{place:.1f} {y.end}V{y.begin}", "grid"))
        parts.append(_text(place, y.begin + 18, f"{value:,.0f}", anchor="middle"))
    parts.append(_text((x.begin + x.end) / 2, HEIGHT - 10, panel.of_x, anchor="middle"))
    ends = apart([y.at(line.points[-1][1]) for line in panel.lines])
    for number, (line, end) in enumerate(zip(panel.lines, ends, strict=True)):
        parts += [f'<g class="l{number}">', *_line(line, number, x, y, end), "</g>"]
    return parts


def _rules(y: Scale) -> list[str]:
    """A line at each power of ten, with its number, and finer ones at 2 and 5 times as much."""
    parts = []
    for power in range(int(y.low), int(y.high) + 1):
        place = y.at(10.0**power)
        parts.append(_rule(f"M{LEFT} {place:.1f}H{WIDTH - RIGHT}", "grid"))
        parts.append(_text(LEFT - 6, place + 4, f"{10.0**power:,g}", anchor="end"))
        if power < y.high:
            parts += [
                _rule(f"M{LEFT} {y.at(times * 10.0**power):.1f}H{WIDTH - RIGHT}", "fine")
                for times in (2, 5)
            ]
    return parts


def _line(line: Line, number: int, x: Scale, y: Scale, name_at: float) -> list[str]:
    places = [(x.at(a), y.at(b)) for a, b in line.points]
    path = "L".join(f"{a:.1f} {b:.1f}" for a, b in places)
    last = places[-1]
    marks = [
        f'<path class="mark" transform="translate({a:.1f} {b:.1f})" d="{_MARKS[number]}"/>'
        for a, b in places
    ]
    to = _rule(f"M{last[0] + 6:.1f} {last[1]:.1f}L{x.end + 20} {name_at:.1f}", "to")
    name = _text(x.end + 24, name_at + 4, line.name, "name")
    return [f'<path class="line" d="M{path}"/>', *marks, to, name]


def apart(places: Sequence[float]) -> list[float]:
    """Where names stand whose lines end at ``places``: in the same order, and not on each other."""
    order = sorted(range(len(places)), key=places.__getitem__)
    found = list(places)
    for above, below in pairwise(order):
        found[below] = max(found[below], found[above] + _APART)
    # Those that came too low push the ones above them up again.
    lowest = float(HEIGHT - BOTTOM)
    for at in reversed(order):
        found[at] = min(found[at], lowest)
        lowest = found[at] - _APART
    return found


def _rule(path: str, kind: str) -> str:
    return f'<path class="{kind}" fill="none" d="{path}"/>'


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{named}>{escape(text)}</text>'
