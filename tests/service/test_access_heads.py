"""What the keeper has seen of the access record cannot be cut off any more without notice."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from domain.actor import acting
from domain.errors import Invalid
from service.access.heads import Heads, seen_by_the_keeper
from service.access.record import access as table
from service.application import Ledger
from tests.service.helpers import ledger_in, somebody
from tests.service.test_access import noted
from tests.service.test_cli import command, one_line


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with five access records."""
    with ledger_in(tmp_path) as found:
        noted(found)
        yield found


def cut(ledger: Ledger, first: int) -> None:
    """Take the records from the ``first`` on away."""
    with ledger.access.store.writing() as connection:
        connection.execute(sa.delete(table).where(table.c.id >= first))


def test_the_keeper_notes_the_head_and_goes_on_with_it(ledger: Ledger) -> None:
    heads = Heads(ledger.settings, ledger.access)
    assert seen_by_the_keeper(ledger.settings) is None
    heads.look()
    assert seen_by_the_keeper(ledger.settings) == ledger.access.head()
    (newest,) = noted(ledger, 1)
    heads.look()
    assert seen_by_the_keeper(ledger.settings) == newest


@pytest.mark.parametrize("written_since", [0, 1, 5])
def test_a_cut_is_noticed_by_the_keeper_and_by_verify_whatever_was_written_since(
    ledger: Ledger, written_since: int, caplog: pytest.LogCaptureFixture
) -> None:
    heads = Heads(ledger.settings, ledger.access)
    heads.look()
    seen = seen_by_the_keeper(ledger.settings)
    cut(ledger, 4)
    noted(ledger, written_since)
    for _ in range(3):
        heads.look()
    assert [record.message for record in caplog.records] == [
        "access record 5 is gone or another one: it was altered."
    ]
    assert seen_by_the_keeper(ledger.settings) == seen
    folder = ledger.settings.database.parent
    assert " 5 " in one_line(command(folder, "access", "verify"))


def test_what_the_log_has_of_the_record_cannot_be_put_back_by_who_holds_the_keepers_folder_too(
    ledger: Ledger,
) -> None:
    noted_there = ledger.access.head()
    with acting(somebody()):
        ledger.note_accesses(f"{noted_there}")
    folder = ledger.settings.database.parent
    assert command(folder, "access", "verify").exit_code == 0
    # As an older copy, gone on with, and the keeper's own head gone.
    cut(ledger, 4)
    noted(ledger, 3)
    assert seen_by_the_keeper(ledger.settings) is None
    assert " 5 " in one_line(command(folder, "access", "verify"))


def test_a_record_that_is_gone_altogether_is_noticed(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    heads = Heads(ledger.settings, ledger.access)
    heads.look()
    cut(ledger, 1)
    heads.look()
    assert "access record 5 is gone" in caplog.text


def test_a_head_that_is_none_is_not_written_over(ledger: Ledger) -> None:
    ledger.settings.keeper.mkdir()
    (ledger.settings.keeper / "access.head").write_text("nonsense")
    with pytest.raises(Invalid, match="nonsense"):
        Heads(ledger.settings, ledger.access).look()


def test_nothing_is_noted_of_an_empty_record(tmp_path: Path) -> None:
    with ledger_in(tmp_path / "empty") as ledger:
        Heads(ledger.settings, ledger.access).look()
        assert not ledger.settings.keeper.exists()
