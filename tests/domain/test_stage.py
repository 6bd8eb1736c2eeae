"""The stage tables, read as the office reads them."""

from typing import Any

import pytest

from domain.stage import (
    AGREEMENTS,
    CLOSED,
    CLOSING_FACTS,
    CLOSURE_OUTCOMES,
    EVIDENCE_KINDS,
    FOLLOW_UP_FORMS,
    GROUNDBROKEN,
    LABELS,
    LANDED,
    NEGOTIATING,
    NEXT_STEP,
    OUTCOMES,
    SIGNED,
    STAGES,
    STARTS,
    STEPS,
    TIP,
    VERDICT_OUTCOME,
    VERDICTS,
    Step,
    missing_facts,
    still_missing,
)


def test_a_lead_goes_from_tip_to_groundbreaking_one_stage_at_a_time() -> None:
    assert STAGES == ("tip", "negotiating", "signed", "groundbroken", "closed")
    assert [(step.source, step.target) for step in STEPS.values()] == [
        (TIP, NEGOTIATING),
        (NEGOTIATING, SIGNED),
        (SIGNED, GROUNDBROKEN),
    ]
    assert list(STEPS) == ["negotiation", "signing", "groundbreaking"]


def test_every_stage_has_its_chinese_name() -> None:
    assert [LABELS[stage] for stage in STAGES] == ["信息", "在谈", "签约", "开工", "终止"]
    assert [step.label for step in STEPS.values()] == ["洽谈", "签约", "开工"]


def test_landed_means_signed_or_groundbroken() -> None:
    assert LANDED == (SIGNED, GROUNDBROKEN)


@pytest.mark.parametrize(
    ("outcome", "label", "stages"),
    [
        ("declined", "不予跟进", (TIP,)),
        ("duplicate", "重复", (TIP,)),
        ("lost", "流失", (NEGOTIATING,)),
        ("withdrawn", "撤回", (NEGOTIATING,)),
        ("rescinded", "解约", (SIGNED,)),
        ("transferred", "流转", (TIP, NEGOTIATING, SIGNED)),
    ],
)
def test_each_outcome_closes_its_stages(outcome: str, label: str, stages: tuple[str, ...]) -> None:
    assert OUTCOMES[outcome] == (label, stages)


def test_there_are_six_outcomes_and_none_closes_a_closed_or_finished_lead() -> None:
    assert len(OUTCOMES) == 6
    for _, stages in OUTCOMES.values():
        assert not {GROUNDBROKEN, CLOSED} & set(stages)


def test_a_closure_gives_every_outcome_but_a_duplicate_and_a_transfer() -> None:
    assert CLOSURE_OUTCOMES == ("declined", "lost", "withdrawn", "rescinded")
    assert set(OUTCOMES) - set(CLOSURE_OUTCOMES) == {"duplicate", "transferred"}


def test_a_verdict_that_closes_has_an_outcome_for_tips() -> None:
    assert VERDICT_OUTCOME == {"decline": "declined", "duplicate": "duplicate"}
    assert set(VERDICTS) - set(VERDICT_OUTCOME) == {"pursue"}
    for outcome in VERDICT_OUTCOME.values():
        assert TIP in OUTCOMES[outcome][1]


def test_a_verdict_against_a_tip_and_a_closure_need_their_reasons() -> None:
    assert VERDICTS == {
        "pursue": (),
        "decline": ("reason",),
        "duplicate": ("reason", "duplicate_of"),
    }
    assert CLOSING_FACTS == ("reason",)


def test_the_words_of_the_contract_are_all_there() -> None:
    assert FOLLOW_UP_FORMS == ("visit", "call", "meeting", "site", "none")
    assert AGREEMENTS == ("contract", "framework")
    assert STARTS == ("construction", "equipment", "opening")
    assert EVIDENCE_KINDS == ("permit", "filing", "contract", "photo", "acceptance")


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        ({}, ["start", "evidence"]),
        ({"start": None, "evidence": []}, ["start", "evidence"]),
        ({"start": "", "evidence": [{}]}, ["start"]),
        ({"start": "opening"}, ["evidence"]),
        ({"evidence": [{}], "start": "opening", "else": None}, []),
    ],
)
def test_a_fact_that_is_absent_or_empty_is_missing_in_the_tables_order(
    given: dict[str, Any], missing: list[str]
) -> None:
    assert missing_facts(STEPS["groundbreaking"].facts, given) == missing


@pytest.mark.parametrize(
    ("stage", "facts"),
    [
        (TIP, ["responsible_unit"]),
        (NEGOTIATING, ["contract", "investment"]),
        (SIGNED, ["start", "evidence"]),
        (GROUNDBROKEN, []),
        (CLOSED, []),
    ],
)
def test_what_a_lead_still_needs_for_the_next_stage(stage: str, facts: list[str]) -> None:
    assert still_missing(stage) == facts


def test_a_lead_in_a_stage_has_at_most_one_next_step() -> None:
    expected = {
        TIP: Step("洽谈", TIP, NEGOTIATING, ("responsible_unit",)),
        NEGOTIATING: Step("签约", NEGOTIATING, SIGNED, ("contract", "investment")),
        SIGNED: Step("开工", SIGNED, GROUNDBROKEN, ("start", "evidence")),
    }
    assert expected == NEXT_STEP
