"""When the keeper last finished a round, for those who ask the web workers.

It stands in a file beside the ledger, which is there once a keeper began: then with that moment.
"""

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from service.durable import write_durably
from service.log import moment_text
from service.settings import Settings

# A keeper that has finished no round in so many of its intervals, and so long, is looked after.
_INTERVALS, _PATIENCE = 10, timedelta(minutes=5)


@dataclass(frozen=True)
class Round:
    """When the last one was finished, and what has kept another from it since, if anything."""

    at: str
    why: str | None = None

    def age(self, moment: datetime) -> timedelta:
        """How long ago that was."""
        return max(moment - datetime.fromisoformat(self.at), timedelta(0))


def note_begin(settings: Settings, moment: datetime) -> None:
    """A keeper began; what is known of the rounds of one before it stays."""
    if last_round(settings) is None:
        note_finished(settings, moment)


def note_finished(settings: Settings, moment: datetime) -> None:
    """A round was finished."""
    _write(settings, Round(moment_text(moment)))


def note_unfinished(settings: Settings, why: str) -> None:
    """One was not, because of ``why``."""
    last = last_round(settings)
    if last and last.why != why:
        _write(settings, replace(last, why=why))


def last_round(settings: Settings) -> Round | None:
    """The last one that was finished; None while no keeper has begun."""
    try:
        return Round(**orjson.loads(_file(settings).read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def what_is_late(settings: Settings, moment: datetime) -> str | None:
    """A sentence on a keeper that finishes nothing; None when nothing is wrong."""
    last = last_round(settings)
    patience = max(_PATIENCE, _INTERVALS * timedelta(seconds=settings.checkpoint_every))
    if last is None or last.age(moment) <= patience:
        return None
    why = last.why or "is it running?"
    return f"The keeper has finished no round since {last.at}, so no checkpoint is made: {why}"


def _write(settings: Settings, known: Round) -> None:
    # On a full disk nothing is noted, which tells as much a little later.
    with suppress(OSError):
        write_durably(_file(settings), orjson.dumps(known))


def _file(settings: Settings) -> Path:
    return settings.database.with_name(settings.database.name + ".keeper.round")
