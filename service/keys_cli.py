"""``leadledger keys``: looking after the keys of personal data."""

import click

from service.cli_shared import open_ledger, progress_bar


@click.group()
def keys() -> None:
    """The keys of personal data."""


@keys.command()
def rotate() -> None:
    """Wrap every person's key anew with a new master key; what was broken off goes on."""
    with open_ledger() as ledger:
        found = ledger.personal.keys
        with progress_bar(found.count(), "keys") as bar:
            done = found.rotate(bar.update)
    click.echo(f"{done} keys are wrapped by the new master key; the old one opens none of them.")
