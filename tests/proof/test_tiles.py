"""The tree as a projection: fed in any batches, rebuilt, with gaps, it is the tree of the log."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
import sqlalchemy as sa

from service.application import Ledger
from service.proof import tiles, tree
from service.proof.tiles import OtherLog, Tree
from service.proof.verifying import verify
from tests.proof import naive
from tests.proof.ground import altered
from tests.service.helpers import a_lead, ledger_in, processes, register, settings_in, stored_leads

EVENTS = 1_501


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger of a few tiles."""
    with ledger_in(tmp_path) as found:
        member = register(found).subject
        found.record_all(stored_leads(found, member, 500, 2))
        yield found


def data_of(ledger: Ledger) -> list[bytes]:
    """The data of every leaf there should be."""
    return [tree.leaf_data(*row[1:]) for row in ledger.log_recorder.stored_rows(0, 2**31)]


def rows_of(found: Tree) -> dict[str, list[tuple[object, ...]]]:
    """Every table."""
    with found.view() as view:
        return {
            table.name: sorted(map(tuple, view._connection.execute(sa.select(table))))
            for table in tiles.metadata.sorted_tables
        }


def test_the_tree_has_the_naive_roots_and_proves_every_kind_of_leaf(ledger: Ledger) -> None:
    data = data_of(ledger)
    assert len(data) == EVENTS
    with closing(Tree(ledger.log_recorder, ledger.settings)) as found:
        found.catch_up(EVENTS)
        with found.view() as view:
            for size in (0, 1, 255, 256, 257, 512, 1000, 1280, EVENTS):
                assert view.root(size) == naive.root(data[:size])
                assert view.frontier(size).root() == view.root(size)
            for leaf in (0, 1, 254, 255, 256, 511, 1279, 1280, EVENTS - 1):
                path = tree.inclusion_path(view.subtree, leaf, EVENTS)
                assert path == naive.inclusion(leaf, data)
                path = tree.consistency_path(view.subtree, leaf + 1, EVENTS)
                assert path == naive.consistency(leaf + 1, data)
            view.check()


def test_a_tree_fed_bit_by_bit_is_row_by_row_the_one_made_at_once(ledger: Ledger) -> None:
    chance = Random(7)
    with closing(Tree(ledger.log_recorder, ledger.settings)) as found:
        reached = 0
        while reached < EVENTS:
            reached = min(EVENTS, reached + chance.randrange(1, 200))
            found.catch_up(reached)
        live = rows_of(found)
        found.forget()
        found.catch_up(EVENTS)
        assert rows_of(found) == live


def test_a_leaf_knows_its_position_and_back_where_positions_have_gaps(ledger: Ledger) -> None:
    gone = (1, 2, 700, 701, 1400)
    with altered(ledger.settings) as log:
        log.execute(f"DELETE FROM stored_events WHERE rowid IN {gone}")
    positions = [row[0] for row in ledger.log_recorder.stored_rows(0, 2**31)]
    with closing(Tree(ledger.log_recorder, ledger.settings)) as found:
        for reached in (3, 702, EVENTS):
            found.catch_up(reached)
        with found.view() as view:
            assert [view.position_of(leaf) for leaf in range(len(positions))] == positions
            assert [view.leaf_of(position) for position in positions] == list(range(len(positions)))
            assert view.mark.size == EVENTS - len(gone)


def test_a_tree_of_another_log_says_so(ledger: Ledger) -> None:
    with closing(Tree(ledger.log_recorder, ledger.settings)) as found:
        found.catch_up(EVENTS)
        with altered(ledger.settings) as log:
            log.execute("UPDATE stored_events SET state = '{}' WHERE rowid = ?", (EVENTS,))
        with pytest.raises(OtherLog, match=f"position {EVENTS} of the log is not the one"):
            found.catch_up(EVENTS)


def test_a_tile_that_was_changed_is_named(ledger: Ledger) -> None:
    with closing(Tree(ledger.log_recorder, ledger.settings)) as found:
        found.catch_up(EVENTS)
        with found._store.writing() as connection:
            connection.execute(
                sa.update(tiles.tiles)
                .where(tiles.tiles.c.level == 0, tiles.tiles.c.number == 2)
                .values(hashes=bytes(32 * 256))
            )
        with found.view() as view, pytest.raises(tree.Inconsistent, match=r"Tile \d of level 0"):
            view.check()


@pytest.mark.parametrize(("level", "number"), [(0, 2), (1, 0)])
def test_a_pass_through_the_log_holds_every_tile_against_the_one_above(
    ledger: Ledger, level: int, number: int
) -> None:
    with closing(Tree(ledger.log_recorder, ledger.settings)) as found:
        found.catch_up(EVENTS)
        with found.view() as view:
            walk, finding = verify(ledger.log_recorder, [], view)
            assert (finding, walk.tiles_held) == (None, EVENTS // 256)
            view.check(walk.tiles_held)
        with found._store.writing() as connection:
            its = (tiles.tiles.c.level == level) & (tiles.tiles.c.number == number)
            (there,) = connection.execute(sa.select(tiles.tiles.c.hashes).where(its)).one()
            # The last of it.
            changed = there[:-1] + bytes([there[-1] ^ 1])
            connection.execute(sa.update(tiles.tiles).where(its).values(hashes=changed))
        with found.view() as view:
            walk, finding = verify(ledger.log_recorder, [], view)
            assert walk.tiles_held < EVENTS // 256 or finding
            with pytest.raises(tree.Inconsistent, match=r"Tile \d of level 0"):
                view.check(walk.tiles_held)


def catch_up_again_and_again(barrier: object, folder: Path) -> int:
    """Two processes at once on one tree, while events come."""
    with ledger_in(folder) as ledger, closing(Tree(ledger.log_recorder, ledger.settings)) as found:
        barrier.wait()  # type: ignore[attr-defined]
        for _ in range(20):
            a_lead(ledger)
            found.catch_up(ledger.recorder.max_notification_id() or 0)
        with found.view() as view:
            return view.mark.size


def test_two_processes_bring_up_one_tree_together(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        sizes = processes(catch_up_again_and_again, (tmp_path,), (tmp_path,))
        data = data_of(ledger)
        assert max(sizes) <= len(data) == 80
        with closing(Tree(ledger.log_recorder, settings_in(tmp_path))) as found:
            found.catch_up(80)
            with found.view() as view:
                assert view.root(80) == naive.root(data)
