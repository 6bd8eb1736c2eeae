"""Workbooks for the tests, as people make them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import xlsxwriter

from service.columns import HEADINGS
from tests.service.sheets import Row


def values(row: Row, headings: Sequence[str] = HEADINGS) -> list[Any]:
    """A row's cells under the headings."""
    return [row.get(name, "") for name in headings]


def workbook(
    path: Path,
    rows: Sequence[Sequence[Any]],
    *,
    headings: Sequence[str] = HEADINGS,
    titles: Sequence[str] = (),
    sheet: str = "台账",
    left: int = 0,
) -> Path:
    """A workbook of one sheet: ``titles`` merged over all columns, the headings, the rows.

    A cell that begins with "=" is a formula, (formula, value) one with the value it had.
    """
    with xlsxwriter.Workbook(str(path)) as book:
        page = book.add_worksheet(sheet)
        day = book.add_format({"num_format": "yyyy/m/d"})
        for line, title in enumerate(titles):
            page.merge_range(line, left, line, left + len(headings) - 1, title)
        for at, name in enumerate(headings):
            page.write(len(titles), left + at, name)
        for line, cells in enumerate(rows, len(titles) + 1):
            for at, cell in enumerate(cells, left):
                if isinstance(cell, tuple):
                    page.write_formula(line, at, cell[0], None, cell[1])
                elif hasattr(cell, "year"):
                    page.write_datetime(line, at, cell, day)
                elif cell != "":
                    page.write(line, at, cell)
    return path
