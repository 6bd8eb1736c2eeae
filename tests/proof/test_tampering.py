"""What was tried against the history, and what found it: the table that the README shows.

Every attack is carried out on a copy of one ledger and held against each of: the command
``audit verify``; the keeper's next round; its next night; the one-file verifier with a copy of
the database, or the events, and the checkpoint kept last time; and a witness, who is shown the
best checkpoint that can be made of the altered log with the true signing key.
"""

import re
import shutil
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from domain.actor import now
from service.proof.keys import KeyFolder
from service.proof.notes import Checkpoint, Note, read_key
from service.proof.record import read_record
from service.proof.tiles import Tree
from service.proof.tree import Inconsistent, consistency_path
from service.proof.verdict import judge
from service.proof.witness import NotWitnessed, Witness, witness_request
from service.settings import HOME, Settings
from tests.proof.attacks import ATTACKS, COVERED, Attack, alter_tree, rebuild_tree
from tests.proof.ground import (
    altered,
    auditor,
    copied,
    forget_what_was_signed,
    kept,
    looked,
    present,
    rehashed,
    signed,
    the_key,
)
from tests.service.helpers import a_lead, follow, ledger_at, raw, settings_in

pytestmark = pytest.mark.sqlite_alone(
    "attacks on the file; test_on_postgresql.py has those on rows"
)

HEAD = ("what was tried", "audit verify", "keeper's round", "its night", "one file", "witness")
# What audit.md says nothing can find.
MISSES = {"record falsely, by someone who may", "edit since the last checkpoint, with the signer"}
FOUND, NOT = "found", "–"


class Ground(NamedTuple):
    """A ledger whose checkpoint of twenty events left the house, and four events more."""

    settings: Settings
    key: str
    checkpoint: Path
    witnessed: Path


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """The ledger as it is before anybody touches it."""
    folder = Path(tmp_path_factory.mktemp("tampering"))
    settings = settings_in(folder / "ledger")
    witness_folder = folder / "witness"
    with ledger_at(settings) as ledger:
        lead = a_lead(ledger)
        for number in range(12):
            follow(ledger, lead, f"第{number}次")
        signed(ledger)
        key = the_key(ledger)
        witness = Witness(witness_folder, "witness.example/w", [key])
        witness.cosign(witness_request(0, [], str(present(ledger))), now())
        yesterday(settings)
        for number in range(12, 18):
            follow(ledger, lead, f"第{number}次")
        signed(ledger)
        path, note = ledger.audit.consistency_path(14)
        witness.cosign(witness_request(14, path, note), now())
        checkpoint = kept(folder, "kept.checkpoint", note)
        for number in range(18, 22):
            follow(ledger, lead, f"第{number}次")
        looked(ledger)
        assert present(ledger).checkpoint.size == COVERED
    return Ground(settings, str(key), checkpoint, witness_folder)


def yesterday(settings: Settings) -> None:
    """A backup, made as it should be."""
    folder = settings.database.parent / "yesterday"
    folder.mkdir()
    for path in (settings.database, settings.tree):
        with closing(raw(path)) as source:
            source.execute("VACUUM INTO ?", (str(folder / path.name),))


def audit_verify(settings: Settings, _: Ground) -> str:
    """``leadledger audit verify``."""
    with ledger_at(settings) as ledger:
        try:
            judge(ledger)
        except Inconsistent:
            return FOUND
    return NOT


def keepers_round(settings: Settings, _: Ground) -> str:
    """The signer, ten minutes later."""
    with ledger_at(settings) as ledger:
        note = signed(ledger)
        found = bool(ledger.published.standing())
        assert not (found and note), "it signed what it raised the alarm about"
    return FOUND if found else NOT


def keepers_night(settings: Settings, _: Ground) -> str:
    """The signer and the night's work."""
    with ledger_at(settings) as ledger:
        rehashed(ledger)
        signed(ledger)
        return FOUND if ledger.published.standing() else NOT


def one_file(settings: Settings, ground: Ground) -> str:
    """The verifier, with what the auditor kept; from the database and from the events alike."""
    words = ("--key", ground.key, "--kept", ground.checkpoint)
    by_database = auditor(settings.database, *words)
    with ledger_at(settings) as ledger:
        lines = b"".join(ledger.audit.stream(0, 2**62)).decode()
    by_events = auditor(kept(settings.database.parent, "events.jsonl", lines), *words)
    assert by_database.status == by_events.status in (0, 1), (by_database, by_events)
    assert ("position" in by_database.said) or by_database.status == 0
    return FOUND if by_database.status else NOT


def witness(settings: Settings, ground: Ground) -> str:
    """A witness, shown the best that can be made of the altered log."""
    known = Witness(ground.witnessed, "witness.example/w", [read_key(ground.key)])
    try:
        known.cosign(best_request(settings), now())
    except NotWitnessed:
        return FOUND
    return NOT


def best_request(settings: Settings) -> str:
    """A request for the altered log's checkpoint, signed with the true key."""
    record = read_record(settings.keeper)
    assert record is not None
    with (
        ledger_at(settings) as ledger,
        closing(Tree(ledger.log_recorder, settings)) as tree,
        tree.view() as view,
    ):
        size = view.mark.size
        checkpoint = Checkpoint(record.origin, size, view.root(size))
        path = consistency_path(view.subtree, min(COVERED, size), size)
    folder = settings.database.parent / "stranger"
    keys = KeyFolder(folder if folder.exists() else settings.keeper)
    note = Note(checkpoint, (keys.signing(now())[0].sign(checkpoint),))
    return witness_request(COVERED, path, str(note))


def sign_anew(settings: Settings) -> None:
    """What the holder of the signing key can do: forget what was signed, and sign what is there."""
    forget_what_was_signed(settings)
    with altered(settings) as log:
        log.execute("DELETE FROM checkpoints")
    with ledger_at(settings) as ledger:
        assert signed(ledger) is not None


DETECTORS = (audit_verify, keepers_round, keepers_night, one_file, witness)


def outcome(ground: Ground, attack: Attack, folder: Path) -> tuple[str, ...]:
    """What each detector made of the attack, each on a copy of its own."""
    made = copied(ground.settings, folder / "attacked")
    attack.carry_out(made)
    if attack.with_signer:
        sign_anew(made)
    found = []
    for detector in DETECTORS:
        settings = copied(made, folder / detector.__name__)
        memory = folder / "seen" / detector.__name__
        shutil.copytree(ground.witnessed, memory)
        if detector is witness and attack.carry_out is not alter_tree:
            rebuild_tree(settings)
        found.append(detector(settings, ground._replace(witnessed=memory)))
    return tuple(found)


@pytest.fixture(scope="module")
def table(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Attack → what each detector made of it; printed as the README has it."""
    found = {
        name: outcome(ground, attack, Path(tmp_path_factory.mktemp("attack")))
        for name, attack in ATTACKS.items()
    }
    print("\n" + shown(found))  # noqa: T201
    return found


def shown(table: dict[str, tuple[str, ...]]) -> str:
    """The table as Markdown."""
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    for name, cells in table.items():
        title = f"{name} (**missed**: a known limit)" if FOUND not in cells else name
        lines.append(f"| {' | '.join((title, *cells))} |")
    return "\n".join(lines)


def test_an_untouched_ledger_is_found_whole_by_everything(ground: Ground, tmp_path: Path) -> None:
    untouched = Attack("nothing", lambda _: None)
    assert set(outcome(ground, untouched, tmp_path)) == {NOT}


@pytest.mark.parametrize("name", sorted(set(ATTACKS) - MISSES))
def test_an_attack_is_found(table: dict[str, tuple[str, ...]], name: str) -> None:
    assert FOUND in table[name]


@pytest.mark.parametrize("name", sorted(MISSES))
def test_what_nothing_can_find_is_shown_as_missed(
    table: dict[str, tuple[str, ...]], name: str
) -> None:
    assert FOUND not in table[name]
    assert f"| {name} (**missed**" in shown(table)


@pytest.mark.parametrize("name", sorted(n for n, a in ATTACKS.items() if a.with_signer))
def test_a_thief_of_the_key_is_found_by_what_is_kept_elsewhere(
    table: dict[str, tuple[str, ...]], name: str
) -> None:
    elsewhere = table[name][HEAD.index("one file") - 1 :]
    assert set(elsewhere) == ({NOT} if name in MISSES else {FOUND})


def test_the_readme_shows_this_table(table: dict[str, tuple[str, ...]]) -> None:
    readme = (HOME / "README.md").read_text()
    found = re.search(r"<!-- attacks -->\n\n?(.*?)\n?<!-- /attacks -->", readme, re.DOTALL)
    assert found is not None
    assert found[1].strip() == shown(table)
