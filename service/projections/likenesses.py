"""What leads that resemble each other are found by: the keys of every title and investor."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from service.likeness import keys_of
from service.projections.choosing import FILTERS
from service.projections.leads import leads
from service.projections.store import FOREVER, Happened, Prepared, inserting, metadata

likenesses = sa.Table(
    "likenesses",
    metadata,
    sa.Column("key", sa.BigInteger, nullable=False),
    # The position of the event that said so; a fact that was said once may be right again.
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("lead", sa.BigInteger, nullable=False),
    sa.Index("likenesses_of_key", "key", "position", "lead"),
)
# Of leads that share a key the last ones only are looked at: what half of all leads share tells
# nothing.
MOST_OF_A_KEY = 100


class Likenesses:
    """Answers: which leads may be about the same company, or the same project?"""

    name = "likenesses"
    tables: Sequence[sa.Table] = (likenesses,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Note the keys of what was said of any lead."""
        rows: list[tuple[Any, ...]] = []
        for position, lead, event, _ in batch:
            said = SAYING.get(event.TOPIC)
            if said is not None:
                keys = keys_of(*said(event))
                rows += [(key, position, lead) for key in sorted(keys)]
        _KEEP.many(connection, rows)


def _stated(event: Any) -> tuple[Any, Any]:
    facts = event.facts or {}
    return facts.get("title"), facts.get("investor")


# event → the title and the investor that it states, None where it states none
SAYING = {
    "lead.tipped": lambda event: (event.title, event.investor),
    "lead.revised": _stated,
    "lead.corrected": _stated,
}
_KEEP = inserting(likenesses)
_OF_KEY = (
    sa.select(likenesses.c.lead)
    .where(
        likenesses.c.key == sa.bindparam("key"),
        likenesses.c.position <= sa.bindparam("known_at"),
    )
    .order_by(likenesses.c.position.desc())
    .limit(MOST_OF_A_KEY)
)


@lru_cache(maxsize=4)
def _of_key(limits: tuple[str, ...]) -> Prepared:
    """The leads of a key, of those within limits of these names."""
    found = _OF_KEY
    if limits:
        found = found.join(leads, leads.c.number == likenesses.c.lead)
        found = found.where(*(FILTERS[name](leads) for name in limits))
    return Prepared(lambda _insert: found, ["key", "known_at", *limits])


def sharing(
    connection: sa.Connection,
    keys: Iterable[int],
    known_at: int = FOREVER - 1,
    limits: Mapping[str, Any] = MappingProxyType({}),
) -> set[int]:
    """The numbers of the leads that share one of ``keys``, as known at a position; of those that
    are within ``limits`` (filters and their values), as if there were no others."""
    of_key, values = _of_key(tuple(limits)), tuple(limits.values())
    return {row[0] for key in keys for row in of_key.all(connection, key, known_at, *values)}
