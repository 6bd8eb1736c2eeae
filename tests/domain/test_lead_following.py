"""What is done about a lead that does not move: follow-ups, suspension and resumption."""

from typing import Any

import pytest

from domain.errors import Invalid, Refused
from domain.lead import Lead
from domain.stage import STEPS
from tests.domain.given import (
    TODAY,
    TOMORROW,
    Happened,
    closed,
    groundbroken,
    happened,
    lead_after,
    negotiating,
    office,
    recorded,
    refusal,
    reopened,
    resumed,
    signed,
    suspended,
    tipped,
)

THIRTY = {"amount": "30", "unit": "亿元"}
OPEN: list[tuple[Happened, ...]] = [
    (tipped(),),
    (tipped(), negotiating()),
    (tipped(), negotiating(), signed()),
    (tipped(), negotiating(), signed(), groundbroken()),
]
CLOSED = (tipped(), negotiating(), closed("2025-05-20"))
REOPEN_FIRST = "The lead is closed (终止) since 2025-05-20; reopen it first."


def followed_up(occurred_on: str, form: str, **facts: Any) -> Happened:
    known = {"result": None, "reason": None, "next_on": None}
    return happened(Lead.FollowedUp, occurred_on, form=form, **{**known, **facts})


# Follow-ups


@pytest.mark.parametrize("history", OPEN)
@pytest.mark.parametrize("form", ["visit", "call", "meeting", "site"])
def test_a_contact_is_recorded_with_its_result_in_every_open_stage(
    history: tuple[Happened, ...], form: str
) -> None:
    lead = lead_after(*history)
    stage = lead.stage
    with office():
        lead.follow_up(
            form=form, result="谈妥用地", next_on="2026-02-01", occurred_on="2025-12-01", note="x"
        )
    facts = {"result": "谈妥用地", "next_on": "2026-02-01", "note": "x"}
    assert recorded(lead) == [followed_up("2025-12-01", form, **facts)]
    assert lead.stage == stage


def test_no_progress_is_recorded_with_its_reason() -> None:
    lead = lead_after(tipped())
    with office():
        lead.follow_up(form="none", reason="企业负责人出国", occurred_on="2025-12-01")
    assert recorded(lead) == [followed_up("2025-12-01", "none", reason="企业负责人出国")]


def test_members_are_told_of_any_lead_as_often_as_one_likes() -> None:
    for history in ((tipped(),), (tipped(), negotiating(), closed("2025-05-01"))):
        lead = lead_after(*history)
        with office():
            lead.tell_members(occurred_on="2025-05-02")
            lead.tell_members(occurred_on="2025-05-02", note="电话告知")
        assert recorded(lead) == [
            happened(Lead.MembersTold, "2025-05-02"),
            happened(Lead.MembersTold, "2025-05-02", note="电话告知"),
        ]


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-03-17", "occurred_on: 2025-03-17 is before the lead was tipped on 2025-03-18."),
        (TOMORROW, "future"),
    ],
)
def test_nobody_is_told_before_there_is_something_to_tell(day: Any, words: str) -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, words, of=lead):
        lead.tell_members(occurred_on=day)


def test_the_same_contact_twice_is_two_contacts() -> None:
    lead = lead_after(tipped())
    with office():
        lead.follow_up(form="call", result="未接通", occurred_on="2025-12-01")
        lead.follow_up(form="call", result="未接通", occurred_on="2025-12-01")
    assert recorded(lead) == [followed_up("2025-12-01", "call", result="未接通")] * 2


@pytest.mark.parametrize(
    ("form", "facts", "field", "words"),
    [
        ("call", {}, "result", "A follow-up of form call needs it."),
        ("call", {"result": ""}, "result", "A follow-up of form call needs it."),
        ("site", {"reason": "x"}, "result", "A follow-up of form site needs it."),
        ("none", {}, "reason", "A follow-up of form none needs it."),
        ("none", {"reason": ""}, "reason", "A follow-up of form none needs it."),
        ("none", {"result": "x"}, "reason", "A follow-up of form none needs it."),
        ("none", {"result": "x", "reason": "y"}, "result", "A follow-up of form none has none."),
        ("visit", {"result": "x", "reason": "y"}, "reason", "A follow-up of form visit has none."),
    ],
)
def test_a_contact_has_a_result_and_no_progress_has_a_reason(
    form: str, facts: dict[str, str], field: str, words: str
) -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, of=lead) as caught:
        lead.follow_up(form=form, occurred_on="2025-12-01", **facts)
    assert caught.value.errors == {field: [words]}


@pytest.mark.parametrize("day", ["2025-03-18", "2025-04-01", TODAY])
def test_a_follow_up_may_be_older_than_the_stage_but_not_than_the_tip(day: str) -> None:
    lead = lead_after(tipped("2025-03-18"), negotiating("2025-04-02"))
    with office():
        lead.follow_up(form="call", result="约好面谈", occurred_on=day)
    assert recorded(lead) == [followed_up(day, "call", result="约好面谈")]


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-03-17", "2025-03-17 is before the lead was tipped on 2025-03-18."),
        (TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_a_follow_up_of_an_impossible_day_is_refused(day: str, words: str) -> None:
    lead = lead_after(tipped("2025-03-18"), negotiating("2025-04-02"))
    with refusal(Invalid, of=lead) as caught:
        lead.follow_up(form="call", result="约好面谈", occurred_on=day)
    assert caught.value.errors == {"occurred_on": [words]}


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-11-30", "2025-11-30 is before the follow-up on 2025-12-01."),
        ("2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_the_next_contact_does_not_precede_this_one(day: str, words: str) -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, of=lead) as caught:
        lead.follow_up(form="call", result="约好", next_on=day, occurred_on="2025-12-01")
    assert caught.value.errors == {"next_on": [words]}


@pytest.mark.parametrize("day", ["2025-12-01", "2025-12-02", "2027-01-01"])
def test_the_next_contact_may_be_the_same_day_or_in_the_future(day: str) -> None:
    lead = lead_after(tipped())
    with office():
        lead.follow_up(form="call", result="约好", next_on=day, occurred_on="2025-12-01")
    assert recorded(lead) == [followed_up("2025-12-01", "call", result="约好", next_on=day)]


def test_a_closed_lead_is_not_followed_up() -> None:
    lead = lead_after(*CLOSED)
    with refusal(Refused, of=lead) as caught:
        lead.follow_up(form="call", result="x", occurred_on="2025-06-01")
    assert str(caught.value) == REOPEN_FIRST


def test_a_suspended_lead_may_be_followed_up() -> None:
    lead = lead_after(tipped(), suspended("2025-04-01"))
    with office():
        lead.follow_up(form="call", result="x", occurred_on="2025-06-01")
    assert recorded(lead) == [followed_up("2025-06-01", "call", result="x")]
    assert lead.suspension == ("等待环评", "2026-03-01")


# Suspension


@pytest.mark.parametrize("history", OPEN)
def test_a_lead_is_suspended_beside_its_stage(history: tuple[Happened, ...]) -> None:
    lead = lead_after(*history)
    stage, entered_on = lead.stage, lead.entered_on
    with office():
        lead.suspend(reason="等待环评", review_on="2026-03-01", occurred_on="2025-12-01", note="x")
    facts = {"reason": "等待环评", "review_on": "2026-03-01", "note": "x"}
    assert recorded(lead) == [happened(Lead.Suspended, "2025-12-01", **facts)]
    assert (lead.stage, lead.entered_on) == (stage, entered_on)
    assert lead.suspension == ("等待环评", "2026-03-01")
    assert lead.flagged_on == "2025-12-01"


def test_a_suspension_said_again_is_one_suspension() -> None:
    lead = lead_after(tipped(), suspended("2025-05-01", "等待环评", "2026-03-01"))
    with office():
        lead.suspend(reason="等待环评", review_on="2026-03-01", occurred_on="2025-06-01")
    assert recorded(lead) == []
    assert lead.flagged_on == "2025-05-01"


@pytest.mark.parametrize(
    ("reason", "review_on"), [("等待环评", "2026-04-01"), ("等待用地", "2026-03-01")]
)
def test_another_review_date_or_reason_is_a_new_suspension(reason: str, review_on: str) -> None:
    lead = lead_after(tipped(), suspended("2025-05-01", "等待环评", "2026-03-01"))
    with office():
        lead.suspend(reason=reason, review_on=review_on, occurred_on="2025-06-01")
    assert recorded(lead) == [suspended("2025-06-01", reason, review_on)]
    assert lead.suspension == (reason, review_on)
    assert lead.flagged_on == "2025-06-01"


@pytest.mark.parametrize("day", ["2025-12-01", "2025-12-02"])
def test_a_suspension_is_reviewed_on_its_day_or_later(day: str) -> None:
    lead = lead_after(tipped())
    with office():
        lead.suspend(reason="等待环评", review_on=day, occurred_on="2025-12-01")
    assert recorded(lead) == [suspended("2025-12-01", review_on=day)]


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-11-30", "2025-11-30 is before the suspension, 2025-12-01."),
        ("2026-02-30", "'2026-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_a_suspension_is_not_reviewed_before_it_begins(day: str, words: str) -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, of=lead) as caught:
        lead.suspend(reason="等待环评", review_on=day, occurred_on="2025-12-01")
    assert caught.value.errors == {"review_on": [words]}


def test_a_closed_lead_is_neither_suspended_nor_resumed() -> None:
    lead = lead_after(*CLOSED)
    with refusal(Refused, of=lead) as caught:
        lead.suspend(reason="等待环评", review_on="2026-03-01", occurred_on="2025-06-01")
    assert str(caught.value) == REOPEN_FIRST
    with refusal(Refused, of=lead) as caught:
        lead.resume(occurred_on="2025-06-01")
    assert str(caught.value) == REOPEN_FIRST


# Resumption


@pytest.mark.parametrize("history", OPEN)
def test_a_suspended_lead_is_resumed(history: tuple[Happened, ...]) -> None:
    lead = lead_after(*history, suspended("2025-11-01"))
    stage = lead.stage
    with office():
        lead.resume(reason="环评通过", occurred_on="2025-12-01", note="x")
    expected = happened(Lead.Resumed, "2025-12-01", reason="环评通过", note="x")
    assert recorded(lead) == [expected]
    assert (lead.suspension, lead.flagged_on, lead.stage) == (None, "2025-12-01", stage)


def test_a_resumption_needs_no_reason() -> None:
    lead = lead_after(tipped(), suspended("2025-11-01"))
    with office():
        lead.resume(occurred_on="2025-12-01")
    assert recorded(lead) == [resumed("2025-12-01")]


@pytest.mark.parametrize("before", [(), (suspended("2025-05-01"), resumed("2025-06-01"))])
def test_what_is_not_suspended_is_not_resumed(before: tuple[Happened, ...]) -> None:
    lead = lead_after(tipped(), *before)
    with refusal(Refused, of=lead) as caught:
        lead.resume(occurred_on="2025-12-01")
    assert str(caught.value) == "The lead is not suspended, so there is nothing to resume."


def test_a_resumed_lead_is_suspended_anew_even_for_the_same_reason() -> None:
    lead = lead_after(tipped(), suspended("2025-05-01"), resumed("2025-06-01"))
    with office():
        lead.suspend(reason="等待环评", review_on="2026-03-01", occurred_on="2025-06-01")
    assert recorded(lead) == [suspended("2025-06-01")]


def test_a_resumed_lead_moves_on() -> None:
    lead = lead_after(tipped(), suspended("2025-05-01"), resumed("2025-06-01"))
    with office():
        lead.open_negotiation(responsible_unit="区商务局", occurred_on="2025-06-01")
    assert recorded(lead) == [negotiating("2025-06-01")]


def test_a_lead_that_was_closed_while_suspended_comes_back_without_the_suspension() -> None:
    lead = lead_after(tipped(), suspended("2025-05-01"), closed("2025-05-02", "declined"))
    assert lead.suspension is None
    lead = lead_after(
        tipped(), suspended("2025-05-01"), closed("2025-05-02"), reopened("2025-06-01")
    )
    with refusal(Refused, "nothing to resume", of=lead):
        lead.resume(occurred_on="2025-06-02")


# The days of both

FLAGS: list[tuple[str, dict[str, str], tuple[Happened, ...]]] = [
    ("suspend", {"reason": "等待用地", "review_on": "2026-06-01"}, (suspended("2025-05-01"),)),
    (
        "suspend",
        {"reason": "等待环评", "review_on": "2026-06-01"},
        (suspended("2025-04-01"), resumed("2025-05-01")),
    ),
    ("resume", {}, (suspended("2025-05-01"),)),
]


@pytest.mark.parametrize(("command", "facts", "flags"), FLAGS)
@pytest.mark.parametrize("day", ["2025-05-01", "2025-05-02", TODAY])
def test_a_flag_changes_on_the_day_it_last_changed_or_later(
    command: str, facts: dict[str, str], flags: tuple[Happened, ...], day: str
) -> None:
    lead = lead_after(tipped("2025-03-18"), *flags)
    with office():
        getattr(lead, command)(occurred_on=day, **facts)
    assert [event.facts["occurred_on"] for event in recorded(lead)] == [day]


@pytest.mark.parametrize(("command", "facts", "flags"), FLAGS)
@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-03-17", "2025-03-17 is before the lead was tipped on 2025-03-18."),
        ("2025-04-30", "2025-04-30 is before it was last suspended or resumed on 2025-05-01."),
        (TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_a_flag_of_an_impossible_day_is_refused(
    command: str, facts: dict[str, str], flags: tuple[Happened, ...], day: str, words: str
) -> None:
    lead = lead_after(tipped("2025-03-18"), *flags)
    with refusal(Invalid, of=lead) as caught:
        getattr(lead, command)(occurred_on=day, **facts)
    assert caught.value.errors == {"occurred_on": [words]}


def test_a_first_suspension_may_be_as_old_as_the_tip() -> None:
    lead = lead_after(tipped("2025-03-18"), followed_up("2025-04-02", "call", result="x"))
    with office():
        lead.suspend(reason="等待环评", review_on="2026-03-01", occurred_on="2025-03-18")
    assert recorded(lead) == [suspended("2025-03-18")]
    lead = lead_after(tipped("2025-03-18"), negotiating("2025-04-02"))
    with refusal(Invalid, "2025-03-17 is before the lead was tipped", of=lead):
        lead.suspend(reason="等待环评", review_on="2026-03-01", occurred_on="2025-03-17")


# What a hold forbids, whatever was typed first

MOVES: list[tuple[str, dict[str, Any], tuple[Happened, ...], str]] = [
    ("open_negotiation", {"responsible_unit": "区商务局"}, (), "negotiation"),
    ("plan_signing", {"expected_on": "2026-01-15"}, (negotiating("2025-04-02"),), "signing plan"),
    ("agree_framework", {}, (negotiating("2025-04-02"),), "framework agreement"),
    ("sign", {"investment": THIRTY}, (negotiating("2025-04-02"),), "signing"),
    (
        "break_ground",
        {"start": "opening", "evidence": [{"kind": "permit", "reference": "施-1"}]},
        (negotiating("2025-04-02"), signed("2025-04-20")),
        "groundbreaking",
    ),
]
HELD = (suspended("2025-05-01"), resumed("2025-08-01"))


@pytest.mark.parametrize(("command", "facts", "history", "what"), MOVES)
@pytest.mark.parametrize("day", ["2025-05-01", "2025-05-02", "2025-07-31"])
def test_nothing_moves_a_lead_on_a_day_on_which_it_was_on_hold(
    command: str, facts: dict[str, Any], history: tuple[Happened, ...], what: str, day: str
) -> None:
    lead = lead_after(tipped(), *history, *HELD)
    with refusal(Refused, of=lead) as caught:
        getattr(lead, command)(occurred_on=day, **facts)
    assert str(caught.value) == (
        f"The lead was suspended from 2025-05-01 until 2025-08-01; no {what} is of {day}."
    )


@pytest.mark.parametrize(("command", "facts", "history", "what"), MOVES)
@pytest.mark.parametrize(
    ("held", "day"),
    [(HELD, "2025-04-30"), (HELD, "2025-08-01"), (HELD[:1], "2025-04-30")],
)
def test_a_lead_moves_before_a_hold_and_from_the_day_it_is_taken_up_again(
    command: str,
    facts: dict[str, Any],
    history: tuple[Happened, ...],
    what: str,
    held: tuple[Happened, ...],
    day: str,
) -> None:
    lead = lead_after(tipped(), *history, *held)
    with office():
        getattr(lead, command)(occurred_on=day, **facts)
    assert [event.facts["occurred_on"] for event in recorded(lead)] == [day], what


@pytest.mark.parametrize(
    ("command", "facts", "history", "what"), [move for move in MOVES if move[3] in STEPS]
)
def test_a_lead_is_not_put_on_hold_from_a_day_before_it_moved(
    command: str, facts: dict[str, Any], history: tuple[Happened, ...], what: str
) -> None:
    lead = lead_after(tipped(), *history)
    hold = {"reason": "等待环评", "review_on": "2026-03-01"}
    with office():
        getattr(lead, command)(occurred_on="2025-05-02", **facts)
    assert len(recorded(lead)) == 1, what
    with refusal(Invalid, of=lead) as caught:
        lead.suspend(occurred_on="2025-05-01", **hold)
    assert caught.value.errors == {
        "occurred_on": [
            "2025-05-01 is before its last step, which no suspended lead takes, on 2025-05-02."
        ]
    }
    with office():
        lead.suspend(occurred_on="2025-05-02", **hold)


def test_a_hold_moved_to_another_review_is_one_hold_since_its_first_day() -> None:
    again = suspended("2025-06-01", "等待用地")
    lead = lead_after(tipped(), HELD[0], again, HELD[1])
    with refusal(Refused, "suspended from 2025-05-01 until 2025-08-01", of=lead):
        lead.open_negotiation(responsible_unit="区商务局", occurred_on="2025-05-15")


def test_a_closure_ends_a_hold() -> None:
    lead = lead_after(tipped(), HELD[0], closed("2025-06-01", "declined"), reopened("2025-06-01"))
    with office():
        lead.open_negotiation(responsible_unit="区商务局", occurred_on="2025-06-01")
    assert lead.stage == "negotiating"


def test_an_old_move_on_a_day_on_hold_loads() -> None:
    lead = lead_after(tipped(), *HELD, negotiating("2025-05-15"), suspended("2025-04-01"))
    assert (lead.stage, lead.suspension) == ("negotiating", ("等待环评", "2026-03-01"))
