"""A tip: how a lead begins."""

from typing import Any
from uuid import UUID

import pytest

from domain.correction import REVISABLE
from domain.errors import Invalid
from domain.lead import MOST_MEMBERS, TITLE_LENGTH, Lead
from domain.money import NO_AMOUNT
from tests.domain.given import (
    OTHER_ID,
    TODAY,
    TOMORROW,
    lead_after,
    office,
    recorded,
    refusal,
    screened,
    tipped,
)

ALL_FACTS: dict[str, Any] = {
    "title": "12英寸大晶圆项目",
    "summary": "总投资30亿元\n分两期",
    "investor": {"name": "某半导体公司", "uscc": None, "country": "CN"},
    "industry": "C397",
    "investment": {"amount": "30", "unit": "亿元"},
    "contact": {"name": "陈先生", "phone": "13900000000"},
}


def tip(**facts: Any) -> Lead:
    """A tip with no more than it needs, and ``facts``."""
    needed: dict[str, Any] = {
        "members": ["member-1"],
        "district": "320812",
        "occurred_on": "2025-03-18",
        "title": "12英寸大晶圆项目",
    }
    return Lead.tip(**{**needed, **facts})


def test_a_tip_needs_members_a_district_a_day_and_a_title() -> None:
    with office():
        lead = tip()
    assert recorded(lead) == [tipped("2025-03-18")]


def test_a_tip_keeps_everything_that_was_told() -> None:
    with office():
        lead = tip(**ALL_FACTS, note="电话告知", source={"year": "2025", "number": "3"})
    source = {"year": "2025", "number": "3"}
    assert recorded(lead) == [tipped(**ALL_FACTS, note="电话告知", source=source)]


def test_a_lead_begins_as_a_tip_that_is_not_screened() -> None:
    with office():
        lead = tip(**ALL_FACTS)
    assert (lead.stage, lead.tipped_on, lead.entered_on) == ("tip", "2025-03-18", "2025-03-18")
    assert (lead.screened, lead.left, lead.suspension, lead.flagged_on) == (None,) * 4
    assert (lead.expected_on, lead.planned_on) == (None, None)
    assert lead.facts == ALL_FACTS
    assert lead.dated == dict.fromkeys(REVISABLE, "2025-03-18")


def test_a_lead_gets_the_id_it_is_given_and_otherwise_one_of_its_own() -> None:
    with office():
        assert tip(id=OTHER_ID).id == OTHER_ID
        first, second = tip(), tip()
    assert isinstance(first.id, UUID)
    assert first.id != second.id


@pytest.mark.parametrize("source", [None, {}])
def test_a_tip_that_was_not_imported_names_no_source(source: dict[str, str] | None) -> None:
    with office():
        assert recorded(tip(source=source)) == [tipped()]


def test_the_order_of_members_is_the_order_of_first_report() -> None:
    with office():
        lead = tip(members=("member-9", "member-1", "member-5"))
    assert recorded(lead) == [tipped(members=["member-9", "member-1", "member-5"])]


def test_a_lead_may_have_one_to_twenty_members() -> None:
    assert MOST_MEMBERS == 20
    twenty = [f"member-{n}" for n in range(20)]
    with office():
        assert recorded(tip(members=twenty)) == [tipped(members=twenty)]
        assert recorded(tip(members=twenty[:1])) == [tipped(members=["member-0"])]


@pytest.mark.parametrize("count", [0, 21])
def test_no_member_or_more_than_twenty_are_refused(count: int) -> None:
    with refusal(Invalid) as caught:
        tip(members=[f"member-{n}" for n in range(count)])
    assert caught.value.errors == {"members": [f"{count} were named; 1 to 20 may be."]}


def test_a_member_named_twice_is_refused() -> None:
    with refusal(Invalid) as caught:
        tip(members=["member-1", "member-2", "member-1"])
    assert caught.value.errors == {"members": ["One member is named twice."]}


@pytest.mark.parametrize("day", ["1978-01-01", "2025-03-18", TODAY])
def test_a_tip_may_be_as_old_as_it_is_but_not_of_tomorrow(day: str) -> None:
    with office():
        assert recorded(tip(occurred_on=day)) == [tipped(day)]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("occurred_on", TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("occurred_on", "2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
        ("occurred_on", "1977-12-31", "1977-12-31 is before 1978-01-01, where no lead can begin."),
        ("district", "3208", "'3208' is no GB/T 2260 district code of six digits, like 320812."),
        ("district", "320800", "320800 names a whole province or city, not a district."),
        ("title", None, "It is empty."),
        ("title", "", "It is empty."),
        ("title", " \u3000", "It is empty."),
        ("title", "项" * 201, "It has 201 characters; at most 200 are kept."),
        ("title", "项" * 10_000, "It has 10000 characters; at most 200 are kept."),
        ("title", "项\n目", "Character 2 (U+000A) is one that no text keeps."),
        ("title", "项\u202e目", "Character 2 (U+202E) is one that no text keeps."),
        ("title", "项\ud800", "Character 2 (U+D800) is one that no text keeps."),
    ],
)
def test_a_tip_with_a_wrong_fact_is_refused_by_field(field: str, value: Any, reason: str) -> None:
    with refusal(Invalid) as caught:
        tip(**{field: value})
    assert caught.value.errors == {field: [reason]}


def test_a_tip_without_a_title_is_refused() -> None:
    with refusal(Invalid) as caught:
        Lead.tip(members=["m"], district="320812", occurred_on=TODAY)
    assert caught.value.errors == {"title": ["It is empty."]}


def test_a_title_of_two_hundred_characters_is_kept() -> None:
    assert TITLE_LENGTH == 200
    with office():
        assert recorded(tip(title="项" * 200)) == [tipped(title="项" * 200)]


def test_a_title_loses_the_spaces_around_it() -> None:
    with office():
        assert recorded(tip(title=" 大晶圆项目\u3000")) == [tipped(title="大晶圆项目")]


@pytest.mark.parametrize(
    ("amount", "unit", "field", "reason"),
    [
        ("-1", "亿元", "investment.amount", NO_AMOUNT.replace("{amount}", "-1")),
        ("NaN", "亿元", "investment.amount", NO_AMOUNT.replace("{amount}", "NaN")),
        ("30", "亿", "investment.unit", "'亿' is none of 元、万元、亿元、万美元、亿美元."),
    ],
)
def test_a_tip_with_an_impossible_amount_is_refused(
    amount: str, unit: str, field: str, reason: str
) -> None:
    with refusal(Invalid) as caught:
        tip(investment={"amount": amount, "unit": unit})
    assert caught.value.errors == {field: [reason]}


COMPANY: dict[Any, Any] = {"name": "某半导体公司", "uscc": None, "country": None}


@pytest.mark.parametrize(
    ("field", "value", "errors"),
    [
        ("investor", {}, {"investor": ["It has name, uscc, country, not ."]}),
        (
            "investor",
            {"name": "某公司", "uscc": None},
            {"investor": ["It has name, uscc, country, not name, uscc."]},
        ),
        (
            "investor",
            {**COMPANY, "city": "淮安"},
            {"investor": ["It has name, uscc, country, not name, uscc, country, city."]},
        ),
        (
            "investor",
            {**COMPANY, 1: "x"},
            {"investor": ["It has name, uscc, country, not name, uscc, country, 1."]},
        ),
        ("investor", {**COMPANY, "name": None}, {"investor.name": ["It is empty."]}),
        ("investor", {**COMPANY, "name": ""}, {"investor.name": ["It is empty."]}),
        ("contact", {}, {"contact": ["It has name, phone, not ."]}),
        ("contact", {"phone": "123456"}, {"contact": ["It has name, phone, not phone."]}),
    ],
)
def test_a_company_and_a_contact_have_their_fields_and_no_others(
    field: str, value: dict[Any, Any], errors: dict[str, list[str]]
) -> None:
    with refusal(Invalid) as caught:
        tip(**{field: value})
    assert caught.value.errors == errors


@pytest.mark.parametrize(
    "facts",
    [
        {"investor": COMPANY},
        {"contact": {"name": None, "phone": None}},
        {"contact": {"phone": "0517-83590000", "name": None}},
    ],
)
def test_a_company_needs_its_name_only_and_a_contact_nothing(facts: dict[str, Any]) -> None:
    with office():
        assert recorded(tip(**facts)) == [tipped(**facts)]


def test_no_lead_is_made_when_a_tip_is_refused() -> None:
    with refusal(Invalid):
        tip(id=OTHER_ID, title="")
    with office():
        assert tip(id=OTHER_ID).version == 1


def test_an_old_tip_loads_although_todays_rules_would_refuse_it() -> None:
    lead = lead_after(
        tipped(
            "2099-02-30",
            members=[],
            district="0",
            title="",
            industry="?",
            investment={"amount": "-1", "unit": "两"},
        ),
        screened("1066-10-14", "perhaps"),
    )
    assert (lead.stage, lead.screened, lead.version) == ("tip", "perhaps", 2)
    assert lead.facts["investment"] == {"amount": "-1", "unit": "两"}
