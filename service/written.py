"""What people write in the cells of a ledger, as the ledger's own words for it.

Full-width digits, letters and punctuation, spaces of every kind, days and amounts as offices write
them. What cannot be told stays as it was written, for the rules of `paper.py` to refuse by name.
"""

import re
import unicodedata
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

# What spreadsheets count days from; their 60 is a 29 February 1900 that never was.
EPOCH = date(1899, 12, 30)
_SERIALS = range(61, 2_958_466)
_DAY = re.compile(
    r"(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|年(\d{1,2})月(\d{1,2})[日号])"
    # What time it was is none of the ledger's.
    r"(?:[T ]\d{1,2}:\d\d(:\d\d)?)?",
    re.ASCII,
)
_ISO = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_SPACES = re.compile(r"\s+")
_AROUND = re.compile(r"\s*([年月日号/.-])\s*")
_AMOUNT = re.compile(r"(?P<number>\d[\d,]*(?:\.\d+)?)(?P<unit>\D*)", re.ASCII)
# unit as written → the ledger's unit, and by how much the number is to be divided
_UNITS = {
    "亿": ("亿元", 1),
    "亿元": ("亿元", 1),
    "亿人民币": ("亿元", 1),
    "亿元人民币": ("亿元", 1),
    "万": ("万元", 1),
    "万元": ("万元", 1),
    "万人民币": ("万元", 1),
    "万元人民币": ("万元", 1),
    "元": ("元", 1),
    "元人民币": ("元", 1),
    "亿美元": ("亿美元", 1),
    "万美元": ("万美元", 1),
    "美元": ("万美元", 10_000),
}
_QUOTED = re.compile(r"^'('*[=+\-@\t\r])")
_ERRORS = frozenset("#N/A #REF! #VALUE! #NAME? #DIV/0! #NULL! #NUM! #SPILL! #CALC!".split())


def plain(value: Any) -> str:
    """A cell's value as text, without spaces around it; a number without an exponent, a day as
    ISO text."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        return f"{value.date()}" if value.time() == datetime.min.time() else f"{value}"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        # More digits than these are not what was typed.
        number = Decimal(f"{value:.15g}")
        return f"{number:f}" if number.is_finite() else f"{value}"
    # What was quoted so that no spreadsheet takes it for a formula is meant without the quote.
    # Of the spaces, those of Unicode as well: the ideographic one, and that of a web page.
    text = f"{value}".strip().strip("\ufeff\u200b").strip()
    return _QUOTED.sub(r"\1", text)


def folded(text: str) -> str:
    """With half-width digits, letters and punctuation, and no spaces within."""
    if text.isalnum() and text.isascii():
        return text
    return _SPACES.sub("", unicodedata.normalize("NFKC", text))


def error_in(text: str) -> str | None:
    """The spreadsheet error that a cell shows, if any."""
    return text if text.upper() in _ERRORS else None


def code(text: str) -> str:
    """A code: 320812.0 is 320812, ３２０８１２ as well."""
    return folded(text).removesuffix(".0").upper()


def day(text: str) -> str:
    """A day in ISO form, from 2025/3/18, 2025.3.18, 2025年3月18日, or a spreadsheet's number."""
    if not text or _ISO.fullmatch(text):
        return text
    said = unicodedata.normalize("NFKC", text).strip()
    found = _DAY.fullmatch(_AROUND.sub(r"\1", said))
    if found:
        year, month, of_month = found[1], found[2] or found[4], found[3] or found[5]
        return f"{year}-{int(month):02d}-{int(of_month):02d}"
    number = said.removesuffix(".0")
    if number.isascii() and number.isdigit() and int(number) in _SERIALS and len(number) == 5:
        return f"{EPOCH + timedelta(int(number))}"
    if number.isascii() and number.isdigit() and len(number) == 8:
        return f"{number[:4]}-{number[4:6]}-{number[6:]}"
    return text


def amount(text: str, unit: str) -> tuple[str, str]:
    """An amount and its unit, from "30亿", "3,000,000" (元 if no cell says otherwise),
    "1200万美元", and the unit's own cell; what is no amount, or of another unit, as it was."""
    said = _unit(folded(unit))
    found = _AMOUNT.fullmatch(folded(text).removeprefix("¥").removeprefix("人民币"))
    if not found:
        return text, said
    within, divisor = _UNITS.get(found["unit"], (found["unit"], 1))
    if not _grouped(found["number"]) or (within and found["unit"] not in _UNITS):
        return text, said
    if within and said and within != said:
        return text, said
    if not within and "," not in found["number"]:
        # As it was stated.
        return found["number"], said
    number = Decimal(found["number"].replace(",", "")) / divisor
    return _shortest(number), within or said or "元"


def _unit(text: str) -> str:
    return _UNITS.get(text, (text, 1))[0] if text != "美元" else text


def _grouped(number: str) -> bool:
    """Whether commas, if there are any, stand before each three digits."""
    whole = number.partition(".")[0]
    return "," not in whole or re.fullmatch(r"\d{1,3}(,\d{3})+", whole, re.ASCII) is not None


def _shortest(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
