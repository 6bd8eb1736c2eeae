"""Who is acting: named once, seen everywhere within, forgotten afterwards."""

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.actor import CHINA, Actor, acting, china_day, current_actor, now, today_in_china
from tests.domain.given import ADMIN, OFFICER


def test_without_a_name_nobody_is_acting() -> None:
    with pytest.raises(LookupError):
        current_actor()


def test_everything_within_acts_for_the_named_actor_and_nothing_afterwards() -> None:
    with acting(OFFICER) as named:
        assert named is OFFICER
        assert current_actor() is OFFICER
    with pytest.raises(LookupError):
        current_actor()


def test_an_inner_actor_gives_way_to_the_outer_one() -> None:
    with acting(OFFICER):
        with acting(ADMIN):
            assert current_actor() is ADMIN
        assert current_actor() is OFFICER


def test_an_actor_is_forgotten_when_the_command_fails() -> None:
    with pytest.raises(ZeroDivisionError), acting(OFFICER):
        raise ZeroDivisionError
    with pytest.raises(LookupError):
        current_actor()


def test_an_actor_waives_nothing_unless_it_is_said() -> None:
    assert not Actor("wang", OFFICER.moment, "r").may_waive
    assert ADMIN.may_waive


def test_an_actor_cannot_be_changed_on_the_way() -> None:
    with pytest.raises(FrozenInstanceError):
        setattr(OFFICER, "may_waive", True)  # noqa: B010 - mypy would refuse the assignment


@pytest.mark.parametrize(
    ("moment", "today"),
    [
        (datetime(2026, 1, 5, 15, 59, 59, tzinfo=UTC), date(2026, 1, 5)),
        (datetime(2026, 1, 5, 16, 0, tzinfo=UTC), date(2026, 1, 6)),
        (datetime(2025, 12, 31, 16, 0, tzinfo=UTC), date(2026, 1, 1)),
        (datetime(2026, 1, 5, 23, 59, tzinfo=CHINA), date(2026, 1, 5)),
    ],
)
def test_today_is_the_day_in_china(moment: datetime, today: date) -> None:
    assert Actor("wang", moment, "r").today == today


def test_china_is_eight_hours_ahead_all_year() -> None:
    assert CHINA.utcoffset(None) == timedelta(hours=8)
    assert CHINA.tzname(None) == "CST"


def test_the_clock_is_read_in_utc() -> None:
    before = datetime.now(UTC)
    read = now()
    assert before <= read <= datetime.now(UTC)
    assert read.tzinfo is UTC


def test_today_in_china_is_the_day_of_the_clock() -> None:
    before = china_day(now())
    assert today_in_china() in (before, china_day(now()))
