"""Ledgers of many leads and events, which take long to make: kept where ``BENCH_LEDGERS`` says, a
folder, and found there by the next run. How many leads the largest has ``BENCH_LEADS`` says.
"""

import json
import os
import sqlite3
from pathlib import Path
from typing import Any, NamedTuple

from tests.bench.harness import work
from tests.bench.paper import write_ledger

SEED = 10_000
LEADS = int(os.environ.get("BENCH_LEADS", "1000000"))
# A call that posts nothing to the book, of the day and by the facts of a tip.
_FOLLOW_UP = (
    "SELECT json_object('timestamp', json_extract(:tip, '$.timestamp'), 'occurred_on', "
    "json_extract(:tip, '$.occurred_on'), 'actor', 'bench', 'request', '0', 'note', null, 'form', "
    "'call', 'result', '打了一个电话', 'next_on', null, 'reason', null)"
)


class Made(NamedTuple):
    """A ledger of ``leads``, imported: bytes of log and projections, and the CPU seconds of import
    and rebuild."""

    leads: int
    database: Path
    log: int
    projections: int
    imported: float
    rebuilt: float


def place_of(folder: Path) -> Path:
    """Where large ledgers are made: in ``folder``, unless they are to be kept."""
    return Path(os.environ.get("BENCH_LEDGERS") or folder)


def made(folder: Path, leads: int) -> Made:
    """A ledger of so many leads, with its projections, made unless it is there."""
    home = place_of(folder) / f"{leads}"
    database, told = home / "ledger.sqlite", home / "made.json"
    if not told.exists():
        home.mkdir(parents=True, exist_ok=True)
        write_ledger(home / "paper.csv", rows=leads)
        imported = work("import", str(home / "paper.csv"), database=database)
        rebuilt = work("rebuild", database=database)
        files = database, database.with_name(database.name + ".projections").resolve()
        took: dict[str, Any] = {
            "log": files[0].stat().st_size,
            "projections": files[1].stat().st_size,
            "imported": imported["cpu"],
            "rebuilt": rebuilt["cpu"],
        }
        told.write_text(json.dumps(took))
    return Made(leads, database, **json.loads(told.read_text()))


def multiplied(folder: Path, leads: int, events: int) -> Path:
    """A ledger of so many leads and events: those of a ledger of 10,000 again and again, and then
    follow-ups of the leads that are not closed, in turn. Written as stored events, past the
    commands: of each lead there is what an import records, which takes longer. Its database."""
    home = place_of(folder) / f"{leads}-{events}"
    database, told = home / "ledger.sqlite", home / "made.json"
    if not told.exists():
        copy(made(folder, SEED).database, database)
        with sqlite3.connect(database) as log:
            again(log, leads // SEED)
            with_follow_ups(log, events)
        log.close()
        told.write_text(json.dumps(work("rebuild", database=database)))
    return database


def copy(source: Path, target: Path) -> None:
    """The log in another file; its projections are made anew."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with sqlite3.connect(source) as log:
        log.execute("VACUUM INTO ?", (f"{target}",))
    log.close()


def again(log: sqlite3.Connection, times: int) -> None:
    """Have each lead so many times."""
    (last,) = log.execute("SELECT max(rowid) FROM stored_events").fetchone()
    log.execute("CREATE TEMP TABLE streams (id TEXT PRIMARY KEY, other TEXT)")
    log.execute(
        "INSERT INTO streams SELECT originator_id, '' FROM stored_events "
        "WHERE topic = 'lead.tipped'"
    )
    for _ in range(times - 1):
        log.execute("UPDATE streams SET other = lower(hex(randomblob(16)))")
        log.execute(
            "INSERT INTO stored_events SELECT other, originator_version, topic, state "
            "FROM stored_events JOIN streams ON id = originator_id "
            "WHERE stored_events.rowid <= ? ORDER BY stored_events.rowid",
            (last,),
        )


def with_follow_ups(log: sqlite3.Connection, events: int) -> None:
    """Append follow-ups until there are so many events."""
    (there,) = log.execute("SELECT count(*) FROM stored_events").fetchone()
    (tip,) = log.execute(
        "SELECT state FROM stored_events WHERE topic = 'lead.tipped' ORDER BY rowid DESC LIMIT 1"
    ).fetchone()
    (follow_up,) = log.execute(_FOLLOW_UP, {"tip": tip}).fetchone()
    log.execute(
        "CREATE TEMP TABLE standing AS SELECT originator_id AS id, max(originator_version) "
        "AS version, topic AS last FROM stored_events WHERE topic LIKE 'lead.%' GROUP BY 1"
    )
    log.execute("DELETE FROM standing WHERE last = 'lead.closed'")
    number = 0
    while there < events:
        number += 1
        more = log.execute(
            "INSERT INTO stored_events SELECT id, version + ?, 'lead.followed_up', ? "
            "FROM standing ORDER BY id LIMIT ?",
            (number, follow_up.encode(), events - there),
        )
        there += more.rowcount
