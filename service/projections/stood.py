"""Where each lead stood on which days, as known now: what a list of a past day is read from.

A row holds from its day on until another's. It is made of the lead's path (see `entries.py`), and
says what was known at no earlier moment: for that the book is summed up (see `moment.py`).
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import sqlalchemy as sa

from domain.posting import ABOUT_TO_SIGN, ACCOUNTS, BOOKED
from domain.stage import CLOSED
from service.projections.entries import paths
from service.projections.leads import amount_of
from service.projections.store import (
    LAST_DAY,
    Happened,
    Prepared,
    inserting,
    metadata,
    rows_of,
)

stood = sa.Table(
    "stood",
    metadata,
    sa.Column("lead", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("day", sa.String(10), primary_key=True),
    sa.Column("until", sa.String(10), nullable=False),
    sa.Column("stage", sa.String(20), nullable=False),
    sa.Column("outcome", sa.String(20)),
    sa.Column("about_to_sign", sa.Boolean, nullable=False),
    # 0 for none.
    sa.Column("fen", sa.BigInteger, nullable=False),
    # The day of its tip, whatever day this is.
    sa.Column("tip_on", sa.String(10), nullable=False),
    sqlite_with_rowid=False,
)
# What lists are sorted by, each followed by what tells which rows hold on a day, and by the place
# that leads are chosen by.
_AND_MORE = tuple(stood.c[name] for name in ("lead", "day", "until", "stage", "about_to_sign"))
sa.Index("ix_stood_by_amount", amount_of(stood), *_AND_MORE)
sa.Index("ix_stood_by_tip_on", stood.c.tip_on, *_AND_MORE)

_STAND = inserting(stood)
_FORGET = Prepared(
    lambda _insert: sa.delete(stood).where(stood.c.lead == sa.bindparam("number")), ["number"]
)


class Stood:
    """Answers: where did a lead stand at the end of a day, as known now?"""

    name = "stood"
    tables: Sequence[sa.Table] = (stood,)

    def project(self, connection: sa.Connection, batch: Sequence[Happened]) -> None:
        """Tell anew the days of every lead whose path may be another one."""
        booked = {happened.lead for happened in batch if happened.event.TOPIC in BOOKED}
        begun = {happened.lead for happened in batch if happened.position == happened.lead}
        columns = sa.select(paths.c.lead, paths.c.path)
        rows: list[tuple[Any, ...]] = []
        for lead, kept in rows_of(connection, columns, paths.c.lead, sorted(booked)):
            path, _recognised = orjson.loads(kept)
            rows += _days(lead, path)
        _FORGET.many(connection, [(lead,) for lead in sorted(booked - begun)])
        _STAND.many(connection, rows)


def _days(lead: int, path: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """The rows of a lead: of several placements of a day the last."""
    tip_on, account, fen = path[0][0], "", 0
    until = [placement[0] for placement in path[1:]] + [LAST_DAY]
    for (day, placed, amount, _), ends in zip(path, until, strict=True):
        account, fen = placed or account, fen if amount is None else amount
        if day != ends:
            stage, _, outcome = account.partition("/")
            yield (
                lead,
                day,
                ends,
                ACCOUNTS[account],
                outcome if stage == CLOSED else None,
                account == ABOUT_TO_SIGN,
                fen,
                tip_on,
            )
