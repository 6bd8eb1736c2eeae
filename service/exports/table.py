"""A table as it goes out of the house, whatever the format: a title, columns, rows.

What gives rows knows no format, and what writes a format knows no question.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple


class Kind(Enum):
    """What a column holds, and so which Python type its values have (None: nothing known)."""

    TEXT = "text"  # str, as somebody typed it
    CODE = "code"  # str of a fixed form, or one of a few words
    DAY = "day"  # date, in China
    MOMENT = "moment"  # datetime with a zone
    COUNT = "count"  # int
    YUAN = "yuan"  # Decimal of 元, at most two places
    DECIMAL = "decimal"  # Decimal with a unit beside it, as an amount was stated
    SHARE = "share"  # float, 0.25 being a quarter: shown as a percentage
    FLAG = "flag"  # bool


YES_OR_NO: Mapping[Any, str] = {True: "是", False: "否"}


class Column(NamedTuple):
    """One column: its name in files for machines, its heading for people, what it holds.

    ``words``: what people read in place of a value. ``width`` is how wide it is in a workbook, in
    characters; 0 for what its kind asks for.
    """

    name: str
    heading: str
    kind: Kind = Kind.TEXT
    meaning: str = ""
    words: Mapping[Any, str] = {}
    width: float = 0


class Chart(NamedTuple):
    """A chart below a table: bars of the columns ``values`` over the column ``over``, by name, for
    so many of the first ``rows`` (0: all)."""

    title: str
    over: str
    values: Sequence[str]
    rows: int = 0


class Table(NamedTuple):
    """``name`` is that of a sheet (at most 31 characters, none of []:*?/\\), ``title`` stands over
    the table, each of ``rows`` has a value for each of ``columns``; ``notes`` stand below it. On
    paper it has the first ``printed`` columns (0: all), and on the screen the first ``frozen`` stay
    in sight."""

    name: str
    title: str
    columns: Sequence[Column]
    rows: Iterable[Sequence[Any]]
    chart: Chart | None = None
    notes: Sequence[str] = ()
    printed: int = 0
    frozen: int = 2
