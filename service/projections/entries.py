"""The double-entry book: every entry, and its totals by year, month and day.

The queries on it stand in `pipeline.py`. ``paths`` keeps each lead's placements, from which a
late fact is posted as a difference (see `domain.posting`).
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from typing import Any

import orjson
import sqlalchemy as sa

from domain.posting import POSTING_RULES, Path, Placement, Posting, new_postings, stage_of
from service.projections.store import insert_for, metadata, rows_of, upsert
from service.projections.view import moment_text

paths = sa.Table(
    "paths",
    metadata,
    sa.Column("lead_id", sa.String(36), primary_key=True),
    sa.Column("path", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

entries = sa.Table(
    "entries",
    metadata,
    # The event that posted it, and the line among that event's entries.
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("lead_id", sa.String(36), nullable=False),
    sa.Column("occurred_on", sa.String(10), nullable=False),
    sa.Column("recorded_at", sa.String(32), nullable=False),
    sa.Column("account", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("side", sa.String(3), nullable=False),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("fen", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# A period is a year '2025', a month '2025-03' or a day '2025-03-18'; its length says which.
totals = sa.Table(
    "totals",
    metadata,
    sa.Column("length", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("period", sa.String(10), primary_key=True),
    sa.Column("account", sa.String(40), primary_key=True),
    sa.Column("kind", sa.String(10), primary_key=True),
    sa.Column("side", sa.String(3), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
    sa.Column("fen", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
PERIODS = (4, 7, 10)

# How long each lead stood in each stage, however often it came back; open while `left_on` is null.
stays = sa.Table(
    "stays",
    metadata,
    sa.Column("lead_id", sa.String(36), primary_key=True),
    sa.Column("nr", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("stage", sa.String(20), nullable=False),
    sa.Column("entered_on", sa.String(10), nullable=False),
    sa.Column("left_on", sa.String(10)),
    sa.Column("days", sa.Integer),
    sa.Column("next_stage", sa.String(20)),
    sqlite_with_rowid=False,
)


class Entries:
    """Answers: what moved, when, between which accounts?"""

    name = "entries"
    tables: Sequence[sa.Table] = (paths, entries, totals, stays)

    def project(self, connection: sa.Connection, batch: Sequence[tuple[int, Any]]) -> None:
        """Post every event that has a rule."""
        posting = [(position, e) for position, e in batch if e.TOPIC in POSTING_RULES]
        known = self._paths(connection, [event for _, event in posting])
        rows: list[dict[str, Any]] = []
        sums: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
        for position, event in posting:
            lead_id = str(event.originator_id)
            path = known.get(lead_id, [])
            placement = POSTING_RULES[event.TOPIC](event, path)
            if placement is None:
                continue
            known[lead_id], lines = new_postings(path, placement)
            recorded_at = moment_text(event.timestamp)
            for line, posted in enumerate(lines, 1):
                rows.append(_entry(position, line, lead_id, recorded_at, posted))
                total = sums[posted.day, posted.account, posted.kind, posted.side]
                total[0] += posted.count
                total[1] += posted.fen
        if rows:
            connection.execute(sa.insert(entries), rows)
        upsert(
            connection,
            paths,
            [
                {"lead_id": id, "path": orjson.dumps([list(p) for p in path])}
                for id, path in known.items()
            ],
        )
        upsert(connection, stays, [row for id, path in known.items() for row in _stays(id, path)])
        _add(connection, sums)

    def _paths(self, connection: sa.Connection, events: Sequence[Any]) -> dict[str, Path]:
        new = {e.originator_id for e in events if e.TOPIC == "lead.tipped"}
        ids = sorted({str(e.originator_id) for e in events if e.originator_id not in new})
        found = rows_of(connection, sa.select(paths), paths.c.lead_id, ids)
        return {row.lead_id: [Placement(*p) for p in orjson.loads(row.path)] for row in found}


def _entry(
    position: int, line: int, lead_id: str, recorded_at: str, posted: Posting
) -> dict[str, Any]:
    return {
        "position": position,
        "line": line,
        "lead_id": lead_id,
        "occurred_on": posted.day,
        "recorded_at": recorded_at,
        "account": posted.account,
        "kind": posted.kind,
        "side": posted.side,
        "count": posted.count,
        "fen": posted.fen,
    }


def _stays(lead_id: str, path: Path) -> list[dict[str, Any]]:
    """The stays that a path makes: neighbouring placements of one stage are one stay."""
    rows: list[dict[str, Any]] = []
    for day, account, _ in path:
        stage = stage_of(account) if account else None
        if stage is None or (rows and rows[-1]["stage"] == stage):
            continue
        if rows:
            last = rows[-1]
            last["left_on"] = day
            last["days"] = (date.fromisoformat(day) - date.fromisoformat(last["entered_on"])).days
            last["next_stage"] = stage
        rows.append(
            {
                "lead_id": lead_id,
                "nr": len(rows) + 1,
                "stage": stage,
                "entered_on": day,
                "left_on": None,
                "days": None,
                "next_stage": None,
            }
        )
    return rows


def _add(connection: sa.Connection, sums: dict[Any, list[int]]) -> None:
    """Add a batch's sums by day to the totals of their day, month and year."""
    added: dict[Any, list[int]] = defaultdict(lambda: [0, 0])
    for (day, *rest), (count, fen) in sums.items():
        for length in PERIODS:
            total = added[length, day[:length], *rest]
            total[0] += count
            total[1] += fen
    if not added:
        return
    names = ("length", "period", "account", "kind", "side", "count", "fen")
    insert = insert_for(connection)(totals)
    statement = insert.on_conflict_do_update(
        index_elements=list(names[:5]),
        set_={
            "count": totals.c.count + insert.excluded.count,
            "fen": totals.c.fen + insert.excluded.fen,
        },
    )
    rows = [dict(zip(names, (*key, *total), strict=True)) for key, total in added.items()]
    connection.execute(statement, rows)
