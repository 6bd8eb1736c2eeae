"""Leads by industry and by sector: what stands where in each group, as of a day, as known when.

A lead with members of several sectors stands in each of them. Of a district those leads count that
were there on the day.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from domain.money import yuan
from domain.stage import STAGES
from service.industries import DIVISIONS
from service.projections.carried import Sums
from service.projections.choosing import FILTERS, Selection, rows_then
from service.projections.leads import amount_of, lead_members
from service.projections.moment import AMONG, POSITION

BY = ("industry", "sector")
# Of an industry's code its division: a letter and two digits.
_DIVISION = 3


class _Grouping(NamedTuple):
    """What the groups of leads are, joined to rows of leads; and what a group is called."""

    joined: Callable[..., tuple[sa.FromClause, sa.ColumnElement[Any]]]
    label: Callable[[str], str | None]


def _by_industry(
    rows: sa.FromClause, *_few: sa.ColumnElement[bool]
) -> tuple[sa.FromClause, sa.ColumnElement[Any]]:
    return rows, sa.func.substr(rows.c.industry, 1, _DIVISION)


def _by_sector(
    rows: sa.FromClause, *few: sa.ColumnElement[bool]
) -> tuple[sa.FromClause, sa.ColumnElement[Any]]:
    known = (lead_members.c.since <= POSITION, lead_members.c.until > POSITION, *few)
    # Once for several members of one sector.
    sectors = sa.select(lead_members.c.lead, lead_members.c.sector).where(*known).distinct()
    each = sectors.subquery("sectors")
    return rows.join(each, each.c.lead == rows.c.number), each.c.sector


_GROUPINGS: Mapping[str, _Grouping] = {
    "industry": _Grouping(_by_industry, DIVISIONS.get),
    "sector": _Grouping(_by_sector, lambda key: key),
}


def groups(sums: Sums, by: str) -> list[dict[str, Any]]:
    """The groups of ``group_sums``, the largest amount first; the leads without one under the key
    ''."""
    label = _GROUPINGS[by].label
    found: defaultdict[str, dict[str, tuple[int, int]]] = defaultdict(dict)
    for (key, stage), figure in sums.items():
        found[key][stage] = figure
    largest = sorted(found, key=lambda key: (-_sum(found[key], 1), key))
    return [_line(key, label(key), found[key]) for key in largest]


def group_sums(
    connection: sa.Connection,
    chosen: Selection,
    as_of: str,
    known_at: int,
    by: str,
    among: Sequence[int] | None = None,
) -> Sums:
    """(group, stage) → leads and fen; ``among`` the leads of these numbers only."""
    few = among is not None
    rows = rows_then({*chosen.values(), "stage", "fen", "industry"}, as_of, known_at, few=few)
    joined, group = _GROUPINGS[by].joined(rows, *([lead_members.c.lead.in_(AMONG)] if few else []))
    asked = sa.select(group, rows.c.stage, sa.func.count(), sa.func.sum(amount_of(rows)))
    asked = asked.select_from(joined).where(*(FILTERS[name](rows) for name in chosen.values()))
    values = {**chosen.values(), "as_of": as_of, "known_at": known_at}
    if few:
        asked, values = asked.where(rows.c.number.in_(AMONG)), {**values, "among": among}
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for key, stage, count, fen in connection.execute(asked.group_by(group, rows.c.stage), values):
        found[key or "", stage] = (count, int(fen))
    return found


def _sum(stages: Mapping[str, tuple[int, int]], at: int) -> int:
    return sum(figure[at] for figure in stages.values())


def _line(key: str, label: str | None, stages: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    return {
        "key": key,
        "label": label or key,
        "count": _sum(stages, 0),
        "cny": yuan(_sum(stages, 1)),
        "stages": {stage: _figure(*stages.get(stage, (0, 0))) for stage in STAGES},
    }


def _figure(count: int, fen: int) -> dict[str, Any]:
    return {"count": count, "cny": yuan(fen)}
