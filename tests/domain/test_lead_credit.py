"""Credit: who has which share of a lead, and what a ruling on it may say."""

from fractions import Fraction
from typing import Any

import pytest

from domain.credit import CreditRuling, checked_shares, ruled, share_fault, shares_of
from domain.errors import Invalid, Refused
from domain.lead import Lead, Ruling, in_order
from tests.domain.given import (
    TOMORROW,
    Happened,
    closed,
    happened,
    lead_after,
    negotiating,
    office,
    recorded,
    refusal,
    screened,
    tipped,
)

A, B, C = "member-a", "member-b", "member-c"
DAY = "2025-05-01"
OTHER = "lead-1"


def by(**shares: str) -> list[dict[str, str]]:
    """``a="1/3"`` is the share of member-a."""
    return [{"member": f"member-{name}", "share": share} for name, share in shares.items()]


def ruling(occurred_on: str = DAY, reason: str = "首报为主", **shares: str) -> Happened:
    """A ruling that was made."""
    return happened(Lead.CreditRuled, occurred_on, shares=by(**shares), reason=reason)


def joined(*members: str, occurred_on: str = "2025-04-01") -> Happened:
    """Members of a duplicate."""
    facts = {"duplicate": "lead-2", "members": list(members), "reported_on": "2025-03-20"}
    return happened(Lead.MembersJoined, occurred_on, **facts)


def rule(lead: Lead, occurred_on: str = DAY, reason: str = "首报为主", **shares: str) -> None:
    """Rule on it."""
    with office():
        lead.rule_credit(shares=by(**shares), reason=reason, occurred_on=occurred_on)


TWO = tipped(members=[A, B])


def test_a_ruling_says_who_has_which_share_and_why() -> None:
    lead = lead_after(TWO)
    rule(lead, a="2/3", b="1/3")
    assert recorded(lead) == [ruling(a="2/3", b="1/3")]


def test_it_may_have_a_note_and_a_reason_of_several_lines() -> None:
    lead = lead_after(TWO)
    told: dict[str, Any] = {
        "shares": by(a="1", b="0"),
        "reason": "首报为主\n见会议纪要",
        "note": "记",
    }
    with office():
        lead.rule_credit(occurred_on=DAY, **told)
    assert recorded(lead) == [happened(Lead.CreditRuled, DAY, **told)]


def test_it_is_kept_in_lowest_terms_and_in_the_order_of_first_report() -> None:
    lead = lead_after(TWO)
    rule(lead, b="250/1000", a="3/4")
    assert recorded(lead) == [ruling(a="3/4", b="1/4")]


def test_a_member_may_be_ruled_to_have_nothing() -> None:
    lead = lead_after(TWO)
    rule(lead, a="1", b="0")
    assert recorded(lead) == [ruling(a="1", b="0")]


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        ({"a": "1/2", "b": "1/3"}, "1/2 + 1/3 is 5/6; the shares of a lead sum to 1."),
        ({"a": "2/3", "b": "2/3"}, "2/3 + 2/3 is 4/3"),
        ({"a": "1"}, "Member member-b of this lead is not named."),
        ({"a": "1/2", "b": "1/4", "c": "1/4"}, "Member member-c is none of this lead's."),
        ({"a": "0.5", "b": "0.5"}, "'0.5' is no share like 1/3, 0 or 1"),
        ({"a": "-1/2", "b": "3/2"}, "'-1/2' is no share"),
        ({"a": "1/1001", "b": "1000/1001"}, "in parts of 1/1000 at the finest"),
        ({"a": "1/0", "b": "1"}, "'1/0' is no share"),
        ({"a": "一半", "b": "1/2"}, "'一半' is no share"),
    ],
)
def test_what_is_no_division_of_the_whole_is_refused_with_its_sum(
    shares: dict[str, str], words: str
) -> None:
    lead = lead_after(TWO)
    with refusal(Invalid, words, of=lead):
        lead.rule_credit(shares=by(**shares), reason="首报为主", occurred_on=DAY)


def test_nobody_is_named_twice() -> None:
    lead = lead_after(TWO)
    shares = [*by(a="1/4", b="1/2"), *by(a="1/4")]
    with refusal(Invalid, "Member member-a is named twice.", of=lead):
        lead.rule_credit(shares=shares, reason="首报为主", occurred_on=DAY)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"reason": " "}, "reason: It is empty."),
        ({"reason": ""}, "reason: It is empty."),
        ({"reason": None}, "reason: It is empty."),
        ({"occurred_on": "2025-03-17"}, "before the lead was tipped"),
        ({"occurred_on": TOMORROW}, "future"),
    ],
)
def test_it_has_a_reason_and_a_day(facts: dict[str, Any], words: str) -> None:
    lead = lead_after(TWO)
    given: dict[str, Any] = {
        "shares": by(a="1/2", b="1/2"),
        "reason": "首报为主",
        "occurred_on": DAY,
        **facts,
    }
    with refusal(Invalid, words, of=lead):
        lead.rule_credit(**given)


def test_a_closed_lead_may_be_ruled_on() -> None:
    lead = lead_after(TWO, negotiating(), closed("lost", "2025-04-10"))
    rule(lead, a="1", b="0")
    assert len(recorded(lead)) == 1


def test_of_a_duplicate_the_lead_that_survives_is_ruled_on() -> None:
    lead = lead_after(TWO, screened("2025-03-20", "duplicate", "同一家", "lead-9"))
    there = "its members have their shares there, so rule on that one."
    told = f"The lead is a duplicate of lead-9; {there}"
    with refusal(Refused, told, of=lead):
        lead.rule_credit(shares=by(a="1", b="0"), reason="首报为主", occurred_on=DAY)


def test_whoever_joined_is_named_too() -> None:
    lead = lead_after(tipped(members=[A]), joined(C, A))
    with refusal(Invalid, "Member member-c of this lead is not named.", of=lead):
        lead.rule_credit(shares=by(a="1"), reason="首报为主", occurred_on=DAY)
    rule(lead, a="4/5", c="1/5")
    assert recorded(lead) == [ruling(a="4/5", c="1/5")]


def test_the_same_ruling_again_records_nothing() -> None:
    lead = lead_after(TWO, ruling(a="2/3", b="1/3"))
    rule(lead, a="2/3", b="1/3")
    rule(lead, occurred_on="2025-06-01", b="2/6", a="4/6")
    assert recorded(lead) == []


@pytest.mark.parametrize(
    "facts", [{"a": "1/2", "b": "1/2"}, {"reason": "重议"}, {"occurred_on": "2025-04-01"}]
)
def test_another_one_or_one_of_an_earlier_day_is_recorded(facts: dict[str, str]) -> None:
    lead = lead_after(TWO, ruling(a="2/3", b="1/3"))
    rule(lead, **{"a": "2/3", "b": "1/3", **facts})
    assert len(recorded(lead)) == 1


def test_a_ruling_is_put_right_by_its_own_rules() -> None:
    lead = lead_after(TWO, ruling(a="2/3", b="1/3"))
    why: dict[str, Any] = {"version": 2, "reason": "录入有误", "occurred_on": "2025-06-01"}
    with refusal(Invalid, "3/4 + 3/4 is 3/2", of=lead):
        lead.correct(facts={"shares": by(a="3/4", b="3/4")}, **why)
    with office():
        lead.correct(facts={"shares": by(a="3/4", b="1/4")}, **why)
    assert ruled(lead.credit_rulings, [A, B]) == CreditRuling(DAY, {A: "3/4", B: "1/4"}, "首报为主")
    with office():
        lead.correct(void=True, **why)
    assert lead.credit_rulings == ()


# Which ruling holds

FIRST = CreditRuling("2025-05-01", {A: "1", B: "0"}, "一")
LATER = CreditRuling("2025-06-01", {A: "1/4", B: "3/4"}, "二")
THREE = CreditRuling("2025-07-01", {A: "1/2", B: "1/4", C: "1/4"}, "三")


def test_of_several_rulings_the_last_by_its_day_holds_however_they_were_recorded() -> None:
    assert ruled([FIRST, LATER], [A, B]) == ruled([LATER, FIRST], [A, B]) == LATER


def test_of_one_day_the_ruling_recorded_last_holds() -> None:
    again = LATER._replace(day=FIRST.day)
    assert ruled([FIRST, again], [A, B]) == again
    assert ruled([again, FIRST], [A, B]) == FIRST


def test_a_ruling_holds_for_exactly_the_members_that_it_names() -> None:
    assert ruled([FIRST], [A, B, C]) is None
    assert ruled([FIRST], [A]) is None
    assert ruled([FIRST, THREE], [C, B, A]) == THREE
    assert ruled([FIRST, THREE], [A, B]) == FIRST, "whoever came left again"


@pytest.mark.parametrize("count", range(1, 9))
def test_without_a_ruling_shares_are_equal(count: int) -> None:
    shares = shares_of([f"{n}" for n in range(count)], None)
    assert len(set(shares)) == 1
    assert sum(map(Fraction, shares)) == 1


@pytest.mark.parametrize("text", ["0", "1", "1/3", "2/4", "999/1000", "999/1"])
def test_a_share_is_a_fraction(text: str) -> None:
    assert share_fault(text) is None


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(Invalid) as caught:
        checked_shares([*by(a="x" * 41), *by(c="1", b="1"), *by(b="0")], [A, B, "member-d"])
    assert caught.value.errors == {
        "shares": [
            "Member member-c is none of this lead's.",
            "Member member-b is named twice.",
            "Member member-d of this lead is not named.",
            f"'{'x' * 40}' is no share like 1/3, 0 or 1, in parts of 1/1000 at the finest.",
        ]
    }


def test_what_does_not_sum_to_one_is_told_by_itself() -> None:
    with pytest.raises(Invalid) as caught:
        checked_shares(by(a="1/2", b="1/3"), [A, B])
    told = "1/2 + 1/3 is 5/6; the shares of a lead sum to 1."
    assert caught.value.errors == {"shares": [told]}


# Whoever joined, and left


def joins(lead: Lead, duplicate: str, *members: str, on: str = "2025-04-01") -> None:
    """Another lead was ruled a duplicate of it on that day; it was tipped ten days before."""
    with office():
        lead.join_members(duplicate, Ruling(OTHER, on, "2025-03-22", members))


def test_members_of_a_duplicate_join_by_the_day_of_their_report_and_leave_again() -> None:
    lead = lead_after(tipped(members=[A]))
    joins(lead, "lead-2", C, B)
    came = happened(
        Lead.MembersJoined,
        "2025-04-01",
        duplicate="lead-2",
        members=[C, B],
        reported_on="2025-03-22",
    )
    assert recorded(lead) == [came]
    assert [*lead.members] == [A, C, B]
    with office():
        lead.part_members("lead-3", "2025-04-02")
        assert recorded(lead) == [], "of that one nobody joined"
        lead.part_members("lead-2", "2025-04-02")
    assert recorded(lead) == [happened(Lead.MembersLeft, "2025-04-02", duplicate="lead-2")]
    assert [*lead.members] == [A]


def test_of_one_day_they_come_in_the_order_in_which_they_joined() -> None:
    day, before = "2025-04-01", "2025-03-31"
    assert in_order({"x": (day, [C]), "y": (day, [B]), "z": (before, [A])}) == [
        (before, [A]),
        (day, [C]),
        (day, [B]),
    ]


def test_nobody_joins_before_the_lead_was_tipped() -> None:
    lead = lead_after(tipped(members=[A]))
    told = f"2025-03-17 is before lead {lead.id} was tipped on 2025-03-18."
    with refusal(Invalid, told, of=lead):
        lead.join_members("lead-2", Ruling(OTHER, "2025-03-17", "2025-03-01", (B,)))


def test_nothing_is_a_duplicate_of_a_duplicate() -> None:
    lead_after(TWO).check_survives()
    lead = lead_after(TWO, screened("2025-03-20", "duplicate", "同一家", "lead-9"))
    told = f"Lead {lead.id} is itself a duplicate of lead-9; name that one."
    with refusal(Refused, told, of=lead):
        lead.check_survives()
