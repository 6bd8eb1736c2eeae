"""``leadledger audit …``: checking the history, proving it, and ruling on it when it fails."""

import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID, uuid4

import click
import orjson

from domain.actor import Actor, acting, now
from service.application import Ledger
from service.audit import paper
from service.cli_shared import open_ledger, progress_bar
from service.log import moment_text
from service.proof.keys import OVERLAP
from service.proof.notes import BadNote, read_key, read_note
from service.proof.signer import Signer
from service.proof.tree import Inconsistent
from service.proof.verdict import judge, length_since
from service.proof.witness import NotWitnessed, Witness, witness_request
from service.replay import lines

LIMITS = (
    "What was never recorded, or recorded falsely by someone who may, is not detected; nor are "
    "changes since the last checkpoint by someone who holds both database and signer, or within a "
    "second of the recording by someone who holds the database; times and positions of a person's "
    "events stay visible after erasure."
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group()
def audit() -> None:
    """Check and prove that the history was not altered."""


@contextmanager
def _ledger() -> Iterator[Ledger]:
    """The ledger; what does not hold ends in one line and status 1."""
    try:
        with open_ledger() as ledger:
            yield ledger
    except (Inconsistent, BadNote, NotWitnessed) as why:
        raise click.ClickException(str(why)) from None


@audit.command()
@click.option("--since", type=_FILE, help="A checkpoint kept elsewhere: check what came after.")
def verify(since: Path | None) -> None:
    """Hash the whole log again and hold it against the checkpoints."""
    with _ledger() as ledger:
        kept = read_note(since.read_text("utf-8")) if since else None
        with progress_bar(length_since(ledger, kept), "events") as bar:
            verdict = judge(ledger, kept, bar.update)
    later = verdict.size - verdict.covered
    click.echo(f"Holds: {verdict.size} events, up to position {verdict.position}.")
    click.echo(f"Root {verdict.root.hex()}; {later} events came after the last checkpoint.")
    click.echo(f"Known limits: {LIMITS}")


@audit.command()
@click.option("--paper", "on_paper", is_flag=True, help="Three short lines to keep on paper.")
@click.option("--for-witness", type=int, help="As a request to a witness that saw this size last.")
def checkpoint(on_paper: bool, for_witness: int | None) -> None:
    """The present checkpoint, as a signed note."""
    with _ledger() as ledger:
        made, _ = ledger.audit.checkpoint()
        text = paper(made) if on_paper else made.note
        if for_witness is not None:
            path, note = ledger.audit.consistency_path(for_witness)
            text = witness_request(for_witness, path, note)
    click.echo(text, nl=False)


@audit.command()
@click.argument("lead", type=click.UUID)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write it here.")
def prove(lead: UUID, out: Path | None) -> None:
    """A lead's history with a proof for each event: a file that proves itself."""
    with _ledger() as ledger:
        data = orjson.dumps(ledger.audit.lead_proof(lead), option=orjson.OPT_INDENT_2) + b"\n"
        if out:
            out.write_bytes(data)
        else:
            sys.stdout.buffer.write(data)


@audit.command()
@click.argument("lead", type=click.UUID)
@click.option("--known-at", help="A moment (RFC 3339), or a log position: as it was known then.")
@click.option("--json", "as_json", is_flag=True, help="For machines: a line of JSON a step.")
def replay(lead: UUID, known_at: str | None, as_json: bool) -> None:
    """A lead's history, step by step: what happened, who recorded it when, what it changed."""
    with _ledger() as ledger:
        position = None if known_at is None else ledger.reads.position_named(known_at)
        told = ledger.personal.steps(ledger.reads.history(lead, known_at=position))
        shown = orjson.loads(ledger.reads.lead_at(lead, known_at=position).body)
    if as_json:
        for step in told:
            click.echo(orjson.dumps(step).decode())
        return
    for line in lines(shown, told):
        click.echo(line)


@audit.command()
def keys() -> None:
    """Every public key that ever signed, a line each, the oldest first."""
    with _ledger() as ledger:
        for key in ledger.audit.public_keys():
            click.echo(key["key"])


@audit.command()
@click.option("--reason", required=True, help="What was found out; it is recorded for ever.")
def rule(reason: str) -> None:
    """Rule on the alarms that stand, so that the ledger can be written again."""
    with _ledger() as ledger, acting(_administrator()):
        ledger.rule(reason)
    click.echo("Ruled; the keeper goes on at its next round.")


@audit.command("rotate-key")
def rotate_key() -> None:
    """Make a new signing key; the old one signs beside it for thirty days."""
    with _ledger() as ledger, acting(_administrator()) as actor:
        with closing(Signer(ledger.settings, ledger.log_recorder, ledger.published)) as signer:
            old, new = signer.rotate(actor.moment)
        ledger.rotate_key(old, new, moment_text(actor.moment + OVERLAP))
    click.echo(new)


@audit.command()
@click.option("--folder", type=click.Path(file_okay=False, path_type=Path), required=True)
@click.option("--name", required=True, help="The witness's own name, like witness.example/w1.")
@click.option("--trust", multiple=True, help="The public key of a log; can be given again.")
@click.option("--key", "only_key", is_flag=True, help="Print the witness's public key.")
def witness(folder: Path, name: str, trust: tuple[str, ...], only_key: bool) -> None:
    """Cosign the checkpoint in the request on stdin, if its tree grew out of the last one seen."""
    try:
        seen_by = Witness(folder, name, [read_key(text) for text in trust])
        if only_key:
            click.echo(seen_by.key(now()))
        else:
            click.echo(seen_by.cosign(sys.stdin.read(), now()), nl=False)
    except (NotWitnessed, BadNote) as why:
        raise click.ClickException(str(why)) from None


def _administrator() -> Actor:
    """Whoever may run commands where the ledger is."""
    user = os.environ.get("USER") or f"user {os.getuid()}"
    return Actor(f"{user} at the command line", now(), uuid4().hex)
