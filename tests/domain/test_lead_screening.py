"""Screening (研判): the office's verdict on a tip."""

from typing import Any

import pytest

from domain.errors import Forbidden, Invalid, Refused
from domain.lead import Lead
from tests.domain.given import (
    ADMIN,
    LEAD_ID,
    OTHER_ID,
    TODAY,
    TOMORROW,
    happened,
    lead_after,
    negotiating,
    office,
    recorded,
    refusal,
    reopened,
    screened,
    suspended,
    tipped,
)

SURVIVOR = str(OTHER_ID)


def test_a_tip_that_is_pursued_stays_a_tip() -> None:
    lead = lead_after(tipped("2025-03-18"))
    with office():
        lead.screen(verdict="pursue", occurred_on="2025-03-20", note="有基础")
    expected = screened("2025-03-20").facts | {"note": "有基础"}
    assert recorded(lead) == [(Lead.Screened, expected)]
    assert (lead.stage, lead.screened, lead.entered_on) == ("tip", "pursue", "2025-03-18")


def test_a_pursuit_may_say_why() -> None:
    lead = lead_after(tipped())
    with office():
        lead.screen(verdict="pursue", reason="投资大", occurred_on="2025-03-20")
    assert recorded(lead) == [screened("2025-03-20", reason="投资大")]


def test_a_tip_pursued_twice_is_pursued_once() -> None:
    lead = lead_after(tipped(), screened("2025-03-20"))
    with office():
        lead.screen(verdict="pursue", occurred_on="2025-03-21")
    assert recorded(lead) == []
    assert lead.version == 2


def test_a_declined_tip_is_closed() -> None:
    lead = lead_after(tipped())
    with office():
        lead.screen(verdict="decline", reason="环保不符", occurred_on="2025-03-20")
    assert recorded(lead) == [screened("2025-03-20", "decline", "环保不符")]
    assert (lead.stage, lead.left, lead.entered_on) == ("closed", "tip", "2025-03-20")
    assert lead.screened == "decline"


def test_a_duplicate_tip_is_closed_and_names_the_surviving_lead() -> None:
    lead = lead_after(tipped())
    with office():
        lead.screen(
            verdict="duplicate", reason="同一企业", duplicate_of=SURVIVOR, occurred_on="2025-03-20"
        )
    assert recorded(lead) == [screened("2025-03-20", "duplicate", "同一企业", SURVIVOR)]
    assert (lead.stage, lead.left, lead.screened) == ("closed", "tip", "duplicate")


def test_a_pursued_tip_may_still_be_declined() -> None:
    lead = lead_after(tipped(), screened("2025-03-20"))
    with office():
        lead.screen(verdict="decline", reason="企业放弃", occurred_on="2025-03-25")
    assert recorded(lead) == [screened("2025-03-25", "decline", "企业放弃")]
    assert lead.stage == "closed"


def test_a_suspended_tip_may_be_screened_and_closing_it_ends_the_suspension() -> None:
    lead = lead_after(tipped(), suspended("2025-03-19"))
    with office():
        lead.screen(verdict="pursue", occurred_on="2025-03-20")
        assert lead.suspension == ("等待环评", "2026-03-01")
        lead.screen(verdict="decline", reason="环保不符", occurred_on="2025-03-21")
    assert [event.facts["verdict"] for event in recorded(lead)] == ["pursue", "decline"]
    assert lead.suspension is None


def test_a_reopened_tip_is_screened_again() -> None:
    lead = lead_after(
        tipped(), screened("2025-03-20", "decline", "环保不符"), reopened("2025-05-06")
    )
    assert lead.screened is None
    with office():
        lead.screen(verdict="pursue", occurred_on="2025-05-07")
    assert recorded(lead) == [screened("2025-05-07")]


@pytest.mark.parametrize(
    ("verdict", "facts", "missing"),
    [
        ("decline", {}, ["reason"]),
        ("decline", {"reason": ""}, ["reason"]),
        ("duplicate", {}, ["reason", "duplicate_of"]),
        ("duplicate", {"duplicate_of": SURVIVOR}, ["reason"]),
        ("duplicate", {"reason": "同一企业"}, ["duplicate_of"]),
    ],
)
def test_a_verdict_against_a_tip_is_refused_without_its_facts(
    verdict: str, facts: dict[str, Any], missing: list[str]
) -> None:
    lead = lead_after(tipped())
    with refusal(Refused, of=lead) as caught:
        lead.screen(verdict=verdict, occurred_on="2025-03-20", **facts)
    assert str(caught.value) == f"A verdict of {verdict} needs {', '.join(missing)}."
    assert caught.value.missing == missing


@pytest.mark.parametrize("verdict", ["pursue", "decline"])
def test_only_a_duplicate_names_another_lead(verdict: str) -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, of=lead) as caught:
        lead.screen(verdict=verdict, reason="重复", duplicate_of=SURVIVOR, occurred_on="2025-03-20")
    assert caught.value.errors == {
        "duplicate_of": [f"It goes with verdict duplicate, not {verdict}."]
    }


def test_a_lead_is_no_duplicate_of_itself() -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, of=lead) as caught:
        lead.screen(
            verdict="duplicate",
            reason="同一企业",
            duplicate_of=str(LEAD_ID),
            occurred_on="2025-03-20",
        )
    assert caught.value.errors == {"duplicate_of": ["A lead is no duplicate of itself."]}


def test_a_verdict_that_is_in_no_table_records_nothing() -> None:
    lead = lead_after(tipped())
    with office(), pytest.raises(Invalid, match="perhaps"):
        lead.screen(verdict="perhaps", occurred_on="2025-03-20")
    assert recorded(lead) == []


@pytest.mark.parametrize("day", ["2025-03-18", "2025-03-19", TODAY])
def test_a_tip_is_screened_on_the_day_it_came_or_later(day: str) -> None:
    lead = lead_after(tipped("2025-03-18"))
    with office():
        lead.screen(verdict="pursue", occurred_on=day)
    assert recorded(lead) == [screened(day)]


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2025-03-17", "2025-03-17 is before the lead became tip on 2025-03-18."),
        (TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_a_verdict_of_an_impossible_day_is_refused(day: str, reason: str) -> None:
    lead = lead_after(tipped("2025-03-18"))
    with refusal(Invalid, of=lead) as caught:
        lead.screen(verdict="pursue", occurred_on=day)
    assert caught.value.errors == {"occurred_on": [reason]}


def test_only_a_tip_is_screened() -> None:
    lead = lead_after(tipped(), negotiating("2025-04-02"))
    with refusal(Refused, of=lead) as caught:
        lead.screen(verdict="pursue", occurred_on="2025-04-03")
    assert str(caught.value) == (
        "Only a tip is screened; this lead is negotiating (在谈) since 2025-04-02."
    )
    assert caught.value.missing == []


def waiver(*facts: str) -> list[dict[str, str]]:
    return [{"fact": fact, "reason": "旧台账未记"} for fact in facts]


@pytest.mark.parametrize(
    ("verdict", "facts", "waived"),
    [
        ("decline", {}, ["reason"]),
        ("duplicate", {}, ["reason", "duplicate_of"]),
        ("duplicate", {"reason": "同一企业"}, ["duplicate_of"]),
    ],
)
def test_old_paper_may_lack_the_facts_of_a_verdict(
    verdict: str, facts: dict[str, Any], waived: list[str]
) -> None:
    lead = lead_after(tipped())
    with office(ADMIN):
        lead.screen(verdict=verdict, occurred_on="2025-03-20", waivers=waiver(*waived), **facts)
    record = [{"fact": fact, "by": "admin:li", "why": "旧台账未记"} for fact in waived]
    known = {"verdict": verdict, "reason": None, "duplicate_of": None, **facts}
    assert recorded(lead) == [happened(Lead.Screened, "2025-03-20", **known, waived=record)]
    assert lead.stage == "closed"


def test_an_officer_waives_no_reason() -> None:
    lead = lead_after(tipped())
    with refusal(Forbidden, "Only an administrator, or an import", of=lead):
        lead.screen(verdict="decline", occurred_on="2025-03-20", waivers=waiver("reason"))


@pytest.mark.parametrize(
    ("verdict", "fact", "words"),
    [
        ("decline", "duplicate_of", "'duplicate_of' is no fact this step requires."),
        ("pursue", "reason", "'reason' is no fact this step requires."),
        ("decline", "reason", "reason is given, so nothing is waived."),
    ],
)
def test_only_a_verdicts_absent_facts_are_waived(verdict: str, fact: str, words: str) -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, of=lead, by=ADMIN) as caught:
        lead.screen(verdict=verdict, reason="环保", occurred_on="2025-03-20", waivers=waiver(fact))
    assert caught.value.errors == {"waivers": [words]}
