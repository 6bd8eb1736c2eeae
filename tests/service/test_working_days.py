"""Working days in China."""

from datetime import date, timedelta

import pytest

from service.working_days import (
    KNOWN_UNTIL,
    after_working_days,
    is_working_day,
    working_days_before,
)


@pytest.mark.parametrize(
    ("day", "works"),
    [
        ("2025-09-30", True),
        # National Day and Mid-Autumn, and the Sunday and Saturday that are worked for them.
        ("2025-10-01", False),
        ("2025-10-08", False),
        ("2025-09-28", True),
        ("2025-10-11", True),
        ("2025-10-12", False),
        ("2026-02-16", False),
        ("2026-02-14", True),
    ],
)
def test_holidays_rest_and_the_weekend_days_given_for_them_are_worked(
    day: str, works: bool
) -> None:
    assert is_working_day(date.fromisoformat(day)) is works


@pytest.mark.parametrize(
    ("day", "count", "last"),
    [
        ("2025-03-18", 1, "2025-03-19"),
        ("2025-03-21", 1, "2025-03-24"),
        ("2025-03-21", 3, "2025-03-26"),
        # From the eve of the holiday: the 9th, 10th and the worked Saturday.
        ("2025-09-30", 3, "2025-10-11"),
        ("2025-03-22", 0, "2025-03-22"),
    ],
)
def test_so_many_working_days_later(day: str, count: int, last: str) -> None:
    assert after_working_days(date.fromisoformat(day), count) == date.fromisoformat(last)


def test_beyond_the_table_the_weekday_alone_counts() -> None:
    assert date(2025, 12, 31) < KNOWN_UNTIL < date(2090, 1, 1)
    # A Friday, and the National Day that is a Sunday there.
    assert is_working_day(date(2090, 9, 29)) and not is_working_day(date(2090, 10, 1))
    assert is_working_day(date(2090, 10, 2)), "a holiday that no table tells of"


@pytest.mark.parametrize("count", range(4))
def test_days_before_are_the_last_that_so_many_working_days_follow(count: int) -> None:
    for number in range(400):
        day = date(2025, 1, 1) + timedelta(number)
        before = working_days_before(day, count)
        assert after_working_days(before, count) <= day
        assert after_working_days(before + timedelta(1), count) > day


def test_before_the_first_of_all_days_there_is_none() -> None:
    assert working_days_before(date(1, 1, 3), 40) == date.min
