"""Numbers, amounts, days and moments as an office writes them, in either language; all exact.

What is shortened carries the whole figure as its title.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

from markupsafe import Markup

from api.pages.texts import language
from domain.actor import today_in_china
from service.reports.annual import amount_words, in_largest

_CHINA = timezone(timedelta(hours=8))
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_NONE = Markup('<span class="none">—</span>')
# So many of each are kept as they are written: pages say the same days and amounts again.
_KEPT = 4096
_LARGE = (("billion", Decimal(10**9)), ("million", Decimal(10**6)))


def words_of(cny: str | int | None) -> str:
    """An amount in 元, as text: 30亿元, CNY 3 billion; a dash where there is none."""
    if cny is None:
        return "—"
    if language() == "zh":
        return amount_words(f"{cny}", "元") if Decimal(cny) else "0元"
    return _english(Decimal(cny))


def _english(cny: Decimal) -> str:
    """In the largest unit that leaves at most four decimals."""
    found = in_largest(cny, _LARGE)
    if found:
        return f"CNY {_plain(found[0])} {found[1]}"
    return f"CNY {grouped(cny)}"


def grouped(amount: Decimal | str | int) -> str:
    """In full, with commas between the thousands."""
    return f"{Decimal(amount):,f}"


def _plain(value: Decimal) -> str:
    text = grouped(value)
    return text.rstrip("0").rstrip(".") if "." in text else text


def money(cny: str | int | None) -> Markup:
    """The same with the whole figure as its title."""
    return _NONE if cny is None else _money(cny, language())


@lru_cache(maxsize=_KEPT)
def _money(cny: str | int, language: str) -> Markup:
    whole = f"{grouped(cny)} 元" if language == "zh" else f"CNY {grouped(cny)}"
    return Markup('<data class="money" value="{0}" title="{1}">{2}</data>').format(
        cny, whole, words_of(cny)
    )


def stated(investment: dict[str, str] | None) -> Markup:
    """An amount as it was stated, with its unit, and what that is in 元."""
    if investment is None:
        return money(None)
    if investment.get("cny") is not None:
        return money(investment["cny"])
    words = amount_words(investment["amount"], investment["unit"])
    return Markup('<span class="money">{0}</span>').format(words)


def listed(words: Iterable[str]) -> str:
    """Several, one after the other."""
    return ("、" if language() == "zh" else ", ").join(words)


def overdue(day: str | None, today: date | None = None) -> int:
    """How many days a day (ISO) has gone by; 0 for none, and one to come."""
    return max(0, ((today or today_in_china()) - date.fromisoformat(day)).days) if day else 0


def short_day(day: str) -> str:
    """A day of a year that is told elsewhere: 12月29日, 29 Dec."""
    of = date.fromisoformat(day)
    return f"{of.month}月{of.day}日" if language() == "zh" else f"{of.day} {_MONTHS[of.month - 1]}"


def count(number: int) -> str:
    """1,234."""
    return f"{number:,}"


def day_words(day: str | date) -> str:
    """12月29日, of another year than the present 2025年12月29日; 29 Dec 2025."""
    of = date.fromisoformat(day) if isinstance(day, str) else day
    if language() == "en":
        return f"{of.day} {_MONTHS[of.month - 1]} {of.year}"
    short = f"{of.month}月{of.day}日"
    return short if of.year == today_in_china().year else f"{of.year}年{short}"


def day(of: str | None) -> Markup:
    """A day (ISO) as it is read; a dash for none."""
    return _NONE if of is None else _day(of, language(), today_in_china().year)


@lru_cache(maxsize=_KEPT)
def _day(of: str, _language: str, _year: int) -> Markup:
    return Markup('<time datetime="{0}" title="{0}">{1}</time>').format(of, day_words(of))


def day_in_two(of: str) -> Markup:
    """A day where there is little room: the year, if it is told, above the rest."""
    return day(of).replace("年", Markup("年<br>"))


def moment(of: str | None) -> Markup:
    """A moment (RFC 3339) on China's clocks: 12月29日 16:05, with the second as its title."""
    return _NONE if of is None else _moment(of, language(), today_in_china().year)


@lru_cache(maxsize=_KEPT)
def _moment(of: str, _language: str, _year: int) -> Markup:
    there = datetime.fromisoformat(of).astimezone(_CHINA)
    words = f"{day_words(there.date())} {there:%H:%M}"
    whole = f"{there:%Y-%m-%d %H:%M:%S} UTC+8"
    return Markup('<time datetime="{0}" title="{1}">{2}</time>').format(of, whole, words)


FILTERS = {
    "money": money,
    "stated": stated,
    "count": count,
    "day": day,
    "day_in_two": day_in_two,
    "listed": listed,
    "overdue": overdue,
    "moment": moment,
    "day_words": day_words,
    "money_words": words_of,
}
