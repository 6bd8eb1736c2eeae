"""Words from the stage tables: the domain itself takes no other, whoever calls it."""

import pytest

from domain.errors import Invalid
from tests.domain.given import (
    ADMIN,
    TODAY,
    lead_after,
    negotiating,
    office,
    recorded,
    signed,
    tipped,
)

PIECE = [{"kind": "photo", "reference": "x"}]


def test_a_follow_up_has_a_form_of_the_table() -> None:
    lead = lead_after(tipped())
    with office(), pytest.raises(Invalid, match="'dream' is none of visit, call") as caught:
        lead.follow_up(form="dream", result="x", occurred_on=TODAY)
    assert list(caught.value.errors) == ["form"]
    assert recorded(lead) == []


def test_a_word_that_is_none_of_the_table_is_named_with_its_field() -> None:
    lead = lead_after(tipped())
    with office():
        with pytest.raises(Invalid) as verdict:
            lead.screen(verdict="perhaps", occurred_on=TODAY)
        with pytest.raises(Invalid) as fact:
            lead.revise(facts={"stage": "signed"}, occurred_on=TODAY)
    assert (list(verdict.value.errors), list(fact.value.errors)) == (["verdict"], ["facts"])


@pytest.mark.parametrize(
    ("start", "kind", "named"),
    [("levelling", "photo", "start"), ("opening", "rumour", "evidence.kind")],
)
def test_levelling_is_no_start_and_rumour_no_evidence(start: str, kind: str, named: str) -> None:
    lead = lead_after(tipped(), negotiating(), signed())
    with office(), pytest.raises(Invalid) as caught:
        lead.break_ground(
            start=start, evidence=[{"kind": kind, "reference": "x"}], occurred_on=TODAY
        )
    assert list(caught.value.errors) == [named]
    assert recorded(lead) == []


@pytest.mark.parametrize("day", ["2025-02-30", "2030-01-01"])
def test_a_repeated_plan_changes_nothing_and_still_needs_a_day(day: str) -> None:
    lead = lead_after(tipped(), negotiating())
    with office():
        lead.plan_signing(expected_on="2026-07-01", occurred_on=TODAY)
        lead.plan_signing(expected_on="2026-07-01", occurred_on=TODAY)
        with pytest.raises(Invalid, match=day):
            lead.plan_signing(expected_on="2026-07-01", occurred_on=day)
    assert len(recorded(lead)) == 1


def test_reasons_have_as_many_lines_as_they_need_and_a_blank_one_is_named() -> None:
    lead = lead_after(tipped("2025-03-18"))
    with office():
        lead.suspend(reason="等\n环评", review_on="2026-03-01", occurred_on="2025-04-01")
        lead.close(outcome="declined", reason="没地", occurred_on="2025-05-01")
        with pytest.raises(Invalid) as blank:
            lead.reopen(reason=" ", occurred_on="2025-06-01")
        lead.reopen(reason="又\n来了", occurred_on="2025-06-01")
        with pytest.raises(Invalid) as hold:
            lead.suspend(reason=" ", review_on="2026-03-01", occurred_on="2025-07-01")
        with pytest.raises(Invalid) as outcome:
            lead.close(outcome="vanished", reason="x", occurred_on="2025-07-01")
    assert [list(why.value.errors) for why in (blank, hold, outcome)] == [
        ["reason"],
        ["reason"],
        ["outcome"],
    ]
    assert [event.facts["reason"] for event in recorded(lead)] == ["等\n环评", "没地", "又\n来了"]


def test_a_repeated_suspension_changes_nothing_and_still_needs_a_day_of_the_lead() -> None:
    lead = lead_after(tipped("2025-03-18"))
    with office():
        lead.suspend(reason="等地", review_on="2026-03-01", occurred_on="2025-04-01")
        with pytest.raises(Invalid, match="2025-03-17 is before the lead was tipped"):
            lead.suspend(reason="等地", review_on="2026-03-01", occurred_on="2025-03-17")
    assert len(recorded(lead)) == 1


def test_one_fact_is_waived_once_and_with_a_reason() -> None:
    waiver = {"fact": "responsible_unit", "reason": "旧台账未记"}
    lead = lead_after(tipped())
    with office(ADMIN):
        with pytest.raises(Invalid) as twice:
            lead.open_negotiation(waivers=[waiver, waiver], occurred_on=TODAY)
        assert twice.value.errors == {"waivers": ["One fact is waived twice."]}
        with pytest.raises(
            Invalid, match=r"The waiver of responsible_unit gives no reason\."
        ) as caught:
            lead.open_negotiation(waivers=[{**waiver, "reason": " "}], occurred_on=TODAY)
    assert caught.value.errors == {"waivers": ["The waiver of responsible_unit gives no reason."]}
    assert recorded(lead) == []
