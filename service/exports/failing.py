"""What became of the last run of the exports that failed, for those who ask the web workers.

It stands in a file beside the exports. Where not even that can be written, on a full disk, the
export that is overdue tells by not being there.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import orjson

from domain.errors import LedgerError
from domain.sentences import Sentence
from service.durable import write_durably
from service.exports.cut import cut_off, last_over
from service.exports.shelf import Shelf
from service.log import moment_text
from service.reads import Reads
from service.settings import Settings

_FILE = ".failed.json"
# How long after its cut-off an export may be under way before somebody should look.
PATIENCE = timedelta(hours=2)


@dataclass(frozen=True)
class Failure:
    """When a run failed, and why."""

    at: str
    why: str


def note_failure(folder: Path, moment: datetime, why: str) -> None:
    """Keep it until a run succeeds, if that can be done."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        told = {"at": moment_text(moment), "why": why}
        write_durably(folder / _FILE, orjson.dumps(told))


def note_success(folder: Path) -> None:
    """Forget what failed."""
    (folder / _FILE).unlink(missing_ok=True)


def last_failure(folder: Path) -> Failure | None:
    """What failed, if nothing has succeeded since."""
    try:
        return Failure(**orjson.loads((folder / _FILE).read_bytes()))
    except OSError:
        return None


def what_is_wrong(settings: Settings, reads: Reads, moment: datetime) -> str | None:
    """A sentence on the exports that are not as they should be; None when nothing is wrong."""
    if settings.export_at is None:
        return None
    failure = last_failure(settings.exports)
    if failure:
        return Sentence("The nightly export failed at {at}: {why}", at=failure.at, why=failure.why)
    day = last_over(moment - PATIENCE, settings.export_at)
    shelf = Shelf(settings.exports)
    due, newest = cut_off(day, settings.export_at), shelf.newest()
    if (newest is None or newest < day) and reads.knew_something(due):
        return Sentence(
            "The export of {day}, due at {due}, is not there.",
            day=day,
            due=due.isoformat(timespec="seconds"),
        )
    return _damage(shelf, newest) if newest else None


def _damage(shelf: Shelf, day: date) -> str | None:
    try:
        faults = shelf.faults(day, sizes_only=True)
    except LedgerError as why:
        return why.sentence
    if not faults:
        return None
    return Sentence("The export of {day} is not whole: {faults}.", day=day, faults=faults)
