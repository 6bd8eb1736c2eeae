"""What people write in cells, and what is meant by it."""

from datetime import date, datetime

import pytest

from service import written


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        (None, ""),
        ("  晶圆\u3000", "晶圆"),
        ("\xa0a\u200b", "a"),
        (3, "3"),
        (3.0, "3"),
        (0.1 + 0.2, "0.3"),
        (1e15, "1000000000000000"),
        (3e9, "3000000000"),
        (True, "TRUE"),
        # Spreadsheets know no zones.
        (datetime(2025, 3, 18), "2025-03-18"),  # noqa: DTZ001
        (datetime(2025, 3, 18, 14, 30), "2025-03-18 14:30:00"),  # noqa: DTZ001
        (date(2025, 3, 18), "2025-03-18"),
    ],
)
def test_a_cell_is_read_as_text(cell: object, text: str) -> None:
    assert written.plain(cell) == text


@pytest.mark.parametrize(
    "text",
    [
        *("2025-03-18", "2025/3/18", "2025.3.18", "2025年3月18日", "2025 年 3 月 18 号"),
        *("２０２５／３／１８", "20250318", "45734", "45734.0", "2025-03-18 00:00:00"),
    ],
)
def test_a_day_is_read_however_an_office_writes_it(text: str) -> None:
    assert written.day(text) == "2025-03-18"


@pytest.mark.parametrize("text", ["3/18/2025", "18", "三月", "2025-3", "1", "99999999999", "60"])
def test_what_may_be_another_day_is_left_to_be_refused(text: str) -> None:
    assert written.day(text) == text


@pytest.mark.parametrize(
    ("amount", "unit", "meant"),
    [
        ("30", "亿元", ("30", "亿元")),
        ("1.60", "亿元", ("1.60", "亿元")),
        ("30亿", "", ("30", "亿元")),
        ("30亿元", "", ("30", "亿元")),
        ("30 亿元", "亿元", ("30", "亿元")),
        ("３０亿", "", ("30", "亿元")),
        ("3,000,000,000", "", ("3000000000", "元")),
        ("30亿元人民币", "", ("30", "亿元")),
        ("500万元人民币", "万元", ("500", "万元")),
        ("3,000,000,000", "元", ("3000000000", "元")),
        ("3，000，000", "万元", ("3000000", "万元")),
        ("1200万美元", "", ("1200", "万美元")),
        ("12000000美元", "", ("1200", "万美元")),
        ("￥500万", "", ("500", "万元")),
        ("30", "亿", ("30", "亿元")),
        # Left as they are, to be refused: two units, strange ones, groups of two.
        ("30亿元", "万元", ("30亿元", "万元")),
        ("30两", "", ("30两", "")),
        ("30", "两", ("30", "两")),
        ("3,00", "元", ("3,00", "元")),
        ("约30亿", "", ("约30亿", "")),
        ("-3", "亿元", ("-3", "亿元")),
    ],
)
def test_an_amount_is_told_apart_from_its_unit(
    amount: str, unit: str, meant: tuple[str, str]
) -> None:
    assert written.amount(amount, unit) == meant


@pytest.mark.parametrize(
    ("text", "meant"),
    [("320812.0", "320812"), (" ３２０８１２ ", "320812"), ("c397", "C397"), ("示例", "示例")],
)
def test_a_code_is_read_without_what_writing_adds(text: str, meant: str) -> None:
    assert written.code(text) == meant


def test_the_errors_of_spreadsheets_are_known() -> None:
    assert written.error_in("#N/A") == "#N/A"
    assert written.error_in("#REF!") and not written.error_in("#1 项目")
