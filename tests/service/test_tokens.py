"""Tokens: told once, kept as a hash, known to every process at its next request."""

import string
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from domain.errors import Invalid
from service.application import Ledger
from service.tokens import ROLES, Holder
from tests.service.helpers import a_lead, ledger_in, processes


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
        assert any(path.name.endswith("-wal") for path in files)
        found = b"".join(path.read_bytes() for path in files)
    found += b"".join(path.read_bytes() for path in tmp_path.iterdir())
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
