"""Tokens: told once, kept as a hash, known to every process at its next request."""

import os
import re
import string
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.actor import now
from domain.errors import Invalid, KeyReused, NotFound, Refused
from service.application import Ledger
from service.requests import Call
from service.tokens import PATTERN, ROLES, Holder, is_token
from service.uses import FileUses
from tests.postgres import everything_in
from tests.service.helpers import a_lead, ledger_in, processes

pytestmark = pytest.mark.both_databases


def held(ledger: Ledger, token: str) -> Holder | None:
    """Who holds ``token``, as a request would ask."""
    return ledger.tokens.holder(token, ledger.reads.data_version())


@pytest.mark.parametrize("role", [role for role in ROLES if role != "member"])
def test_whoever_gives_a_token_is_known_by_role_and_name(tmp_path: Path, role: str) -> None:
    with ledger_in(tmp_path) as ledger:
        assert not ledger.tokens.any()
        holder = held(ledger, ledger.tokens.issue(role, "赵科长"))
        assert holder and (holder.role, holder.name, holder.member_id) == (role, "赵科长", None)
        nameless = held(ledger, ledger.tokens.issue(role))
        assert nameless and nameless.name == role
        assert ledger.tokens.any()


def test_a_members_token_names_its_member_and_only_a_members_does(tmp_path: Path) -> None:
    member = str(uuid4())
    with ledger_in(tmp_path) as ledger:
        holder = held(ledger, ledger.tokens.issue("member", "王委员", member))
        assert holder and holder.member_id == member
        for role, named in (("member", None), ("officer", member), ("admin", member)):
            with pytest.raises(Invalid, match="names its member"):
                ledger.tokens.issue(role, "x", named)


@pytest.mark.parametrize("role", ["", "root", "Admin", "officer "])
def test_an_unknown_role_is_refused(tmp_path: Path, role: str) -> None:
    with ledger_in(tmp_path) as ledger:
        with pytest.raises(Invalid, match="is none of member, officer, auditor, admin"):
            ledger.tokens.issue(role)
        assert not ledger.tokens.any()


@pytest.mark.parametrize("name", [" ", "x" * 101, "a\nb", "a\u202eb"])
def test_a_name_that_cannot_be_shown_is_refused(tmp_path: Path, name: str) -> None:
    with ledger_in(tmp_path) as ledger:
        with pytest.raises(Invalid, match="name"):
            ledger.tokens.issue("officer", name)
        assert not ledger.tokens.any()


def altered(token: str) -> list[str]:
    """``token`` with one character changed, at every place, and other near misses."""
    wrong = [
        token[:at] + next(c for c in string.ascii_letters if c != was) + token[at + 1 :]
        for at, was in enumerate(token)
    ]
    _, token_id, secret = token.split("_", 2)
    return [
        *wrong,
        token[:-1],
        token + "A",
        token.upper(),
        f" {token}",
        f"{token} ",
        f"ll_{token_id}_",
        f"ll_{token_id}",
        f"ll__{secret}",
        f"{token_id}_{secret}",
        f"ll_{token_id}_{secret}é",
        f"ll_é_{secret}",
        f"ll_%_{secret}",
        f"ll_' OR 1=1 --_{secret}",
        secret,
        "ll__",
        "ll_",
        "__",
        "_",
        "",
        "\0",
    ]


def test_an_altered_or_unknown_token_is_nobodys(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as fresh:
        token, other = ledger.tokens.issue("officer"), ledger.tokens.issue("admin")
        assert held(ledger, token)
        crossed = f"{token.rpartition('_')[0]}_{other.split('_', 2)[2]}"
        for wrong in [*altered(token), crossed]:
            # Once with the right one known already, once asked first.
            assert held(ledger, wrong) is None, wrong
            assert held(fresh, wrong) is None, wrong
        assert held(ledger, token)


def test_no_secret_is_anywhere_in_the_files(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        tokens = [ledger.tokens.issue("officer", f"n{at}") for at in range(20)]
        for token in tokens:
            assert held(ledger, token)
        a_lead(ledger)
        files = [path for path in tmp_path.iterdir() if path.is_file()]
        assert any(path.name.endswith("-wal") for path in files) or ledger.settings.postgres
        found = b"".join(path.read_bytes() for path in files)
    found += b"".join(path.read_bytes() for path in tmp_path.iterdir())
    if ledger.settings.postgres:
        found += everything_in(ledger.settings.postgres)
    for token in tokens:
        _, token_id, secret = token.split("_", 2)
        assert token_id.encode() in found, "the test reads the wrong files"
        assert secret.encode() not in found
        assert secret[:12].encode() not in found


def test_every_token_is_another_and_long_enough_that_none_guesses_it(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        tokens = {ledger.tokens.issue("officer") for _ in range(50)}
    assert len(tokens) == 50
    assert all(len(token.split("_", 2)[2]) >= 43 for token in tokens)  # 256 bits


def issue_elsewhere(_barrier: Any, folder: Path) -> str:
    """A token issued by another process."""
    with ledger_in(folder) as ledger:
        return ledger.tokens.issue("auditor")


def test_a_token_issued_by_another_process_is_seen_at_the_next_request(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        mine = ledger.tokens.issue("officer")
        assert held(ledger, mine)
        (token,) = processes(issue_elsewhere, (tmp_path,))
        holder = held(ledger, token)
        assert holder and holder.role == "auditor"


def test_what_is_remembered_of_a_token_ends_when_the_file_changes(tmp_path: Path) -> None:
    """So that whatever another process does to a token is seen at the next request."""
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        token = ledger.tokens.issue("officer")
        assert held(ledger, token)
        with other.tokens.store.writing() as connection:
            connection.exec_driver_sql("DELETE FROM tokens")
        assert held(ledger, token) is None


def id_of(token: str) -> str:
    """The second part, which names a token."""
    return token.split("_")[1]


def good(ledger: Ledger, token: str, later: timedelta = timedelta(0)) -> bool:
    """Whether a request with ``token`` would be let in, now or later."""
    holder = held(ledger, token)
    return holder is not None and holder.ended(now() + later) is None


def test_a_revoked_token_is_refused_by_every_process_at_its_next_request(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        token, kept = ledger.tokens.issue("officer"), ledger.tokens.issue("officer")
        assert good(ledger, token) and good(other, token)
        ledger.tokens.revoke(id_of(token))
        assert not good(ledger, token) and not good(other, token)
        assert good(ledger, kept) and good(other, kept)
        with pytest.raises(Refused, match="was revoked at"):
            ledger.tokens.revoke(id_of(token))
        with pytest.raises(NotFound, match="There is no token 0123"):
            ledger.tokens.revoke("0123")


def test_a_token_is_good_for_its_days_and_not_a_moment_longer(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        token = ledger.tokens.issue("officer", days=30)
        assert good(ledger, token, timedelta(days=29, hours=23))
        assert not good(ledger, token, timedelta(days=30))
        assert good(ledger, ledger.tokens.issue("officer"), timedelta(days=9999))
        for days in (0, -1, 3651):
            with pytest.raises(Invalid, match="no number of days"):
                ledger.tokens.issue("officer", days=days)
        assert len(ledger.tokens.listed()) == 2


def test_a_rotated_token_gives_way_to_another_of_the_same_holder(tmp_path: Path) -> None:
    member = str(uuid4())
    with ledger_in(tmp_path) as ledger:
        first = ledger.tokens.issue("member", "王委员", member, days=5)
        second = ledger.tokens.rotate(id_of(first), days=9, overlap=timedelta(hours=2))
        assert good(ledger, first, timedelta(hours=1))
        assert not good(ledger, first, timedelta(hours=2))
        assert good(ledger, second, timedelta(days=8))
        holder = held(ledger, second)
        assert holder and (holder.role, holder.name, holder.member_id) == (
            "member",
            "王委员",
            member,
        )
        third = ledger.tokens.rotate(id_of(second))
        # For as long as the one before, since nobody says otherwise.
        assert not good(ledger, second) and good(ledger, third, timedelta(days=8))
        assert not good(ledger, third, timedelta(days=9))
        with pytest.raises(Refused, match="was revoked at"):
            ledger.tokens.rotate(id_of(second))
        listed = ledger.tokens.listed()
    assert {one.id for one in listed} == {id_of(token) for token in (first, second, third)}


@pytest.mark.parametrize("district", ["32", "3208", "320812"])
def test_a_token_may_be_limited_to_a_district_and_so_is_the_one_in_its_place(
    tmp_path: Path, district: str
) -> None:
    with ledger_in(tmp_path) as ledger:
        first = ledger.tokens.issue("officer", district=district)
        second = ledger.tokens.rotate(id_of(first))
        free = ledger.tokens.issue("officer")
        holders = [held(ledger, token) for token in (first, second, free)]
        assert [h and h.scope.district for h in holders] == [district, district, None]
        assert [one.district for one in ledger.tokens.listed()] == [district, district, None]


@pytest.mark.parametrize("district", ["", "3", "320", "990000", "3208121", "32 ", "%", "__"])
def test_what_is_no_district_limits_no_token(tmp_path: Path, district: str) -> None:
    with ledger_in(tmp_path) as ledger:
        with pytest.raises(Invalid, match="is no district prefix"):
            ledger.tokens.issue("officer", district=district)
        assert not ledger.tokens.any()


def test_a_members_token_has_its_member_and_no_district(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        with pytest.raises(Invalid, match="has its member, and no district"):
            ledger.tokens.issue("member", member_id=str(uuid4()), district="32")
        member = str(uuid4())
        holder = held(ledger, ledger.tokens.issue("member", member_id=member))
        assert holder and (holder.scope.district, holder.scope.member) == (None, member)


@pytest.mark.sqlite_alone("the times of files; test_postgres_uses.py has the table")
def test_the_last_use_is_noted_once_in_ten_minutes_and_without_the_ledger(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        used, unused = (id_of(ledger.tokens.issue("officer")) for _ in range(2))
        version = ledger.reads.data_version()
        with other.tokens.store.writing():
            before = now()
            ledger.tokens.uses.note(used)
        file = ledger.settings.used / used
        assert before.timestamp() - 1 <= file.stat().st_mtime <= now().timestamp() + 1
        at = ledger.tokens.one(used).last_used_at
        assert at and at.endswith("Z")
        os.utime(file, (0, 0))
        ledger.tokens.uses.note(used)
        assert file.stat().st_mtime == 0, "not again so soon"
        FileUses(ledger.settings.used).note(used)
        assert file.stat().st_mtime > 0, "by another process, or later"
        assert ledger.tokens.one(unused).last_used_at is None
        assert ledger.reads.data_version() == version


def test_what_cannot_be_noted_of_a_use_is_not(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    uses = FileUses(tmp_path / "file")
    uses.note("0123456789ab")
    assert FileUses(tmp_path / "nowhere").last("0123456789ab") is None


def keyed(key: str, digest: str = "d") -> Call:
    """A request of one caller with an idempotency key."""
    return Call("caller", digest, key)


def test_a_key_makes_one_token_however_often_it_comes(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        first = ledger.tokens.issue("officer", call=keyed("k"))
        told = f"made token {id_of(first)}, which was told then"
        with pytest.raises(Refused, match=told):
            ledger.tokens.issue("officer", call=keyed("k"))
        with pytest.raises(Refused, match=told):
            ledger.tokens.rotate(id_of(first), call=keyed("k"))
        with pytest.raises(KeyReused, match="came before with another request"):
            ledger.tokens.issue("admin", call=keyed("k", "another"))
        assert [one.id for one in ledger.tokens.listed()] == [id_of(first)]
        assert good(ledger, first)
        ledger.tokens.issue("officer", call=Call("another caller", "d", "k"))
        ledger.tokens.issue("officer", call=Call("caller", "d"))
        assert len(ledger.tokens.listed()) == 3


def test_a_refused_request_leaves_its_key_free(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        with pytest.raises(NotFound):
            ledger.tokens.rotate("0123", call=keyed("k"))
        with pytest.raises(Invalid):
            ledger.tokens.issue("officer", days=0, call=keyed("k"))
        assert good(ledger, ledger.tokens.issue("officer", call=keyed("k")))


def test_a_revocation_that_comes_again_with_its_key_was_done(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        token = ledger.tokens.issue("officer")
        assert ledger.tokens.revoke(id_of(token), keyed("k")) is True
        assert ledger.tokens.revoke(id_of(token), keyed("k")) is False
        with pytest.raises(Refused, match="was revoked at"):
            ledger.tokens.revoke(id_of(token), keyed("another"))


def test_a_token_tells_itself_from_what_looks_like_one(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        token = ledger.tokens.issue("officer")
    assert is_token(token) and re.fullmatch(PATTERN, token)
    assert [wrong for wrong in altered(token) if is_token(wrong)] == []


@pytest.mark.sqlite_alone("a file of before; test_kept_schemas.py has PostgreSQL's versions")
def test_a_file_of_an_earlier_version_keeps_its_tokens(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        token = ledger.tokens.issue("officer")
        with ledger.tokens.store.writing() as connection:
            for column in ("expires_at", "revoked_at", "district"):
                connection.exec_driver_sql(f"ALTER TABLE tokens DROP COLUMN {column}")
    with ledger_in(tmp_path) as ledger:
        assert good(ledger, token)
        ledger.tokens.revoke(id_of(token))
        assert not good(ledger, token)
