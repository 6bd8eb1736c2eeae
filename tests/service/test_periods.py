"""Months and weeks: their names, their days, and what each is compared with."""

from datetime import date, timedelta

import pytest

from domain.actor import acting
from domain.errors import Invalid, NotFound
from service.reports.periods import EARLIEST, MONTHLY, WEEKLY, Period, compared, period_named
from tests.service.helpers import somebody

D = date.fromisoformat


def today() -> date:
    """Today in China."""
    with acting(somebody()) as actor:
        return date.fromisoformat(f"{actor.today}")


@pytest.mark.parametrize(
    ("kind", "name", "label", "first", "last"),
    [
        (MONTHLY, "2024-02", "2024年2月", "2024-02-01", "2024-02-29"),
        (MONTHLY, "2025-12", "2025年12月", "2025-12-01", "2025-12-31"),
        (WEEKLY, "2025-W12", "2025年第12周", "2025-03-17", "2025-03-23"),
        # The ISO year begins in the one before.
        (WEEKLY, "2025-W01", "2025年第1周", "2024-12-30", "2025-01-05"),
        (WEEKLY, "2020-W53", "2020年第53周", "2020-12-28", "2021-01-03"),
    ],
)
def test_a_period_has_its_name_and_its_days(
    kind: str, name: str, label: str, first: str, last: str
) -> None:
    found = period_named(kind, name)
    assert found == Period(kind, name, label, D(first), D(last), D(last))


@pytest.mark.parametrize(
    ("kind", "name", "previous", "year_before"),
    [
        (MONTHLY, "2025-01", "2024-12", "2024-01"),
        (MONTHLY, "2025-03", "2025-02", "2024-03"),
        (WEEKLY, "2025-W12", "2025-W11", "2024-W12"),
        (WEEKLY, "2021-W01", "2020-W53", "2020-W01"),
        # The year before has no week 53.
        (WEEKLY, "2020-W53", "2020-W52", "2019-W52"),
    ],
)
def test_a_period_is_compared_with_the_one_before_and_that_of_the_year_before(
    kind: str, name: str, previous: str, year_before: str
) -> None:
    period = period_named(kind, name)
    assert compared(period) == {
        "now": period,
        "previous": period_named(kind, previous),
        "year_before": period_named(kind, year_before),
    }


@pytest.mark.parametrize(
    ("kind", "name"), [(MONTHLY, f"{today():%Y-%m}"), (WEEKLY, f"{today():%G-W%V}")]
)
def test_a_running_period_is_compared_up_to_the_same_day(kind: str, name: str) -> None:
    period = period_named(kind, name)
    assert period.start <= period.end == min(today(), period.last)
    for other in compared(period).values():
        assert other.last >= other.end == min(
            other.start + (period.end - period.start), other.last
        ) or (period.end == period.last == other.last)


def test_a_longer_month_that_runs_is_compared_with_no_day_beyond_a_shorter_one() -> None:
    whole = period_named(MONTHLY, "2025-03")
    others = compared(whole._replace(end=D("2025-03-30")))
    assert others["previous"].end == D("2025-02-28")
    assert others["year_before"].end == D("2024-03-30")
    assert compared(whole)["previous"].end == D("2025-02-28")
    early = compared(whole._replace(end=D("2025-03-10")))
    assert early["previous"].end == D("2025-02-10")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (MONTHLY, "2025-13"),
        (MONTHLY, "2025-00"),
        (MONTHLY, "2025-3"),
        (MONTHLY, "0000-01"),
        (MONTHLY, "2025-W12"),
        (MONTHLY, "２０２５-03"),
        (WEEKLY, "2025-W53"),
        (WEEKLY, "2025-W00"),
        (WEEKLY, "2025-12"),
        (WEEKLY, "x"),
    ],
)
def test_what_is_no_period_is_not_found(kind: str, name: str) -> None:
    with pytest.raises(NotFound, match="name it like"):
        period_named(kind, name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (MONTHLY, f"{EARLIEST - 1}-12"),
        (WEEKLY, f"{EARLIEST - 1}-W10"),
        (MONTHLY, f"{today() + timedelta(31):%Y-%m}"),
        (WEEKLY, f"{today() + timedelta(7):%G-W%V}"),
        (MONTHLY, "9999-12"),
        (WEEKLY, "9999-W52"),
    ],
)
def test_no_period_before_reports_begin_or_still_to_come_is_told(kind: str, name: str) -> None:
    with pytest.raises(Invalid, match="still to come"):
        period_named(kind, name)
