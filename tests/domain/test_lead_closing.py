"""Closing a lead with an outcome, and bringing it back."""

from typing import Any

import pytest

from domain.errors import Forbidden, Invalid, Refused
from domain.lead import Lead
from tests.domain.given import (
    ADMIN,
    TODAY,
    TOMORROW,
    Happened,
    closed,
    groundbroken,
    happened,
    lead_after,
    negotiating,
    office,
    planned,
    recorded,
    refusal,
    reopened,
    screened,
    signed,
    suspended,
    tipped,
)

STAGES: dict[str, tuple[Happened, ...]] = {
    "tip": (tipped("2025-05-06"),),
    "negotiating": (tipped(), negotiating("2025-05-06")),
    "signed": (tipped(), negotiating(), signed("2025-05-06")),
    "groundbroken": (tipped(), negotiating(), signed("2025-04-20"), groundbroken("2025-05-06")),
}
CLOSES = [
    ("tip", "declined"),
    ("negotiating", "lost"),
    ("negotiating", "withdrawn"),
    ("signed", "rescinded"),
]
OUTCOMES = [
    ("declined", "不予跟进", "tip"),
    ("lost", "流失", "negotiating"),
    ("withdrawn", "撤回", "negotiating"),
    ("rescinded", "解约", "signed"),
]


@pytest.mark.parametrize(("stage", "outcome"), CLOSES)
@pytest.mark.parametrize("day", ["2025-05-06", "2025-05-07", TODAY])
def test_a_lead_is_closed_with_an_outcome_of_its_stage_from_the_day_it_entered(
    stage: str, outcome: str, day: str
) -> None:
    lead = lead_after(*STAGES[stage])
    with office():
        lead.close(outcome=outcome, reason="落户外地", occurred_on=day, note="x")
    assert recorded(lead) == [closed(day, outcome, note="x")]
    assert (lead.stage, lead.left, lead.entered_on) == ("closed", stage, day)


@pytest.mark.parametrize(("outcome", "label", "source"), OUTCOMES)
@pytest.mark.parametrize("stage", list(STAGES))
def test_an_outcome_closes_no_lead_of_another_stage(
    outcome: str, label: str, source: str, stage: str
) -> None:
    if (stage, outcome) in CLOSES:
        return
    lead = lead_after(*STAGES[stage])
    labels = {"tip": "信息", "negotiating": "在谈", "signed": "签约", "groundbroken": "开工"}
    with refusal(Refused, of=lead) as caught:
        lead.close(outcome=outcome, reason="落户外地", occurred_on=TODAY)
    assert str(caught.value) == (
        f"{outcome} ({label}) closes a lead that is {source}; "
        f"this lead is {stage} ({labels[stage]}) since 2025-05-06."
    )
    assert caught.value.missing == []


@pytest.mark.parametrize("outcome", ["duplicate", "transferred"])
def test_a_duplicate_is_a_verdict_and_a_transfer_is_the_other_districts_so_neither_is_a_closure(
    outcome: str,
) -> None:
    lead = lead_after(tipped())
    with refusal(Refused, of=lead) as caught:
        lead.close(outcome=outcome, reason="x", occurred_on="2025-05-06")
    label = {"duplicate": "重复", "transferred": "流转"}[outcome]
    assert str(caught.value) == (
        f"{outcome} ({label}) is no closure: it comes by a ruling of its own."
    )


def test_an_outcome_that_is_in_no_table_records_nothing() -> None:
    lead = lead_after(tipped())
    with office(), pytest.raises(Invalid, match="forgotten"):
        lead.close(outcome="forgotten", reason="x", occurred_on="2025-05-06")
    assert recorded(lead) == []


def test_a_closed_lead_is_not_closed_again() -> None:
    lead = lead_after(tipped(), negotiating(), closed("2025-05-20"))
    with refusal(Refused, of=lead) as caught:
        lead.close(outcome="lost", reason="落户外地", occurred_on="2025-05-20")
    assert str(caught.value) == "The lead is closed (终止) since 2025-05-20; reopen it first."


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-05-05", "2025-05-05 is before the lead became {} on 2025-05-06."),
        (TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
@pytest.mark.parametrize(("stage", "outcome"), CLOSES)
def test_a_closure_of_an_impossible_day_is_refused(
    stage: str, outcome: str, day: str, words: str
) -> None:
    lead = lead_after(*STAGES[stage])
    with refusal(Invalid, of=lead) as caught:
        lead.close(outcome=outcome, reason="落户外地", occurred_on=day)
    assert caught.value.errors == {"occurred_on": [words.format(stage)]}


@pytest.mark.parametrize("reason", [None, ""])
def test_a_closure_needs_its_reason(reason: str | None) -> None:
    lead = lead_after(tipped(), negotiating())
    with refusal(Refused, of=lead) as caught:
        lead.close(outcome="lost", reason=reason, occurred_on="2025-05-20")
    assert str(caught.value) == "A closure needs reason."
    assert caught.value.missing == ["reason"]


def test_a_lost_lead_may_say_to_whom() -> None:
    lead = lead_after(tipped(), negotiating())
    with office():
        lead.close(outcome="lost", reason="落户外地", lost_to="邻区", occurred_on="2025-05-20")
    assert recorded(lead) == [closed("2025-05-20", "lost", lost_to="邻区")]


def test_only_a_lost_lead_is_lost_to_somebody() -> None:
    lead = lead_after(tipped(), negotiating())
    with refusal(Invalid, of=lead) as caught:
        lead.close(outcome="withdrawn", reason="x", lost_to="邻区", occurred_on="2025-05-20")
    assert caught.value.errors == {"lost_to": ["It goes with outcome lost, not withdrawn."]}


def test_a_suspended_lead_may_be_closed_and_is_suspended_no_more() -> None:
    lead = lead_after(tipped(), negotiating(), suspended("2025-05-01"))
    with office():
        lead.close(outcome="lost", reason="落户外地", occurred_on="2025-05-20")
    assert recorded(lead) == [closed("2025-05-20")]
    assert lead.suspension is None


def test_a_closure_learnt_late_may_be_older_than_the_plan_and_voids_it() -> None:
    lead = lead_after(tipped(), negotiating(), planned("2025-06-01", "2025-07-01"))
    with office():
        lead.close(outcome="lost", reason="落户外地", occurred_on="2025-05-20")
    assert recorded(lead) == [closed("2025-05-20")]
    assert (lead.expected_on, lead.planned_on) == (None, None)


# Old paper that gives no reason

WAIVER = [{"fact": "reason", "reason": "旧台账未记"}]


def test_an_administrator_waives_the_reason_and_it_is_recorded_who_and_why() -> None:
    lead = lead_after(tipped(), negotiating())
    with office(ADMIN):
        lead.close(outcome="lost", occurred_on="2025-05-20", waivers=WAIVER)
    waived = [{"fact": "reason", "by": "admin:li", "why": "旧台账未记"}]
    assert recorded(lead) == [closed("2025-05-20", reason=None, waived=waived)]
    assert lead.stage == "closed"


def test_an_officer_waives_no_reason() -> None:
    lead = lead_after(tipped(), negotiating())
    with refusal(Forbidden, "Only an administrator", of=lead):
        lead.close(outcome="lost", occurred_on="2025-05-20", waivers=WAIVER)


@pytest.mark.parametrize(
    ("fact", "reason", "words"),
    [
        ("reason", "落户外地", "reason is given, so nothing is waived."),
        ("lost_to", None, "'lost_to' is no fact this step requires."),
    ],
)
def test_only_an_absent_reason_is_waived(fact: str, reason: str | None, words: str) -> None:
    lead = lead_after(tipped(), negotiating())
    with refusal(Invalid, of=lead, by=ADMIN) as caught:
        lead.close(
            outcome="lost",
            reason=reason,
            occurred_on="2025-05-20",
            waivers=[{"fact": fact, "reason": "x"}],
        )
    assert caught.value.errors == {"waivers": [words]}


# Reopening


@pytest.mark.parametrize(("stage", "outcome"), CLOSES)
@pytest.mark.parametrize("day", ["2025-06-01", "2025-06-02", TODAY])
def test_a_closed_lead_comes_back_into_the_stage_it_left(
    stage: str, outcome: str, day: str
) -> None:
    lead = lead_after(*STAGES[stage], closed("2025-06-01", outcome))
    with office():
        lead.reopen(reason="企业再次来访", occurred_on=day, note="x")
    expected = happened(Lead.Reopened, day, reason="企业再次来访", note="x")
    assert recorded(lead) == [expected]
    assert (lead.stage, lead.entered_on, lead.left) == (stage, day, None)


@pytest.mark.parametrize(
    "verdict", [("decline", "环保不符", None), ("duplicate", "同一企业", "another")]
)
def test_a_tip_closed_by_a_verdict_comes_back_as_a_tip_to_be_screened(verdict: Any) -> None:
    lead = lead_after(tipped(), screened("2025-03-20", *verdict))
    with office():
        lead.reopen(reason="企业再次来访", occurred_on="2025-06-01")
    assert recorded(lead) == [reopened("2025-06-01")]
    assert (lead.stage, lead.screened) == ("tip", None)


def test_a_lead_that_comes_back_into_negotiation_stays_screened() -> None:
    lead = lead_after(tipped(), negotiating(), closed("2025-05-20"), reopened("2025-06-01"))
    assert (lead.stage, lead.screened) == ("negotiating", "pursue")


def test_a_plan_does_not_come_back_with_the_lead() -> None:
    lead = lead_after(
        tipped(),
        negotiating(),
        planned("2025-05-01", "2025-07-01"),
        closed("2025-05-20"),
        reopened("2025-06-01"),
    )
    assert (lead.expected_on, lead.planned_on) == (None, None)
    with office():
        lead.plan_signing(expected_on="2025-07-01", occurred_on="2025-06-01")
    assert recorded(lead) == [planned("2025-06-01", "2025-07-01")]


def test_a_reopened_lead_goes_on_and_may_be_closed_and_reopened_again() -> None:
    lead = lead_after(tipped(), negotiating(), closed("2025-05-20"), reopened("2025-06-01"))
    with office():
        lead.close(outcome="withdrawn", reason="x", occurred_on="2025-06-01")
        lead.reopen(reason="y", occurred_on="2025-06-01")
        lead.sign(investment={"amount": "30", "unit": "亿元"}, occurred_on="2025-06-02")
        lead.close(outcome="rescinded", reason="z", occurred_on="2025-06-03")
        lead.reopen(reason="w", occurred_on="2025-06-04")
    assert [event.event for event in recorded(lead)] == [
        Lead.Closed,
        Lead.Reopened,
        Lead.Signed,
        Lead.Closed,
        Lead.Reopened,
    ]
    assert lead.stage == "signed"


@pytest.mark.parametrize("stage", list(STAGES))
def test_only_a_closed_lead_is_reopened(stage: str) -> None:
    lead = lead_after(*STAGES[stage])
    with refusal(Refused, of=lead) as caught:
        lead.reopen(reason="x", occurred_on=TODAY)
    assert str(caught.value).startswith(f"Only a closed lead is reopened; this lead is {stage} (")
    assert str(caught.value).endswith(") since 2025-05-06.")


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-05-19", "2025-05-19 is before the lead became closed on 2025-05-20."),
        (TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_a_reopening_of_an_impossible_day_is_refused(day: str, words: str) -> None:
    lead = lead_after(tipped(), negotiating(), closed("2025-05-20"))
    with refusal(Invalid, of=lead) as caught:
        lead.reopen(reason="x", occurred_on=day)
    assert caught.value.errors == {"occurred_on": [words]}
