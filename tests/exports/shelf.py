"""What the exports' tests share: a ledger's export of a day, and what stands in its files."""

import csv
import hashlib
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import orjson
import pyarrow.parquet as pq

from domain.actor import CHINA, Actor, acting, today_in_china
from service.application import Ledger
from service.exports.nightly import Exported, Exporter
from tests.service.helpers import DISTRICT, MONEY, call

# After everything that the tests record happened, and before they record it.
DAY = date(2025, 12, 31)


def night_after(day: date) -> datetime:
    """A moment at which the export of ``day`` is the last one due."""
    return datetime.combine(day + timedelta(days=1), time(2, 30), CHINA)


def exported(ledger: Ledger, day: date | None = None, **asked: Any) -> Exported:
    """The export of a day, by default today's, made in the night after it."""
    day = day or today_in_china()
    return Exporter(ledger, night_after(day)).export(day, **asked)


def bytes_of(folder: Path) -> dict[str, str]:
    """The SHA-256 of every file."""
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(folder.iterdir())}


def manifest(folder: Path) -> dict[str, Any]:
    """What the export says of itself."""
    found: dict[str, Any] = orjson.loads((folder / "manifest.json").read_bytes())
    return found


def rows(path: Path) -> list[dict[str, str]]:
    """A CSV's rows by heading."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def parquet(path: Path) -> list[dict[str, Any]]:
    """A Parquet file's rows by name."""
    found: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    return found


def events(folder: Path) -> list[dict[str, Any]]:
    """The events."""
    return [orjson.loads(line) for line in (folder / "events.jsonl").read_bytes().splitlines()]


def recorded_on(ledger: Ledger, moment: datetime, leads: int = 1) -> None:
    """So many leads, recorded then."""
    with acting(Actor("招商办", moment, uuid4().hex)):
        facts = {"name": "王委员", "sector": "工商联", "district": DISTRICT}
        number = uuid4().hex[:12]
        member = ledger.register_member(
            call(), {**facts, "number": number, "occurred_on": "2025-01-02"}
        ).subject
        given = {"members": [str(member)], "district": DISTRICT, "occurred_on": "2025-03-18"}
        for at in range(leads):
            ledger.tip(call(), {**given, "title": f"项目{at}", "investment": MONEY})
