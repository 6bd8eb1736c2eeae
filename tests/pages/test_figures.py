"""Numbers, amounts, days and moments, as an office writes them."""

from collections.abc import Iterator
from datetime import date

import pytest
from flask import Flask

from api.pages import figures


@pytest.fixture(params=["zh", "en"])
def language(app: Flask, request: pytest.FixtureRequest) -> Iterator[str]:
    """Within a request in that language."""
    with app.test_request_context("/", headers={"Accept-Language": request.param}):
        yield request.param


@pytest.mark.parametrize(
    ("cny", "zh", "en"),
    [
        ("3000000000", "30亿元", "CNY 3 billion"),
        ("3125000000", "31.25亿元", "CNY 3.125 billion"),
        ("80000000", "8000万元", "CNY 80 million"),
        ("123456789", "12345.6789万元", "CNY 123,456,789"),
        ("100000000", "1亿元", "CNY 100 million"),
        ("99999999.99", "99999999.99元", "CNY 99,999,999.99"),
        ("0", "0元", "CNY 0"),
        (None, "—", "—"),
    ],
)
def test_an_amount_is_shortened_and_stays_exact(
    language: str, cny: str | None, zh: str, en: str
) -> None:
    assert figures.words_of(cny) == {"zh": zh, "en": en}[language]


def test_what_is_shortened_has_the_whole_figure_as_its_title(language: str) -> None:
    whole = {"zh": "3,125,000,000 元", "en": "CNY 3,125,000,000"}[language]
    assert f'title="{whole}"' in figures.money("3125000000")
    assert 'value="3125000000"' in figures.money("3125000000")


def test_a_foreign_amount_is_as_it_was_stated(language: str) -> None:
    assert "2亿美元" in figures.stated({"amount": "2", "unit": "亿美元", "cny": None})  # type: ignore[dict-item]


def test_a_day_is_written_as_in_an_office(language: str) -> None:
    assert (
        figures.day_words("2020-12-29") == {"zh": "2020年12月29日", "en": "29 Dec 2020"}[language]
    )
    assert 'datetime="2020-12-29"' in figures.day("2020-12-29")
    assert "—" in figures.day(None) and "—" in figures.moment(None)


def test_a_moment_is_on_chinas_clocks(language: str) -> None:
    told = figures.moment("2020-12-29T16:05:00Z")
    assert {"zh": "2020年12月30日 00:05", "en": "30 Dec 2020 00:05"}[language] in told
    assert "2020-12-30 00:05:00 UTC+8" in told


def test_a_count_has_its_thousands_apart(language: str) -> None:
    assert figures.count(100_000) == "100,000"


def test_several_are_listed_as_the_language_does(language: str) -> None:
    assert figures.listed(["甲", "乙"]) == {"zh": "甲、乙", "en": "甲, 乙"}[language]


def test_a_day_of_a_year_that_is_told_elsewhere_is_short(language: str) -> None:
    assert figures.short_day("2025-12-09") == {"zh": "12月9日", "en": "9 Dec"}[language]


def test_where_there_is_little_room_the_year_stands_above_the_day(language: str) -> None:
    two = {"zh": ">2025年<br>12月9日</time>", "en": ">9 Dec 2025</time>"}[language]
    assert figures.day_in_two("2025-12-09").endswith(two)


@pytest.mark.parametrize(("day", "late"), [("2025-12-28", 1), ("2025-12-29", 0), (None, 0)])
def test_how_long_a_day_has_gone_by(day: str | None, late: int) -> None:
    assert figures.overdue(day, date(2025, 12, 29)) == late
