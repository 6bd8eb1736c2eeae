"""The access record: what is written, what is summed, and how an alteration is noticed."""

from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import sqlalchemy as sa

from domain.actor import now
from domain.errors import NotReady
from service.access.callers import Caller, called_by
from service.access.record import DONE, Access, Head
from service.access.record import access as table
from service.access.sums import MOST_STRANGERS, OTHERS, Entry, Sums
from service.access.verifying import Altered, verify
from service.application import Ledger
from service.log import moment_text
from service.tokens import id_of
from tests.service.helpers import ledger_in, processes
from tests.service.test_cli import command, one_line

pytestmark = pytest.mark.both_databases

STRANGER = Caller(origin="192.0.2.7", request="r")
OFFICER = Caller("abc123", "赵科长", "192.0.2.8", "s")


def noted(ledger: Ledger, count: int = 5) -> list[Head]:
    """So many records, and the head after each."""
    heads = []
    for number in range(count):
        ledger.access.note("personal-data", "read a contact", by=OFFICER, subject=f"{number}")
        head = ledger.access.head()
        assert head
        heads.append(head)
    return heads


def test_who_what_when_from_where_and_why_is_recorded(ledger: Ledger) -> None:
    before = moment_text(now())
    ledger.access.note("personal-data", "read a contact", by=OFFICER, subject="l", reason="回访")
    (row,), more = ledger.access.listed(10)
    assert more is None
    assert before <= row["at"] <= moment_text(now())
    told = (row["kind"], row["outcome"], row["action"], row["subject"], row["reason"])
    assert told == ("personal-data", DONE, "read a contact", "l", "回访")
    assert tuple(row[name] for name in Caller._fields) == OFFICER


def test_every_change_of_a_token_is_recorded_with_whoever_made_it(ledger: Ledger) -> None:
    with called_by(lambda: OFFICER):
        first = ledger.tokens.issue("officer", "赵")
        second = ledger.tokens.rotate(id_of(first))
        ledger.tokens.revoke(id_of(second))
    rows, _ = ledger.access.listed(10)
    assert [(row["action"], row["subject"]) for row in reversed(rows)] == [
        ("issue a token of role officer", id_of(first)),
        (f"rotate a token, whose place {id_of(second)} takes", id_of(first)),
        ("revoke a token", id_of(second)),
    ]
    assert {(row["kind"], row["holder"], row["origin"]) for row in rows} == {
        ("token", "abc123", "192.0.2.8")
    }


def test_a_change_of_a_token_that_cannot_be_recorded_is_not_made(tmp_path: Path) -> None:
    with ledger_in(tmp_path, lock_timeout=0.05) as ledger:
        token = ledger.tokens.issue("officer")
        with closing(Access(ledger.settings)) as other, other.store.alone():
            with pytest.raises(NotReady):
                ledger.tokens.issue("admin")
            with pytest.raises(NotReady):
                ledger.tokens.revoke(id_of(token))
        (only,) = ledger.tokens.listed()
        assert (only.id, only.revoked_at) == (id_of(token), None)
        assert len(ledger.access.listed(10)[0]) == 1


def test_the_command_line_says_that_it_was_the_command_line(tmp_path: Path) -> None:
    token = command(tmp_path, "token", "issue", "--role", "auditor").stdout.strip()
    assert command(tmp_path, "token", "revoke", id_of(token)).exit_code == 0
    listed = command(tmp_path, "access", "list", "--kind", "token").stdout.splitlines()
    assert ["revoke a token" in listed[0], "issue a token of role auditor" in listed[1]] == [
        True
    ] * 2
    assert all("at the command line\tthis machine" in line for line in listed)
    assert token not in "".join(listed)
    assert command(tmp_path, "access", "list", "--kind", "sign-in").stdout == ""
    assert command(tmp_path, "access", "list", "--holder", id_of(token)).stdout == ""


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"ll_0123456789ab_{'x' * 43}00000000 gone", "ll_0123456789ab_… gone"),
        ("call 13812345678.", "call 138****5678."),
        ("call 138-1234-5678", "call 138****5678"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer …"),
        ("eyJhbGciOiJub25lIn0." + "eyJzdWIiOiIxIn0.x-_", "eyJ…"),
        ("tel13812345678 电话13812345678，", "tel138****5678 电话138****5678，"),
        ("2025-03-18, 320812, QJP-001", "2025-03-18, 320812, QJP-001"),
        # Ids and digests in which a number stands by chance.
        ("lead 5b3c1139-4123-8123-9000-13812345678f", "lead 5b3c1139-4123-8123-9000-13812345678f"),
        ("token 13812345678f", "token 13812345678f"),
        (f"request {'a' * 20}b13812345678", f"request {'a' * 20}b13812345678"),
    ],
)
def test_a_secret_or_a_phone_number_that_is_given_all_the_same_is_taken_out(
    ledger: Ledger, text: str, left: str
) -> None:
    ledger.access.note("personal-data", "read a contact", by=OFFICER, reason=text)
    assert ledger.access.listed(1)[0][0]["reason"] == left


# Sums


def written(ledger: Ledger) -> list[tuple[Any, ...]]:
    """Outcome, action, origin and count of every record, the oldest first."""
    rows, _ = ledger.access.listed(10_000)
    return [(r["outcome"], r["action"], r["origin"], r["count"]) for r in reversed(rows)]


def test_a_thousand_wrong_tokens_of_one_address_are_two_records(ledger: Ledger) -> None:
    for number in range(1000):
        ledger.access.refuse("unauthenticated", f"GET /{number}", STRANGER, "why")
    assert written(ledger)[:1] == [("unauthenticated", "GET /0", STRANGER.origin, None)]
    ledger.access.flush()
    rows = written(ledger)
    # The clock may have gone into another minute meanwhile.
    assert len(rows) in (2, 4)
    assert sum(count or 1 for *_, count in rows) == 1000
    assert rows[1][:3] == ("unauthenticated", "any", STRANGER.origin)
    assert verify(ledger.access)


def test_from_ever_other_addresses_no_more_records_are_made(ledger: Ledger) -> None:
    for number in range(500):
        ledger.access.refuse("unauthenticated", "GET /", Caller(origin=f"192.0.2.{number}"), "why")
    ledger.access.flush()
    rows = written(ledger)
    assert len(rows) <= 2 * (MOST_STRANGERS + 2)
    assert sum(count or 1 for *_, count in rows) == 500
    assert OTHERS in {origin for _, _, origin, _ in rows}


def test_holders_are_told_apart_from_strangers_and_by_what_they_tried(ledger: Ledger) -> None:
    for _ in range(3):
        for action in ("GET /v1/audit/keys", "POST /v1/leads"):
            ledger.access.refuse("forbidden", action, OFFICER, "why")
        ledger.access.refuse("unauthenticated", "GET /", STRANGER, "why")
    ledger.access.flush()
    counted: Counter[object] = Counter()
    for _, action, origin, count in written(ledger):
        counted[action, origin] += count or 1
    assert counted[("GET /v1/audit/keys", OFFICER.origin)] == 3
    assert counted[("POST /v1/leads", OFFICER.origin)] == 3


def test_a_sum_is_written_when_its_minute_is_over(ledger: Ledger) -> None:
    kept: list[Entry] = []

    def write(entries: Sequence[Entry]) -> bool:
        kept.extend(entries)
        return True

    sums = Sums(write)
    first = now()
    for seconds in (0, 1, 2, 61):
        at = moment_text(first.replace(second=0) + timedelta(seconds=seconds))
        sums.add(Entry(at, "refusal", "unauthenticated", "GET /", origin="a"))
    assert [entry.count for entry in kept] == [None, 2, None]
    assert (kept[1].at[17:19], (kept[1].until or "")[17:19]) == ("01", "02")
    sums.flush()
    assert len(kept) == 3


def test_a_sum_is_written_though_nobody_is_refused_any_more(ledger: Ledger) -> None:
    done = Event()

    def write(entries: Sequence[Entry]) -> bool:
        if any(entry.count for entry in entries):
            done.set()
        return True

    sums = Sums(write)
    for _ in range(2):
        sums.add(Entry(moment_text(now()), "refusal", "x", "GET /", origin="a"), seconds=0.01)
    assert done.wait(60)


def test_a_refusal_that_cannot_be_written_is_written_later(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with ledger_in(tmp_path, lock_timeout=0.05) as ledger:
        with closing(Access(ledger.settings)) as other, other.store.alone():
            ledger.access.refuse("forbidden", "GET /", OFFICER, "why")
            assert "could not be written yet" in caplog.text
        assert written(ledger) == []
        ledger.access.refuse("forbidden", "GET /other", OFFICER, "why")
        assert [action for _, action, *_ in written(ledger)] == ["GET /", "GET /other"]


def test_a_worker_that_ends_in_order_writes_what_it_counted(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        for _ in range(5):
            ledger.access.refuse("forbidden", "GET /", OFFICER, "why")
    with ledger_in(tmp_path) as ledger:
        assert sum(count or 1 for *_, count in written(ledger)) == 5


# Alterations


def test_a_record_that_nobody_touched_holds(ledger: Ledger) -> None:
    assert verify(ledger.access) is None
    heads = noted(ledger)
    assert verify(ledger.access, heads) == heads[-1]


@pytest.mark.parametrize("column", sorted(set(table.c.keys()) - {"id", "digest"}))
def test_whatever_is_altered_of_a_record_is_noticed(ledger: Ledger, column: str) -> None:
    noted(ledger)
    with ledger.access.store.writing() as connection:
        connection.execute(sa.update(table).where(table.c.id == 3).values({column: "7"}))
    with pytest.raises(Altered, match="record 3 is not the one that was written"):
        verify(ledger.access)


def test_a_record_that_is_taken_out_or_put_in_is_noticed(ledger: Ledger) -> None:
    noted(ledger)
    with ledger.access.store.writing() as connection:
        connection.execute(sa.delete(table).where(table.c.id == 3))
    with pytest.raises(Altered, match="After access record 2 comes 4"):
        verify(ledger.access)
    with ledger.access.store.writing() as connection:
        connection.execute(sa.update(table).where(table.c.id > 3).values(id=table.c.id - 1))
    with pytest.raises(Altered, match="record 3"):
        verify(ledger.access)


def test_a_cut_is_noticed_by_whoever_kept_the_head(ledger: Ledger) -> None:
    head = noted(ledger)[-1]
    with ledger.access.store.writing() as connection:
        connection.execute(sa.delete(table).where(table.c.id > 3))
    assert verify(ledger.access)
    with pytest.raises(Altered, match="ends at 3, and 5 was written"):
        verify(ledger.access, [head])
    noted(ledger, 2)
    with pytest.raises(Altered, match="record 5 is another one"):
        verify(ledger.access, [head])


def test_the_command_line_verifies_and_prints_the_head(ledger: Ledger) -> None:
    folder, heads = ledger.settings.database.parent, noted(ledger)
    done = command(folder, "access", "verify", "--kept", f"{heads[2]}")
    assert done.stdout.splitlines() == ["Holds: 5 records.", f"Head {heads[-1]}"]
    said = one_line(command(folder, "access", "verify", "--kept", f"9:{heads[0].digest}"))
    assert "ends at 5, and 9 was written" in said
    assert "is no head" in one_line(command(folder, "access", "verify", "--kept", "x"))


def note_many(barrier: Any, folder: Path) -> None:
    """Twenty records, beside others."""
    barrier.wait()
    with ledger_in(folder) as ledger:
        for _ in range(20):
            ledger.access.note("token", "try", by=OFFICER)


def test_processes_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        processes(note_many, (tmp_path,), (tmp_path,), (tmp_path,))
        head = verify(ledger.access)
        assert head and head.id == 60
