"""The README's page for auditors, run as pasted, and what the verifier says of each source."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from service.application import Ledger
from service.audit_cli import LIMITS
from service.settings import HOME
from tests.faults.serving import Server, serving, until
from tests.proof.attacks import edit
from tests.proof.ground import auditor, kept, present, signed, the_key
from tests.service.helpers import a_lead, follow, ledger_in, settings_in

README = (HOME / "README.md").read_text()


def block(name: str) -> str:
    """The commands under a mark in the README."""
    found = re.search(rf"<!-- {name} -->\n```bash\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def pasted(folder: Path, server: Server, script: str) -> "subprocess.CompletedProcess[str]":
    """Commands, pasted into a shell of an auditor."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        [
            "bash",
            "-euc",
            script.replace("http://127.0.0.1:8000", f"http://127.0.0.1:{server.port}"),
        ],
        env={"TOKEN": server.token, "PATH": path},
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_five_commands_find_a_whole_history_whole_and_an_altered_one_altered(
    tmp_path: Path,
) -> None:
    desk = tmp_path / "desk"
    desk.mkdir()
    script, again = block("audit"), block("audit again")
    assert len(script.splitlines()) == 5
    with serving(tmp_path, "--demo", LEDGER_CHECKPOINT_EVERY="1") as server:
        with server.client() as client:
            until(lambda: client.get("/v1/audit/checkpoint").status == 200, "a checkpoint")
            first = pasted(desk, server, script)
            assert first.returncode == 0, first.stdout + first.stderr
            assert first.stdout.splitlines()[-1].startswith("holds: ")
            (desk / "now.checkpoint").rename(desk / "last.checkpoint")
            size = client.get("/v1/audit/checkpoint").body["size"]
            client.member("N1")
            until(lambda: client.get("/v1/audit/checkpoint").body["size"] > size, "another")
        fetch = "\n".join(script.splitlines()[2:4]) + "\n"
        second = pasted(desk, server, fetch + again)
        assert second.returncode == 0, second.stdout + second.stderr
        edit(settings_in(tmp_path))
        third = pasted(desk, server, fetch + again)
    assert third.returncode == 1
    assert third.stdout.splitlines()[-1].startswith("DOES NOT HOLD: something in positions 1 to ")


def test_the_known_limits_stand_where_auditors_read() -> None:
    found = re.search(r"<!-- limits -->\n(.*?)\n<!-- /limits -->", README, re.DOTALL)
    assert found is not None
    assert " ".join(found[1].split()) == LIMITS


# The verifier


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with one lead of eight events, and a checkpoint of all."""
    with ledger_in(tmp_path / "ledger") as found:
        lead = a_lead(found)
        for number in range(7):
            follow(found, lead, f"第{number}次")
        signed(found)
        yield found


def lead_of(ledger: Ledger) -> UUID:
    """The lead."""
    return UUID(ledger.log_recorder.stored_rows(1, 1)[0][1].decode())


@pytest.mark.parametrize("how", [(), ("--openssl",)], ids=["cryptography", "openssl"])
def test_a_leads_proof_stands_alone_and_every_flipped_character_is_found(
    ledger: Ledger, tmp_path: Path, how: tuple[str, ...]
) -> None:
    follow(ledger, lead_of(ledger), "还没签")
    proof = ledger.audit.lead_proof(lead_of(ledger))
    key = ("--key", str(the_key(ledger)), *how)
    path = kept(tmp_path, "proof.json", json.dumps(proof))
    found = auditor(path, *key)
    assert (found.status, found.said) == (
        0,
        f"holds: 8 events of lead {lead_of(ledger)}; 1 more are not covered yet.",
    )
    event = proof["events"][3]
    changes = [
        ("state", event["state"].replace("第", "弟")),
        ("version", event["version"] + 1),
        ("topic", event["topic"] + "x"),
        ("leaf", event["leaf"] + 1),
        ("leaf", 99),
        ("originator_id", event["originator_id"].replace("a", "b").replace("0", "1")),
        ("path", [*event["path"][:-1], event["path"][0]]),
        ("path", event["path"][1:]),
        ("path", [*event["path"], event["path"][0]]),
    ]
    for name, value in changes:
        events = [*proof["events"][:3], {**event, name: value}, *proof["events"][4:]]
        bad = kept(tmp_path, "bad.json", json.dumps({**proof, "events": events}))
        refused = auditor(bad, *key)
        assert refused.status == 1, (name, value)
        assert refused.said.startswith(f"DOES NOT HOLD: position {event['position']} ")
    left_out = {**proof, "events": proof["events"][:3] + proof["events"][4:]}
    assert auditor(kept(tmp_path, "bad.json", json.dumps(left_out)), *key).status == 1
    text = proof["checkpoint"]
    for old, new in (("\n9\n", "\n8\n"), ("sha256 ", "sha256 A"), (text[60], "+")):
        wrong = {**proof, "checkpoint": text.replace(old, new, 1)}
        assert auditor(kept(tmp_path, "bad.json", json.dumps(wrong)), *key).status in (1, 2)


@pytest.mark.parametrize(
    ("name", "value"),
    [("hash", "sm3"), ("hash", "md5"), ("signature", "sm2"), ("format", "leadledger-proof/2")],
)
def test_an_algorithm_or_format_unknown_here_is_refused(
    ledger: Ledger, tmp_path: Path, name: str, value: str
) -> None:
    proof = {**ledger.audit.lead_proof(lead_of(ledger)), name: value}
    path = kept(tmp_path, "proof.json", json.dumps(proof))
    assert auditor(path, "--key", str(the_key(ledger))).status == 2


def test_a_proof_of_consistency_holds_and_a_flipped_bit_does_not(
    ledger: Ledger, tmp_path: Path
) -> None:
    before = kept(tmp_path, "kept", present(ledger))
    a_lead(ledger)
    signed(ledger)
    proof = ledger.audit.consistency(9)
    key = ("--key", str(the_key(ledger)), "--kept", before)
    assert auditor(kept(tmp_path, "c.json", json.dumps(proof)), *key).status == 0
    for at, each in enumerate(proof["path"]):
        other = ("A" if each[0] != "A" else "B") + each[1:]
        wrong = {**proof, "path": [*proof["path"][:at], other, *proof["path"][at + 1 :]]}
        assert auditor(kept(tmp_path, "c.json", json.dumps(wrong)), *key).status == 1
    short = {**proof, "path": proof["path"][:-1]}
    assert auditor(kept(tmp_path, "c.json", json.dumps(short)), *key).status == 1
    assert auditor(kept(tmp_path, "c.json", json.dumps(proof)), *key[:2]).status == 2


@pytest.mark.sqlite_alone("the auditor is given a copy of the file")
def test_with_the_tree_beside_it_a_copy_of_the_database_names_the_event(
    ledger: Ledger, tmp_path: Path
) -> None:
    words = ("--key", str(the_key(ledger)), "--kept", kept(tmp_path, "kept", present(ledger)))
    database = ledger.settings.database
    assert auditor(database, *words).status == 0
    edit(ledger.settings)
    assert auditor(database, *words).said == (
        "DOES NOT HOLD: position 7 is not the event that was signed."
    )
    alone = tmp_path / "alone.sqlite"
    shutil.copy(database, alone)
    assert "something in positions 1 to 9" in auditor(alone, *words).said


@pytest.mark.sqlite_alone("the auditor is given a copy of the file")
def test_without_it_the_published_checkpoints_narrow_it_down(
    ledger: Ledger, tmp_path: Path
) -> None:
    for _ in range(3):
        a_lead(ledger)
        signed(ledger)
    words = ("--key", str(the_key(ledger)), "--kept", kept(tmp_path, "kept", present(ledger)))
    edit(ledger.settings, 12)
    alone = tmp_path / "alone.sqlite"
    shutil.copy(ledger.settings.database, alone)
    assert "something in positions 12 to 13" in auditor(alone, *words).said


@pytest.mark.sqlite_alone("the auditor is given a copy of the file")
def test_what_cannot_be_checked_is_told_from_what_does_not_hold(
    ledger: Ledger, tmp_path: Path
) -> None:
    key = str(the_key(ledger))
    database = ledger.settings.database
    now = kept(tmp_path, "now", present(ledger))
    assert auditor(database, "--key", key).status == 2
    assert auditor(database, "--key", "nonsense", "--kept", now).status == 2
    assert auditor(tmp_path / "none", "--key", key, "--kept", now).status == 2
    assert auditor(kept(tmp_path, "x", "no json\n"), "--key", key, "--kept", now).status == 2
    damaged = kept(tmp_path, "y", '{"position": 1}\n')
    assert auditor(damaged, "--key", key, "--kept", now).status == 2


@pytest.mark.sqlite_alone("the auditor is given a copy of the file")
def test_the_verifier_runs_where_nothing_but_python_is_installed(
    ledger: Ledger, tmp_path: Path
) -> None:
    shutil.copy(HOME / "service/proof/verify_ledger.py", tmp_path / "verify.py")
    now = kept(tmp_path, "now", present(ledger))
    words = ["verify.py", str(ledger.settings.database), "--key", str(the_key(ledger))]
    bare = [sys.executable, "-I", "-S", *words, "--kept", str(now)]
    done = subprocess.run(bare, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("holds: 9 events")


def test_the_verifier_shares_no_code_with_the_ledger() -> None:
    text = (HOME / "service/proof/verify_ledger.py").read_text()
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported - set(sys.stdlib_module_names) == {"cryptography"}
