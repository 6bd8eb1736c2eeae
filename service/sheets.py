"""Files of a paper ledger as rows: CSV in UTF-8 or GB18030, and Excel workbooks."""

import csv
import errno
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from openpyxl import load_workbook
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException

from domain.sentences import Sentence
from service import written
from service.columns import CALLED, COLUMNS, DAY, HEADINGS, REQUIRED

# How far down the headings may stand, below titles.
_MOST_TITLES = 30
# So many different headings known here make a row the one of headings.
_FEWEST = 3
# What a workbook may unpack to, in bytes; a ledger of 100,000 rows has a tenth of it.
MOST_UNPACKED = 1 << 30
_DAYS = frozenset(column.heading for column in COLUMNS if column.kind == DAY)
# Whatever openpyxl and what it stands on say of a file that is not whole: parsers' errors are
# all of them SyntaxErrors, RuntimeErrors are those of archives that need a password, or a way of
# packing that nobody has, and TypeErrors those of attributes that openpyxl does not know.
_DAMAGE = (
    *(InvalidFileException, zipfile.BadZipFile, zlib.error, EOFError),
    *(SyntaxError, LookupError, ValueError, AttributeError),
    *(RuntimeError, OverflowError, TypeError),
)
# What stands for a control character, and for a _ before what would be taken for one. (Of others
# openpyxl leaves nothing.)
_ESCAPED = re.compile("_x(005F|00[01][0-9A-F])_", re.IGNORECASE)
# What workbooks that were begun on an old Mac count days from, at its beginning.
_MAC = 1904
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
        return Workbook(path)
    if begin == _OLE:
        raise BadSheet(
            _about(
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
            _about(
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
    letters = {name: get_column_letter(at + 1) for at, name in head.headings.items()}
    fault = None
    if sheet is None and any(texts[head.width :]):
        fault = Sentence(
            "The row has {count} cells under {width} headings.", count=len(texts), width=head.width
        )
    return Row(sheet, line, cells, letters, fault, faults)


def _about(reason: str) -> BadCell:
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
    raise BadSheet(
        _about(Sentence("It is neither an Excel workbook nor text in UTF-8 or GB18030."))
    )


class Workbook:
    """An Excel workbook (.xlsx, .xlsm): its visible sheets, with the values that formulas had
    when it was saved."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.days_from = written.EPOCH
        with _damaged(), zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            names = {part.filename for part in parts}
            if sum(part.file_size for part in parts) > MOST_UNPACKED:
                raise BadSheet(
                    _about(
                        Sentence("It unpacks to more than {most} MiB.", most=MOST_UNPACKED >> 20)
                    )
                )
            self._has_formulas = any(
                _mentions(archive, name, b"<f")
                for name in names
                if name.startswith("xl/worksheets/sheet")
            )
        if "xl/workbook.xml" not in names:
            raise BadSheet(_about(Sentence("It is an archive, but no Excel workbook (.xlsx).")))
        with ExitStack() as opened:
            if self._opened(opened, data_only=True).epoch.year == _MAC:
                self.days_from = date(_MAC, 1, 1)

    def tables(self) -> Iterator[tuple[str | None, Iterator[tuple[int, Sequence[Any]]]]]:
        """Each visible sheet."""
        with ExitStack() as opened:
            values = self._opened(opened, data_only=True)
            formulas = self._opened(opened, data_only=False) if self._has_formulas else None
            for sheet in values.worksheets:
                if sheet.sheet_state == "visible":
                    told = formulas[sheet.title] if formulas else None
                    yield sheet.title, _valued(sheet, told)

    def _opened(self, until: ExitStack, *, data_only: bool) -> Any:
        # By its content: what a file is called says nothing.
        file = until.enter_context(self._path.open("rb"))
        with _damaged():
            return load_workbook(file, read_only=True, data_only=data_only, keep_links=False)


@contextmanager
def _damaged() -> Iterator[None]:
    """Whatever cannot be read within is a damaged workbook: BadSheet."""
    try:
        yield
    except (*_DAMAGE, OSError) as why:
        # What an archive says of its parts may lead to before its beginning.
        if isinstance(why, OSError) and why.errno != errno.EINVAL:
            raise
        raise BadSheet(
            _about(Sentence("It is a damaged workbook, save it anew ({why}).", why=why))
        ) from None


def _mentions(archive: zipfile.ZipFile, name: str, words: bytes) -> bool:
    with archive.open(name) as part:
        end = b""
        while data := part.read(1 << 20):
            if words in end + data:
                return True
            end = data[-len(words) :]
    return False


def _valued(sheet: Any, told: Any) -> Iterator[tuple[int, Sequence[Any]]]:
    """The rows; BadSheet where the file is not whole."""
    # What a workbook says of its size may be wrong.
    sheet.reset_dimensions()
    rows = enumerate(sheet.iter_rows(values_only=True), 1)
    if told is not None:
        told.reset_dimensions()
        rows = enumerate(map(_saved, sheet.rows, told.rows), 1)
    while True:
        with _damaged():
            found = next(rows, None)
        if found is None:
            return
        line, values = found
        yield line, [_unescaped(value) for value in values]


def _unescaped(value: Any) -> Any:
    """A text with the characters that XML has not, which a workbook has as _x000D_ and the like."""
    if type(value) is not str or "_x" not in value:
        return value
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)


def _saved(found: Sequence[Any], formulas: Sequence[Any]) -> list[Any]:
    """A row's values; `Unsaved` for formulas without. (One whose value is the empty text has a
    type of its own.)"""
    return [
        Unsaved(f"{formula.value}")
        if cell.value is None and formula.data_type == "f" and cell.data_type != "str"
        else cell.value
        for cell, formula in zip_longest(found, formulas, fillvalue=EMPTY_CELL)
    ]
