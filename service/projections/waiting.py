"""What each lead waits for, and since when: what is due by a day follows from comparing days.

A rule's thing is due so many days after its clock began. So what is due by a day is whatever has
waited since some earlier day or longer (`due.py` asks for it): that day follows from the calendar
and the settings, and no row changes because a day went by.
"""

from typing import Any

import sqlalchemy as sa

from service.projections.clocks import ANSWERED_ELSEWHERE, INSTEAD, RULES
from service.projections.store import Prepared, inserting, metadata
from service.projections.view import View

waiting = sa.Table(
    "waiting",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("rule", sa.String(10), primary_key=True),
    sa.Column("since", sa.String(10), nullable=False),
    # Where the lead is, and the district that is to answer, where one is asked to take it over.
    sa.Column("district", sa.String(6), nullable=False),
    sa.Column("asked", sa.String(6)),
    sqlite_with_rowid=False,
)
# With all that districts are chosen by, so that nothing but the index is looked at.
sa.Index(
    "ix_waiting_by_since",
    *(waiting.c[name] for name in ("rule", "since", "lead", "district", "asked")),
)
# Of two rules that run on one clock the graver one's row speaks for both.
KEPT = tuple(rule for rule in RULES if rule.name not in INSTEAD)

WAIT = inserting(waiting)
END_WAITING = Prepared(
    lambda _insert: sa.delete(waiting).where(waiting.c.lead == sa.bindparam("number")), ["number"]
)


def waits_of(number: int, view: View) -> list[tuple[Any, ...]]:
    """The rows of a lead."""
    lead, clocks = view.lead, view.private
    begun = [(rule.name, rule.since(lead, clocks)) for rule in KEPT]
    return [
        (
            number,
            name,
            since,
            lead["district"],
            lead["transfer_to"] if name == ANSWERED_ELSEWHERE else None,
        )
        for name, since in begun
        if since is not None
    ]
