"""Other people's programs accept our trees, proofs and checkpoints, and refuse one flipped bit.

pymerkle and the openssl command are asked everywhere; aics-tlog where Python is 3.12 or newer,
for it needs that.
"""

import subprocess
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from pymerkle import InclusionProof, InmemoryTree, InvalidProof

from domain.actor import now
from service.proof import tree, verify_ledger
from service.proof.keys import KeyFolder
from service.proof.notes import COSIGNATURE, Checkpoint, Key, Note, read_key
from tests.proof.test_tree import DATA, LEAVES, MOST, flipped, root, subtree

# The key, text and signature in the documentation of Go's golang.org/x/mod/sumdb/note.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
LINE = (
    "— PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)
SIZES = (1, 2, 3, 7, 8, 31, 64, MOST)


@pytest.fixture(scope="module")
def pymerkle() -> Any:
    """Their tree over the same data."""
    theirs = InmemoryTree(algorithm="sha256")
    for data in DATA:
        theirs.append_entry(data)
    return theirs


@pytest.mark.parametrize("size", SIZES)
def test_pymerkle_has_our_roots(pymerkle: Any, size: int) -> None:
    assert pymerkle.get_root(size) == root(0, size)


@pytest.mark.parametrize("size", SIZES)
def test_pymerkle_takes_our_inclusion_proofs_and_no_bit_flipped(pymerkle: Any, size: int) -> None:
    for leaf in range(size):
        rule = pymerkle.prove_inclusion(leaf + 1, size).rule
        path = [LEAVES[leaf], *tree.inclusion_path(subtree, leaf, size)]
        InclusionProof("sha256", True, size, leaf + 1, rule, path).verify(
            LEAVES[leaf], root(0, size), index=leaf + 1, size=size
        )
        for at in range(len(path)):
            bad = [*path[:at], flipped(path[at], at), *path[at + 1 :]]
            with pytest.raises(InvalidProof):
                InclusionProof("sha256", True, size, leaf + 1, rule, bad).verify(
                    LEAVES[leaf], root(0, size)
                )


@pytest.mark.parametrize("new", SIZES)
def test_pymerkle_finds_our_roots_consistent_and_none_flipped(pymerkle: Any, new: int) -> None:
    for old in range(1, new + 1):
        proof = pymerkle.prove_consistency(old, new)
        proof.verify(root(0, old), root(0, new), prior_size=old, later_size=new)
        with pytest.raises(InvalidProof):
            proof.verify(flipped(root(0, old), old), root(0, new))


def a_checkpoint(folder: Path) -> tuple[Note, Key]:
    """A checkpoint signed by a new key."""
    private = KeyFolder(folder).make(now())
    checkpoint = Checkpoint("leadledger/test/1/sha256", 7, root(0, 7))
    return Note(checkpoint, (private.sign(checkpoint),)), private.public(checkpoint.origin)


def openssl_takes(folder: Path, key: Key, message: bytes, signature: bytes) -> bool:
    """What ``openssl pkeyutl`` makes of it."""
    der = bytes.fromhex("302a300506032b6570032100") + key.public
    pem = f"-----BEGIN PUBLIC KEY-----\n{b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
    parts = {"key.pem": pem.encode(), "message": message, "signature": signature}
    for name, data in parts.items():
        (folder / name).write_bytes(data)
    verify = "openssl pkeyutl -verify -pubin -inkey key.pem -rawin -in message -sigfile signature"
    done = subprocess.run(verify.split(), cwd=folder, capture_output=True, text=True, check=False)
    assert "erif" in done.stdout + done.stderr, done.stderr
    return done.returncode == 0


def test_openssl_takes_our_signatures_and_no_bit_flipped(tmp_path: Path) -> None:
    note, key = a_checkpoint(tmp_path)
    body, made = note.checkpoint.body.encode(), note.signatures[0].made
    assert openssl_takes(tmp_path, key, body, made)
    for bit in (0, 100, 511):
        assert not openssl_takes(tmp_path, key, flipped(body, bit), made)
        assert not openssl_takes(tmp_path, key, body, flipped(made, bit))


def test_openssl_reads_the_private_key_that_was_made(tmp_path: Path) -> None:
    KeyFolder(tmp_path).make(now())
    (pem,) = tmp_path.glob("*.key.pem")
    shown = subprocess.run(
        ["openssl", "pkey", "-in", pem, "-noout", "-text"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "ED25519" in shown.stdout
    assert pem.stat().st_mode & 0o777 == 0o600


def test_gos_key_has_the_id_that_go_gave_it_and_its_signature_is_true() -> None:
    key = read_key(NEUMANN)
    assert (key.id.hex(), str(key)) == ("c74f20a3", NEUMANN)
    theirs = verify_ledger.key_of(NEUMANN)
    signed = verify_ledger.Signed(TEXT, "", 0, b"", [LINE])
    (made,) = verify_ledger.signatures_by(signed, theirs)
    for use_openssl in (False, True):
        assert verify_ledger.is_true(theirs, TEXT, made, use_openssl)
        assert not verify_ledger.is_true(theirs, TEXT.replace("answer", "cause"), made, use_openssl)
        assert not verify_ledger.is_true(theirs, TEXT, flipped(made, 9), use_openssl)


def test_aics_tlog_takes_our_checkpoints_cosignatures_and_proofs_and_no_bit_flipped(
    tmp_path: Path,
) -> None:
    aics = pytest.importorskip("aics_tlog", reason="aics-tlog needs Python 3.12")
    note, key = a_checkpoint(tmp_path / "log")
    private = KeyFolder(tmp_path / "witness").make(now())
    cosigned = private.cosign(note.checkpoint, "witness.example/w", 1_700_000_000)
    text = f"{note}{cosigned}"
    log = aics.parse_vkey(str(key))
    witness = aics.parse_vkey(str(private.public("witness.example/w", COSIGNATURE)))

    def accepted(text: str) -> bool:
        try:
            found = aics.verify_checkpoint(aics.parse_note(text), log, [witness], 1)
        except ValueError:
            return False
        return bool(found.ok)

    assert accepted(text)
    assert not accepted(text.replace("\n7\n", "\n8\n"))
    assert not accepted(str(note)), "a checkpoint without its cosignature"
    bad = Note(
        note.checkpoint, (note.signatures[0]._replace(made=flipped(note.signatures[0].made)),)
    )
    assert not accepted(f"{bad}{cosigned}")
    for new in SIZES:
        for old in range(1, new + 1):
            path = tree.consistency_path(subtree, old, new)
            assert aics.verify_consistency(old, new, root(0, old), root(0, new), path)
            for at in range(len(path)):
                wrong = [*path[:at], flipped(path[at]), *path[at + 1 :]]
                assert not aics.verify_consistency(old, new, root(0, old), root(0, new), wrong)
            leaf = old - 1
            path = tree.inclusion_path(subtree, leaf, new)
            assert aics.verify_inclusion(LEAVES[leaf], leaf, new, path, root(0, new))
