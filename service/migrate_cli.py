"""``leadledger migrate``: from the files into PostgreSQL."""

from pathlib import Path
from shlex import quote

import click

from service.cli_shared import open_ledger, progress_bar
from service.postgres import SCHEMES, Postgres
from service.settings import TABLE

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def _target(to: str, password_file: Path | None) -> Postgres:
    if to.partition(":")[0] not in SCHEMES:
        raise click.UsageError(f"'{to}' is no address like postgresql://USER@HOST/DATABASE.")
    try:
        found = Postgres.at(to)
    except ValueError as why:
        raise click.UsageError(f"--to: {why}.") from None
    if found.password is not None:
        raise click.UsageError(
            "--to: a password there can be read by everybody on this machine; put it into a file "
            "and give --password-file."
        )
    return Postgres(found.url, None, password_file)


@click.command()
@click.option("--to", required=True, help="The database, like postgresql://USER@HOST/DATABASE.")
@click.option("--password-file", type=_FILE, help="The file that has the password for it.")
def migrate(to: str, password_file: Path | None) -> None:
    """Move the ledger from its files into an empty PostgreSQL database, and compare both.

    Stop the service before. The files stay as they are.
    """
    # Not before somebody needs it: it imports the driver.
    from service.moving import move  # noqa: PLC0415

    target = _target(to, password_file)
    with open_ledger(projections=False) as ledger:
        files = ledger.settings.database.absolute()
        last = ledger.recorder.max_notification_id() or 0
        with progress_bar(last, "events") as bar:
            moved = move(ledger, target, bar.update)
    click.echo(f"Moved {moved.events} events, up to position {moved.position}.")
    click.echo(f"Root {moved.root}: that of both logs, each read again from its beginning.")
    click.echo(f"{moved.rows} rows beside them, of tokens, keys, checkpoints and accesses.")
    click.echo("Now set, and start 'leadledger serve' again:")
    click.echo(f"  export LEDGER_DATABASE={quote(target.url)}")
    if password_file is not None:
        where = quote(f"{password_file.absolute()}")
        click.echo(f"  export {TABLE['password_file'].variable}={where}")
    click.echo(f"  export {TABLE['database'].variable}={quote(f'{files}')}")
    click.echo(
        f"On this machine the master key, the keeper's folder and the exports stay where they are; "
        f"{ledger.settings.moved} keeps the files from being served by mistake."
    )
