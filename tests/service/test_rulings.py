"""A ruling that a lead is a duplicate: its members join the lead that survives, until undone."""

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
from domain.errors import Invalid, Refused
from service.application import Ledger
from service.commands.carrying import Answer
from service.projections.choosing import Selection
from tests.service.helpers import call, check_projections, ledger_in, register, somebody, tip

REASON = {"reason": "同一家公司"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path) as ledger:
        yield ledger


def members(ledger: Ledger, count: int) -> list[UUID]:
    """So many members."""
    return [register(ledger, f"Q-{n}").subject for n in range(count)]


def do(ledger: Ledger, method: str, lead: UUID, day: str = "2025-04-01", **facts: Any) -> Answer:
    """A command."""
    with acting(somebody()):
        answer: Answer = getattr(ledger, method)(lead, call(), {"occurred_on": day, **facts})
    return answer


def rule(ledger: Ledger, lead: UUID, of: UUID, day: str = "2025-04-01") -> Answer:
    """Rule it a duplicate."""
    facts = {"verdict": "duplicate", "duplicate_of": str(of), **REASON}
    return do(ledger, "screen", lead, day, **facts)


def shown(ledger: Ledger, lead: UUID, **then: Any) -> Any:
    """The lead as it is read."""
    return orjson.loads(ledger.reads.lead_at(lead, **then).body)


def order(ledger: Ledger, lead: UUID, **then: Any) -> list[tuple[UUID, str]]:
    """Its credit order, with the shares."""
    return [(UUID(m["id"]), m["share"]) for m in shown(ledger, lead, **then)["members"]]


def credits_of(ledger: Ledger, ids: list[UUID]) -> list[str]:
    """What each member has of all leads."""
    return [ledger.reads.member(id)["credit"] for id in ids]


def test_a_duplicates_member_takes_a_later_place_and_its_share(ledger: Ledger) -> None:
    one, two = people = members(ledger, 2)
    first, again = tip(ledger, one).subject, tip(ledger, two).subject
    rule(ledger, again, first)
    assert order(ledger, first) == [(one, "1/2"), (two, "1/2")]
    assert order(ledger, again) == [(two, "1")], "the duplicate keeps its own history"
    assert credits_of(ledger, people) == ["1/2", "1/2"]
    assert [ledger.reads.member(id)["tips"] for id in people] == [1, 1]
    names = [step["event"] for step in ledger.reads.history(first)]
    assert names == ["tipped", "members_joined"]
    assert [step["event"] for step in ledger.reads.history(again)] == ["tipped", "screened"]
    check_projections(ledger)


def test_the_duplicate_stays_in_the_tip_count_and_leaves_the_project_count(ledger: Ledger) -> None:
    one, two = members(ledger, 2)
    first, again = tip(ledger, one).subject, tip(ledger, two).subject
    rule(ledger, again, first)
    year = (date(2025, 1, 1), date(2025, 12, 31), None)
    pipeline = ledger.reads.pipeline(Selection(), *year)
    assert (pipeline["tips"], pipeline["balanced"]) == (2, True)
    assert {s["stage"]: s["standing"]["count"] for s in pipeline["stages"]}["tip"] == 1
    assert ledger.reads.pipeline(Selection(member=str(two)), *year)["tips"] == 1


def test_those_who_joined_stand_in_the_order_of_their_reports(ledger: Ledger) -> None:
    one, two, three = members(ledger, 3)
    first = tip(ledger, one).subject
    late = tip(ledger, two, occurred_on="2025-03-25").subject
    early = tip(ledger, three, occurred_on="2025-03-01").subject
    for lead in (late, early):
        rule(ledger, lead, first)
    assert [id for id, _ in order(ledger, first)] == [one, three, two]


def test_a_member_who_is_there_already_keeps_the_first_place(ledger: Ledger) -> None:
    one, two = people = members(ledger, 2)
    first = tip(ledger, one, members=list(map(str, people))).subject
    again = tip(ledger, two).subject
    rule(ledger, again, first)
    assert order(ledger, first) == [(one, "1/2"), (two, "1/2")]
    do(ledger, "reopen", again, **REASON)
    assert order(ledger, first) == [(one, "1/2"), (two, "1/2")]
    check_projections(ledger)


def test_reopening_undoes_it(ledger: Ledger) -> None:
    one, two = people = members(ledger, 2)
    first, again = tip(ledger, one).subject, tip(ledger, two).subject
    rule(ledger, again, first)
    do(ledger, "reopen", again, "2025-04-05", **REASON)
    assert order(ledger, first) == [(one, "1")]
    assert credits_of(ledger, people) == ["1", "1"]
    assert len(order(ledger, first, version=2)) == 2
    assert len(order(ledger, first, as_of=date(2025, 4, 4))) == 2
    assert len(order(ledger, first, as_of=date(2025, 3, 31))) == 1
    rule(ledger, again, first, "2025-04-06")
    assert len(order(ledger, first)) == 2
    check_projections(ledger)


def test_voiding_the_ruling_undoes_it_from_the_start(ledger: Ledger) -> None:
    one, two = members(ledger, 2)
    first, again = tip(ledger, one).subject, tip(ledger, two).subject
    rule(ledger, again, first)
    do(ledger, "correct", again, "2025-05-01", version=2, void=True, **REASON)
    assert order(ledger, first) == [(one, "1")]
    assert len(order(ledger, first, as_of=date(2025, 4, 15))) == 1, "it never was"
    do(ledger, "correct", again, "2025-05-02", version=3, void=True, **REASON)
    assert len(order(ledger, first)) == 2, "nor was the correction"
    check_projections(ledger)


def test_a_ruling_corrected_to_another_lead_moves_the_members_there(ledger: Ledger) -> None:
    one, two, three = members(ledger, 3)
    first, right, again = (tip(ledger, m).subject for m in (one, two, three))
    rule(ledger, again, first)
    do(ledger, "correct", again, version=2, facts={"duplicate_of": str(right)}, **REASON)
    assert order(ledger, first) == [(one, "1")]
    assert order(ledger, right) == [(two, "1/2"), (three, "1/2")]


def test_a_duplicate_of_a_duplicate_is_refused_with_the_lead_to_name(ledger: Ledger) -> None:
    one, two, three = members(ledger, 3)
    first, again, third = (tip(ledger, m).subject for m in (one, two, three))
    rule(ledger, again, first)
    with pytest.raises(Refused, match=f"itself a duplicate of {first}; name that one"):
        rule(ledger, third, again)
    with pytest.raises(Refused, match=f"itself a duplicate of {first}"):
        rule(ledger, first, again)
    assert shown(ledger, third)["stage"] == shown(ledger, first)["stage"] == "tip"


def test_a_survivor_that_is_ruled_a_duplicate_brings_whoever_joined_it(ledger: Ledger) -> None:
    one, two, three = people = members(ledger, 3)
    first, again, third = (tip(ledger, m).subject for m in people)
    rule(ledger, third, again)
    rule(ledger, again, first)
    assert [id for id, _ in order(ledger, first)] == [one, two, three]
    assert credits_of(ledger, people) == ["1/3", "1/3", "1/3"]
    do(ledger, "reopen", third, "2025-04-05", **REASON)
    assert [id for id, _ in order(ledger, first)] == [one, two], "it leaves all the way up"
    assert credits_of(ledger, people) == ["1/2", "1/2", "1"]
    check_projections(ledger)


def test_a_closed_lead_may_have_a_duplicate(ledger: Ledger) -> None:
    one, two = members(ledger, 2)
    first, again = tip(ledger, one).subject, tip(ledger, two).subject
    do(ledger, "screen", first, verdict="decline", reason="产能过剩")
    rule(ledger, again, first)
    assert len(order(ledger, first)) == 2


def test_a_ruling_before_the_other_lead_was_tipped_is_refused(ledger: Ledger) -> None:
    one, two = members(ledger, 2)
    first = tip(ledger, one, occurred_on="2025-04-10").subject
    again = tip(ledger, two).subject
    with pytest.raises(Invalid, match=f"before lead {first} was tipped"):
        rule(ledger, again, first)


@pytest.mark.parametrize("what", [{"void": True}, {"facts": {"occurred_on": "2025-04-02"}}])
def test_that_members_joined_is_corrected_by_its_ruling(
    ledger: Ledger, what: dict[str, Any]
) -> None:
    one, two = members(ledger, 2)
    first, again = tip(ledger, one).subject, tip(ledger, two).subject
    rule(ledger, again, first)
    with pytest.raises(Refused, match=f"follows from a ruling on lead {again}"):
        do(ledger, "correct", first, version=2, **what, **REASON)


STEPS = st.lists(
    st.tuples(st.sampled_from("判判判回废正"), st.integers(0, 4), st.integers(0, 4)), max_size=16
)


@settings(max_examples=25)
@given(STEPS)
def test_whatever_is_ruled_every_member_of_a_duplicate_stands_in_its_survivor(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, int]]
) -> None:
    with ledger_in(tmp_path_factory.mktemp("rulings")) as ledger:
        people = members(ledger, 5)
        ids = [
            tip(ledger, m, occurred_on=f"2025-03-{9 - n:02d}").subject for n, m in enumerate(people)
        ]
        for what, at, other in steps:
            try:
                change(ledger, what, ids[at], ids[other])
            except (Refused, Invalid):
                continue
        stand = {id: shown(ledger, id) for id in ids}
        for n, id in enumerate(ids):
            came = [k for k in range(5) if k != n and survives(stand, ids, k, id)]
            wanted = [people[n], *(people[k] for k in sorted(came, reverse=True))]
            assert {m for m, _ in order(ledger, id)} == set(wanted)
        assert sum(len(order(ledger, id)) for id in ids if not stand[id]["duplicate_of"]) == 5
        check_projections(ledger)


def survives(stand: dict[UUID, Any], ids: list[UUID], lead: int, survivor: UUID) -> bool:
    """Whether that one is the lead's survivor, or its survivor's, and so on."""
    of = stand[ids[lead]]["duplicate_of"]
    return of is not None and (
        UUID(of) == survivor or survives(stand, ids, ids.index(UUID(of)), survivor)
    )


def change(ledger: Ledger, what: str, lead: UUID, other: UUID) -> None:
    """A command that may rule, or undo a ruling."""
    if what == "判":
        rule(ledger, lead, other)
    elif what == "回":
        do(ledger, "reopen", lead, **REASON)
    else:
        last = len(ledger.reads.history(lead))
        right = {"void": True} if what == "废" else {"facts": {"duplicate_of": f"{other}"}}
        do(ledger, "correct", lead, version=last, **right, **REASON)
