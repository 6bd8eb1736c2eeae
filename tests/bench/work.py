"""The long jobs, each in a process of its own, so that its memory can be told: ``work WHAT …``.

Prints, as its last line, JSON: the seconds (of the clock and of CPU) and the peak memory.
"""

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

import service  # noqa: F401  (first: it puts a repaired SQLite under the name sqlite3)
from domain.actor import now
from service.application import Ledger
from service.cli import main as leadledger
from service.projections.feed import BATCH
from service.proof import tree
from service.proof.signer import Signer
from service.proof.verdict import judge
from service.settings import Settings

import sqlite3  # isort: skip

AT_ONCE = 20_000


def memory() -> tuple[float, float]:
    """Resident MB now, and at the peak, of this process and those that it started, added up.

    Not ``ru_maxrss``: that one begins with the peak of whoever started the process.
    """
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    each = [resident(pid) for pid in ("self", *children)]
    return sum(now for now, _ in each), sum(peak for _, peak in each)


def resident(pid: str) -> tuple[float, float]:
    """The same of one process; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    found = {name: words for name, _, words in (line.partition(":") for line in lines)}
    now, peak = (int(found.get(name, "0").split()[0]) for name in ("VmRSS", "VmHWM"))
    return now / 1024, peak / 1024


def cpu() -> float:
    """Seconds of CPU that this process has used, and those that it started and that have ended."""
    return sum(os.times()[:4])


def import_(path: str) -> dict[str, Any]:
    """``leadledger import``."""
    leadledger(["import", path], standalone_mode=False)
    return {}


def insert_bare(target: str) -> dict[str, Any]:
    """The ledger's stored rows into ``target``, in one transaction; only the inserts count."""
    source = sqlite3.connect(Settings.from_environment().database)
    (layout,) = source.execute(
        "SELECT sql FROM sqlite_master WHERE name = 'stored_events'"
    ).fetchone()
    bare = sqlite3.connect(target, isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    bare.execute(layout)
    rows = source.execute("SELECT * FROM stored_events ORDER BY rowid")
    seconds = -time.perf_counter()
    bare.execute("BEGIN IMMEDIATE")
    seconds += time.perf_counter()
    while batch := rows.fetchmany(AT_ONCE):
        seconds -= time.perf_counter()
        bare.executemany("INSERT INTO stored_events VALUES (?, ?, ?, ?)", batch)
        seconds += time.perf_counter()
    seconds -= time.perf_counter()
    bare.execute("COMMIT")
    return {"seconds": seconds + time.perf_counter()}


def decode() -> dict[str, Any]:
    """Read and decode the whole log, with the ledger's recorder and mapper; nothing more."""
    ledger = Ledger(Settings.from_environment())
    events = decoded(ledger)
    ledger.close()
    return {"events": events}


def decoded(ledger: Ledger) -> int:
    """Each event of the log, as the projections are given it, and forgotten; how many there are."""
    reached = events = 0
    while rows := ledger.log_recorder.stored_rows(reached, BATCH):
        for _ in ledger.mapper.events_in(rows):
            events += 1
        reached = rows[-1][0]
    return events


def decode_beside_raw() -> dict[str, Any]:
    """Pairs of CPU seconds an event: SELECT and orjson.loads, and reading and decoding."""
    ledger = Ledger(Settings.from_environment())
    log = sqlite3.connect(ledger.settings.database)
    gc.disable()

    def raw() -> int:
        events = reached = 0
        select = "SELECT rowid, * FROM stored_events WHERE rowid > ? ORDER BY rowid LIMIT ?"
        while rows := log.execute(select, (reached, BATCH)).fetchall():
            for row in rows:
                orjson.loads(row[4])
            reached = rows[-1][0]
            events += len(rows)
        return events

    def seconds(job: Callable[[], int]) -> float:
        began = time.process_time()
        events = job()
        return (time.process_time() - began) / events

    pairs = [(seconds(raw), seconds(lambda: decoded(ledger))) for _ in range(8)][1:]
    log.close()
    ledger.close()
    return {"pairs": pairs}


def rebuild() -> dict[str, Any]:
    """Rebuild every projection; ``quarters``: resident MB after each quarter of the events."""
    ledger = Ledger(Settings.from_environment())
    ledger.create_tables()
    last = ledger.recorder.max_notification_id() or 0
    quarters: list[float] = []
    done, peak = 0, 0.0

    def progress(events: int) -> None:
        nonlocal done, peak
        done += events
        now, highest = memory()
        peak = max(peak, highest)
        while len(quarters) < 4 and done * 4 >= last * (len(quarters) + 1):
            quarters.append(now)

    ledger.reads.catch_up.rebuild(progress)
    ledger.close()
    return {"events": done, "quarters": quarters, "peak": max(peak, memory()[1])}


def verify() -> dict[str, Any]:
    """What ``audit verify`` does with the log, beside hashlib alone over the same bytes.

    The latter is a digest of each event and one of each pair, with nothing read. Both in seconds
    of CPU, which others on the machine disturb least. ``quarters``: resident MB after each.
    """
    ledger = Ledger(Settings.from_environment())
    last = ledger.recorder.max_notification_id() or 0
    quarters: list[float] = []
    done = 0

    def progress(events: int) -> None:
        nonlocal done
        done += events
        while len(quarters) < 4 and done * 4 >= last * (len(quarters) + 1):
            quarters.append(memory()[0])

    began = time.process_time()
    verdict = judge(ledger, progress=progress)
    seconds = time.process_time() - began
    alone = hashlib_alone(ledger)
    ledger.close()
    return {"seconds": seconds, "alone": alone, "events": verdict.size, "quarters": quarters}


def hashlib_alone(ledger: Ledger) -> float:
    """CPU seconds for the digests of a tree over the log, counted while nothing is read."""
    seconds, reached = 0.0, 0
    while rows := ledger.log_recorder.stored_rows(reached, AT_ONCE):
        nodes = data = [tree.leaf_data(*row[1:]) for row in rows]
        began = time.process_time()
        nodes = [sha256(b"\0" + each).digest() for each in data]
        while len(nodes) > 1:
            each_ = iter(nodes)
            nodes = [sha256(b"\1" + a + b).digest() for a, b in zip(each_, each_, strict=False)]
        seconds += time.process_time() - began
        reached = rows[-1][0]
    return seconds


def sign() -> dict[str, Any]:
    """One round of the signer, which makes the tree."""
    ledger = Ledger(Settings.from_environment())
    ledger.create_tables()
    with closing(Signer(ledger.settings, ledger.log_recorder, ledger.published)) as signer:
        note = signer.sign(now())
    ledger.close()
    return {"events": note.checkpoint.size if note else 0}


Jobs = Mapping[str, Callable[..., dict[str, Any]]]
JOBS: Jobs = {
    "import": import_,
    "insert-bare": insert_bare,
    "decode": decode,
    "decode-beside-raw": decode_beside_raw,
    "rebuild": rebuild,
    "verify": verify,
    "sign": sign,
}


def main(jobs: Jobs) -> None:
    """One job."""
    began, spent = time.perf_counter(), cpu()
    found = jobs[sys.argv[1]](*sys.argv[2:])
    seconds, used = time.perf_counter() - began, cpu() - spent
    print(json.dumps({"seconds": seconds, "cpu": used, "peak": memory()[1], **found}))


if __name__ == "__main__":
    main(JOBS)
