"""Revised facts: each stands from its day on, and the latest day stands last."""

from typing import Any

import pytest

from domain.correction import REVISABLE
from domain.errors import Invalid
from domain.lead import Lead
from domain.money import NO_AMOUNT
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
    revised,
    signed,
    suspended,
    tipped,
)

TEN = {"amount": "10", "unit": "亿元"}
TWENTY = {"amount": "20", "unit": "亿元"}
THIRTY = {"amount": "30", "unit": "亿元"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("title", "8英寸晶圆项目"),
        ("summary", "分两期"),
        ("investor", {"name": "某公司", "uscc": None, "country": "CN"}),
        ("industry", "C397"),
        ("investment", THIRTY),
        ("contact", {"name": "陈先生", "phone": None}),
    ],
)
def test_every_revisable_fact_is_revised(name: str, value: Any) -> None:
    lead = lead_after(tipped("2025-03-18"))
    with office():
        lead.revise(facts={name: value}, reason="更正", occurred_on="2025-05-01", note="x")
    expected = happened(Lead.Revised, "2025-05-01", facts={name: value}, reason="更正", note="x")
    assert recorded(lead) == [expected]
    assert lead.facts[name] == value
    assert lead.dated == {
        **dict.fromkeys(REVISABLE, "2025-03-18"),
        name: "2025-05-01",
    }


def test_there_are_six_revisable_facts() -> None:
    assert REVISABLE == ("title", "summary", "investor", "industry", "investment", "contact")


@pytest.mark.parametrize(
    "history",
    [
        (),
        (negotiating(),),
        (negotiating(), signed()),
        (negotiating(), signed(), groundbroken()),
        (negotiating(), closed("2025-05-20")),
        (suspended("2025-04-01"),),
    ],
)
def test_a_lead_is_revised_wherever_it_stands(history: tuple[Happened, ...]) -> None:
    lead = lead_after(tipped(), *history)
    stage = lead.stage
    with office():
        lead.revise(facts={"title": "8英寸晶圆项目"}, occurred_on="2025-12-01")
    assert recorded(lead) == [revised("2025-12-01", title="8英寸晶圆项目")]
    assert lead.stage == stage


def test_only_what_changed_is_recorded() -> None:
    lead = lead_after(tipped(industry="C397", investment=TEN))
    with office():
        lead.revise(
            facts={"title": "12英寸大晶圆项目", "industry": "C398", "investment": TEN},
            occurred_on="2025-05-01",
        )
    assert recorded(lead) == [revised("2025-05-01", industry="C398")]
    assert lead.dated["title"] == "2025-03-18"


@pytest.mark.parametrize("facts", [{}, {"title": "12英寸大晶圆项目"}, {"investment": TEN}])
def test_a_revision_that_changes_nothing_records_nothing(facts: dict[str, Any]) -> None:
    lead = lead_after(tipped(investment=TEN))
    with office():
        lead.revise(facts=facts, occurred_on="2025-05-01")
    assert recorded(lead) == []


def test_a_fact_may_become_unknown() -> None:
    lead = lead_after(tipped(investment=TEN, summary="x"))
    with office():
        lead.revise(
            facts={"investment": None, "summary": None}, reason="撤资", occurred_on="2025-05-01"
        )
    assert recorded(lead) == [revised("2025-05-01", "撤资", investment=None, summary=None)]
    assert (lead.facts["investment"], lead.facts["summary"]) == (None, None)


# Dates


def test_a_late_revision_of_an_older_day_does_not_overwrite_a_later_one() -> None:
    lead = lead_after(
        tipped("2025-03-18", investment=TEN), revised("2025-08-01", investment=THIRTY)
    )
    with office():
        lead.revise(facts={"investment": TWENTY}, reason="补记", occurred_on="2025-05-01")
    assert recorded(lead) == [revised("2025-05-01", "补记", investment=TWENTY)]
    assert lead.facts["investment"] == THIRTY
    assert lead.dated["investment"] == "2025-08-01"


def test_of_two_revisions_of_one_day_the_one_recorded_last_stands() -> None:
    lead = lead_after(tipped(), revised("2025-08-01", investment=THIRTY))
    with office():
        lead.revise(facts={"investment": TWENTY}, reason="更正", occurred_on="2025-08-01")
    assert recorded(lead) == [revised("2025-08-01", "更正", investment=TWENTY)]
    assert lead.facts["investment"] == TWENTY


def test_each_fact_has_its_own_day() -> None:
    lead = lead_after(tipped(), revised("2025-08-01", title="新名称"))
    with office():
        lead.revise(facts={"title": "旧名称", "industry": "C397"}, occurred_on="2025-05-01")
    assert recorded(lead) == [revised("2025-05-01", title="旧名称", industry="C397")]
    assert (lead.facts["title"], lead.facts["industry"]) == ("新名称", "C397")
    assert (lead.dated["title"], lead.dated["industry"]) == ("2025-08-01", "2025-05-01")


def test_a_late_revision_to_the_value_that_stands_now_dates_it_earlier_and_is_recorded() -> None:
    # On 2025-06-01 the lead stood at 10 so far as known; in truth it stood at 30 since May.
    lead = lead_after(
        tipped("2025-03-18", investment=TEN), revised("2025-08-01", investment=THIRTY)
    )
    with office():
        lead.revise(facts={"investment": THIRTY}, reason="补记", occurred_on="2025-05-01")
    assert recorded(lead) == [revised("2025-05-01", "补记", investment=THIRTY)]


def test_a_value_that_stands_since_that_day_is_not_recorded_again() -> None:
    lead = lead_after(tipped("2025-03-18"), revised("2025-08-01", investment=THIRTY))
    with office():
        lead.revise(facts={"investment": THIRTY}, reason="补记", occurred_on="2025-08-01")
        lead.revise(facts={"investment": THIRTY}, reason="补记", occurred_on="2025-08-02")
    assert recorded(lead) == []


@pytest.mark.parametrize("day", ["2025-03-18", "2025-03-19", TODAY])
def test_a_fact_is_from_the_day_of_the_tip_or_later(day: str) -> None:
    lead = lead_after(tipped("2025-03-18"), negotiating("2025-04-02"))
    with office():
        lead.revise(facts={"title": "新名称"}, occurred_on=day)
    assert recorded(lead) == [revised(day, title="新名称")]
    assert lead.facts["title"] == "新名称"


@pytest.mark.parametrize(
    ("day", "words"),
    [
        ("2025-03-17", "2025-03-17 is before the lead was tipped on 2025-03-18."),
        (TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_a_revision_of_an_impossible_day_is_refused(day: str, words: str) -> None:
    lead = lead_after(tipped("2025-03-18"))
    with refusal(Invalid, of=lead) as caught:
        lead.revise(facts={"title": "新名称"}, occurred_on=day)
    assert caught.value.errors == {"occurred_on": [words]}


# Values


@pytest.mark.parametrize("reason", [None, ""])
@pytest.mark.parametrize("investment", [THIRTY, None])
def test_another_amount_needs_a_reason(
    reason: str | None, investment: dict[str, str] | None
) -> None:
    lead = lead_after(tipped(investment=TEN))
    with refusal(Invalid, of=lead) as caught:
        lead.revise(facts={"investment": investment}, reason=reason, occurred_on="2025-05-01")
    assert caught.value.errors == {"reason": ["A change of the investment needs its reason."]}


@pytest.mark.parametrize(
    ("facts", "errors"),
    [
        ({"title": None}, {"title": ["It is empty."]}),
        ({"title": " "}, {"title": ["It is empty."]}),
        ({"title": "项" * 201}, {"title": ["It has 201 characters; at most 200 are kept."]}),
        ({"title": "a\u202e"}, {"title": ["Character 2 (U+202E) is one that no text keeps."]}),
        (
            {"investment": {"amount": "1e9", "unit": "元"}},
            {"investment.amount": [NO_AMOUNT.replace("{amount}", "1e9")]},
        ),
        (
            {"title": "好", "investment": {"amount": "1", "unit": "两"}},
            {"investment.unit": ["'两' is none of 元、万元、亿元、万美元、亿美元."]},
        ),
    ],
)
def test_a_revision_to_what_cannot_be_kept_is_refused(
    facts: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, of=lead) as caught:
        lead.revise(facts=facts, reason="更正", occurred_on="2025-05-01")
    assert caught.value.errors == errors


@pytest.mark.parametrize(
    ("facts", "errors"),
    [
        (
            {"investor": {"name": "某公司"}},
            {"investor": ["It has name, uscc, country, not name."]},
        ),
        (
            {"investor": {"name": "", "uscc": None, "country": None}},
            {"investor.name": ["It is empty."]},
        ),
        (
            {"contact": {"name": "陈先生", "phone": None, "fax": "1"}},
            {"contact": ["It has name, phone, not name, phone, fax."]},
        ),
    ],
)
def test_a_company_and_a_contact_are_revised_as_a_whole(
    facts: dict[str, Any], errors: dict[str, list[str]]
) -> None:
    lead = lead_after(tipped())
    with refusal(Invalid, of=lead) as caught:
        lead.revise(facts=facts, occurred_on="2025-05-01")
    assert caught.value.errors == errors


@pytest.mark.parametrize("name", ["investor", "contact", "industry", "summary"])
def test_what_was_not_known_may_stay_unknown(name: str) -> None:
    lead = lead_after(tipped())
    with office():
        lead.revise(facts={name: None}, occurred_on="2025-05-01")
    assert recorded(lead) == []


def test_a_revised_title_loses_the_spaces_around_it() -> None:
    lead = lead_after(tipped())
    with office():
        lead.revise(facts={"title": " 新名称 "}, occurred_on="2025-05-01")
    assert recorded(lead) == [revised("2025-05-01", title="新名称")]


def test_what_is_not_revisable_records_nothing() -> None:
    lead = lead_after(tipped())
    with office(), pytest.raises(Invalid, match="district"):
        lead.revise(facts={"district": "320813"}, occurred_on="2025-05-01")
    assert recorded(lead) == []


def test_a_revision_that_was_only_spaced_differently_changes_nothing() -> None:
    lead = lead_after(tipped(title="大晶圆项目"))
    with office():
        lead.revise(facts={"title": " 大晶圆项目 "}, occurred_on="2025-05-01")
    assert recorded(lead) == []
