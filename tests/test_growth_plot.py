"""The plot of how the ledger grows: it shows what was measured, and all of it can be read."""

import re
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest

from tests.bench import growth
from tests.bench.plot import HEIGHT, Line, Panel, apart, drawn, scales

SVG = "{http://www.w3.org/2000/svg}"
LINES = [
    Line("one", [(1_000, 0.2), (10_000, 0.2), (1_000_000, 0.25)]),
    Line("a & b", [(1_000, 0.21), (10_000, 4.0), (1_000_000, 60.0)]),
]


def places(line: ET.Element) -> list[list[float]]:
    """The points of a line as it is drawn."""
    return [[float(at) for at in point.split()] for point in line.attrib["d"][1:].split("L")]


def lines_of(svg: str) -> list[list[list[float]]]:
    """All lines of a plot."""
    found = ET.fromstring(svg).iter(f"{SVG}path")  # noqa: S314 - our own
    return [places(path) for path in found if path.attrib.get("class") == "line"]


def texts_of(svg: str) -> list[str]:
    """What is written in a plot."""
    return [text.text or "" for text in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def test_ten_times_as_much_is_as_far_wherever_it_begins() -> None:
    x, y = scales(Panel("y", "x", LINES))
    assert x.at(10_000) - x.at(1_000) == pytest.approx(x.at(1_000_000) - x.at(100_000))
    assert y.at(1) - y.at(10) == pytest.approx(y.at(0.1) - y.at(1))
    first, second = lines_of(drawn(Panel("y", "x", LINES)))
    assert first == [
        [pytest.approx(x.at(a), abs=0.1), pytest.approx(y.at(b), abs=0.1)]
        for a, b in LINES[0].points
    ]
    assert [a for a, _ in first] == [a for a, _ in second]


def test_axes_and_lines_have_their_names_and_numbers() -> None:
    assert set(texts_of(drawn(Panel("waits, ms", "leads", LINES)))) == {
        *("waits, ms", "leads", "one", "a & b"),
        *("1,000", "10,000", "1,000,000"),
        *("0.1", "1", "10", "100"),
    }


@pytest.mark.parametrize(
    "places", [[100.0, 100.0, 101.0], [50.0, 300.0, 299.0, 300.0], [10.0, 200.0]]
)
def test_names_do_not_stand_on_each_other(places: list[float]) -> None:
    found = apart(places)
    assert max(found) <= HEIGHT
    ordered = sorted(found)
    assert all(below - above >= 15.9 for above, below in pairwise(ordered))
    order = sorted(range(len(places)), key=places.__getitem__)
    assert [found[at] for at in order] == ordered


def test_the_plot_is_of_the_figures_that_were_measured() -> None:
    measured = growth.read()
    assert growth.PLOT.read_text(encoding="utf-8") == growth.svg(measured)
    assert len(lines_of(growth.svg(measured))) == len(growth.ASKED) + len(growth.OF_A_LEAD)
    assert set(growth.ASKED) <= set(texts_of(growth.svg(measured)))


def test_dark_and_light_have_the_same_kinds_of_marks() -> None:
    style = re.search("<style>(.*)</style>", drawn(Panel("y", "x", LINES)), re.DOTALL)
    assert style is not None
    light, dark = style[1].split("@media (prefers-color-scheme:dark)")
    kinds = r"(text|\.ground|\.l\d)\{"
    assert re.findall(kinds, light) == re.findall(kinds, dark) != []
