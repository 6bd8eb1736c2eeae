"""``leadledger audit …``: what each command prints, and how it ends."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result

from service.application import Ledger
from service.proof.notes import read_note
from tests.proof.attacks import edit
from tests.proof.ground import auditor, kept, present, rehashed, signed, the_key
from tests.service.helpers import a_lead, ledger_in, whole_log
from tests.service.test_cli import command, one_line


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of eight events under a checkpoint."""
    with ledger_in(tmp_path) as found:
        for _ in range(4):
            a_lead(found)
        signed(found)
        yield found


def audit(ledger: Ledger, *words: str) -> Result:
    """``leadledger audit``."""
    return command(ledger.settings.database.parent, "audit", *words)


def test_verify_says_what_holds_and_what_it_cannot_tell(ledger: Ledger) -> None:
    a_lead(ledger)
    done = audit(ledger, "verify")
    assert done.exit_code == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first == "Holds: 10 events, up to position 10."
    assert second.endswith("2 events came after the last checkpoint.")
    assert third.startswith("Known limits: What was never recorded")


def test_verify_names_the_event_that_does_not_hold(ledger: Ledger) -> None:
    edit(ledger.settings, 5)
    said = one_line(audit(ledger, "verify"))
    assert said == "Position 5 does not hold: it is not the event that the checkpoints cover."


def test_verify_since_a_kept_checkpoint_hashes_what_came_after(
    ledger: Ledger, tmp_path: Path
) -> None:
    since = str(kept(tmp_path, "kept", present(ledger)))
    a_lead(ledger)
    signed(ledger)
    assert audit(ledger, "verify", "--since", since).exit_code == 0
    edit(ledger.settings, 9)
    assert "Position 9 does not hold" in one_line(audit(ledger, "verify", "--since", since))


def test_verify_since_takes_no_other_file(ledger: Ledger, tmp_path: Path) -> None:
    path = str(kept(tmp_path, "no", "a letter\n"))
    assert "is no signed checkpoint" in one_line(audit(ledger, "verify", "--since", path))


def test_checkpoint_prints_the_note_and_fits_on_paper(ledger: Ledger) -> None:
    assert read_note(audit(ledger, "checkpoint").stdout) == present(ledger)
    lines = audit(ledger, "checkpoint", "--paper").stdout.splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= 72
    checkpoint = present(ledger).checkpoint
    assert lines[0] == checkpoint.origin and lines[1].startswith("8 events, ")
    assert lines[2].replace(" ", "") == checkpoint.root.hex()


def test_prove_writes_a_file_that_proves_itself(ledger: Ledger, tmp_path: Path) -> None:
    lead = str(whole_log(ledger)[1].originator_id)
    out = tmp_path / "proof.json"
    assert audit(ledger, "prove", lead, "--out", str(out)).exit_code == 0
    assert auditor(out, "--key", str(the_key(ledger))).status == 0
    assert json.loads(audit(ledger, "prove", lead).stdout) == json.loads(out.read_text("utf-8"))


def test_prove_of_no_lead_is_refused(ledger: Ledger) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"
    assert one_line(audit(ledger, "prove", nobody)) == f"There is no lead {nobody}."


def test_a_ruling_needs_an_alarm_and_a_reason(ledger: Ledger) -> None:
    assert one_line(audit(ledger, "rule", "--reason", "x")).startswith("No alarm stands")
    assert audit(ledger, "rule").exit_code == 2
    edit(ledger.settings, 5)
    rehashed(ledger)
    assert audit(ledger, "rule", "--reason", "核对过").exit_code == 0
    assert ledger.published.standing() == []
    assert whole_log(ledger)[-1].topic == "audit.ruled"


def test_a_new_key_is_printed_served_and_recorded(ledger: Ledger) -> None:
    old = str(the_key(ledger))
    new = audit(ledger, "rotate-key").stdout.strip()
    assert audit(ledger, "keys").stdout.splitlines() == [old, new]
    state = json.loads(whole_log(ledger)[-1].state)
    assert (state["old"], state["new"]) == (old, new)
