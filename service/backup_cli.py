"""``leadledger backup`` and ``leadledger restore``."""

from pathlib import Path

import click

from domain.actor import now
from service.backups.making import make_backup
from service.backups.restoring import restore as put_back
from service.cli_shared import open_ledger, progress_bar, settings_here
from service.commands.events import BEGINNINGS, EVENTS
from service.log import LedgerMapper

_FOLDER = click.Path(file_okay=False, path_type=Path)
_THERE = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("folder", type=_FOLDER)
@click.option(
    "--keys", type=_FOLDER, help="Back up the keys of personal data as well, into this folder."
)
def backup(folder: Path, keys: Path | None) -> None:
    """Back up the ledger into a new FOLDER, while it is served and written."""
    with open_ledger(projections=False) as ledger:
        last = ledger.recorder.max_notification_id() or 0
        with progress_bar(last, "events") as bar:
            made = make_backup(ledger, folder, keys, now(), bar.update)
        secret = ledger.settings.secret_file
    click.echo(f"Backed up {made.held.events} events, up to position {made.held.position}.")
    click.echo(f"Root {made.held.root}; every event was read and hashed in the copy.")
    if made.keys is None:
        click.echo("The keys of personal data are not in it: --keys FOLDER backs them up apart.")
    else:
        click.echo(f"{made.keys} persons' keys are in {keys}: keep it apart from the log's backup.")
    click.echo(
        f"Not in it, to be kept apart: the master key (LEDGER_SECRET_KEY, or {secret}) and the "
        "keeper's folder. What is made from the log, and exports, are not in it either."
    )


@click.command()
@click.argument("folder", type=_THERE)
@click.option("--keys", type=_THERE, help="Put back the keys of personal data from this folder.")
def restore(folder: Path, keys: Path | None) -> None:
    """Put the backup in FOLDER back to where LEDGER_DATABASE says, if nothing is there."""
    with settings_here() as settings:
        mapper = LedgerMapper(EVENTS, BEGINNINGS)
        with progress_bar(0, "events") as bar:
            done = put_back(settings, mapper, folder, keys, bar.update)
    click.echo(f"Restored {done.held.events} events, up to position {done.held.position}.")
    click.echo(f"Root {done.held.root}, as it was at {done.made_at}; every event was read.")
    if done.keys is None:
        click.echo(
            f"Without --keys: put the keys of personal data at {settings.subjects} before the "
            "service starts, or contacts recorded until now can never be read again."
        )
    click.echo(
        "Now put the master key and the keeper's folder back, and start 'leadledger serve': it "
        "makes the projections and the tree anew by itself. If the keeper had signed more than "
        "this holds it raises an alarm: look into what is lost, and go on with 'leadledger audit "
        "rule'."
    )
