"""What the tests of backups share: an office with something of everything, and commands on it."""

from pathlib import Path

from click.testing import CliRunner, Result

from service.application import Ledger
from service.cli import main
from tests.faults.serving import HOME, environment
from tests.proof.ground import signed
from tests.service.helpers import journeys, ledger_in, register, tip


def command(folder: Path, *words: object, **settings: str) -> Result:
    """The command, on the ledger in ``folder``."""
    return CliRunner().invoke(main, [*map(str, words)], env=environment(folder, HOME, **settings))


def done(folder: Path, *words: object, **settings: str) -> str:
    """What the command said; fails unless it was done."""
    result = command(folder, *words, **settings)
    assert result.exit_code == 0, result.output
    return result.stdout


def refused(folder: Path, *words: object, **settings: str) -> str:
    """The one line that the command was refused with."""
    result = command(folder, *words, **settings)
    assert result.exit_code == 1, result.output
    (line,) = result.stderr.splitlines()
    return line


def files_in(folder: Path) -> list[str]:
    """Their names, in order; none of a folder that is not there."""
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def an_office(folder: Path) -> Path:
    """``folder`` with a ledger of every kind of event, a checkpoint, a token and a contact."""
    folder.mkdir()
    with ledger_in(folder) as ledger:
        fill(ledger)
    return folder


def fill(ledger: Ledger) -> None:
    """Record all of that."""
    journeys(ledger)
    member = register(ledger, "QJP-100").subject
    tip(ledger, member, contact={"name": "李先生", "phone": "13800000001"})
    signed(ledger)
    ledger.tokens.issue("admin", "first")
