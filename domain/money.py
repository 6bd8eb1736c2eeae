"""Planned amounts, kept as stated (30 亿元) and normalised to whole fen of CNY."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache

from domain.errors import Invalid

# Unit → how many fen of CNY one of it is; None where only a rate could tell.
UNITS: dict[str, int | None] = {
    "元": 100,
    "万元": 10_000 * 100,
    "亿元": 100_000_000 * 100,
    "万美元": None,
    "亿美元": None,
}
FOREIGN_UNITS = {"万美元": Decimal(10_000), "亿美元": Decimal(100_000_000)}

SIGNIFICANT_DIGITS = 16
# No investment project is larger than a trillion; the bound also keeps every sum of a
# country's leads, in fen, inside the 64-bit integers of the book.
LARGEST = Decimal(10) ** 12

# What is said of a text that is no amount, or one in another form.
NO_AMOUNT = (
    "'{amount}' is no decimal number of 0 or more, like 30 or 1.6: without a sign, and with a 0 in "
    "front of a point only."
)
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class Money:
    """An amount as the office stated it: a decimal string and one of ``UNITS``."""

    amount: str
    unit: str

    @property
    def fen(self) -> int | None:
        """CNY in fen (1/100 元), exact; None for a foreign unit, which has no rate here."""
        return fen_of(self.amount, self.unit)


# The same few amounts come up in every reading of the log.
@lru_cache(maxsize=4096)
def fen_of(amount: str, unit: str) -> int | None:
    """What ``Money(amount, unit).fen`` says."""
    factor = UNITS[unit]
    if factor is None:
        return None
    # Most amounts have no fraction.
    return int(amount) * factor if amount.isdecimal() else int(Decimal(amount) * factor)


# A body's amount is parsed where it comes in, and again where the rules are.
@lru_cache(maxsize=4096)
def parse_money(field: str, amount: str, unit: str) -> Money:
    """The stated amount, checked; Invalid names ``field.amount`` or ``field.unit``."""
    if unit not in UNITS:
        raise Invalid.of(
            f"{field}.unit", "'{unit}' is none of {units}.", unit=unit[:20], units="、".join(UNITS)
        )
    where = f"{field}.amount"
    if not _DECIMAL.fullmatch(amount):
        raise Invalid.of(where, NO_AMOUNT, amount=amount[:40])
    whole, _, fraction = amount.partition(".")
    if max(map(len, (whole, fraction, (whole + fraction).lstrip("0")))) > SIGNIFICANT_DIGITS:
        raise Invalid.of(
            where,
            "'{amount}' has more than {digits} digits.",
            amount=amount[:40],
            digits=SIGNIFICANT_DIGITS,
        )
    value = Decimal(amount)
    factor = UNITS[unit]
    if factor is not None and (value * factor) % 1:
        raise Invalid.of(where, "{amount} {unit} is finer than one fen.", amount=amount, unit=unit)
    if value * (FOREIGN_UNITS.get(unit) or Decimal(factor or 0) / 100) > LARGEST:
        raise Invalid.of(
            where,
            "{amount} {unit} is more than any project: over {largest}.",
            amount=amount,
            unit=unit,
            largest=f"{LARGEST:,}",
        )
    return Money(amount, unit)


def yuan(fen: int) -> str:
    """Fen as a plain decimal string of 元, without needless zeros: 160 → '1.6'."""
    if not fen % 100:
        return f"{fen // 100}"
    sign = "-" if fen < 0 else ""
    whole, rest = divmod(abs(fen), 100)
    return f"{sign}{whole}" + f".{rest:02d}".rstrip("0")


def stated(money: Mapping[str, str] | None) -> dict[str, str | None] | None:
    """An amount and unit as they are shown, with ``cny`` (None without a rate)."""
    if money is None:
        return None
    fen = fen_of(money["amount"], money["unit"])
    return {**money, "cny": None if fen is None else yuan(fen)}
