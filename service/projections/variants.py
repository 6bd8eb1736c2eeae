"""What leads are chosen by, besides their place in the book, as of any day as known at any moment.

Most leads keep the facts of their tip; for them the row in ``leads`` holds at all times, and there
is nothing here. Of a lead whose facts ever changed the rows are those of `timelines.py`.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from domain.correction import CORRECTED
from domain.posting import TRANSFER
from service.projections.store import Happened, begun_before, inserting, metadata, rows_of
from service.projections.timelines import changes, timeline
from service.projections.view import View, words_of

variants = sa.Table(
    "variants",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("day", sa.String(10), primary_key=True),
    # The position at which it became known.
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False, index=True),
    sa.Column("district", sa.String(6), nullable=False),
    sa.Column("industry", sa.String(10)),
    sa.Column("suspended", sa.Boolean, nullable=False),
    sa.Column("words", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
# What a row says after its key: district, industry, whether suspended, words.
Facts = tuple[Any, ...]
# The end of a lead also ends its being on hold.
_ENDINGS = frozenset({"lead.closed", "lead.screened"})
# What can change the facts of a lead after its tip, and what they are told from.
VARYING = frozenset(
    {"lead.revised", "lead.suspended", "lead.resumed", TRANSFER, *_ENDINGS, CORRECTED}
)
_TOLD = frozenset({"lead.tipped", *VARYING, "lead.reopened"})
_FACTS = frozenset({"title", "investor", "industry"})


class Variants:
    """Answers: which facts did a lead have on a day, as known then?"""

    name = "variants"
    tables: Sequence[sa.Table] = (variants,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Note every change of the facts."""
        varying = [h for h in batch if h.event.TOPIC in VARYING and _may_vary(h.event)]
        known: dict[int, dict[str, Facts]] = {h.lead: {} for h in varying}
        rows = rows_of(connection, _IN_ORDER, variants.c.lead, begun_before(batch, known))
        for lead, day, _, *facts in rows:
            known[lead][day] = tuple(facts)
        added: list[tuple[Any, ...]] = []
        for happened in varying:
            lead, before = happened.lead, known[happened.lead]
            if before or happened.event.TOPIC not in _ENDINGS:
                changed = changes(happened, before, told)
                added += [(lead, day, at, *facts) for day, at, facts in changed]
            # Else it was never on hold, so its end takes no hold away.
        _KEEP.many(connection, added)


_KEEP = inserting(variants)
_IN_ORDER = sa.select(variants).order_by(variants.c.lead, variants.c.day, variants.c.position)


def _may_vary(event: Any) -> bool:
    if event.TOPIC == "lead.revised":
        return not _FACTS.isdisjoint(event.facts)
    return event.TOPIC != "lead.screened" or bool(event.verdict != "pursue")


def told(events: Iterable[Any]) -> dict[str, Facts]:
    """The facts by the day from which on they held, in the order of days."""
    return timeline([event for event in events if event.TOPIC in _TOLD], _facts)


def _facts(events: Sequence[Any]) -> Facts | None:
    """What these events amount to; None without the tip."""
    if not events or events[0].TOPIC != "lead.tipped":
        return None
    view = View.begin(events[0], dict.fromkeys(events[0].members, ""), alone=True)
    for event in events[1:]:
        view.fold(event)
    lead = view.lead
    return (lead["district"], lead["industry"], lead["suspended"], words_of(lead))
