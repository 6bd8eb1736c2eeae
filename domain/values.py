"""Small values that people type: text, days, district codes. Each check names what is wrong."""

import re
import unicodedata
from datetime import date

from domain.errors import Invalid

LONG_TEXT = 4000
NOTE = 2000

# GB/T 2260: the first two digits of a district code name the province-level division.
PROVINCES = frozenset(
    "11 12 13 14 15 21 22 23 31 32 33 34 35 36 37 41 42 43 44 45 46 50 51 52 53 54 "
    "61 62 63 64 65 71 81 82".split()
)
_DISTRICT = re.compile(r"[1-9][0-9]{5}")
_DISTRICT_PREFIX = re.compile(r"[1-9][0-9](?:[0-9]{2}(?:[0-9]{2})?)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
EARLIEST = date(1978, 1, 1)

# What may not stand in a text: controls, separators of lines and paragraphs, lone surrogates,
# private and unassigned code points,
# and the marks that make a text read otherwise than it is stored.
_FORBIDDEN = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
# zero-width marks first, then those of direction
_UNSEEN = frozenset(
    "\u200b\u2060\ufeff\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def text_fault(text: str, longest: int, *, lines: bool = False) -> str | None:
    """Why ``text`` cannot be kept, or None. ``lines`` allows line breaks and tabs."""
    if not text.strip():
        return "It is empty."
    if len(text) > longest:
        return f"It has {len(text)} characters; at most {longest} are kept."
    for at, char in enumerate(text):
        if lines and char in "\n\r\t":
            continue
        if char in _UNSEEN or unicodedata.category(char) in _FORBIDDEN:
            return f"Character {at + 1} (U+{ord(char):04X}) is a control character."
    return None


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
        raise Invalid({field: [f"'{text[:40]}' is no day of the calendar, like 2025-03-18."]})
    if day < EARLIEST:
        raise Invalid({field: [f"{text} is before {EARLIEST}, where no lead can begin."]})
    return day


def district_fault(code: str) -> str | None:
    """Why ``code`` is no six-digit GB/T 2260 district code, or None."""
    if not _DISTRICT.fullmatch(code) or code[:2] not in PROVINCES:
        return f"'{code[:40]}' is no GB/T 2260 district code of six digits, like 320812."
    if code.endswith("00"):
        return f"{code} names a whole province or city, not a district."
    return None


def district_prefix_fault(prefix: str) -> str | None:
    """Why ``prefix`` is no province (32), city (3208) or district (320812), or None."""
    if not _DISTRICT_PREFIX.fullmatch(prefix) or prefix[:2] not in PROVINCES:
        return f"'{prefix[:40]}' is no district prefix of two, four or six digits, like 3208."
    return None


_INDUSTRY = re.compile(r"[A-T](?:[0-9]{1,4})?")
_PHONE = re.compile(r"\+?[0-9][0-9 ()-]{4,28}[0-9]")
_COUNTRY = re.compile(r"[A-Z]{2}")


def industry_fault(code: str) -> str | None:
    """Why ``code`` has not the shape of a GB/T 4754 industry code, or None."""
    if _INDUSTRY.fullmatch(code):
        return None
    return f"'{code[:20]}' is no GB/T 4754 code: a letter A to T and up to four digits, like C397."


def phone_fault(number: str) -> str | None:
    """Why ``number`` is no telephone number, or None."""
    if _PHONE.fullmatch(number):
        return None
    return "It is no telephone number of 6 to 30 digits, spaces, hyphens and brackets."


def country_fault(code: str) -> str | None:
    """Why ``code`` has not the shape of an ISO 3166 country code, or None."""
    return None if _COUNTRY.fullmatch(code) else f"'{code[:20]}' is no country code, like CN."
