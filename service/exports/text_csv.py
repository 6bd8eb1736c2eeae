"""A small table as CSV, like the large ones: BOM, CRLF, headings, words, nothing like a formula."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from service.exports.safe import neutral
from service.exports.sinks import BOM, HashedFile, Written
from service.exports.table import Column, Kind
from service.log import moment_text


def write_csv(path: Path, columns: Sequence[Column], rows: Iterable[Sequence[Any]]) -> Written:
    """The rows at ``path``, one at a time."""
    file = HashedFile(path)
    file.write(BOM)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.heading for column in columns])
    count = 0
    for row in rows:
        writer.writerow([_told(v, c) for v, c in zip(row, columns, strict=True)])
        count += 1
        if text.tell() > 1 << 16:
            _flush(text, file)
    _flush(text, file)
    file.close()
    return file.written(count)


def _flush(text: io.StringIO, file: HashedFile) -> None:
    file.write(text.getvalue().encode())
    text.seek(0)
    text.truncate()


def _told(value: Any, column: Column) -> str:
    if value is None:
        return ""
    if value in column.words:
        return column.words[value]
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, date | int):
        return f"{value}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return neutral(value) if column.kind is Kind.TEXT else str(value)
