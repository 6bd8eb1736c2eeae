"""Texts, days and codes that people type: what is kept, and what is refused and why."""

import unicodedata
from collections.abc import Callable
from datetime import date

import pytest

from domain.errors import Invalid
from domain.values import (
    EARLIEST,
    LONG_TEXT,
    NOTE,
    check_text,
    country_fault,
    district_fault,
    district_prefix_fault,
    industry_fault,
    parse_day,
    phone_fault,
    text_fault,
)

BIDI = [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)]


@pytest.mark.parametrize(
    "text", ["清江浦", 'Wafer fab 12"', "a", "𠮷野家", "é", "e\u0301", "🏗", "№ 5"]
)
def test_plain_text_in_any_script_is_kept(text: str) -> None:
    assert text_fault(text, 20) is None


def test_every_printable_character_of_a_keyboard_is_kept() -> None:
    keyboard = "".join(map(chr, range(0x20, 0x7F)))
    assert text_fault(keyboard, 95) is None
    assert text_fault(keyboard, 95, lines=True) is None


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\u3000\u3000", "\u00a0"])
@pytest.mark.parametrize("lines", [True, False])
def test_a_text_of_nothing_but_space_is_empty(text: str, lines: bool) -> None:
    assert text_fault(text, 20, lines=lines) == "It is empty."


def test_a_text_may_be_as_long_as_the_limit_and_no_longer() -> None:
    assert text_fault("项" * 200, 200) is None
    assert text_fault("项" * 201, 200) == "It has 201 characters; at most 200 are kept."
    assert text_fault("𠮷" * 200, 200) is None


def test_a_long_text_is_refused_for_its_length_before_its_characters() -> None:
    assert text_fault("\0" * 10_000, 200) == "It has 10000 characters; at most 200 are kept."


@pytest.mark.parametrize(
    ("char", "name"),
    [
        ("\0", "U+0000"),
        ("\x07", "U+0007"),
        ("\x1b", "U+001B"),
        ("\x7f", "U+007F"),
        ("\x85", "U+0085"),
        ("\ud800", "U+D800"),
        ("\udfff", "U+DFFF"),
        ("\ufffe", "U+FFFE"),
        *((chr(point), f"U+{point:04X}") for point in BIDI),
    ],
)
@pytest.mark.parametrize("lines", [True, False])
def test_what_cannot_be_seen_or_shown_is_refused_with_its_place(
    char: str, name: str, lines: bool
) -> None:
    fault = f"Character 3 ({name}) is one that no text keeps."
    assert text_fault(f"项目{char}一", 20, lines=lines) == fault
    assert text_fault(f"项目{char}", 20, lines=lines) == fault


@pytest.mark.parametrize(("char", "name"), [("\n", "U+000A"), ("\r", "U+000D"), ("\t", "U+0009")])
def test_line_breaks_and_tabs_stand_in_long_texts_only(char: str, name: str) -> None:
    text = f"第一行{char}第二行"
    assert text_fault(text, 20, lines=True) is None
    assert text_fault(text, 20) == f"Character 4 ({name}) is one that no text keeps."


def test_a_control_after_an_allowed_line_break_is_still_found() -> None:
    assert text_fault("a\nb\0", 20, lines=True) == "Character 4 (U+0000) is one that no text keeps."


@pytest.mark.parametrize(("char", "name"), [("\u2028", "U+2028"), ("\u2029", "U+2029")])
@pytest.mark.parametrize("lines", [True, False])
def test_a_line_separator_of_unicode_stands_in_no_text(char: str, name: str, lines: bool) -> None:
    fault = f"Character 4 ({name}) is one that no text keeps."
    assert text_fault(f"第一行{char}第二行", 20, lines=lines) == fault


def test_every_character_of_a_forbidden_category_is_refused_and_every_letter_is_kept() -> None:
    forbidden = {"Cc", "Cs", "Zl", "Zp"}
    for point in range(0, 0xF0000, 97):
        char = chr(point)
        category = unicodedata.category(char)
        if category in forbidden or point in BIDI:
            assert text_fault(f"a{char}b", 3) is not None
        elif category[0] in "LMNPS":
            assert text_fault(f"a{char}b", 3) is None


def test_a_kept_text_loses_the_spaces_around_it() -> None:
    assert check_text("name", "  张 伟\u3000", 20) == "张 伟"
    assert check_text("note", "\n一\n二\n", 20, lines=True) == "一\n二"


def test_a_refused_text_names_its_field() -> None:
    with pytest.raises(Invalid) as caught:
        check_text("name", "张\n伟", 20)
    assert caught.value.errors == {"name": ["Character 2 (U+000A) is one that no text keeps."]}
    with pytest.raises(Invalid) as caught:
        check_text("sector", "界" * 6, 5)
    assert caught.value.errors == {"sector": ["It has 6 characters; at most 5 are kept."]}


def test_notes_and_long_texts_have_their_lengths() -> None:
    assert (NOTE, LONG_TEXT) == (2000, 4000)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-03-18", date(2025, 3, 18)),
        ("2024-02-29", date(2024, 2, 29)),
        ("1978-01-01", date(1978, 1, 1)),
        ("9999-12-31", date(9999, 12, 31)),
    ],
)
def test_a_day_of_the_calendar_is_read(text: str, day: date) -> None:
    assert parse_day("occurred_on", text) == day


@pytest.mark.parametrize(
    "text",
    [
        *("2025-02-30", "2025-02-29", "1900-02-29", "2025-13-01", "2025-00-10", "2025-01-00"),
        *("", "20250318", "2025-3-18", "2025/03/18", "25-03-18", "2025-W12-2", "2025-077"),
        *("2025-03-18T00:00", " 2025-03-18", "2025-03-18\n", "+025-03-18", "２０２５-03-18"),
        *("0000-01-01", "today", "\0"),
    ],
)
def test_what_is_no_day_of_the_calendar_is_refused_by_field(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_day("next_on", text)
    assert caught.value.errors == {
        "next_on": [f"'{text}' is no day of the calendar, like 2025-03-18."]
    }


def test_a_refused_day_is_quoted_in_forty_characters() -> None:
    with pytest.raises(Invalid) as caught:
        parse_day("next_on", "9" * 10_000)
    assert caught.value.errors == {
        "next_on": [f"'{'9' * 40}' is no day of the calendar, like 2025-03-18."]
    }


@pytest.mark.parametrize("text", ["1977-12-31", "1900-01-01", "0001-01-01"])
def test_no_lead_is_older_than_the_reform_and_opening(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_day("occurred_on", text)
    assert caught.value.errors == {
        "occurred_on": [f"{text} is before 1978-01-01, where no lead can begin."]
    }
    assert date(1978, 1, 1) == EARLIEST


@pytest.mark.parametrize("code", ["320812", "320871", "110101", "659011", "810001", "429004"])
def test_a_district_code_of_gb2260_shape_is_kept(code: str) -> None:
    assert district_fault(code) is None


@pytest.mark.parametrize(
    "code",
    [
        *("", "32081", "3208120", "32081A", "３２０８１２", "320812 ", "\n320812", "320812\n"),
        *("020812", "990812", "160101", "830001", "100101", "x" * 40),
    ],
)
def test_what_has_not_the_shape_of_a_district_code_is_no_district(code: str) -> None:
    assert district_fault(code) == (
        f"'{code}' is no GB/T 2260 district code of six digits, like 320812."
    )


def test_a_refused_district_is_quoted_in_forty_characters() -> None:
    text = "9" * 10_000
    assert district_fault(text) == (
        f"'{text[:40]}' is no GB/T 2260 district code of six digits, like 320812."
    )
    assert district_prefix_fault(text) == (
        f"'{text[:40]}' is no district prefix of two, four or six digits, like 3208."
    )


@pytest.mark.parametrize("code", ["320000", "320800", "110100"])
def test_a_province_or_city_is_no_district(code: str) -> None:
    assert district_fault(code) == f"{code} names a whole province or city, not a district."


@pytest.mark.parametrize(
    "province",
    [
        *("11", "12", "13", "14", "15", "21", "22", "23", "31", "32", "33", "34", "35", "36", "37"),
        *("41", "42", "43", "44", "45", "46", "50", "51", "52", "53", "54"),
        *("61", "62", "63", "64", "65", "71", "81", "82"),
    ],
)
def test_every_province_has_districts(province: str) -> None:
    assert district_fault(f"{province}0101") is None
    assert district_prefix_fault(province) is None


def test_there_are_thirty_four_provinces() -> None:
    accepted = [n for n in range(100) if district_fault(f"{n:02}0101") is None]
    assert len(accepted) == 34
    assert accepted == [n for n in range(100) if district_prefix_fault(f"{n:02}") is None]


@pytest.mark.parametrize("prefix", ["32", "3208", "320812"])
def test_a_prefix_is_a_province_a_city_or_a_district(prefix: str) -> None:
    assert district_prefix_fault(prefix) is None


@pytest.mark.parametrize(
    "prefix", ["", "3", "320", "32081", "3208121", "99", "9908", "02", "32%", "3208\n", "３２"]
)
def test_what_is_no_such_prefix_is_refused(prefix: str) -> None:
    assert district_prefix_fault(prefix) == (
        f"'{prefix}' is no district prefix of two, four or six digits, like 3208."
    )


@pytest.mark.parametrize("code", ["A", "T", "C3", "C39", "C397", "C3973"])
def test_an_industry_is_a_letter_and_up_to_four_digits(code: str) -> None:
    assert industry_fault(code) is None


@pytest.mark.parametrize(
    "code", ["", "U", "c397", "397", "C39731", "C39x", "C397\n", "Ｃ", "C" * 99]
)
def test_what_is_no_industry_code_is_refused(code: str) -> None:
    assert industry_fault(code) == (
        f"'{code[:20]}' is no GB/T 4754 code: a letter A to T and up to four digits, like C397."
    )


@pytest.mark.parametrize(
    "number", ["123456", "+86 517 8366-8888", "0517 (8366) 8888", "13912345678", "1" * 30]
)
def test_a_telephone_number_is_kept(number: str) -> None:
    assert phone_fault(number) is None


@pytest.mark.parametrize(
    "number",
    ["", "12345", "1" * 31, "+", "12345x", "1234567-", "１２３４５６７", "1234567\n", "123\t4567"],
)
def test_what_is_no_telephone_number_is_refused_without_repeating_it(number: str) -> None:
    assert phone_fault(number) == (
        "It is no telephone number of 6 to 30 digits, spaces, hyphens and brackets."
    )


@pytest.mark.parametrize("code", ["CN", "DE", "US"])
def test_a_country_is_two_capital_letters(code: str) -> None:
    assert country_fault(code) is None


@pytest.mark.parametrize("code", ["", "C", "cn", "CHN", "C1", "CN\n", "中国", "X" * 99])
def test_what_is_no_country_code_is_refused(code: str) -> None:
    assert country_fault(code) == f"'{code[:20]}' is no country code, like CN."


@pytest.mark.parametrize(
    "fault", [district_fault, district_prefix_fault, industry_fault, country_fault]
)
def test_a_faulty_code_is_never_quoted_at_length(fault: Callable[[str], str | None]) -> None:
    assert len(fault("9" * 10_000) or "") < 150
