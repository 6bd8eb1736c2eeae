"""The files that columns go into, as they are written: each counts its rows and bytes, and hashes.

A file is told of by its bytes alone: nothing in it says when it was made.
"""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from hashlib import file_digest, sha256
from io import RawIOBase
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
from pyarrow import csv, parquet

from service.exports.arrow import for_machines, for_people, schema_of
from service.exports.table import Column

# Excel takes a CSV for UTF-8 by it.
BOM = b"\xef\xbb\xbf"
_CSV = csv.WriteOptions(include_header=True, eol="\r\n", batch_size=4096)


@dataclass(frozen=True)
class Written:
    """A finished file: ``rows`` None where it has none to count."""

    name: str
    rows: int | None
    size: int
    sha256: str


def measured(path: Path, rows: int | None = None) -> Written:
    """A file that something else has written."""
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return Written(path.name, rows, path.stat().st_size, digest)


class HashedFile(RawIOBase):
    """A new file, hashed as it is written."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb")
        self._digest = sha256()
        self.name = path.name
        self.size = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, data: Any) -> int:
        """All of ``data``."""
        self._digest.update(data)
        written = self._file.write(data)
        self.size += written
        return written

    def close(self) -> None:
        """Have the kernel know all of it."""
        self._file.close()
        super().close()

    def written(self, rows: int | None) -> Written:
        """What came of it."""
        return Written(self.name, rows, self.size, self._digest.hexdigest())


class Sink(Protocol):
    """Takes a table page by page; ``close`` tells what came of it."""

    def write(self, page: pa.Table) -> None:
        """One page."""

    def close(self) -> Written:
        """The end of the file."""


@dataclass
class CsvSink:
    """For people: their headings and words, with a BOM and CRLF, as Excel wants them."""

    path: Path
    columns: Sequence[Column]
    rows: int = 0
    _file: HashedFile = field(init=False)
    _writer: csv.CSVWriter = field(init=False)

    def __post_init__(self) -> None:
        self._file = HashedFile(self.path)
        self._file.write(BOM)
        headings = pa.schema([(column.heading, pa.string()) for column in self.columns])
        self._writer = csv.CSVWriter(self._file, headings, write_options=_CSV)

    def write(self, page: pa.Table) -> None:
        """One page."""
        self._writer.write_table(for_people(page, self.columns))
        self.rows += page.num_rows

    def close(self) -> Written:
        """The end of the file."""
        self._writer.close()
        self._file.close()
        return self._file.written(self.rows)


@dataclass
class ParquetSink:
    """For machines: names and types. Each page is a row group."""

    path: Path
    columns: Sequence[Column]
    rows: int = 0
    _file: HashedFile = field(init=False)
    _writer: parquet.ParquetWriter = field(init=False)

    def __post_init__(self) -> None:
        self._file = HashedFile(self.path)
        self._writer = parquet.ParquetWriter(self._file, schema_of(self.columns))

    def write(self, page: pa.Table) -> None:
        """One page."""
        self._writer.write_table(for_machines(page, self.columns))
        self.rows += page.num_rows

    def close(self) -> Written:
        """The end of the file."""
        self._writer.close()
        self._file.close()
        return self._file.written(self.rows)


def pour(pages: Any, sinks: Sequence[Sink]) -> list[Written]:
    """Every page into every sink, while the next page is being read."""
    writing: list[Future[None]] = []
    with ThreadPoolExecutor(max_workers=len(sinks)) as pool:
        for page in pages:
            for done in writing:
                done.result()
            writing = [pool.submit(sink.write, page) for sink in sinks]
        for done in writing:
            done.result()
    return [sink.close() for sink in sinks]
