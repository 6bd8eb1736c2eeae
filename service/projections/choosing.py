"""Which leads are meant: one table of filters, for lists and for the book.

Whatever a filter asks for is asked as of the day, and as known at the position, that the values
``as_of`` and ``known_at`` say.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from service.projections.leads import amount_of, lead_members, leads
from service.projections.moment import FROM_BOOK, FROM_HISTORY, NOW, POSITION, facts_at, rows_at


def _reported(condition: sa.ColumnElement[bool]) -> sa.Select[Any]:
    known = (lead_members.c.since <= POSITION, lead_members.c.until > POSITION)
    return sa.select(lead_members.c.lead).where(condition, *known)


def _within(rows: sa.FromClause) -> sa.ColumnElement[bool]:
    """What a token that is limited to a district sees: leads that are in it now, whatever they
    were at the moment that is asked about."""
    now = leads.c.district.like(sa.bindparam("within"))
    return now if rows is leads else rows.c.number.in_(sa.select(leads.c.number).where(now))


_ESCAPE = "/"
# What no district's code begins with.
NOWHERE = "-"

# filter → its condition on rows with the columns of ``leads``; its value is bound by its name
FILTERS: Mapping[str, Callable[[sa.FromClause], sa.ColumnElement[bool]]] = {
    "within": _within,
    "district": lambda rows: rows.c.district.like(sa.bindparam("district")),
    "industry": lambda rows: rows.c.industry.like(sa.bindparam("industry")),
    "sector": lambda rows: rows.c.number.in_(
        _reported(lead_members.c.sector == sa.bindparam("sector"))
    ),
    "member": lambda rows: rows.c.number.in_(
        _reported(lead_members.c.member_id == sa.bindparam("member"))
    ),
    "least_fen": lambda rows: amount_of(rows) >= sa.bindparam("least_fen"),
    "most_fen": lambda rows: amount_of(rows) <= sa.bindparam("most_fen"),
    "stage": lambda rows: rows.c.stage == sa.bindparam("stage"),
    "about_to_sign": lambda rows: rows.c.about_to_sign == sa.bindparam("about_to_sign"),
    "suspended": lambda rows: rows.c.suspended == sa.bindparam("suspended"),
    "tip_from": lambda rows: rows.c.tip_on >= sa.bindparam("tip_from"),
    "tip_to": lambda rows: rows.c.tip_on <= sa.bindparam("tip_to"),
    "words": lambda rows: rows.c.words.like(sa.bindparam("words"), escape=_ESCAPE),
}

# filter → the column it looks at, where that is called otherwise
_COLUMN = {"least_fen": "fen", "most_fen": "fen", "tip_from": "tip_on", "tip_to": "tip_on"}


def column_of(name: str) -> str:
    """The column of rows that a filter looks at."""
    return _COLUMN.get(name, name)


@dataclass(frozen=True)
class Selection:
    """Which leads count; None where all do.

    ``district`` and ``industry`` are prefixes, amounts are in fen, days are ISO text, and
    ``words`` are looked for in title and investor. ``within``, a prefix too, is no question but
    the limit of who asks.
    """

    within: str | None = None
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
        for prefix in ("within", "district", "industry"):
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

    def numbers(self, as_of: str, known_at: int) -> "sa.Select[Any] | None":
        """The selected leads' numbers, with ``values()``, ``as_of`` and ``known_at`` to bind;
        None for all of them."""
        names = self.values()
        if not names:
            return None
        rows = rows_then(names, as_of, known_at)
        return sa.select(rows.c.number).where(*(FILTERS[name](rows) for name in names))

    @property
    def book(self) -> str | None:
        """The prefix of districts whose book is asked for: the narrower of ``district`` and
        ``within``; None for the book of all."""
        asked, limit = self.district or "", self.within or ""
        if asked.startswith(limit):
            return asked or None
        return limit if limit.startswith(asked) else NOWHERE

    @property
    def across(self) -> "Selection":
        """The same of leads that crossed the border of the book, which are not chosen by where they
        stand: one that was passed on stays in it. Facts that such a lead has elsewhere are not for
        who is limited to the district, so whoever asks for them is told of those within."""
        limit = self.within if self.industry or self.least_fen or self.most_fen else None
        return replace(self, district=None, within=limit)


# Made once: most questions choose nothing.
EVERYTHING = Selection()


def rows_then(
    names: Iterable[str], as_of: str, known_at: int, *, few: bool = False
) -> sa.FromClause:
    """The rows that filters, or columns, of these names are asked of at such a moment; ``few``: of
    the numbers bound as ``among`` only, where it costs less to look for those."""
    columns = set(map(column_of, names))
    if {"as_of": as_of, "known_at": known_at} == NOW:
        return leads
    if columns.isdisjoint(FROM_BOOK | FROM_HISTORY):
        return facts_at()
    return rows_at(columns, few=few)
