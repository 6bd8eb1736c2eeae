"""What all commands of the command line share: the ledger they work on, and a progress bar."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

import click
from eventsourcing.persistence import PersistenceError

from domain.errors import LedgerError
from service.access.callers import Caller, called_by
from service.application import Ledger
from service.backups.restoring import check_whole
from service.log import UnreadableEvent
from service.logs import recorder_of
from service.settings import Settings, WrongSetting

# From where a command is called, as far as the access records tell.
HERE = "this machine"
_NONE = "There is no ledger at {}: is LEDGER_DATABASE right? 'leadledger serve' makes a new one."


@contextmanager
def open_ledger(*, projections: bool = True, making: bool = False) -> Iterator[Ledger]:
    """The ledger that the environment names, as with ``settings_here``.

    ``projections`` False: their file may be missing or damaged. ``making``: a ledger that is not
    there is made; whoever only reads one has mistyped its place.
    """
    with settings_here() as settings:
        check_whole(settings)
        with closing(recorder_of(settings)) as recorder:
            if not (making or recorder.exists()):
                raise click.ClickException(_NONE.format(settings.place))
        ledger = Ledger(settings)
        ledger.create_tables(projections=projections)
        with ledger, called_by(_here):
            yield ledger


@contextmanager
def settings_here() -> Iterator[Settings]:
    """What the environment asks for; what goes wrong ends in one line and status 1."""
    try:
        yield Settings.from_environment()
    except WrongSetting as why:
        raise click.ClickException(str(why)) from None
    except (LedgerError, PersistenceError, UnreadableEvent, OSError) as why:
        raise click.ClickException(str(why)) from None


def _here() -> Caller:
    """Whoever may run commands where the ledger is."""
    user = os.environ.get("USER") or f"user {os.getuid()}"
    return Caller(name=f"{user} at the command line", origin=HERE, request=uuid4().hex)


def progress_bar(length: int, label: str) -> Any:
    """A progress bar on a terminal; nothing at all anywhere else."""
    hidden = not sys.stderr.isatty()
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden)
