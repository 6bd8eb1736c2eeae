"""How time and bytes a lead grow with the number of leads: figures, the table of them, and a plot
as SVG (see `plot.py`), which the README shows."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tests.bench.harness import ROOT, measured_now
from tests.bench.plot import Line, Panel, drawn

FIGURES = Path(__file__).with_name("growth.json")
PLOT = Path(__file__).with_name("growth.svg")
# What is told of each lead, as `Size` has it; and what is asked, in this order.
OF_A_LEAD: Mapping[str, str] = {
    "log": "log, bytes",
    "projections": "projections, bytes",
    "imported": "import, µs of CPU",
    "rebuilt": "rebuild, µs of CPU",
}
ASKED = (
    "GET one lead",
    "GET a page of 50",
    "GET /v1/pipeline",
    "the same of a district, as known then",
    "POST a follow-up",
)


class Size(NamedTuple):
    """A ledger of so many leads: bytes a lead of log and projections, microseconds of CPU a lead of
    import and rebuild, and the milliseconds of the server's CPU that a request costs, by what is
    asked; all of it what others on the machine disturb least."""

    leads: int
    log: float
    projections: float
    imported: float
    rebuilt: float
    costs: Mapping[str, float]


class Growth(NamedTuple):
    """Ledgers, the smallest first; ``measured``: on which day, at which commit."""

    sizes: Sequence[Size]
    measured: str


def write(sizes: Sequence[Size]) -> None:
    """Keep figures that were measured now, and their plot."""
    told = {"measured": measured_now(), "sizes": [size._asdict() for size in sizes]}
    FIGURES.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PLOT.write_text(svg(read()), encoding="utf-8")


def read() -> Growth:
    """The figures that were measured last."""
    told = json.loads(FIGURES.read_text(encoding="utf-8"))
    return Growth([Size(**size) for size in told["sizes"]], told["measured"])


def markdown(growth: Growth) -> str:
    """The table, with the plot beneath."""
    heads = ["leads", *(f"{told} a lead" for told in OF_A_LEAD.values())]
    heads += [f"{asked}, ms of CPU" for asked in ASKED]
    rows = [
        [
            f"{size.leads:,}",
            *(f"{getattr(size, name):,.0f}" for name in OF_A_LEAD),
            *(f"{size.costs[asked]:.2f}" for asked in ASKED),
        ]
        for size in growth.sizes
    ]
    lines = [heads, ["---"] * len(heads), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    place = PLOT.relative_to(ROOT)
    shown = f"![What a request costs and a lead takes, by the number of leads]({place})"
    return f"{table}\n\nMeasured {growth.measured}.\n\n{shown}"


def svg(growth: Growth) -> str:
    """What a request costs and a lead takes, by the number of leads; all scales are logarithmic."""
    sizes = growth.sizes
    costs = [Line(asked, [(s.leads, s.costs[asked]) for s in sizes]) for asked in ASKED]
    of_a_lead = [
        Line(told, [(s.leads, getattr(s, name)) for s in sizes]) for name, told in OF_A_LEAD.items()
    ]
    return drawn(
        Panel("what a request costs, ms of CPU", "leads in the ledger", costs),
        Panel("what each lead takes, bytes or µs of CPU", "leads in the ledger", of_a_lead),
    )
