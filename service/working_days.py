"""Working days in China: holidays, and the weekend days that are worked in exchange (调休).

The table is chinesecalendar's, which a new release extends each November, when the State Council
has published the next year's. Beyond it every Monday to Friday counts as worked.
"""

from datetime import date, timedelta
from functools import lru_cache

from chinese_calendar import is_workday
from chinese_calendar.constants import holidays

# The last day that the table knows.
KNOWN_UNTIL = date(max(holidays).year, 12, 31)
_DAY = timedelta(days=1)
_SATURDAY = 5


@lru_cache(maxsize=4096)
def is_working_day(day: date) -> bool:
    """Whether offices work on that day; beyond the table, and before it, by the weekday alone."""
    try:
        return bool(is_workday(day))
    except NotImplementedError:
        return day.weekday() < _SATURDAY


def after_working_days(day: date, count: int) -> date:
    """The last of the ``count`` working days that follow ``day``; ``day`` itself for 0."""
    while count:
        day += _DAY
        count -= is_working_day(day)
    return day


def working_days_before(day: date, count: int) -> date:
    """The last day of which ``after_working_days`` of as many is ``day`` or earlier; the first of
    all days where there is none."""
    while count and day > date.min:
        count -= is_working_day(day)
        day -= _DAY
    return day
