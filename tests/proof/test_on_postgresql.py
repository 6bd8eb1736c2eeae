"""The keeper's proof of a log on PostgreSQL: what somebody alters there is noticed there."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from service.application import Ledger
from service.proof.tiles import Tree
from service.proof.tree import Inconsistent
from service.proof.verdict import judge
from service.settings import Settings
from tests.databases import put_on_postgresql
from tests.postgres import database_of, rows
from tests.proof import attacks
from tests.proof.ground import rehashed, signed
from tests.service.helpers import a_lead, ledger_in


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of 24 events on PostgreSQL, all of them signed."""
    put_on_postgresql(tmp_path)
    with ledger_in(tmp_path) as ledger:
        for _ in range(12):
            a_lead(ledger)
        assert signed(ledger)
        yield ledger


def test_what_nobody_touched_holds(ledger: Ledger) -> None:
    size = ledger.log_recorder.max_notification_id()
    assert judge(ledger).size >= 24
    rehashed(ledger)
    assert ledger.published.standing() == []
    a_lead(ledger)
    assert signed(ledger)
    assert (ledger.log_recorder.max_notification_id() or 0) > (size or 0)


@pytest.mark.parametrize(
    "attack",
    [
        attacks.edit,
        attacks.back_date,
        attacks.retopic,
        attacks.delete,
        attacks.delete_and_close_ranks,
        attacks.insert,
        attacks.swap_states,
        attacks.reorder,
        attacks.cut_tail,
    ],
)
def test_whatever_is_done_to_the_rows_of_the_log_is_noticed(
    ledger: Ledger, attack: Callable[[Settings], None]
) -> None:
    attack(ledger.settings)
    with pytest.raises(Inconsistent):
        judge(ledger)
    rehashed(ledger)
    assert ledger.published.standing()


def test_a_tree_that_is_gone_is_made_from_the_log_and_the_same(
    ledger: Ledger, tmp_path: Path
) -> None:
    last = ledger.log_recorder.max_notification_id() or 0
    with closing(Tree(ledger.log_recorder, ledger.settings)) as tree:
        with tree.view() as view:
            size, root = view.mark.size, view.root(view.mark.size)
        rows(database_of(tmp_path), "DROP SCHEMA ledger_tree CASCADE")
    with closing(Tree(ledger.log_recorder, ledger.settings)) as tree:
        tree.catch_up(last)
        with tree.view() as view:
            assert view.root(size) == root
    assert judge(ledger).size >= size
