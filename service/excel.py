"""Excel workbooks (.xlsx, .xlsm) of a paper ledger, read row by row."""

import errno
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import Any

from openpyxl import load_workbook
from openpyxl.cell.read_only import EMPTY_CELL
from openpyxl.utils.exceptions import InvalidFileException

from domain.sentences import Sentence
from service import written
from service.sheets import BadSheet, Unsaved, about

# What a workbook may unpack to, in bytes; a ledger of 100,000 rows has a tenth of it.
MOST_UNPACKED = 1 << 30
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
                    about(Sentence("It unpacks to more than {most} MiB.", most=MOST_UNPACKED >> 20))
                )
            self._has_formulas = any(
                _mentions(archive, name, b"<f")
                for name in names
                if name.startswith("xl/worksheets/sheet")
            )
        if "xl/workbook.xml" not in names:
            raise BadSheet(about(Sentence("It is an archive, but no Excel workbook (.xlsx).")))
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
            about(Sentence("It is a damaged workbook, save it anew ({why}).", why=why))
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
