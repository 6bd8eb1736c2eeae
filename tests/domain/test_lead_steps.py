"""The steps forward: negotiation, plan and framework, signing, groundbreaking, and waivers."""

from typing import Any

import pytest

from domain.errors import Forbidden, Invalid, Refused
from domain.lead import Lead
from tests.domain.given import (
    ADMIN,
    TODAY,
    TOMORROW,
    Happened,
    groundbroken,
    happened,
    lead_after,
    negotiating,
    office,
    planned,
    recorded,
    refusal,
    revised,
    screened,
    signed,
    suspended,
    tipped,
)

AMOUNT = {"amount": "30", "unit": "亿元"}
EVIDENCE = [{"kind": "permit", "reference": "施许2025-09"}]


def waiver(*facts: str) -> list[dict[str, str]]:
    return [{"fact": fact, "reason": "旧台账未记"} for fact in facts]


def waived(*facts: str) -> list[dict[str, str]]:
    return [{"fact": fact, "by": "admin:li", "why": "旧台账未记"} for fact in facts]


# Negotiation


def test_a_pursued_tip_comes_into_negotiation() -> None:
    lead = lead_after(tipped(), screened("2025-03-20"))
    with office():
        lead.open_negotiation(
            responsible_unit="区商务局", manager="赵敏", occurred_on="2025-04-02", note="首次洽谈"
        )
    assert recorded(lead) == [negotiating("2025-04-02", manager="赵敏", note="首次洽谈")]
    assert (lead.stage, lead.entered_on, lead.left) == ("negotiating", "2025-04-02", None)
    assert lead.screened == "pursue"


def test_a_tip_that_was_not_screened_counts_as_pursued() -> None:
    lead = lead_after(tipped())
    with office():
        lead.open_negotiation(responsible_unit="区商务局", occurred_on="2025-04-02")
    assert recorded(lead) == [negotiating("2025-04-02")]
    assert lead.screened == "pursue"


@pytest.mark.parametrize("unit", [None, ""])
def test_a_negotiation_needs_a_responsible_unit(unit: str | None) -> None:
    lead = lead_after(tipped())
    with refusal(Refused, of=lead) as caught:
        lead.open_negotiation(responsible_unit=unit, occurred_on="2025-04-02")
    assert str(caught.value) == "To become negotiating (在谈) needs responsible_unit."
    assert caught.value.missing == ["responsible_unit"]


# Signing plan


def test_a_planned_signing_leaves_the_lead_in_negotiation() -> None:
    lead = lead_after(tipped(), negotiating("2025-04-02"))
    with office():
        lead.plan_signing(expected_on="2026-01-15", occurred_on="2025-12-20", note="条款谈妥")
    expected = happened(
        Lead.SigningPlanned, "2025-12-20", expected_on="2026-01-15", note="条款谈妥"
    )
    assert recorded(lead) == [expected]
    assert (lead.stage, lead.entered_on) == ("negotiating", "2025-04-02")
    assert (lead.expected_on, lead.planned_on) == ("2026-01-15", "2025-12-20")


def test_a_slip_of_the_expected_day_is_recorded() -> None:
    lead = lead_after(tipped(), negotiating(), planned("2025-06-01", "2025-07-01"))
    with office():
        lead.plan_signing(expected_on="2025-09-01", occurred_on="2025-06-30")
    assert recorded(lead) == [planned("2025-06-30", "2025-09-01")]
    assert (lead.expected_on, lead.planned_on) == ("2025-09-01", "2025-06-30")


def test_the_same_expected_day_said_again_records_nothing() -> None:
    lead = lead_after(tipped(), negotiating(), planned("2025-06-01", "2025-07-01"))
    with office():
        lead.plan_signing(expected_on="2025-07-01", occurred_on="2025-06-20")
    assert recorded(lead) == []
    assert lead.planned_on == "2025-06-01"


def test_a_plan_is_withdrawn() -> None:
    lead = lead_after(tipped(), negotiating(), planned("2025-06-01", "2025-07-01"))
    with office():
        lead.plan_signing(expected_on=None, occurred_on="2025-06-20")
    assert recorded(lead) == [planned("2025-06-20", None)]
    assert (lead.expected_on, lead.planned_on) == (None, "2025-06-20")


def test_a_plan_that_was_never_made_cannot_be_withdrawn() -> None:
    lead = lead_after(tipped(), negotiating())
    with office():
        lead.plan_signing(expected_on=None, occurred_on="2025-06-20")
    assert recorded(lead) == []


@pytest.mark.parametrize("day", ["2025-06-01", "2025-06-02"])
def test_a_plan_is_changed_on_the_day_it_was_made_or_later(day: str) -> None:
    lead = lead_after(tipped(), negotiating(), planned("2025-06-01", "2025-07-01"))
    with office():
        lead.plan_signing(expected_on="2025-08-01", occurred_on=day)
    assert recorded(lead) == [planned(day, "2025-08-01")]


@pytest.mark.parametrize("last", ["2025-07-01", None])
def test_a_plan_is_not_older_than_the_last_one_or_its_withdrawal(last: str | None) -> None:
    history = [tipped(), negotiating(), planned("2025-06-01", "2025-06-30")]
    lead = lead_after(*history, planned("2025-06-10", last))
    with refusal(Invalid, of=lead) as caught:
        lead.plan_signing(expected_on="2025-08-01", occurred_on="2025-06-09")
    assert caught.value.errors == {
        "occurred_on": ["2025-06-09 is before the last plan was made on 2025-06-10."]
    }


def test_a_signing_may_be_expected_on_the_day_of_the_plan_and_not_before() -> None:
    lead = lead_after(tipped(), negotiating())
    with office():
        lead.plan_signing(expected_on="2025-06-01", occurred_on="2025-06-01")
    assert recorded(lead) == [planned("2025-06-01", "2025-06-01")]
    lead = lead_after(tipped(), negotiating())
    with refusal(Invalid, of=lead) as caught:
        lead.plan_signing(expected_on="2025-05-31", occurred_on="2025-06-01")
    assert caught.value.errors == {
        "expected_on": ["2025-05-31 is before the plan of 2025-06-01 itself."]
    }


def test_a_signing_cannot_be_expected_on_a_day_no_calendar_has() -> None:
    lead = lead_after(tipped(), negotiating())
    with refusal(Invalid, of=lead) as caught:
        lead.plan_signing(expected_on="2026-02-30", occurred_on="2025-06-01")
    assert caught.value.errors == {
        "expected_on": ["'2026-02-30' is no day of the calendar, like 2025-03-18."]
    }


# Framework agreement and contract


def test_a_framework_agreement_does_not_make_a_lead_signed() -> None:
    lead = lead_after(tipped(), negotiating(), planned("2025-05-01", "2025-07-01"))
    with office():
        lead.agree_framework(
            number="框2025-1",
            investment=AMOUNT,
            document_sha256="0" * 64,
            occurred_on="2025-05-20",
            note="框架",
        )
    assert recorded(lead) == [
        happened(
            Lead.FrameworkAgreed,
            "2025-05-20",
            number="框2025-1",
            investment=AMOUNT,
            document_sha256="0" * 64,
            note="框架",
        )
    ]
    assert (lead.stage, lead.expected_on) == ("negotiating", "2025-07-01")


@pytest.mark.parametrize("investment", [None, {}])
def test_a_framework_agreement_needs_nothing_and_changes_no_amount(
    investment: dict[str, str] | None,
) -> None:
    lead = lead_after(tipped(investment={"amount": "2", "unit": "亿元"}), negotiating())
    with office():
        lead.agree_framework(investment=investment, occurred_on="2025-05-20")
        lead.agree_framework(investment=AMOUNT, occurred_on="2025-05-21")
    facts: dict[str, Any] = {"number": None, "document_sha256": None}
    assert recorded(lead) == [
        happened(Lead.FrameworkAgreed, "2025-05-20", investment=None, **facts),
        happened(Lead.FrameworkAgreed, "2025-05-21", investment=AMOUNT, **facts),
    ]
    assert lead.facts["investment"] == {"amount": "2", "unit": "亿元"}


def test_a_contract_makes_a_lead_signed_at_the_agreed_amount() -> None:
    lead = lead_after(
        tipped(investment={"amount": "2", "unit": "亿元"}),
        negotiating(),
        planned("2025-05-01", "2025-06-10"),
    )
    with office():
        lead.sign(
            number="合2025-1",
            investment=AMOUNT,
            document_sha256="0" * 64,
            occurred_on="2025-06-10",
            note="正式签约",
        )
    assert recorded(lead) == [
        signed("2025-06-10", number="合2025-1", document_sha256="0" * 64, note="正式签约")
    ]
    assert (lead.stage, lead.entered_on, lead.left) == ("signed", "2025-06-10", None)
    assert lead.facts["investment"] == AMOUNT
    assert lead.dated["investment"] == "2025-06-10"


@pytest.mark.parametrize("investment", [None, {}])
def test_a_contract_needs_its_amount_even_when_the_tip_named_one(
    investment: dict[str, str] | None,
) -> None:
    lead = lead_after(tipped(investment=AMOUNT), negotiating())
    with refusal(Refused, of=lead) as caught:
        lead.sign(investment=investment, occurred_on="2025-06-10")
    assert str(caught.value) == "To become signed (签约) needs investment."
    assert caught.value.missing == ["investment"]


@pytest.mark.parametrize("command", ["sign", "agree_framework"])
def test_an_impossible_amount_is_refused(command: str) -> None:
    lead = lead_after(tipped(), negotiating())
    with refusal(Invalid, "'-30' is no decimal number", of=lead) as caught:
        getattr(lead, command)(
            investment={"amount": "-30", "unit": "亿元"}, occurred_on="2025-06-10"
        )
    assert list(caught.value.errors) == ["investment.amount"]


def test_a_signing_ends_the_plan() -> None:
    lead = lead_after(tipped(), negotiating(), planned("2025-05-01", "2025-07-01"), signed())
    assert (lead.expected_on, lead.planned_on) == (None, None)


def test_a_signing_learnt_late_may_be_older_than_the_plan_and_voids_it() -> None:
    lead = lead_after(tipped(), negotiating("2025-04-02"), planned("2025-06-01", "2025-07-01"))
    with office():
        lead.sign(investment=AMOUNT, occurred_on="2025-05-20")
    assert recorded(lead) == [signed("2025-05-20")]
    assert (lead.stage, lead.expected_on, lead.planned_on) == ("signed", None, None)


def test_a_signing_learnt_late_does_not_overwrite_a_later_amount() -> None:
    later = {"amount": "35", "unit": "亿元"}
    lead = lead_after(tipped(), negotiating(), revised("2025-07-01", investment=later))
    with office():
        lead.sign(investment=AMOUNT, occurred_on="2025-06-10")
    assert recorded(lead) == [signed("2025-06-10")]
    assert lead.facts["investment"] == later
    assert lead.dated["investment"] == "2025-07-01"


# Groundbreaking


def test_main_works_with_evidence_break_ground() -> None:
    lead = lead_after(tipped(), negotiating(), signed("2025-06-10"))
    with office():
        lead.break_ground(
            start="construction", evidence=EVIDENCE, occurred_on="2025-09-01", note="桩基"
        )
    assert recorded(lead) == [groundbroken("2025-09-01", note="桩基")]
    assert (lead.stage, lead.entered_on) == ("groundbroken", "2025-09-01")


@pytest.mark.parametrize(
    ("facts", "missing"),
    [
        ({}, ["start", "evidence"]),
        ({"start": "construction"}, ["evidence"]),
        ({"start": "construction", "evidence": []}, ["evidence"]),
        ({"evidence": EVIDENCE}, ["start"]),
    ],
)
def test_groundbreaking_needs_a_start_and_evidence(
    facts: dict[str, Any], missing: list[str]
) -> None:
    lead = lead_after(tipped(), negotiating(), signed())
    with refusal(Refused, of=lead) as caught:
        lead.break_ground(occurred_on="2025-09-01", **facts)
    assert str(caught.value) == f"To become groundbroken (开工) needs {', '.join(missing)}."
    assert caught.value.missing == missing


# What all of them share: the command, what it needs, and where it starts from.

Case = tuple[str, dict[str, Any], tuple[Happened, ...]]

NEGOTIATION: Case = ("open_negotiation", {"responsible_unit": "区商务局"}, (tipped("2025-04-02"),))
PLAN: Case = ("plan_signing", {"expected_on": "2026-05-01"}, (tipped(), negotiating("2025-04-02")))
FRAMEWORK: Case = ("agree_framework", {}, (tipped(), negotiating("2025-04-02")))
SIGNING: Case = ("sign", {"investment": AMOUNT}, (tipped(), negotiating("2025-04-02")))
GROUNDBREAKING: Case = (
    "break_ground",
    {"start": "construction", "evidence": EVIDENCE},
    (tipped(), negotiating("2025-03-20"), signed("2025-04-02")),
)
STEPS = pytest.mark.parametrize(
    ("command", "facts", "history"), [NEGOTIATION, PLAN, FRAMEWORK, SIGNING, GROUNDBREAKING]
)


@STEPS
@pytest.mark.parametrize("day", ["2025-04-02", "2025-04-03", TODAY])
def test_a_step_is_taken_on_the_day_of_entry_or_later(
    command: str, facts: dict[str, Any], history: tuple[Happened, ...], day: str
) -> None:
    lead = lead_after(*history)
    with office():
        getattr(lead, command)(occurred_on=day, **facts)
    assert [event.facts["occurred_on"] for event in recorded(lead)] == [day]


@STEPS
@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-04-01", "2025-04-01 is before the lead became {} on 2025-04-02."),
        (TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_a_step_of_an_impossible_day_is_refused(
    command: str, facts: dict[str, Any], history: tuple[Happened, ...], day: str, words: str
) -> None:
    lead = lead_after(*history)
    with refusal(Invalid, of=lead) as caught:
        getattr(lead, command)(occurred_on=day, **facts)
    assert caught.value.errors == {"occurred_on": [words.format(lead.stage)]}


@STEPS
def test_a_suspended_lead_takes_no_step(
    command: str, facts: dict[str, Any], history: tuple[Happened, ...]
) -> None:
    lead = lead_after(*history, suspended("2025-05-01", "等待环评"))
    with refusal(Refused, of=lead) as caught:
        getattr(lead, command)(occurred_on="2025-06-01", **facts)
    assert str(caught.value) == "The lead is suspended (等待环评); resume it first."


@pytest.mark.parametrize(
    ("command", "facts", "needed", "what"),
    [
        ("open_negotiation", {"responsible_unit": "x"}, "tip", "negotiation"),
        ("plan_signing", {"expected_on": "2026-05-01"}, "negotiating", "signing plan"),
        ("agree_framework", {}, "negotiating", "framework agreement"),
        ("sign", {"investment": AMOUNT}, "negotiating", "signing"),
        ("break_ground", {"start": "opening", "evidence": EVIDENCE}, "signed", "groundbreaking"),
    ],
)
def test_a_step_from_the_wrong_stage_is_refused_and_says_from_which_it_goes(
    command: str, facts: dict[str, Any], needed: str, what: str
) -> None:
    lead = lead_after(tipped(), negotiating(), signed(), groundbroken("2025-09-01"))
    with refusal(Refused, of=lead) as caught:
        getattr(lead, command)(occurred_on=TODAY, **facts)
    assert str(caught.value) == (
        f"A {what} needs a lead that is {needed}; this one is groundbroken (开工) since 2025-09-01."
    )
    assert caught.value.missing == []


# Waivers

WAIVABLE: list[tuple[Any, ...]] = [
    (*NEGOTIATION, "responsible_unit", None),
    (*SIGNING, "investment", None),
    (*GROUNDBREAKING, "start", None),
    (*GROUNDBREAKING, "evidence", []),
]


@pytest.mark.parametrize(("command", "facts", "history", "fact", "absent"), WAIVABLE)
def test_an_administrator_waives_a_required_fact_and_it_is_recorded_who_and_why(
    command: str, facts: dict[str, Any], history: tuple[Happened, ...], fact: str, absent: Any
) -> None:
    lead = lead_after(*history)
    rest = {name: value for name, value in facts.items() if name != fact}
    with office(ADMIN):
        getattr(lead, command)(occurred_on="2025-06-01", waivers=waiver(fact), **rest)
    (event,) = recorded(lead)
    assert event.facts[fact] == absent
    assert event.facts["waived"] == waived(fact)
    assert {name: event.facts[name] for name in rest} == rest
    assert lead.entered_on == "2025-06-01"


@pytest.mark.parametrize(("command", "facts", "history", "fact", "absent"), WAIVABLE)
def test_an_officer_waives_nothing(
    command: str, facts: dict[str, Any], history: tuple[Happened, ...], fact: str, absent: Any
) -> None:
    lead = lead_after(*history)
    rest = {name: value for name, value in facts.items() if name != fact}
    with refusal(Forbidden, of=lead) as caught:
        getattr(lead, command)(occurred_on="2025-06-01", waivers=waiver(fact), **rest)
    assert str(caught.value) == ("Only an administrator, or an import of old paper, waives a fact.")


@pytest.mark.parametrize(("command", "facts", "history", "fact", "absent"), WAIVABLE)
def test_a_fact_that_is_given_is_not_waived(
    command: str, facts: dict[str, Any], history: tuple[Happened, ...], fact: str, absent: Any
) -> None:
    lead = lead_after(*history)
    with refusal(Invalid, of=lead, by=ADMIN) as caught:
        getattr(lead, command)(occurred_on="2025-06-01", waivers=waiver(fact), **facts)
    assert caught.value.errors == {"waivers": [f"{fact} is given, so nothing is waived."]}


@pytest.mark.parametrize(("command", "facts", "history", "fact", "absent"), WAIVABLE)
@pytest.mark.parametrize("unknown", ["weather", ""])
def test_a_fact_that_the_step_does_not_require_is_not_waived(
    command: str,
    facts: dict[str, Any],
    history: tuple[Happened, ...],
    fact: str,
    absent: Any,
    unknown: str,
) -> None:
    lead = lead_after(*history)
    rest = {name: value for name, value in facts.items() if name != fact}
    with refusal(Invalid, of=lead, by=ADMIN) as caught:
        getattr(lead, command)(occurred_on="2025-06-01", waivers=waiver(fact, unknown), **rest)
    assert caught.value.errors == {"waivers": [f"'{unknown}' is no fact this step requires."]}


def test_a_signing_is_its_contract_so_that_is_not_waived() -> None:
    lead = lead_after(tipped(), negotiating())
    with refusal(Invalid, of=lead, by=ADMIN) as caught:
        lead.sign(occurred_on="2025-06-01", waivers=waiver("contract", "investment"))
    assert caught.value.errors == {"waivers": ["contract is given, so nothing is waived."]}


def test_all_facts_that_are_given_and_waived_are_named_at_once() -> None:
    lead = lead_after(tipped(), negotiating())
    with refusal(Invalid, of=lead, by=ADMIN) as caught:
        lead.sign(
            investment=AMOUNT, occurred_on="2025-06-01", waivers=waiver("contract", "investment")
        )
    assert caught.value.errors == {
        "waivers": ["contract, investment is given, so nothing is waived."]
    }


def test_several_facts_are_waived_at_once_and_what_is_not_waived_stays_needed() -> None:
    lead = lead_after(tipped(), negotiating(), signed())
    with refusal(Refused, of=lead, by=ADMIN) as caught:
        lead.break_ground(occurred_on="2025-09-01", waivers=waiver("evidence"))
    assert caught.value.missing == ["start"]
    with office(ADMIN):
        lead.break_ground(occurred_on="2025-09-01", waivers=waiver("evidence", "start"))
    assert recorded(lead) == [
        groundbroken("2025-09-01", start=None, evidence=[], waived=waived("evidence", "start"))
    ]


def test_a_signing_with_its_amount_waived_keeps_the_amount_that_was_known() -> None:
    lead = lead_after(tipped(investment=AMOUNT), negotiating())
    with office(ADMIN):
        lead.sign(occurred_on="2025-06-10", waivers=waiver("investment"))
    assert recorded(lead) == [signed("2025-06-10", investment=None, waived=waived("investment"))]
    assert lead.stage == "signed"
    assert lead.facts["investment"] == AMOUNT
    assert lead.dated["investment"] == "2025-03-18"


def test_a_waiver_overrides_no_date_and_no_stage() -> None:
    lead = lead_after(tipped("2025-03-18"))
    with refusal(Invalid, "before the lead became tip", of=lead, by=ADMIN):
        lead.open_negotiation(occurred_on="2025-03-17", waivers=waiver("responsible_unit"))
    with refusal(Refused, "needs a lead that is negotiating", of=lead, by=ADMIN):
        lead.sign(occurred_on="2025-03-19", waivers=waiver("investment"))


def test_what_is_recorded_does_not_change_with_what_was_handed_in() -> None:
    amount, piece = dict(AMOUNT), dict(EVIDENCE[0])
    lead = lead_after(tipped(), negotiating())
    with office():
        lead.agree_framework(investment=amount, occurred_on="2025-06-10")
        lead.sign(investment=amount, occurred_on="2025-06-10")
        lead.break_ground(start="opening", evidence=[piece], occurred_on="2025-06-10")
    amount["amount"], piece["kind"] = "99", "photo"
    framework, contract, ground = recorded(lead)
    assert framework.facts["investment"] == contract.facts["investment"] == AMOUNT
    assert ground.facts["evidence"] == EVIDENCE
