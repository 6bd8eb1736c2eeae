"""Amounts: kept as stated, exact to the fen, refused when they cannot be meant."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import Invalid
from domain.money import (
    LARGEST,
    NO_AMOUNT,
    SIGNIFICANT_DIGITS,
    UNITS,
    Money,
    fen_of,
    parse_money,
    stated,
    yuan,
)


@pytest.mark.parametrize(
    ("amount", "unit", "fen"),
    [
        ("30", "亿元", 300_000_000_000),
        ("1", "亿元", 10_000_000_000),
        ("1.6", "亿元", 16_000_000_000),
        ("0.0000000001", "亿元", 1),
        ("1", "万元", 1_000_000),
        ("0.000001", "万元", 1),
        ("12345.678901", "万元", 12_345_678_901),
        ("1", "元", 100),
        ("0.01", "元", 1),
        ("0.29", "元", 29),
        ("0", "亿元", 0),
        ("0.00", "元", 0),
        ("1.50", "元", 150),
        ("999999999999.99", "元", 99_999_999_999_999),
        ("9999.9999999999", "亿元", 99_999_999_999_999),
    ],
)
def test_an_amount_in_chinese_money_is_exact_in_fen(amount: str, unit: str, fen: int) -> None:
    assert parse_money("investment", amount, unit) == Money(amount, unit)
    assert Money(amount, unit).fen == fen_of(amount, unit) == fen


@pytest.mark.parametrize("unit", ["万美元", "亿美元"])
def test_foreign_money_is_kept_but_has_no_fen(unit: str) -> None:
    money = parse_money("investment", "2.5", unit)
    assert money == Money("2.5", unit)
    assert money.fen is None
    assert fen_of("2.5", unit) is None


def test_the_units_are_those_of_the_office() -> None:
    assert list(UNITS) == ["元", "万元", "亿元", "万美元", "亿美元"]


@pytest.mark.parametrize(
    "amount",
    [
        *("", " ", "-1", "+1", "-0", "NaN", "Infinity", "1e3", "1E3", "0x10", "1,000", "1_000"),
        *("01", "00", "00.5", ".5", "5.", "1.2.3", " 1", "1 ", "1\n", "３０", "٣٠", "三十", "30亿"),
    ],
)
def test_what_is_no_plain_decimal_number_is_refused(amount: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_money("investment", amount, "亿元")
    assert caught.value.errors == {"investment.amount": [NO_AMOUNT.replace("{amount}", amount)]}


def test_a_refused_amount_is_quoted_in_forty_characters() -> None:
    with pytest.raises(Invalid) as caught:
        parse_money("investment", "x" * 10_000, "亿元")
    assert caught.value.errors == {"investment.amount": [NO_AMOUNT.replace("{amount}", "x" * 40)]}


@pytest.mark.parametrize(
    "amount",
    ["11111111111111111", "0.11111111111111111", "1.1111111111111111", "0.00000000000000001"],
)
def test_a_number_of_too_many_digits_is_refused_for_that(amount: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_money("investment", amount, "万美元")
    assert caught.value.errors == {"investment.amount": [f"'{amount}' has more than 16 digits."]}


@pytest.mark.parametrize("unit", ["", "亿", "CNY", "美元", "億元", "亿元 ", "x" * 10_000])
def test_an_unknown_unit_is_refused_with_the_known_ones(unit: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_money("investment", "30", unit)
    assert caught.value.errors == {
        "investment.unit": [f"'{unit[:20]}' is none of 元、万元、亿元、万美元、亿美元."]
    }


@pytest.mark.parametrize(
    ("amount", "unit"),
    [("0.001", "元"), ("1.005", "元"), ("0.0000001", "万元"), ("0.00000000001", "亿元")],
)
def test_what_is_finer_than_a_fen_is_refused(amount: str, unit: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_money("investment", amount, unit)
    assert caught.value.errors == {"investment.amount": [f"{amount} {unit} is finer than one fen."]}


@pytest.mark.parametrize(
    ("amount", "unit"),
    [("0.0000000000000001", "亿美元"), ("0.001", "万美元"), ("0.0000000000000001", "万美元")],
)
def test_foreign_money_has_no_fen_to_be_finer_than(amount: str, unit: str) -> None:
    assert parse_money("investment", amount, unit).amount == amount


@pytest.mark.parametrize(
    "amount", ["12345678.123456789", "1000000000000.00001", "1.0000000000000000"]
)
def test_more_than_sixteen_significant_digits_are_refused(amount: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_money("investment", amount, "万美元")
    assert caught.value.errors == {"investment.amount": [f"'{amount}' has more than 16 digits."]}
    assert SIGNIFICANT_DIGITS == 16


@pytest.mark.parametrize("amount", ["1234567.123456789", "0.0012345678901234", "1.000000000000000"])
def test_sixteen_significant_digits_are_kept(amount: str) -> None:
    assert parse_money("investment", amount, "万美元").amount == amount


@pytest.mark.parametrize(
    ("most", "over", "unit"),
    [
        ("1000000000000", "1000000000000.01", "元"),
        ("100000000", "100000000.000001", "万元"),
        ("10000", "10000.0000000001", "亿元"),
        ("100000000", "100000000.0000001", "万美元"),
        ("10000", "10000.00000001", "亿美元"),
        ("10000", "9999999999999999", "亿元"),
        ("10000", "9999999999999999", "亿美元"),
    ],
)
def test_a_trillion_is_the_most_a_project_may_cost(most: str, over: str, unit: str) -> None:
    assert parse_money("investment", most, unit).amount == most
    with pytest.raises(Invalid) as caught:
        parse_money("investment", over, unit)
    assert caught.value.errors == {
        "investment.amount": [f"{over} {unit} is more than any project: over 1,000,000,000,000."]
    }


def test_the_largest_amount_of_every_lead_of_a_large_country_fits_the_book() -> None:
    assert int(LARGEST) * 100 * 90_000 < 2**63


def test_the_field_that_is_named_is_the_one_that_was_asked_about() -> None:
    with pytest.raises(Invalid) as caught:
        parse_money("min_cny", "x", "亿元")
    assert list(caught.value.errors) == ["min_cny.amount"]


@pytest.mark.parametrize(
    ("fen", "text"),
    [
        *((0, "0"), (1, "0.01"), (10, "0.1"), (99, "0.99"), (100, "1"), (101, "1.01")),
        *((160, "1.6"), (1_000, "10"), (300_000_000_000, "3000000000")),
        *((-1, "-0.01"), (-100, "-1"), (-160, "-1.6"), (-12_345, "-123.45")),
    ],
)
def test_fen_are_shown_in_yuan_without_needless_zeros(fen: int, text: str) -> None:
    assert yuan(fen) == text


@given(st.integers(-(10**18), 10**18))
def test_yuan_says_exactly_what_the_fen_are(fen: int) -> None:
    assert Decimal(yuan(fen)) * 100 == fen


@given(
    st.decimals(0, LARGEST, places=2, allow_nan=False, allow_infinity=False),
    st.sampled_from(["元", "万元", "亿元"]),
)
def test_the_fen_of_an_accepted_amount_are_exact(value: Decimal, unit: str) -> None:
    units = {"元": 1, "万元": 10**4, "亿元": 10**8}
    amount = f"{value / units[unit]:f}"
    if len(amount.replace(".", "").lstrip("0")) > 16 or len(amount.partition(".")[2]) > 16:
        return
    fen = parse_money("investment", amount, unit).fen
    assert fen == value * 100


@pytest.mark.parametrize(
    ("amount", "unit", "cny"),
    [
        ("30", "亿元", "3000000000"),
        ("0.5", "元", "0.5"),
        ("0", "元", "0"),
        ("3.5", "亿美元", None),
    ],
)
def test_money_is_shown_as_stated_and_in_yuan(amount: str, unit: str, cny: str | None) -> None:
    money = {"amount": amount, "unit": unit}
    assert stated(money) == {"amount": amount, "unit": unit, "cny": cny}
    assert money == {"amount": amount, "unit": unit}


def test_no_money_is_shown_as_none() -> None:
    assert stated(None) is None
