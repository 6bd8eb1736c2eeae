"""What all commands of the command line share: the ledger they work on, and a progress bar."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from eventsourcing.persistence import PersistenceError

from domain.errors import LedgerError
from service.application import Ledger
from service.log import UnreadableEvent
from service.settings import Settings, WrongSetting


@contextmanager
def open_ledger(*, projections: bool = True) -> Iterator[Ledger]:
    """The ledger that the environment names; what goes wrong ends in one line and status 1.

    ``projections`` False: their file may be missing or damaged.
    """
    try:
        settings = Settings.from_environment()
        ledger = Ledger(settings)
        ledger.create_tables(projections=projections)
        with ledger:
            yield ledger
    except WrongSetting as why:
        raise click.ClickException(str(why)) from None
    except (LedgerError, PersistenceError, UnreadableEvent, OSError) as why:
        raise click.ClickException(str(why)) from None


def progress_bar(length: int, label: str) -> Any:
    """A progress bar on a terminal; nothing at all anywhere else."""
    hidden = not sys.stderr.isatty()
    return click.progressbar(length=length, label=label, file=sys.stderr, hidden=hidden)
