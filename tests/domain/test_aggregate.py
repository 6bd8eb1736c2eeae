"""What every event of the ledger carries, and which days it may have happened on."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.actor import Actor
from domain.aggregate import check_day
from domain.errors import Invalid
from domain.lead import Lead
from domain.member import Member
from domain.sentences import Sentence
from tests.domain.given import (
    ADMIN,
    MORNING,
    OFFICER,
    TODAY,
    TOMORROW,
    lead_after,
    member_after,
    office,
    refusal,
    registered,
    tipped,
)


def test_the_first_event_says_who_when_and_for_which_request() -> None:
    with office():
        lead = Lead.tip(members=["m"], district="320812", occurred_on=TODAY, title="项目")
    (event,) = lead.collect_events()
    said: Any = event
    assert (said.actor, said.request, said.timestamp) == ("officer:wang", "request-7", MORNING)
    assert (said.occurred_on, said.originator_version) == (TODAY, 1)
    assert lead.created_on == lead.modified_on == MORNING


def test_every_later_event_says_who_when_and_for_which_request() -> None:
    lead = lead_after(tipped())
    later = replace(ADMIN, moment=datetime(2026, 1, 5, 9, 30, tzinfo=UTC))
    with office(later):
        lead.screen(verdict="pursue", occurred_on="2025-03-19")
    (event,) = lead.collect_events()
    said: Any = event
    assert (said.actor, said.request, said.timestamp) == ("admin:li", "request-8", later.moment)
    assert (said.originator_id, said.originator_version) == (lead.id, 2)
    assert lead.modified_on == later.moment


def test_nothing_is_recorded_for_nobody() -> None:
    lead, member = lead_after(tipped()), member_after(registered())
    with pytest.raises(LookupError):
        lead.screen(verdict="pursue", occurred_on="2025-03-19")
    with pytest.raises(LookupError):
        member.retire(occurred_on=TODAY)
    with pytest.raises(LookupError):
        Lead.tip(members=["m"], district="320812", occurred_on=TODAY, title="项目")
    assert [*lead.collect_events(), *member.collect_events()] == []


def test_every_event_has_a_short_stable_name_of_its_own() -> None:
    events = [
        value
        for aggregate in (Lead, Member)
        for value in vars(aggregate).values()
        if isinstance(value, type) and hasattr(value, "TOPIC")
    ]
    assert sorted(event.TOPIC for event in events) == [
        "lead.closed",
        "lead.corrected",
        "lead.credit_ruled",
        "lead.followed_up",
        "lead.framework_agreed",
        "lead.groundbroken",
        "lead.members_joined",
        "lead.members_left",
        "lead.members_told",
        "lead.negotiation_opened",
        "lead.recognised",
        "lead.reopened",
        "lead.resumed",
        "lead.revised",
        "lead.screened",
        "lead.signed",
        "lead.signing_planned",
        "lead.suspended",
        "lead.tipped",
        "lead.transfer_proposed",
        "lead.transfer_refused",
        "lead.transferred",
        "member.registered",
        "member.retired",
    ]


def test_today_is_allowed_and_tomorrow_is_not() -> None:
    with office():
        assert check_day(TODAY) == date(2026, 1, 5)
    with refusal(Invalid) as caught:
        check_day(TOMORROW)
    assert caught.value.errors == {
        "occurred_on": ["2026-01-06 is in the future; today is 2026-01-05 in China."]
    }


@pytest.mark.parametrize(
    ("moment", "day", "allowed"),
    [
        (datetime(2026, 1, 5, 16, 0, tzinfo=UTC), "2026-01-06", True),
        (datetime(2026, 1, 5, 15, 59, 59, tzinfo=UTC), "2026-01-06", False),
        (datetime(2025, 12, 31, 16, 0, tzinfo=UTC), "2026-01-01", True),
        (datetime(2025, 12, 31, 15, 59, tzinfo=UTC), "2026-01-01", False),
    ],
)
def test_the_future_begins_at_midnight_in_china_and_not_in_greenwich(
    moment: datetime, day: str, allowed: bool
) -> None:
    actor = Actor("officer:wang", moment, "r")
    if allowed:
        with office(actor):
            assert check_day(day) == date.fromisoformat(day)
    else:
        with refusal(Invalid, "future", by=actor):
            check_day(day)


def test_a_day_may_be_the_one_it_must_not_precede() -> None:
    with office():
        assert check_day("2025-04-02", not_before="2025-04-02") == date(2025, 4, 2)
        assert check_day("2025-04-02", not_before=None) == date(2025, 4, 2)
    with refusal(Invalid) as caught:
        check_day("2025-04-01", not_before="2025-04-02", since=Sentence("the lead became signed"))
    assert caught.value.errors == {
        "occurred_on": ["2025-04-01 is before the lead became signed on 2025-04-02."]
    }


def test_a_day_is_refused_under_the_name_of_its_field() -> None:
    for day in (TOMORROW, "2025-02-30", "2025-01-01"):
        with refusal(Invalid) as caught:
            check_day(day, not_before="2025-01-02", since=Sentence("that"), field="retired_on")
        assert list(caught.value.errors) == ["retired_on"]


def test_a_day_that_no_calendar_has_is_refused_under_occurred_on() -> None:
    with refusal(Invalid) as caught:
        check_day("2025-02-30")
    assert caught.value.errors == {
        "occurred_on": ["'2025-02-30' is no day of the calendar, like 2025-03-18."]
    }


def test_the_officer_of_these_tests_waives_nothing() -> None:
    assert not OFFICER.may_waive
