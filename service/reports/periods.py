"""The months and weeks that are reported on, and those that each is compared with."""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import NamedTuple

from domain.actor import today_in_china
from domain.errors import Invalid, NotFound

EARLIEST = 1978
MONTHLY, WEEKLY = "monthly", "weekly"


class Period(NamedTuple):
    """A month or ISO week from its first day ``start`` to its last; it counts up to ``end``, which
    comes before ``last`` while the period is still running."""

    kind: str
    name: str
    label: str
    start: date
    end: date
    last: date


def _month(year: int, month: int) -> Period:
    start, days = date(year, month, 1), monthrange(year, month)[1]
    last = start.replace(day=days)
    return Period(MONTHLY, f"{start:%Y-%m}", f"{year}年{month}月", start, last, last)


def _week(year: int, week: int) -> Period:
    start = date.fromisocalendar(year, week, 1)
    last = start + timedelta(6)
    return Period(WEEKLY, f"{year}-W{week:02d}", f"{year}年第{week}周", start, last, last)


def _weeks_in(year: int) -> int:
    """28 December is always in the last week."""
    return date(year, 12, 28).isocalendar().week


def _last_month(period: Period) -> Period:
    day = period.start - timedelta(1)
    return _month(day.year, day.month)


def _last_week(period: Period) -> Period:
    year, week, _ = (period.start - timedelta(1)).isocalendar()
    return _week(year, week)


def _week_of_last_year(period: Period) -> Period:
    """The week of the same number; of a year that has no week 53, its last."""
    year, week, _ = period.start.isocalendar()
    return _week(year - 1, min(week, _weeks_in(year - 1)))


class _Kind(NamedTuple):
    """How a kind of period is written, which numbers a year has, which of them (year, number) a
    day is in, and what it is compared with."""

    written: re.Pattern[str]
    example: str
    numbers: Callable[[int], int]
    of: Callable[[date], tuple[int, int]]
    made: Callable[[int, int], Period]
    previous: Callable[[Period], Period]
    year_before: Callable[[Period], Period]


KINDS: Mapping[str, _Kind] = {
    MONTHLY: _Kind(
        re.compile("([0-9]{4})-([0-9]{2})", re.ASCII),
        "2025-03",
        lambda _year: 12,
        lambda day: (day.year, day.month),
        _month,
        _last_month,
        lambda period: _month(period.start.year - 1, period.start.month),
    ),
    WEEKLY: _Kind(
        re.compile("([0-9]{4})-W([0-9]{2})", re.ASCII),
        "2025-W12",
        _weeks_in,
        lambda day: day.isocalendar()[:2],
        _week,
        _last_week,
        _week_of_last_year,
    ),
}


def period_named(kind: str, text: str) -> Period:
    """The ``MONTHLY`` or ``WEEKLY`` period of that name, up to today while it is running.

    NotFound for what is no such name; Invalid for one before ``EARLIEST``, or still to come.
    """
    rule = KINDS[kind]
    found = rule.written.fullmatch(text)
    year, number = (int(found[1]), int(found[2])) if found else (0, 0)
    if not found or year == 0 or not 1 <= number <= rule.numbers(year):
        raise NotFound(
            "There is no {kind} report of '{text}'; name it like {example}.",
            kind=kind,
            text=text[:40],
            example=rule.example,
        )
    today = today_in_china()
    # The last days of a year can be in the first week of the next.
    period = rule.made(year, number) if EARLIEST <= year <= today.year + 1 else None
    if period is None or period.start > today:
        raise Invalid.of(
            "period",
            "{text} is before {earliest} or still to come; today is {today} in China.",
            text=text,
            earliest=EARLIEST,
            today=today,
        )
    return period._replace(end=min(period.last, today))


def period_to(kind: str, day: date) -> Period:
    """The ``MONTHLY`` or ``WEEKLY`` period that the day is in, up to that day."""
    rule = KINDS[kind]
    return rule.made(*rule.of(day))._replace(end=day)


def compared(period: Period) -> dict[str, Period]:
    """The period itself (``now``), the one before it, and that of the year before.

    While it is running these too are counted up to the same day of theirs only.
    """
    rule = KINDS[period.kind]
    others = {"previous": rule.previous(period), "year_before": rule.year_before(period)}
    if period.end < period.last:
        days = period.end - period.start
        others = {
            name: other._replace(end=min(other.start + days, other.last))
            for name, other in others.items()
        }
    return {"now": period, **others}
