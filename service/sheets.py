"""Files of a paper ledger as rows: CSV in UTF-8 or GB18030, and Excel workbooks."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from string import ascii_uppercase
from typing import Any, NamedTuple, Protocol

from domain.sentences import Sentence
from service import written
from service.columns import CALLED, COLUMNS, DAY, HEADINGS, REQUIRED

# How far down the headings may stand, below titles.
_MOST_TITLES = 30
# So many different headings known here make a row the one of headings.
_FEWEST = 3
_DAYS = frozenset(column.heading for column in COLUMNS if column.kind == DAY)
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_ZIP = b"PK\x03\x04"


class BadCell(NamedTuple):
    """A cell that cannot be taken: its sheet (None in CSV), its line, the letters of its column
    (None for the whole row), its heading, and why."""

    sheet: str | None
    line: int
    letters: str | None
    column: str
    reason: str

    @property
    def place(self) -> str:
        """Where it is: "台账!F7", or "line 7, 提供日期"."""
        if self.sheet is None:
            return f"line {self.line}, {self.column}"
        return f"{self.sheet}!{self.letters or ''}{self.line}"

    def __str__(self) -> str:
        about = "" if self.sheet is None else f" ({self.column})"
        return f"{self.place}{about}: {self.reason}"


class BadSheet(Exception):
    """The file cannot be read as a ledger; ``cells`` says why."""

    def __init__(self, *cells: BadCell) -> None:
        super().__init__("\n".join(map(str, cells)))
        self.cells = cells


class Row(NamedTuple):
    """One row of a ledger: where it begins, its cells as text by heading, and their columns."""

    sheet: str | None
    line: int
    cells: dict[str, str]
    letters: dict[str, str]
    # Why the row cannot be read at all; and which of its cells cannot, by heading.
    fault: str | None = None
    faults: Mapping[str, str] = {}

    def bad(self, column: str, reason: str) -> BadCell:
        """One of its cells that cannot be taken."""
        return BadCell(self.sheet, self.line, self.letters.get(column), column, reason)


class Head(NamedTuple):
    """The row of headings: those known here by their columns, and how many columns it names."""

    headings: dict[int, str]
    width: int


class Unsaved:
    """The value of a formula that was not saved with it."""

    def __init__(self, formula: str) -> None:
        self.formula = formula

    def __str__(self) -> str:
        return self.formula


class Source(Protocol):
    """A file that is read row by row, as often as it is asked; ``days_from`` is what its plain
    numbers count days from."""

    days_from: date

    def tables(self) -> Iterator[tuple[str | None, Iterator[tuple[int, Sequence[Any]]]]]:
        """Each sheet's name (None in CSV) and its (line, values) rows, the empty ones too."""


def source_of(path: Path) -> Source:
    """What reads the file, by what is in it, whatever it is called; BadSheet for another kind."""
    with path.open("rb") as file:
        begin = file.read(8)
    if begin.startswith(_ZIP):
        # What reads workbooks takes as long to load as most commands take.
        from service.excel import Workbook  # noqa: PLC0415

        return Workbook(path)
    if begin == _OLE:
        raise BadSheet(
            about(
                Sentence(
                    "It is an old Excel file (.xls) or has a password: save it as .xlsx "
                    "without one."
                )
            )
        )
    return Csv(path)


def rows_of(source: Source, extra: set[str]) -> Iterator[Row]:
    """The rows of every table that has the headings; ``extra`` gets the headings not known here.

    BadSheet when none has, or when headings are missing or stand twice.
    """
    found = False
    for sheet, rows in source.tables():
        head: Head | None = None
        late = (source.days_from - written.EPOCH).days
        for line, values in rows:
            texts = [written.plain(value) for value in values]
            if head is None:
                head = _head(sheet, line, texts, extra)
                found = found or head is not None
                if head is None and line > _MOST_TITLES:
                    break
            elif any(texts):
                yield _row(sheet, line, head, _in_days(head, values, texts, late), values)
    if not found:
        missing = ", ".join(REQUIRED)
        raise BadSheet(
            about(
                Sentence(
                    "No row has the headings of a ledger, among them {missing}.", missing=missing
                )
            )
        )


def _head(sheet: str | None, line: int, texts: list[str], extra: set[str]) -> Head | None:
    """The row, if it is the one of headings; BadSheet if it is one that cannot be."""
    known = {at: CALLED.get(written.folded(text).lower()) for at, text in enumerate(texts)}
    headings = {at: heading for at, heading in known.items() if heading}
    if len(set(headings.values())) < _FEWEST:
        return None
    names = list(headings.values())
    faults = [
        Sentence("The heading {name} is missing.", name=name)
        for name in REQUIRED
        if name not in names
    ]
    twice = sorted({name for name in names if names.count(name) > 1})
    faults += [Sentence("The heading {name} stands twice.", name=name) for name in twice]
    if faults:
        raise BadSheet(*(BadCell(sheet, line, None, "headings", fault) for fault in faults))
    extra |= {text for at, text in enumerate(texts) if text and at not in headings}
    return Head(headings, max(at for at, text in enumerate(texts, 1) if text))


def _in_days(head: Head, values: Sequence[Any], texts: list[str], late: int) -> list[str]:
    """The texts, with plain numbers of days as if counted from `written.EPOCH`."""
    if late:
        for at, name in head.headings.items():
            if name in _DAYS and at < len(texts) and isinstance(values[at], int | float):
                texts[at] = f"{int(values[at]) + late}"
    return texts


def _row(sheet: str | None, line: int, head: Head, texts: list[str], values: Sequence[Any]) -> Row:
    cells = dict.fromkeys(HEADINGS, "")
    there = {at: name for at, name in head.headings.items() if at < len(texts)}
    cells |= {name: texts[at] for at, name in there.items()}
    faults = {
        name: Sentence(
            "The formula {formula} has no value: open and save it in Excel.",
            formula=f"{values[at]}",
        )
        for at, name in there.items()
        if isinstance(values[at], Unsaved)
    }
    letters = {name: letters_of(at) for at, name in head.headings.items()}
    fault = None
    if sheet is None and any(texts[head.width :]):
        fault = Sentence(
            "The row has {count} cells under {width} headings.", count=len(texts), width=head.width
        )
    return Row(sheet, line, cells, letters, fault, faults)


def letters_of(column: int) -> str:
    """What a sheet calls its column, of which the first is 0: A to Z, then AA."""
    before, last = divmod(column, 26)
    return (letters_of(before - 1) if before else "") + ascii_uppercase[last]


def about(reason: str) -> BadCell:
    """The whole file, and why it cannot be taken."""
    return BadCell(None, 1, None, "file", reason)


class Csv:
    """Comma-separated values in UTF-8, with or without BOM, or GB18030."""

    days_from = written.EPOCH

    def __init__(self, path: Path) -> None:
        self._path = path
        self._encoding = _encoding(path)

    def tables(self) -> Iterator[tuple[str | None, Iterator[tuple[int, Sequence[Any]]]]]:
        """The one table."""
        yield None, self._rows()

    def _rows(self) -> Iterator[tuple[int, Sequence[str]]]:
        with self._path.open(encoding=self._encoding, newline="") as file:
            reader = csv.reader(file, strict=True)
            begins = 1
            try:
                for cells in reader:
                    yield begins, cells
                    begins = reader.line_num + 1
            except csv.Error as why:
                fault = Sentence("It is no CSV: {why}.", why=why)
                raise BadSheet(BadCell(None, reader.line_num, None, "row", fault)) from None


def _encoding(path: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            with path.open(encoding=encoding, newline="") as file:
                while file.read(1 << 20):
                    pass
        except UnicodeDecodeError:
            continue
        return encoding
    raise BadSheet(about(Sentence("It is neither an Excel workbook nor text in UTF-8 or GB18030.")))
