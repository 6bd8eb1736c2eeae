"""Monthly and weekly tables: what entered and left each stage, and what stands there, in all and
by group, beside the period before and the same one of the year before."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from domain.money import yuan
from domain.posting import ACCOUNTS, OUTSIDE
from domain.stage import LABELS, STAGES
from service.projections.choosing import Selection
from service.projections.fates import Window
from service.projections.kept_days import mark_within
from service.projections.pipeline import RULE
from service.projections.stock import moves, sectors_at, standing
from service.projections.units import units_at
from service.reads import Reads
from service.reports.grouping import DIMENSIONS, Dimension, Traits, band_of
from service.reports.periods import Period, compared

MEASURES = ("entered", "left", "standing")
# The group that is no part of a table: all leads.
ALL = ("", "")
_NOBODY: frozenset[str | None] = frozenset()
Group = tuple[str, str]
# (dimension, key), stage, measure → [leads, fen]
Figures = defaultdict[tuple[Group, str, str], list[int]]


class Told:
    """What the book says of some periods, as known at a position."""

    def __init__(
        self,
        connection: sa.Connection,
        chosen: Selection,
        position: int,
        periods: Iterable[Period],
    ) -> None:
        self._connection = connection
        self._chosen = chosen
        self._position = position
        self._sectors = sectors_at(connection, position)
        self._units = units_at(connection, {f"{period.end}" for period in periods}, position)

    def of(self, period: Period) -> "Counted":
        """The figures of a period."""
        window = Window(f"{period.start}", f"{period.end}", self._position)
        units, sectors = self._units[window.end], self._sectors
        traits: dict[int, Traits] = {}
        alike: defaultdict[tuple[Traits, str], list[int]] = defaultdict(lambda: [0, 0])
        for lead, stage, fen in standing(self._connection, self._chosen, window):
            these = Traits(band_of(fen), units.get(lead), sectors.get(lead, _NOBODY))
            traits[lead] = these
            total = alike[these, stage]
            total[0] += 1
            total[1] += fen
        counted = Counted()
        for (these, stage), (leads, fen) in alike.items():
            counted.standing(these, stage, leads, fen)
        for lead, source, target, leads, fen in moves(self._connection, self._chosen, window):
            if lead in traits:
                counted.moved(traits[lead], source, target, leads, fen)
        return counted


class Counted:
    """Figures of a period by group, stage and measure; ``tips`` that came, and how many leads
    stand in more than one group, by dimension."""

    def __init__(self) -> None:
        self.figures: Figures = defaultdict(lambda: [0, 0])
        self.tips = 0
        self.repeated: dict[str, int] = defaultdict(int)

    def standing(self, traits: Traits, stage: str, leads: int, fen: int) -> None:
        """Count so many leads and fen that stand there."""
        groups = groups_of(traits)
        for name, times in Counter(name for name, _ in groups).items():
            self.repeated[name] += leads if times > 1 else 0
        self.add(groups, stage, "standing", leads, fen)

    def add(self, groups: list[Group], stage: str, measure: str, leads: int, fen: int) -> None:
        """Count so many leads and fen in each group."""
        for group in groups:
            total = self.figures[group, stage, measure]
            total[0] += leads
            total[1] += fen

    def moved(self, traits: Traits, source: str, target: str, leads: int, fen: int) -> None:
        """Count a move from account to account."""
        groups = groups_of(traits)
        if source == OUTSIDE:
            self.tips += leads
        else:
            self.add(groups, ACCOUNTS[source], "left", leads, fen)
        self.add(groups, ACCOUNTS[target], "entered", leads, fen)

    def keys(self, dimension: str) -> set[str]:
        """The groups that there are of a dimension."""
        return {key for (name, key), _, _ in self.figures if name == dimension}


def groups_of(traits: Traits) -> list[Group]:
    """Where leads of these traits are counted."""
    found = [(name, key) for name, of in DIMENSIONS.items() for key in of.keys(traits)]
    return [ALL, *found]


def periodic(
    reads: Reads, period: Period, chosen: Selection, known_at: int | None = None
) -> dict[str, Any]:
    """The tables of a period for a district, from what the log up to ``known_at`` tells."""
    reads.position()
    with reads.store.snapshot() as connection:
        position = mark_within(connection).position
        known = position if known_at is None else min(known_at, position)
        periods = compared(period)
        told = Told(connection, chosen, known, periods.values())
        counted = {name: told.of(one) for name, one in periods.items()}
    return {
        "kind": period.kind,
        "period": period.name,
        "label": period.label,
        **_days(period),
        "complete": period.end == period.last,
        "compared": {
            name: {"period": one.name, **_days(one)}
            for name, one in periods.items()
            if name != "now"
        },
        "district": chosen.district,
        "known_at": known_at,
        "position": known,
        "rule": RULE,
        "tips": {name: one.tips for name, one in counted.items()},
        "stages": list(_stages(counted, ALL)),
        "tables": [_table(counted, dimension) for dimension in DIMENSIONS.values()],
    }


def _days(period: Period) -> dict[str, str]:
    return {"from": f"{period.start}", "to": f"{period.end}"}


def _table(counted: Mapping[str, Counted], dimension: Dimension) -> dict[str, Any]:
    found = set().union(*(one.keys(dimension.name) for one in counted.values()))
    return {
        "by": dimension.name,
        "label": dimension.label,
        "repeated": counted["now"].repeated[dimension.name],
        "lines": [
            {
                "key": key,
                "label": label,
                "stages": list(_stages(counted, (dimension.name, key))),
            }
            for key, label in dimension.lines(found)
        ],
    }


def _stages(counted: Mapping[str, Counted], group: Group) -> Iterator[dict[str, Any]]:
    for stage in STAGES:
        shown: dict[str, Any] = {"stage": stage, "label": LABELS[stage]}
        for measure in MEASURES:
            shown[measure] = {
                name: _figure(*one.figures.get((group, stage, measure), (0, 0)))
                for name, one in counted.items()
            }
        yield shown


def _figure(leads: int, fen: int) -> dict[str, Any]:
    return {"count": leads, "cny": yuan(fen)}
