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


def test_one_fact_is_waived_once_and_with_a_reason() -> None:
    waiver = {"fact": "responsible_unit", "reason": "旧台账未记"}
    lead = lead_after(tipped())
    with office(ADMIN):
        with pytest.raises(Invalid, match="One fact is waived twice"):
            lead.open_negotiation(waivers=[waiver, waiver], occurred_on=TODAY)
        with pytest.raises(Invalid, match="gives no reason") as caught:
            lead.open_negotiation(waivers=[{**waiver, "reason": " "}], occurred_on=TODAY)
    assert list(caught.value.errors) == ["waivers"]
    assert recorded(lead) == []
