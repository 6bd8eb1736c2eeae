"""The signer: when it signs, what it raises the alarm about, rulings, and new keys."""

from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain.actor import acting, now
from domain.errors import NotFound, Refused
from service.application import Ledger
from service.log import moment_text
from service.proof import verify_ledger
from service.proof.keys import OVERLAP, KeyFolder, is_signed_by
from service.proof.notes import BadNote, Note, read_key, read_note
from service.proof.published import Alarmed
from service.proof.record import read_record
from service.proof.signer import Signer
from service.proof.tree import Inconsistent
from service.proof.verdict import judge
from tests.proof.attacks import edit
from tests.proof.ground import altered, auditor, kept, looked, present, rehashed, signed, the_key
from tests.service.helpers import a_lead, follow, ledger_in, register, somebody


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with a lead and a checkpoint."""
    with ledger_in(tmp_path) as found:
        lead = a_lead(found)
        for number in range(8):
            follow(found, lead, f"第{number}次")
        signed(found)
        yield found


def rule(ledger: Ledger, reason: str = "备份恢复，已核对") -> None:
    """An administrator's ruling."""
    with acting(somebody()):
        ledger.rule(reason)


def rotated(ledger: Ledger) -> None:
    """A new key, as the command makes it."""
    with acting(somebody()) as actor:
        with closing(Signer(ledger.settings, ledger.log_recorder, ledger.published)) as signer:
            old, new = signer.rotate(actor.moment)
        ledger.rotate_key(old, new, moment_text(actor.moment + OVERLAP))


def test_the_first_checkpoint_is_that_of_an_empty_log(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        with pytest.raises(NotFound):
            ledger.audit.checkpoint()
        note = signed(ledger)
        assert note is not None and note.checkpoint.size == 0
        assert signed(ledger) is None
        register(ledger)
        note = signed(ledger)
        assert note is not None and note.checkpoint.size == 1


def test_nothing_is_signed_twice_until_the_log_grows(ledger: Ledger) -> None:
    before = present(ledger)
    assert signed(ledger) is None
    a_lead(ledger)
    after = signed(ledger)
    assert after == present(ledger) != before
    assert is_signed_by(present(ledger), the_key(ledger))


def test_the_private_key_is_its_owners_alone(ledger: Ledger) -> None:
    folder = ledger.settings.keeper
    assert folder.stat().st_mode & 0o777 == 0o700
    (key,) = folder.glob("*.key.pem")
    assert key.stat().st_mode & 0o777 == 0o600


def test_what_a_crash_kept_from_being_published_is_published_next_time(ledger: Ledger) -> None:
    a_lead(ledger)
    note = signed(ledger)
    with altered(ledger.settings) as log:
        log.execute("DELETE FROM checkpoints WHERE id = (SELECT max(id) FROM checkpoints)")
    assert present(ledger) != note
    assert signed(ledger) is None
    assert present(ledger) == note
    assert ledger.published.standing() == []


def test_while_an_alarm_stands_the_ledger_is_read_only(ledger: Ledger) -> None:
    edit(ledger.settings)
    rehashed(ledger)
    assert ledger.published.standing() == [
        "Position 7 does not hold: it is not the event that the checkpoints cover."
    ]
    with pytest.raises(Alarmed, match="Position 7 does not hold"):
        register(ledger)
    with pytest.raises(Alarmed):
        ledger.record_all([])
    assert signed(ledger) is None


def test_an_alarm_is_raised_once_for_each_thing(ledger: Ledger) -> None:
    edit(ledger.settings)
    for _ in range(3):
        rehashed(ledger)
    assert len(ledger.published.alarm_rows()) == 1


def test_a_ruling_is_an_event_and_the_log_begins_anew_as_another(ledger: Ledger) -> None:
    old = present(ledger)
    edit(ledger.settings)
    rehashed(ledger)
    rule(ledger)
    last = ledger.log_recorder.stored_rows(0, 1000)[-1]
    assert last[3] == b"audit.ruled"
    assert "备份恢复，已核对".encode() in last[4] and b"Position 7" in last[4]
    note = signed(ledger)
    assert note is not None and note.checkpoint.size == 11
    assert note.checkpoint.origin == old.checkpoint.origin.replace("/1/", "/2/")
    register(ledger)
    (row,) = ledger.published.alarm_rows()
    assert row["reason"] == "备份恢复，已核对" and row["resumed_at"]
    assert judge(ledger).size == 12
    with pytest.raises(Inconsistent, match="began anew after a ruling"):
        judge(ledger, old)


def test_a_ruling_on_what_was_put_right_goes_on_with_the_same_log(ledger: Ledger) -> None:
    before = present(ledger)
    with altered(ledger.settings) as log:
        (right,) = log.execute("SELECT state FROM stored_events WHERE rowid = 7").fetchone()
    edit(ledger.settings)
    rehashed(ledger)
    with altered(ledger.settings) as log:
        log.execute("UPDATE stored_events SET state = ? WHERE rowid = 7", (right,))
    rule(ledger)
    after = signed(ledger)
    assert after is not None and after.checkpoint.origin == before.checkpoint.origin
    assert judge(ledger, before).size == 11


def test_without_an_alarm_there_is_nothing_to_rule_on(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="No alarm stands"):
        rule(ledger)


def test_a_keeper_that_lost_its_folder_raises_the_alarm(ledger: Ledger) -> None:
    folder = ledger.settings.keeper
    folder.rename(folder.with_name("lost"))
    assert signed(ledger) is None
    assert "no record of them" in ledger.published.standing()[0]
    old = present(ledger).checkpoint.origin
    rule(ledger, "换了机器")
    note = signed(ledger)
    assert note is not None and note.checkpoint.origin != old
    keys = {read_key(text).name for text, _ in ledger.published.public_keys()}
    assert keys == {old, note.checkpoint.origin}, "old keys are served for ever"


def test_an_older_copy_is_found_at_the_start(ledger: Ledger) -> None:
    record = read_record(ledger.settings.keeper)
    assert record is not None and record.signed is not None
    with altered(ledger.settings) as log:
        log.execute("DELETE FROM stored_events WHERE rowid > 7")
    with closing(Signer(ledger.settings, ledger.log_recorder, ledger.published)) as signer:
        signer.check(now())
    assert ledger.published.standing() == [
        "The log ends at position 7, and position 10 was signed: was an older copy restored?"
    ]


def test_what_was_seen_cannot_be_changed_before_it_is_signed(ledger: Ledger) -> None:
    a_lead(ledger)
    looked(ledger)
    a_lead(ledger)
    edit(ledger.settings, 11)
    assert signed(ledger) is None
    assert "what the keeper saw last" in ledger.published.standing()[0]


def test_a_key_that_is_none_of_the_keepers_raises_the_alarm(ledger: Ledger, tmp_path: Path) -> None:
    stranger = KeyFolder(tmp_path / "stranger").make(now())
    origin = present(ledger).checkpoint.origin
    ledger.published.add_keys([(str(stranger.public(origin)), moment_text(now()))])
    assert signed(ledger) is None
    assert "none of the keeper's" in ledger.published.standing()[0]
    rule(ledger, "有人加了一把钥匙")
    assert signed(ledger) is not None
    assert str(stranger.public(origin)) not in dict(ledger.published.public_keys())


# Rotation


def test_a_new_key_signs_beside_the_old_for_thirty_days_and_then_alone(ledger: Ledger) -> None:
    old = the_key(ledger)
    rotated(ledger)
    new = the_key(ledger)
    note = signed(ledger)
    assert note is not None and new != old
    assert is_signed_by(note, old) and is_signed_by(note, new)
    last = ledger.log_recorder.stored_rows(0, 1000)[-1]
    assert last[3] == b"audit.key_rotated" and str(new).encode() in last[4]
    a_lead(ledger)
    later = at(ledger, now() + timedelta(days=31))
    assert is_signed_by(later, new) and not later.by(old)
    assert [text for text, _ in ledger.published.public_keys()] == [str(old), str(new)]


def at(ledger: Ledger, moment: Any) -> Note:
    """The checkpoint that is signed at a moment."""
    with closing(Signer(ledger.settings, ledger.log_recorder, ledger.published)) as signer:
        note = signer.sign(moment)
    assert note is not None
    return note


@pytest.mark.sqlite_alone("the auditor is given a copy of the file")
def test_an_auditor_with_the_old_key_learns_of_the_new_one_in_time(
    ledger: Ledger, tmp_path: Path
) -> None:
    old = str(the_key(ledger))
    before = kept(tmp_path, "kept", present(ledger))
    rotated(ledger)
    signed(ledger)
    now_ = kept(tmp_path, "now", present(ledger))
    database = ledger.settings.database
    words = ("--kept", before, "--checkpoint", now_)
    assert auditor(database, "--key", old, *words).status == 0
    assert auditor(database, "--key", str(the_key(ledger)), *words[2:]).status == 0
    refused = auditor(database, "--key", str(the_key(ledger)), *words)
    assert refused.status == 1 and "signed by none of the keys given" in refused.said


# Notes


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace("/sha256", "/sm3"), "hash"),
        (lambda text: text.replace("\n10\n", "\n010\n"), "tree size"),
        (lambda text: text.replace("\n10\n", "\n10\nmore\n"), "three lines"),
        (lambda text: text.replace("\n\n", "\n"), "no empty line"),
        (lambda text: text[:-1], "line end"),
        (lambda text: text.replace("— ", "- "), "no signature line"),
        (lambda text: text.replace("=\n\n", "\n\n"), "base64"),
        (lambda text: text + "\t", "control character"),
        (lambda text: "a " + text, "origin"),
    ],
)
def test_what_is_no_checkpoint_as_it_should_be_is_refused(
    ledger: Ledger, change: Any, why: str
) -> None:
    text = str(present(ledger))
    assert str(read_note(text)) == text
    with pytest.raises(BadNote, match=why):
        read_note(change(text))
    key = verify_ledger.key_of(str(the_key(ledger)))
    with pytest.raises((verify_ledger.CannotTell, verify_ledger.DoesNotHold)):
        check(change(text), key)


def check(text: str, key: verify_ledger.Key) -> None:
    """What the one-file verifier makes of a checkpoint."""
    verify_ledger.check_signed(verify_ledger.checkpoint_of(text, "it"), "it", [key], False)


@pytest.mark.parametrize(
    "change",
    [
        lambda key: key._replace(kind=2),
        lambda key: key._replace(kind=255),
    ],
)
def test_a_key_of_a_kind_unknown_here_is_refused(ledger: Ledger, change: Any) -> None:
    text = str(change(the_key(ledger)))
    with pytest.raises(BadNote, match="unknown here"):
        read_key(text)
    with pytest.raises(verify_ledger.CannotTell, match="unknown here"):
        verify_ledger.key_of(text)


def test_a_key_that_was_mistyped_is_told_from_a_right_one(ledger: Ledger) -> None:
    text = str(the_key(ledger))
    at = len(text) - 5
    mistyped = text[:at] + ("A" if text[at] != "A" else "B") + text[at + 1 :]
    with pytest.raises(BadNote, match="id is"):
        read_key(mistyped)
    with pytest.raises(verify_ledger.CannotTell, match="mistyped"):
        verify_ledger.key_of(mistyped)
