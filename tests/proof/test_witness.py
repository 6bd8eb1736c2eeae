"""A witness vouches for one growing tree, and for nothing else; two processes, two folders."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.actor import now
from service.application import Ledger
from service.proof.keys import is_signed_by
from service.proof.notes import Key, Note, read_note
from service.proof.witness import NotWitnessed, Witness, witness_request
from tests.faults.serving import COMMAND, environment
from tests.proof.ground import auditor, forget_what_was_signed, kept, present, signed, the_key
from tests.service.helpers import a_lead, ledger_in

NAME = "witness.example/w"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with checkpoints of 2 and of 6 events, the last one the present."""
    with ledger_in(tmp_path / "ledger") as found:
        a_lead(found)
        signed(found)
        a_lead(found)
        a_lead(found)
        signed(found)
        yield found


def request(ledger: Ledger, old: int) -> str:
    """What the ledger asks a witness that saw ``old`` events last."""
    path, note = ledger.audit.consistency_path(old)
    return witness_request(old, path, note)


def witness_in(folder: Path, *keys: Key) -> Witness:
    """A witness of the logs with these keys."""
    return Witness(folder, NAME, keys)


def refusal(witness: Witness, text: str) -> NotWitnessed:
    """Why the witness does not vouch for it."""
    with pytest.raises(NotWitnessed) as refused:
        witness.cosign(text, now())
    return refused.value


def first(ledger: Ledger) -> str:
    """The request for the first checkpoint, of two events."""
    return witness_request(0, [], ledger.published.all()[0].note)


@pytest.mark.sqlite_alone("the auditor is given a copy of the file")
def test_a_witness_vouches_for_a_tree_that_grew_and_the_verifier_knows_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    witness = witness_in(tmp_path / "witness", the_key(ledger))
    witness.cosign(first(ledger), now())
    line = witness.cosign(request(ledger, 2), now())
    note = read_note(f"{present(ledger)}{line}")
    assert is_signed_by(note, witness.key(now())) and is_signed_by(note, the_key(ledger))
    path = kept(tmp_path, "cosigned", note)
    words = ("--key", str(the_key(ledger)), "--checkpoint", path)
    vouched = ("--witness", str(witness.key(now())))
    for openssl in ((), ("--openssl",)):
        assert auditor(ledger.settings.database, *words, *vouched, *openssl).status == 0
    other = witness_in(tmp_path / "other", the_key(ledger)).key(now())
    assert auditor(ledger.settings.database, *words, "--witness", str(other)).status == 1


def test_the_same_checkpoint_is_vouched_for_again(ledger: Ledger, tmp_path: Path) -> None:
    witness = witness_in(tmp_path / "witness", the_key(ledger))
    witness.cosign(request(ledger, 0), now())
    assert witness.cosign(request(ledger, 6), now())


def test_a_second_tree_of_one_size_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    witness = witness_in(tmp_path / "witness", the_key(ledger))
    witness.cosign(request(ledger, 0), now())
    with ledger_in(tmp_path / "second") as second:
        (tmp_path / "second/ledger.sqlite.keeper").mkdir()
        for file in ledger.settings.keeper.iterdir():
            target = second.settings.keeper / file.name
            target.write_bytes(file.read_bytes())
        forget_what_was_signed(second.settings)
        for _ in range(3):
            a_lead(second)
        signed(second)
        assert present(second).checkpoint.origin == present(ledger).checkpoint.origin
        assert present(second).checkpoint.size == 6
        refused = refusal(witness, request(second, 6))
    assert refused.status == 409 and "two trees of 6 leaves" in str(refused)


def test_a_tree_that_shrank_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    witness = witness_in(tmp_path / "witness", the_key(ledger))
    witness.cosign(request(ledger, 0), now())
    assert refusal(witness, first(ledger)).status == 409
    smaller = witness_request(6, [], ledger.published.all()[0].note)
    assert refusal(witness, smaller).status == 400


def test_a_proof_with_one_bit_flipped_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    witness = witness_in(tmp_path / "witness", the_key(ledger))
    witness.cosign(first(ledger), now())
    path, note = ledger.audit.consistency_path(2)
    for at in range(len(path)):
        bad = [*path[:at], bytes([path[at][0] ^ 1]) + path[at][1:], *path[at + 1 :]]
        assert refusal(witness, witness_request(2, bad, note)).status == 422


def test_a_witness_knows_whom_it_listens_to(ledger: Ledger, tmp_path: Path) -> None:
    stranger = witness_in(tmp_path / "stranger")
    assert refusal(stranger, request(ledger, 0)).status == 404
    key = the_key(ledger)
    other = witness_in(tmp_path / "other", key._replace(public=bytes(31) + b"\1"))
    assert refusal(other, request(ledger, 0)).status == 403


@pytest.mark.parametrize("text", ["", "old x\n\n", "new 0\n\nx", "old 0\n!!\n\nx", "old 0\n\nx"])
def test_a_request_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(witness_in(tmp_path), text).status == 400


def told_size(refused: NotWitnessed) -> int:
    """The size that a witness says it saw last."""
    return int(str(refused))


def test_a_witness_in_a_process_of_its_own_answers_on_the_command_line(
    ledger: Ledger, tmp_path: Path
) -> None:
    folder = tmp_path / "witness"
    words = ("audit", "witness", "--folder", str(folder), "--name", NAME)
    trust = ("--trust", str(the_key(ledger)))

    def ask(*more: str, stdin: str = "") -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [*COMMAND, *words, *more],
            input=stdin,
            env=environment(tmp_path / "nowhere"),
            capture_output=True,
            encoding="utf-8",
            check=False,
        )

    key = ask("--key").stdout.strip()
    line = ask(*trust, stdin=request(ledger, 0))
    assert line.returncode == 0, line.stderr
    note = Note(present(ledger).checkpoint, read_note(f"{present(ledger)}{line.stdout}").signatures)
    witness = witness_in(folder, the_key(ledger))
    assert str(witness.key(now())) == key and is_signed_by(note, witness.key(now()))
    again = ask(*trust, stdin=request(ledger, 2))
    assert again.returncode == 1 and again.stderr == "Error: 6\n"
    assert told_size(refusal(witness, request(ledger, 2))) == 6
