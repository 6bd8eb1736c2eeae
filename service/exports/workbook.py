"""Tables as a workbook that an office would print: a sheet for each, with its title over it.

Written row by row, in the memory of one: a sheet that is full goes on in a further one. Nothing
in the file says when it was made but what the caller says, so the same tables give the same bytes.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path
from typing import Any, NamedTuple

import xlsxwriter
from xlsxwriter.utility import xl_rowcol_to_cell

from domain.actor import CHINA
from service.exports.safe import neutral
from service.exports.table import Chart, Column, Kind, Table

# Excel's own limit.
MOST_ROWS = 1_048_576
_TITLE, _SUBTITLE, _HEADER, _FIRST = 0, 1, 2, 3
# Up to so many characters across a page of A4 is legible; more go on A3.
_ON_A4 = 190
A4, A3 = 9, 8
# How many rows a chart covers.
_CHART_ROWS = 17
_FONT = "宋体"
_CELL = {"font_name": _FONT, "font_size": 10, "valign": "top"}
_LINE = {"border": 1, "border_color": "#BFBFBF"}


class Look(NamedTuple):
    """How a kind of column looks: its number format, its width in characters, and how it stands."""

    number_format: str
    width: float
    align: str = "left"
    wrap: bool = False


LOOKS: Mapping[Kind, Look] = {
    Kind.TEXT: Look("@", 12, wrap=True),
    Kind.CODE: Look("@", 10),
    Kind.DAY: Look("yyyy-mm-dd", 11, "center"),
    Kind.MOMENT: Look("yyyy-mm-dd hh:mm", 17, "center"),
    Kind.COUNT: Look("#,##0", 9, "right"),
    Kind.YUAN: Look("#,##0.00", 20, "right"),
    Kind.DECIMAL: Look("#,##0.##########", 12, "right"),  # _WHOLE, if it is
    Kind.SHARE: Look("0.0%", 9, "right"),
    Kind.FLAG: Look("@", 8, "center"),
}

# Excel would show the decimal point of a format that has one: "12,000." for a whole number.
_WHOLE = "#,##0"


def write_workbook(
    path: Path,
    tables: Iterable[Table],
    *,
    made: datetime,
    subtitle: str = "",
    most_rows: int = MOST_ROWS,
) -> None:
    """The ``tables`` as a workbook at ``path``, which says that it was ``made`` then.

    ``subtitle`` stands under every title. The folder of ``path`` holds what is not finished.
    """
    options = {
        "constant_memory": True,
        "tmpdir": str(path.parent),
        "strings_to_numbers": False,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "default_date_format": "yyyy-mm-dd",
    }
    with xlsxwriter.Workbook(str(path), options) as book:
        book.set_properties({"created": made.astimezone(UTC).replace(tzinfo=None)})
        book.set_size(2400, 1400)
        styles = _Styles(book)
        for table in tables:
            _Sheets(book, styles, table, subtitle, most_rows).write()


def _format(look: Look, number_format: str = "") -> dict[str, Any]:
    return {
        **_CELL,
        "num_format": number_format or look.number_format,
        "align": look.align,
        "text_wrap": look.wrap,
    }


class _Styles:
    """The formats of a book, each made once."""

    def __init__(self, book: Any) -> None:
        self.title = book.add_format({"font_name": _FONT, "bold": True, "font_size": 16})
        self.subtitle = book.add_format({**_CELL, "font_color": "#595959"})
        self.note = self.subtitle
        self.header = book.add_format(
            {
                **_CELL,
                **_LINE,
                "bold": True,
                "bg_color": "#DDEBF7",
                "align": "center",
                "valign": "vcenter",
                "text_wrap": True,
            }
        )
        self.lines = book.add_format(_LINE)
        self.cells = {kind: book.add_format(_format(look)) for kind, look in LOOKS.items()}
        self.whole = book.add_format(_format(LOOKS[Kind.DECIMAL], _WHOLE))


class _Sheets:
    """The sheets of one table."""

    def __init__(
        self, book: Any, styles: _Styles, table: Table, subtitle: str, most_rows: int
    ) -> None:
        self._book = book
        self._styles = styles
        self._table = table
        self._subtitle = subtitle
        self._most = most_rows - _FIRST
        self._printed = table.printed or len(table.columns)
        self._writers = [_writer_of(column, styles) for column in table.columns]

    def write(self) -> None:
        """The first sheet, and as many more as the rows ask for."""
        rows = iter(self._table.rows)
        for number, first in enumerate(chain([None], rows), 1):
            if number > 1 and first is None:
                break
            head = [] if first is None else [first]
            more = self._one(number, chain(head, islice(rows, self._most - len(head))))
            if not more:
                break

    def _one(self, number: int, rows: Iterator[Sequence[Any]]) -> bool:
        """One sheet; whether it is full."""
        table = self._table
        name = table.name if number == 1 else f"{table.name} {number}"
        sheet = self._book.add_worksheet(name)
        self._head(sheet, name)
        last = _HEADER
        for last, row in enumerate(rows, _FIRST):
            for at, (write, value) in enumerate(zip(self._writers, row, strict=True)):
                write(sheet, last, at, value)
        self._foot(sheet, name, last)
        return last - _HEADER == self._most

    def _head(self, sheet: Any, name: str) -> None:
        columns, styles = self._table.columns, self._styles
        for at, column in enumerate(columns):
            sheet.set_column(at, at, _width_of(column))
        sheet.set_row(_TITLE, 26)
        sheet.write_string(_TITLE, 0, neutral(self._table.title), styles.title)
        sheet.write_string(_SUBTITLE, 0, neutral(self._subtitle), styles.subtitle)
        sheet.set_row(_HEADER, 32)
        for at, column in enumerate(columns):
            sheet.write_string(_HEADER, at, column.heading, styles.header)
        sheet.freeze_panes(_FIRST, min(self._table.frozen, len(columns) - 1))
        sheet.repeat_rows(_HEADER)
        sheet.set_landscape()
        across = sum(_width_of(column) for column in columns[: self._printed])
        sheet.set_paper(A4 if across <= _ON_A4 else A3)
        sheet.fit_to_pages(1, 0)
        sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        sheet.set_footer(f"&L{name}&C第 &P 页，共 &N 页")

    def _foot(self, sheet: Any, name: str, last: int) -> None:
        right = len(self._table.columns) - 1
        sheet.autofilter(_HEADER, 0, last, right)
        if last >= _FIRST:
            # Around empty cells as well, which are not in the file.
            always = {"type": "formula", "criteria": "=TRUE", "format": self._styles.lines}
            sheet.conditional_format(_FIRST, 0, last, right, always)
            # Codes of digits are texts, and meant to be.
            codes = f"{xl_rowcol_to_cell(_FIRST, 0)}:{xl_rowcol_to_cell(last, right)}"
            sheet.ignore_errors({"number_stored_as_text": codes})
        for at, note in enumerate(self._table.notes, last + 2):
            sheet.write_string(at, 0, neutral(note), self._styles.note)
        below = last + 2 + len(self._table.notes)
        if self._table.chart and last >= _FIRST:
            self._draw(sheet, name, self._table.chart, last, below)
            below += _CHART_ROWS
        sheet.print_area(0, 0, below - 1, self._printed - 1)

    def _draw(self, sheet: Any, name: str, drawn: Chart, last: int, below: int) -> None:
        if drawn.rows:
            last = min(last, _HEADER + drawn.rows)
        places = {column.name: at for at, column in enumerate(self._table.columns)}
        chart = self._book.add_chart({"type": "column"})
        for value in drawn.values:
            at = places[value]
            chart.add_series(
                {
                    "name": [name, _HEADER, at],
                    "categories": [name, _FIRST, places[drawn.over], last, places[drawn.over]],
                    "values": [name, _FIRST, at, last, at],
                    "data_labels": {"value": True},
                }
            )
        chart.set_title({"name": drawn.title, "name_font": {"size": 12}})
        chart.set_legend({"position": "bottom"})
        chart.set_size({"width": 760, "height": 320})
        sheet.insert_chart(below, 0, chart)


def _width_of(column: Column) -> float:
    return column.width or LOOKS[column.kind].width


Write = Callable[[Any, int, int, Any], object]


def _writer_of(column: Column, styles: _Styles) -> Write:
    """What writes a value of the column into a cell."""
    style = styles.cells[column.kind]
    put = _PUTS.get(column.kind, _put_text)
    words = column.words
    if column.kind is Kind.DECIMAL:
        return _decimals_in(style, styles.whole)

    def write(sheet: Any, row: int, at: int, value: Any) -> None:
        # A cell that says nothing is not there: of a sheet of leads that is most of them.
        if value is not None:
            put(sheet, row, at, words.get(value, value), style)

    return write


def _decimals_in(style: Any, whole: Any) -> Write:
    def write(sheet: Any, row: int, at: int, value: Any) -> None:
        if value is not None:
            amount = float(value)
            sheet.write_number(row, at, amount, whole if amount.is_integer() else style)

    return write


def _put_text(sheet: Any, row: int, at: int, value: Any, style: Any) -> None:
    sheet.write_string(row, at, neutral(value), style)


def _put_number(sheet: Any, row: int, at: int, value: Any, style: Any) -> None:
    sheet.write_number(row, at, float(value), style)


def _put_day(sheet: Any, row: int, at: int, value: Any, style: Any) -> None:
    sheet.write_datetime(row, at, value, style)


def _put_moment(sheet: Any, row: int, at: int, value: Any, style: Any) -> None:
    """On China's clocks, which are those of who reads it."""
    sheet.write_datetime(row, at, value.astimezone(CHINA).replace(tzinfo=None), style)


_PUTS: Mapping[Kind, Callable[[Any, int, int, Any, Any], None]] = {
    Kind.COUNT: _put_number,
    Kind.YUAN: _put_number,
    Kind.SHARE: _put_number,
    Kind.DAY: _put_day,
    Kind.MOMENT: _put_moment,
}
