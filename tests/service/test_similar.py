"""Leads that may be the same: found at entry and whenever the lead is read, as known then."""

import tracemalloc
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.actor import acting
from domain.errors import Refused
from service.ahead import Ahead
from service.application import Ledger
from service.likeness import reasons, score
from service.projections.likenesses import MOST_OF_A_KEY
from service.scope import Scope
from service.similar import MOST_SHOWN, Similar
from tests.service.helpers import call, check_projections, ledger_in, register, somebody, tip

DAY = date(2025, 3, 19)
USCC = "91350100M000100Y43"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path) as ledger:
        yield ledger


def enter(ledger: Ledger, member: UUID, title: str, **facts: Any) -> dict[str, Any]:
    """A tip as it is answered."""
    given = {"title": title, "members": [str(member)], "district": "320812"}
    with acting(somebody()):
        return ledger.enter(call(), {**given, "occurred_on": "2025-03-18", **facts}).body


def company(name: str, uscc: str | None = None) -> dict[str, Any]:
    """An investor."""
    return {"name": name, "uscc": uscc, "country": "CN"}


def seen(ledger: Ledger, lead: Any, **then: Any) -> list[dict[str, Any]]:
    """What the lead may be the same as, as it is read now or as of then."""
    wanted = UUID(lead["id"])
    position = ledger.reads.position()
    found = (
        ledger.similar.lead_at(wanted, **then) if then else ledger.similar.lead(wanted, position)
    )
    shown: list[dict[str, Any]] = orjson.loads(found.body)["possible_duplicates"]
    return shown


def command(ledger: Ledger, method: str, lead: Any, **facts: Any) -> None:
    """Any other command."""
    with acting(somebody()):
        getattr(ledger, method)(UUID(lead["id"]), call(), {"occurred_on": "2025-04-01", **facts})


def test_a_tip_is_answered_with_the_leads_that_it_may_be_the_same_as(ledger: Ledger) -> None:
    member = register(ledger).subject
    first = enter(ledger, member, "12英寸大晶圆项目", investor=company("晶合集成有限公司"))
    enter(ledger, member, "冷链物流园")
    assert first["possible_duplicates"] == []
    second = enter(ledger, member, "１２英寸晶圆项目", investor=company("江苏晶合集成股份有限公司"))
    assert second["possible_duplicates"] == [
        {
            "id": first["id"],
            "title": "12英寸大晶圆项目",
            "stage": "tip",
            "score": 0.95,
            "reasons": ["investor", "title"],
        }
    ]
    assert seen(ledger, second) == second["possible_duplicates"]
    (back,) = seen(ledger, first)
    assert (back["id"], back["score"]) == (second["id"], 0.95), "each is like the other"


def test_the_same_company_is_found_by_its_code_whatever_it_is_called(ledger: Ledger) -> None:
    member = register(ledger).subject
    first = enter(ledger, member, "甲乙丙", investor=company("一个名字", USCC))
    (found,) = enter(ledger, member, "丁戊己", investor=company("另一个", USCC))[
        "possible_duplicates"
    ]
    assert (found["id"], found["reasons"]) == (first["id"], ["uscc"])


def test_what_is_found_follows_revisions_and_corrections_of_either_lead(ledger: Ledger) -> None:
    member = register(ledger).subject
    first, second = (enter(ledger, member, title) for title in ("光伏组件", "冷链物流园"))
    assert seen(ledger, first) == []
    command(ledger, "revise", second, facts={"title": "光伏组件厂"})
    assert [one["id"] for one in seen(ledger, first)] == [second["id"]]
    command(ledger, "correct", second, version=2, void=True, reason="录入有误")
    assert seen(ledger, first) == seen(ledger, second) == []
    command(ledger, "correct", first, version=1, facts={"title": "冷链物流园区"}, reason="录入有误")
    assert [one["title"] for one in seen(ledger, second)] == ["冷链物流园区"]
    check_projections(ledger)


def test_what_is_found_can_be_asked_as_known_and_as_of_then(ledger: Ledger) -> None:
    member = register(ledger).subject
    first = enter(ledger, member, "光伏组件", occurred_on="2025-03-01")
    second = enter(ledger, member, "光伏组件厂", occurred_on="2025-03-18")
    command(ledger, "revise", first, facts={"title": "别的项目了"}, occurred_on="2025-03-20")
    assert seen(ledger, second) == []
    assert seen(ledger, second, version=1) == second["possible_duplicates"] != []
    (then,) = seen(ledger, second, as_of=DAY)
    assert then["title"] == "光伏组件"
    assert seen(ledger, first, version=1) == [], "it was the first"


def test_a_ruled_duplicate_is_no_longer_looked_for(ledger: Ledger) -> None:
    member = register(ledger).subject
    first, second = (enter(ledger, member, title) for title in ("光伏组件", "光伏组件厂"))
    ruling = {"verdict": "duplicate", "duplicate_of": first["id"], "reason": "同一家公司"}
    command(ledger, "screen", second, **ruling)
    assert seen(ledger, first) == seen(ledger, second) == []
    assert enter(ledger, member, "光伏组件厂")["possible_duplicates"][0]["id"] == first["id"]
    command(ledger, "reopen", second, reason="不是")
    assert second["id"] in [one["id"] for one in seen(ledger, first)]


def test_a_closed_lead_is_still_found_with_its_stage(ledger: Ledger) -> None:
    member = register(ledger).subject
    first = enter(ledger, member, "光伏组件")
    command(ledger, "screen", first, verdict="decline", reason="产能过剩")
    (found,) = enter(ledger, member, "光伏组件厂")["possible_duplicates"]
    assert found["stage"] == "closed"


def test_only_a_tip_is_compared_for_only_a_tip_is_ruled_a_duplicate(ledger: Ledger) -> None:
    member = register(ledger).subject
    first, second = (enter(ledger, member, "光伏组件") for _ in range(2))
    command(ledger, "open_negotiation", first, responsible_unit="商务局")
    assert seen(ledger, first) == []
    (found,) = seen(ledger, second)
    assert (found["id"], found["stage"]) == (first["id"], "negotiating")


def test_a_key_that_comes_again_is_answered_as_the_first_time(ledger: Ledger) -> None:
    member = register(ledger).subject
    enter(ledger, member, "光伏组件")
    facts = {"title": "光伏组件厂", "members": [str(member)], "district": "320812"}
    with acting(somebody()):
        first = ledger.enter(call("k"), {**facts, "occurred_on": "2025-03-18"})
    enter(ledger, member, "光伏组件")
    command(ledger, "revise", first.body["possible_duplicates"][0], facts={"title": "别的项目了"})
    with acting(somebody()):
        again = ledger.enter(call("k"), {**facts, "occurred_on": "2025-03-18"})
    assert again.replayed
    assert again.body == first.body


def test_only_the_likeliest_are_shown_the_older_first(ledger: Ledger) -> None:
    member = register(ledger).subject
    same = [enter(ledger, member, "光伏组件")["id"] for _ in range(MOST_SHOWN + 3)]
    shown = enter(ledger, member, "光伏组件")["possible_duplicates"]
    assert [one["id"] for one in shown] == same[:MOST_SHOWN]


def test_facts_that_are_no_lead_yet_can_be_compared(ledger: Ledger) -> None:
    member = register(ledger).subject
    first = enter(ledger, member, "光伏组件", investor=company("晶合集成"))
    ledger.reads.position()
    facts = {"title": "没有人报过的", "investor": company("晶合集成有限公司")}
    (found,) = ledger.similar.to(facts)
    assert (found["id"], found["reasons"]) == (first["id"], ["investor"])


TITLES = st.sampled_from(
    [
        "光伏组件",
        "光伏组件厂",
        "光伏组件项目",
        "冷链物流园",
        "冷链物流园区",
        "物流园",
        "12英寸晶圆",
        "12英寸大晶圆",
    ]
)
INVESTORS = st.sampled_from(
    [
        None,
        company("晶合集成有限公司"),
        company("江苏晶合集成"),
        company("冷链", USCC),
        company("晶合集成", USCC),
    ]
)
STEPS = st.lists(
    st.tuples(st.sampled_from("新新改正废判回先先"), st.integers(0, 9), TITLES, INVESTORS),
    max_size=14,
)


@settings(max_examples=12)
@given(STEPS)
def test_what_is_found_is_what_comparing_all_with_all_finds(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Any]
) -> None:
    with ledger_in(tmp_path_factory.mktemp("similar")) as ledger:
        member = register(ledger).subject
        ids = [tip(ledger, member).subject]
        ahead = Ahead(ledger.reads)
        for what, at, title, investor in steps:
            lead = ids[at % len(ids)]
            facts = {"title": title, "investor": investor}
            try:
                if what == "先":
                    assert ahead.work(60)
                elif what == "新":
                    ids.append(tip(ledger, member, **facts).subject)
                else:
                    change(ledger, what, {"id": str(lead)}, str(ids[0]), facts)
            except Refused:
                continue
            # After each step: what was found before is kept where nothing changed it, by this
            # worker and by the keeper, whose rows are all that another worker has.
            compare_all(ledger, ids, ledger.similar)
            compare_all(ledger, ids, Similar(ledger.reads))


def compare_all(ledger: Ledger, ids: list[UUID], similar: Similar) -> None:
    """Each lead is shown with what comparing it with every other finds."""
    position = ledger.reads.position()
    bodies = [orjson.loads(ledger.reads.lead(id).body) for id in ids]
    for id, body in zip(ids, bodies, strict=True):
        shown = orjson.loads(similar.lead(id, position).body)["possible_duplicates"]
        found = slowly(body, bodies) if body["stage"] == "tip" else []
        assert [(one["id"], one["score"], one["reasons"]) for one in shown] == found[:MOST_SHOWN]


def change(ledger: Ledger, what: str, lead: Any, first: str, facts: dict[str, Any]) -> None:
    """A command that may change what the lead is like."""
    if what == "改":
        command(ledger, "revise", lead, facts=facts)
    elif what == "正":
        command(ledger, "correct", lead, version=1, facts=facts, reason="录入有误")
    elif what == "废":
        last = len(ledger.reads.history(UUID(lead["id"])))
        command(ledger, "correct", lead, version=last, void=True, reason="录入有误")
    elif what == "判" and lead["id"] != first:
        ruling = {"verdict": "duplicate", "duplicate_of": first, "reason": "同一家公司"}
        command(ledger, "screen", lead, **ruling)
    elif what == "回":
        command(ledger, "reopen", lead, reason="不是")


def slowly(lead: Any, all_leads: list[Any]) -> list[Any]:
    """The same by comparing with every lead there is, in the order in which they came."""
    others = [one for one in all_leads if one is not lead and one["outcome"] != "duplicate"]
    found = [(one["id"], score(why), list(why)) for one in others if (why := reasons(lead, one))]
    return sorted(found, key=lambda one: -one[1])


def test_what_is_like_a_lead_elsewhere_takes_no_place_from_what_is_like_it_within(
    ledger: Ledger,
) -> None:
    member = register(ledger).subject
    here = Scope("320812")
    ours = enter(ledger, member, "大晶圆厂")
    with acting(somebody()):
        for _ in range(MOST_OF_A_KEY + 1):
            facts = {"title": "大晶圆厂", "members": [str(member)], "district": "440106"}
            ledger.tip(call(), {**facts, "occurred_on": "2025-03-18"})
    lead = enter(ledger, member, "大晶圆厂")

    def alike(scope: Scope) -> list[str]:
        similar, position = ledger.similar.within(scope), ledger.reads.position()
        return ids(orjson.loads(similar.lead(UUID(lead["id"]), position).body))

    assert ours["id"] not in ids(lead), "for who sees all there are too many"
    assert alike(here) == [ours["id"]]
    assert alike(Scope("440106")) != [ours["id"]]
    # What is found is remembered, and is another thing when one that is like it goes elsewhere.
    right = {"version": 1, "facts": {"district": "440106"}, "reason": "在别处"}
    command(ledger, "correct", ours, **right)
    assert alike(here) == []


def ids(lead: dict[str, Any]) -> list[str]:
    """What a lead says that it may be the same as."""
    return [one["id"] for one in lead["possible_duplicates"]]


def test_what_is_remembered_of_a_lead_takes_little_more_than_it_says(ledger: Ledger) -> None:
    member = register(ledger).subject
    bodies = [
        ledger.reads.lead(tip(ledger, member, title=f"项目{n}").subject).body for n in range(20)
    ]
    position = ledger.reads.position()
    ledger.similar.found(bodies[0], position)
    tracemalloc.start()
    try:
        found = [ledger.similar.found(body, position) for body in bodies]
        assert len(found) == len(bodies)
        taken = sum(
            trace.size
            for trace in tracemalloc.take_snapshot().traces
            if trace.traceback[-1].filename.endswith("similar.py")
        )
    finally:
        tracemalloc.stop()
    said = sum(len(one.said or b"") + len(one.touched_by) for one in found)
    assert said > 0 and taken < said + 1_000 * len(found)
