"""Which leads are meant: one table of filters, for lists and for the book."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from domain.posting import OUTSIDE
from service.projections.entries import entries
from service.projections.leads import lead_members, leads


def _reported(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    return sa.select(lead_members.c.lead).where(condition)


_ESCAPE = "/"

# filter → its condition on rows with the columns of ``leads``; its value is bound by its name
FILTERS: Mapping[str, Callable[[sa.FromClause], sa.ColumnElement[bool]]] = {
    "district": lambda rows: rows.c.district.like(sa.bindparam("district")),
    "industry": lambda rows: rows.c.industry.like(sa.bindparam("industry")),
    "sector": lambda rows: rows.c.number.in_(
        _reported(lead_members.c.sector == sa.bindparam("sector"))
    ),
    "member": lambda rows: rows.c.number.in_(
        _reported(lead_members.c.member_id == sa.bindparam("member"))
    ),
    "least_fen": lambda rows: rows.c.fen >= sa.bindparam("least_fen"),
    "most_fen": lambda rows: rows.c.fen <= sa.bindparam("most_fen"),
    "stage": lambda rows: rows.c.stage == sa.bindparam("stage"),
    "about_to_sign": lambda rows: rows.c.about_to_sign == sa.bindparam("about_to_sign"),
    "suspended": lambda rows: rows.c.suspended == sa.bindparam("suspended"),
    "tip_from": lambda rows: rows.c.tip_on >= sa.bindparam("tip_from"),
    "tip_to": lambda rows: rows.c.tip_on <= sa.bindparam("tip_to"),
    "words": lambda rows: rows.c.words.like(sa.bindparam("words"), escape=_ESCAPE),
}


@dataclass(frozen=True)
class Selection:
    """Which leads count; None where all do.

    ``district`` and ``industry`` are prefixes, amounts are in fen, days are ISO text, and
    ``words`` are looked for in title and investor.
    """

    district: str | None = None
    industry: str | None = None
    sector: str | None = None
    member: str | None = None
    least_fen: int | None = None
    most_fen: int | None = None
    stage: str | None = None
    about_to_sign: bool | None = None
    suspended: bool | None = None
    tip_from: str | None = None
    tip_to: str | None = None
    words: str | None = None

    def values(self) -> dict[str, Any]:
        """The filters that are set, with the values to bind."""
        given = {name: value for name, value in vars(self).items() if value is not None}
        for prefix in ("district", "industry"):
            if prefix in given:
                given[prefix] += "%"
        if "words" in given:
            escaped = self._escaped(given["words"].lower())
            given["words"] = f"%{escaped}%"
        return given

    @staticmethod
    def _escaped(text: str) -> str:
        for special in (_ESCAPE, "%", "_"):
            text = text.replace(special, _ESCAPE + special)
        return text

    def numbers(self, position: int | None = None) -> "sa.Select[Any] | None":
        """The selected leads' numbers, with ``values()`` to bind; None for all of them.

        With ``position`` the least amount is that of what was known then. (Industry and the
        other facts are those of today.)
        """
        names = self.values()
        if not names:
            return None
        chosen = {name: FILTERS[name](leads) for name in names}
        if position is not None and "least_fen" in chosen:
            chosen["least_fen"] = leads.c.number.in_(_of_least_amount(position))
        return sa.select(leads.c.number).where(*chosen.values())


def _of_least_amount(position: int) -> sa.Select[Any]:
    """The leads whose money, as the book up to ``position`` has it, is the least bound or more."""
    came = sa.case((entries.c.source == OUTSIDE, entries.c.fen), else_=0)
    went = sa.case((entries.c.target == OUTSIDE, entries.c.fen), else_=0)
    known = sa.select(entries.c.lead).where(entries.c.position <= position)
    amount = sa.func.sum(came - went)
    return known.group_by(entries.c.lead).having(amount >= sa.bindparam("least_fen"))
