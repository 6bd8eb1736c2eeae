"""The command line: ``leadledger …``. Exit status 0 done, 1 refused or failed, 2 wrong usage."""

import os
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path

import click

from domain.actor import now
from domain.errors import Refused
from service.access_cli import access
from service.application import Ledger
from service.audit_cli import audit
from service.backup_cli import backup, restore
from service.cli_shared import open_ledger as _ledger
from service.cli_shared import progress_bar as _progress
from service.export_cli import export
from service.folders import check_folders
from service.import_cli import import_, take_in
from service.imports import Imported, Overtaken
from service.journal import teller
from service.keys_cli import keys
from service.migrate_cli import migrate
from service.proof.keeper import Keeper, Stop
from service.proof.signer import Signer
from service.report_cli import report
from service.serving import STARTER, Serving, end_with_starter
from service.settings import Settings, strangers
from service.token_cli import token
from service.worklist_cli import worklist

DEMO = Path(__file__).parent / "data" / "ledger-2025.csv"
_DEMO_TRIES = 5


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """The ledger of investment leads (委员助招商台账)."""


main.add_command(access)
main.add_command(audit)
main.add_command(backup)
main.add_command(restore)
main.add_command(import_)
main.add_command(export)
main.add_command(keys)
main.add_command(migrate)
main.add_command(report)
main.add_command(token)
main.add_command(worklist)


def load_demo(ledger: Ledger) -> Imported:
    """Take in the 2025 ledger; again when another did at the same moment: then it is there."""
    for _ in range(_DEMO_TRIES - 1):
        with suppress(Overtaken):
            return take_in(ledger, DEMO)
    return take_in(ledger, DEMO)


@main.command()
def demo() -> None:
    """Load the 2025 ledger that comes with the service; a second time changes nothing."""
    with _ledger(making=True) as ledger:
        done = load_demo(ledger)
    click.echo(f"{done.leads} leads recorded; {done.unchanged} were there already.")


@main.group()
def projections() -> None:
    """What is made from the log to be read."""


@projections.command("status")
def status() -> None:
    """How far each projection has come."""
    with _ledger() as ledger:
        last = ledger.recorder.max_notification_id() or 0
        for name, position in ledger.reads.catch_up.status().items():
            click.echo(f"{name}\t{position} of {last}")


@projections.command("rebuild")
def rebuild() -> None:
    """Make every projection anew from the log; readers see the old until it is done."""
    with _ledger(projections=False) as ledger:
        last = ledger.recorder.max_notification_id() or 0
        with _progress(last, "projections") as bar:
            position = ledger.reads.catch_up.rebuild(bar.update)
    click.echo(f"Rebuilt up to position {position}.")


@projections.command("check")
def check() -> None:
    """Make every projection anew beside the live one and compare them, row by row."""
    with _ledger() as ledger:
        position = ledger.reads.position()
        with _progress(position, "projections") as bar:
            found = ledger.reads.catch_up.differences(bar.update)
        if found:
            click.echo("\n".join(map(str, found)))
            raise Refused(
                f"{len(found)} tables are otherwise than the log makes them: somebody changed "
                "them. 'leadledger projections rebuild' makes them anew."
            )
    click.echo(f"Every row is what the log makes it, up to position {position} or later.")


@main.command()
@click.option("--demo", "with_demo", is_flag=True, help="Load the 2025 ledger if there is none.")
def serve(with_demo: bool) -> None:
    """Serve the API with gunicorn until it is told to stop."""
    _tell_strangers()
    with _ledger(making=True) as ledger:
        settings = ledger.settings
        check_folders(settings, of_another=True)
        _check_address(settings)
        if with_demo and ledger.recorder.max_notification_id() is None:
            done = load_demo(ledger)
            click.echo(f"Loaded the 2025 ledger: {done.leads} leads.")
        first = None if ledger.tokens.any() else ledger.tokens.issue("admin", "first administrator")
        address = f"http://{settings.bind}:{settings.port}"
        greeting = _greeting(address, first)
        _check_age(ledger)
    sys.exit(Serving(settings, greeting).run())


@main.command()
def keeper() -> None:
    """Sign checkpoints of the history and check it, beside the web workers ('serve' starts it)."""
    stop = Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop.set)
    end_with_starter()
    if STARTER not in os.environ:
        # Else that one has told them.
        _tell_strangers()
    with _ledger(making=True) as ledger:
        check_folders(ledger.settings, of_another=False)
        Keeper(ledger, stop).run(teller(ledger.settings, "keeper"))


def _tell_strangers() -> None:
    """Warn of what somebody may have mistyped."""
    for line in strangers():
        click.echo(f"Warning: {line}", err=True)


def _check_age(ledger: Ledger) -> None:
    """Answer no write before it is known that no older copy of the ledger was restored."""
    signer = Signer(ledger.settings, ledger.log_recorder, ledger.published)
    # The keeper's folder may be another user's: then only the keeper can tell, a moment later.
    with suppress(PermissionError):
        signer.check(now())
    signer.close()


def _check_address(settings: Settings) -> None:
    """Stop before anything is made when the address is taken."""
    with socket.socket(socket.AF_INET6 if ":" in settings.bind else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.bind, settings.port))
        except OSError as why:
            address = f"{settings.bind}:{settings.port}"
            raise click.ClickException(f"Cannot listen on {address}: {why.strerror}.") from None


def _greeting(address: str, first_token: str | None) -> str:
    """What is said when requests are answered: where, the first token, and a first request."""
    question = f"{address}/v1/pipeline?from=2025-01-01&to=2025-12-29"
    lines = [f"Lead Ledger answers on {address}; its API is described on {address}/docs/"]
    if first_token:
        lines += ["The first administrator's token, shown this once:", first_token]
    lines.append(f"curl -H 'Authorization: Bearer {first_token or '<token>'}' '{question}'")
    return "\n".join(lines) + "\n"
