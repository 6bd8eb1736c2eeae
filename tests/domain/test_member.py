"""Members: registered once, retired once, tipping until then."""

from uuid import UUID

import pytest

from domain.errors import Invalid, Refused
from domain.member import Member
from tests.domain.given import (
    LEAD_ID,
    TODAY,
    TOMORROW,
    happened,
    member_after,
    office,
    recorded,
    refusal,
    registered,
)


def register(
    number: str = "QJP-001",
    name: str = "张伟",
    district: str = "320812",
    sector: str | None = "工商联",
    occurred_on: str = "2025-01-02",
    note: str | None = None,
) -> Member:
    return Member.register(
        number=number,
        name=name,
        district=district,
        sector=sector,
        occurred_on=occurred_on,
        note=note,
    )


def retired(occurred_on: str, note: str | None = None) -> object:
    return happened(Member.Retired, occurred_on, note=note)


def test_a_member_is_registered_with_number_name_sector_and_district() -> None:
    with office():
        member = register(note="届中增补")
    assert recorded(member) == [registered("2025-01-02", note="届中增补")]
    assert (member.number, member.name, member.sector) == ("QJP-001", "张伟", "工商联")
    assert (member.district, member.registered_on) == ("320812", "2025-01-02")
    assert member.retired_on is None


def test_a_member_registered_today_is_registered() -> None:
    with office():
        assert recorded(register(occurred_on=TODAY)) == [registered(TODAY)]


@pytest.mark.parametrize("sector", [None, ""])
def test_a_member_may_have_no_sector(sector: str | None) -> None:
    with office():
        assert recorded(register(sector=sector)) == [registered(sector=None)]


def test_number_name_and_sector_lose_the_spaces_around_them() -> None:
    with office():
        member = register(number=" QJP-001 ", name="张伟\u3000", sector=" 工商联")
    assert recorded(member) == [registered()]


def test_one_number_in_one_district_is_one_id() -> None:
    with office():
        first, again = register(), register(name="李娜", sector=None)
        elsewhere, other = register(district="320813"), register(number="QJP-002")
    assert first.id == again.id == Member.create_id("320812", "QJP-001")
    assert len({first.id, elsewhere.id, other.id}) == 3


def test_the_id_of_a_member_never_changes() -> None:
    assert Member.create_id("320812", "QJP-001") == UUID("dc02e800-f4fe-5cff-a7d1-61c7db6bf4ed")


def test_the_id_is_that_of_the_number_as_it_is_kept() -> None:
    with office():
        member = register(number=" QJP-001 ")
    assert member.id == Member.create_id("320812", " QJP-001 ")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("number", "", "It is empty."),
        ("number", "1" * 41, "It has 41 characters; at most 40 are kept."),
        ("number", "QJP\t1", "Character 4 (U+0009) is one that no text keeps."),
        ("name", " ", "It is empty."),
        ("name", "张" * 101, "It has 101 characters; at most 100 are kept."),
        ("name", "张\u202e伟", "Character 2 (U+202E) is one that no text keeps."),
        ("sector", "  ", "It is empty."),
        ("sector", "界" * 101, "It has 101 characters; at most 100 are kept."),
        ("district", "3208", "'3208' is no GB/T 2260 district code of six digits, like 320812."),
        ("district", "320800", "320800 names a whole province or city, not a district."),
        ("occurred_on", TOMORROW, "2026-01-06 is in the future; today is 2026-01-05 in China."),
        ("occurred_on", "2025-02-30", "'2025-02-30' is no day of the calendar, like 2025-03-18."),
    ],
)
def test_a_member_with_a_wrong_fact_is_refused_by_field(
    field: str, value: str, reason: str
) -> None:
    with refusal(Invalid) as caught:
        register(**{field: value})
    assert caught.value.errors == {field: [reason]}


@pytest.mark.parametrize(
    ("field", "value"), [("number", "1" * 40), ("name", "张" * 100), ("sector", "界" * 100)]
)
def test_the_longest_facts_are_kept(field: str, value: str) -> None:
    with office():
        assert recorded(register(**{field: value})) == [registered(**{field: value})]


@pytest.mark.parametrize("day", ["2025-06-30", TODAY])
def test_a_member_retires_on_a_day(day: str) -> None:
    member = member_after(registered())
    with office():
        member.retire(occurred_on=day, note="任期届满")
    assert recorded(member) == [retired(day, note="任期届满")]
    assert member.retired_on == day


def test_a_member_who_retires_twice_on_the_same_day_retired_once() -> None:
    member = member_after(registered(), happened(Member.Retired, "2025-06-30"))
    with office():
        member.retire(occurred_on="2025-06-30")
    assert recorded(member) == []


@pytest.mark.parametrize("day", ["2025-06-29", "2025-07-01", TOMORROW])
def test_a_member_who_retired_cannot_retire_on_another_day(day: str) -> None:
    member = member_after(registered(), happened(Member.Retired, "2025-06-30"))
    with refusal(Refused, of=member) as caught:
        member.retire(occurred_on=day)
    assert str(caught.value) == "张伟 (QJP-001) retired on 2025-06-30 already."
    assert caught.value.missing == []


@pytest.mark.parametrize(("day", "word"), [(TOMORROW, "future"), ("2025-02-30", "calendar")])
def test_a_member_retires_on_a_possible_day_only(day: str, word: str) -> None:
    member = member_after(registered())
    with refusal(Invalid, word, of=member) as caught:
        member.retire(occurred_on=day)
    assert list(caught.value.errors) == ["occurred_on"]


@pytest.mark.parametrize("day", ["2025-01-02", "2025-06-29", "2025-06-30"])
def test_a_member_may_tip_until_the_day_of_retirement(day: str) -> None:
    member_after(registered(), happened(Member.Retired, "2025-06-30")).may_tip(day)


def test_a_member_who_retired_tips_no_more() -> None:
    member = member_after(registered(), happened(Member.Retired, "2025-06-30"))
    with refusal(Invalid, of=member) as caught:
        member.may_tip("2025-07-01")
    assert caught.value.errors == {"members": ["张伟 (QJP-001) retired on 2025-06-30."]}


def test_a_member_who_never_retired_may_tip_on_any_day() -> None:
    member_after(registered()).may_tip("9999-12-31")


def test_old_members_load_although_todays_rules_would_refuse_them() -> None:
    member = member_after(
        registered("2099-02-30", number="", name="\0", district="x", sector=""),
        happened(Member.Retired, "1066-10-14"),
        happened(Member.Retired, "someday"),
    )
    assert (member.id, member.name, member.district) == (LEAD_ID, "\0", "x")
    assert (member.version, member.retired_on) == (3, "someday")


def test_a_member_registered_late_retires_on_the_day_it_was() -> None:
    """Registered on the day it is recorded: that is when it was typed, not since when it sits."""
    with office():
        member = register(occurred_on=TODAY)
        member.retire(occurred_on="2025-06-30", last_tip_on="2025-06-30")
    assert member.retired_on == "2025-06-30"


def test_nobody_retires_before_the_last_tip() -> None:
    with office():
        member = register(occurred_on=TODAY)
        with pytest.raises(Invalid, match="before the last tip of 张伟 on 2025-06-30"):
            member.retire(occurred_on="2025-06-29", last_tip_on="2025-06-30")
    assert member.retired_on is None


def test_nobody_retires_before_being_registered() -> None:
    with office():
        member = register(occurred_on="2025-06-01")
        with pytest.raises(
            Invalid, match=r"1999-01-01 is before 张伟 was registered on 2025-06-01\."
        ):
            member.retire(occurred_on="1999-01-01")
