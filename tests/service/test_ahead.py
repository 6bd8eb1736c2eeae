"""What tips may be the same as, found by the keeper before a worker is asked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import sqlalchemy as sa

from domain.actor import acting
from service.ahead import Ahead
from service.application import Ledger
from service.projections.leads import leads
from service.projections.resembling import ALL, resembling
from service.similar import Similar
from tests.service.helpers import call, check_projections, ledger_in, register, somebody, tip

TITLES = ("光伏组件", "光伏组件厂", "冷链物流园")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path) as ledger:
        yield ledger


@pytest.fixture
def tips(ledger: Ledger) -> list[UUID]:
    """Three tips; the first two are alike."""
    member = register(ledger).subject
    return [tip(ledger, member, title=title).subject for title in TITLES]


def rows(ledger: Ledger) -> dict[str, Any]:
    """What stands in the tables: the lists by their lead's title, in the order of the leads."""
    ledger.reads.position()
    with ledger.reads.store.reading() as connection:
        found = connection.execute(
            sa.select(leads.c.body, resembling.c.said)
            .join(resembling, resembling.c.lead == leads.c.number)
            .order_by(leads.c.number)
        ).all()
    lists = {orjson.loads(lead)["title"]: orjson.loads(said or b"[]") for lead, said in found}
    return {title: [one["title"] for one in said] for title, said in lists.items()}


def told(ledger: Ledger, lead_id: UUID) -> list[str]:
    """What a worker says that just began."""
    found = Similar(ledger.reads).lead(lead_id, ledger.reads.position())
    return [one["title"] for one in orjson.loads(found.body)["possible_duplicates"]]


def mark(ledger: Ledger) -> None:
    """Have the file say what no search would find."""
    with ledger.reads.store.writing() as connection:
        marked = sa.update(resembling).where(resembling.c.lead != ALL)
        connection.execute(marked.values(said=orjson.dumps([{"title": "标记"}])))


def revise(ledger: Ledger, lead_id: UUID, **facts: Any) -> None:
    """Another title, say."""
    with acting(somebody()):
        ledger.revise(lead_id, call(), {"facts": facts, "occurred_on": "2025-04-01"})


def test_a_worker_that_just_began_says_what_was_found_ahead(
    ledger: Ledger, tips: list[UUID]
) -> None:
    assert Ahead(ledger.reads).work(60)
    assert rows(ledger) == {
        "光伏组件": ["光伏组件厂"],
        "光伏组件厂": ["光伏组件"],
        "冷链物流园": [],
    }
    assert [told(ledger, id) for id in tips] == list(rows(ledger).values())
    mark(ledger)
    assert [told(ledger, id) for id in tips] == [["标记"]] * 3, "nobody searched"


def test_what_happens_takes_away_what_it_may_change_and_leaves_the_rest(
    ledger: Ledger, tips: list[UUID]
) -> None:
    other = tip(ledger, register(ledger, number="Q-9").subject, title="别的项目").subject
    ahead = Ahead(ledger.reads)
    ahead.work(60)
    mark(ledger)
    revise(ledger, tips[1], title="冷链物流园区")
    lists = [[], ["冷链物流园"], ["冷链物流园区"], ["标记"]]
    assert [told(ledger, id) for id in (*tips, other)] == lists
    ahead.work(60)
    assert [told(ledger, id) for id in (*tips, other)] == lists
    assert sorted(map(len, rows(ledger).values())) == [0, 1, 1, 1], "the file says so"


def test_a_lead_that_is_no_tip_any_more_goes(ledger: Ledger, tips: list[UUID]) -> None:
    ahead = Ahead(ledger.reads)
    ahead.work(60)
    with acting(somebody()):
        facts = {"occurred_on": "2025-04-01", "responsible_unit": "商务局"}
        ledger.open_negotiation(tips[0], call(), facts)
    ahead.work(60)
    assert rows(ledger) == {"光伏组件厂": ["光伏组件"], "冷链物流园": []}


def test_one_that_was_ended_goes_on_where_it_was(ledger: Ledger, tips: list[UUID]) -> None:
    assert not Ahead(ledger.reads).work(0)
    assert Ahead(ledger.reads).work(60)
    mark(ledger)
    revise(ledger, tips[2], title="别的项目")
    assert Ahead(ledger.reads).work(60)
    assert rows(ledger) == {"光伏组件": ["标记"], "光伏组件厂": ["标记"], "别的项目": []}


def test_after_much_has_happened_all_is_found_anew(ledger: Ledger, tips: list[UUID]) -> None:
    ahead = Ahead(ledger.reads)
    ahead.work(60)
    mark(ledger)
    for number in range(70):
        revise(ledger, tips[2], title=f"别的项目{number:02d}")
    assert told(ledger, tips[0]) == ["光伏组件厂"]
    while not ahead.work(60):
        pass
    assert rows(ledger) == {
        "光伏组件": ["光伏组件厂"],
        "光伏组件厂": ["光伏组件"],
        "别的项目69": [],
    }


def test_with_the_projections_made_anew_it_begins_anew(ledger: Ledger, tips: list[UUID]) -> None:
    ahead = Ahead(ledger.reads)
    ahead.work(60)
    mark(ledger)
    check_projections(ledger)
    assert rows(ledger) == {}
    while not ahead.work(60):
        pass
    assert rows(ledger)["冷链物流园"] == []
    assert told(ledger, tips[0]) == ["光伏组件厂"]


def test_of_too_many_tips_the_last_ones_are_found_ahead(ledger: Ledger, tips: list[UUID]) -> None:
    ahead = Ahead(ledger.reads, most=2)
    ahead.work(60)
    assert list(rows(ledger)) == ["光伏组件厂", "冷链物流园"]
    tip(ledger, register(ledger, number="Q-9").subject, title="别的项目")
    ahead.work(60)
    assert list(rows(ledger)) == ["冷链物流园", "别的项目"]
    assert told(ledger, tips[0]) == ["光伏组件厂"], "searched by whoever is asked"
