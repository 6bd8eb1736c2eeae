"""Small values that people type: text, days, district codes. Each check names what is wrong."""

import re
from datetime import date
from functools import cache

from domain.errors import Invalid
from domain.sentences import Sentence

LONG_TEXT = 4000
NOTE = 2000

# GB/T 2260: the first two digits of a district code name the province-level division.
PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 "
    "61 62 63 64 65 71 81 82".split()
)
_PROVINCE = "(" + "|".join(sorted(PROVINCES)) + ")"
# The shapes below are also what the API's description says of a value.
DISTRICT_SHAPE = f"^{_PROVINCE}[0-9]{{2}}([0-9][1-9]|[1-9]0)$"
PREFIX_SHAPE = f"^{_PROVINCE}([0-9]{{2}}([0-9]{{2}})?)?$"
INDUSTRY_SHAPE = "^[A-T][0-9]{0,4}$"
PHONE_SHAPE = r"^[+(]?[0-9][0-9 ()-]{4,28}[0-9]$"
COUNTRY_SHAPE = "^[A-Z]{2}$"
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EARLIEST = date(1978, 1, 1)
# A day after every other.
NEVER = "9999-12-31"

# What may not stand in a text: controls, marks that are not seen or make a text read otherwise
# than it is stored, separators of lines and paragraphs, code points that are no characters. (A
# list of ranges, not Unicode's categories: what one version of it does not know yet, and what
# GB18030 keeps for private use, are rare characters of people's names.)
_UNKEPT = (
    r"\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5"
    r"\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\u3164\ufdd0-\ufdef\ufeff\uffa0\ufffe\uffff"
)
_BREAKS = r"\t\n\r"
LINE_SHAPE = f"^[^{_UNKEPT}{_BREAKS}]*[^\\s{_UNKEPT}][^{_UNKEPT}{_BREAKS}]*$"
TEXT_SHAPE = f"^[^{_UNKEPT}]*[^\\s{_UNKEPT}][^{_UNKEPT}]*$"
_BAD_IN_LINE = re.compile(f"[{_UNKEPT}{_BREAKS}\ud800-\udfff]")
_BAD_IN_TEXT = re.compile(f"[{_UNKEPT}\ud800-\udfff]")


def text_fault(text: str, longest: int, *, lines: bool = False) -> str | None:
    """Why ``text`` cannot be kept, or None. ``lines`` allows line breaks and tabs."""
    if not text.strip():
        return Sentence("It is empty.")
    if len(text) > longest:
        return Sentence(
            "It has {count} characters; at most {longest} are kept.",
            count=len(text),
            longest=longest,
        )
    bad = (_BAD_IN_TEXT if lines else _BAD_IN_LINE).search(text)
    if bad is None:
        return None
    return Sentence(
        "Character {number} (U+{code}) is one that no text keeps.",
        number=bad.start() + 1,
        code=f"{ord(bad[0]):04X}",
    )


def check_text(field: str, text: str, longest: int, *, lines: bool = False) -> str:
    """``text`` without spaces around it; Invalid when it cannot be kept."""
    fault = text_fault(text, longest, lines=lines)
    if fault:
        raise Invalid({field: [fault]})
    return text.strip()


def parse_day(field: str, text: str) -> date:
    """``YYYY-MM-DD`` as a day; Invalid for a day that no calendar has, or before 1978."""
    try:
        day = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise Invalid.of(
            field, "'{text}' is no day of the calendar, like 2025-03-18.", text=text[:40]
        )
    if day < EARLIEST:
        raise Invalid.of(
            field,
            "{text} is before {earliest}, where no lead can begin.",
            text=text,
            earliest=EARLIEST,
        )
    return day


def _fits(shape: str, text: str) -> bool:
    return _whole(shape).fullmatch(text) is not None


@cache
def _whole(shape: str) -> re.Pattern[str]:
    # Of the shape's own ^ and $ the latter would let a line break through.
    return re.compile(shape[1:-1])


def district_fault(code: str) -> str | None:
    """Why ``code`` is no six-digit GB/T 2260 district code, or None."""
    if _fits(DISTRICT_SHAPE, code):
        return None
    if _fits(PREFIX_SHAPE, code) and len(code) == 6:
        return Sentence("{code} names a whole province or city, not a district.", code=code)
    return Sentence(
        "'{code}' is no GB/T 2260 district code of six digits, like 320812.", code=code[:40]
    )


def district_prefix_fault(prefix: str) -> str | None:
    """Why ``prefix`` is no province (32), city (3208) or district (320812), or None."""
    if _fits(PREFIX_SHAPE, prefix):
        return None
    return Sentence(
        "'{prefix}' is no district prefix of two, four or six digits, like 3208.",
        prefix=prefix[:40],
    )


def industry_fault(code: str) -> str | None:
    """Why ``code`` has not the shape of a GB/T 4754 industry code, or None."""
    if _fits(INDUSTRY_SHAPE, code):
        return None
    return Sentence(
        "'{code}' is no GB/T 4754 code: a letter A to T and up to four digits, like C397.",
        code=code[:20],
    )


def phone_fault(number: str) -> str | None:
    """Why ``number`` is no telephone number, or None."""
    if _fits(PHONE_SHAPE, number):
        return None
    return Sentence("It is no telephone number of 6 to 30 digits, spaces, hyphens and brackets.")


def country_fault(code: str) -> str | None:
    """Why ``code`` has not the shape of an ISO 3166 country code, or None."""
    return (
        None
        if _fits(COUNTRY_SHAPE, code)
        else Sentence("'{code}' is no country code, like CN.", code=code[:20])
    )
