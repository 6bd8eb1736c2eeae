"""The files that columns go into, as they are written: each counts its rows and bytes, and hashes.

A file is told of by its bytes alone: nothing in it says when it was made.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import file_digest, sha256
from io import RawIOBase
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from service.exports.arrow import for_machines, for_people, schema_of
from service.exports.table import Column

# Excel takes a CSV for UTF-8 by it.
BOM = b"\xef\xbb\xbf"
# Of fewer rows a dictionary is repeated more often, of more the memory is felt.
_ROW_GROUP = 50_000
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


class Sink(ABC):
    """A new file of a table, page by page; ``close`` tells what came of it."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        self.columns = columns
        self._rows = 0
        self._file = HashedFile(path)
        self._writer: Any = self.begun(self._file)

    @abstractmethod
    def begun(self, file: HashedFile) -> Any:
        """What writes tables to the file, whose head is written."""

    @abstractmethod
    def as_written(self, page: pa.Table) -> pa.Table:
        """The page, as this file has it."""

    def write(self, page: pa.Table) -> None:
        """One page."""
        self._writer.write_table(self.as_written(page))
        self._rows += page.num_rows

    def close(self) -> Written:
        """The end of the file."""
        self._writer.close()
        self._file.close()
        return self._file.written(self._rows)


class CsvSink(Sink):
    """For people: their headings and words, with a BOM and CRLF, as Excel wants them."""

    def begun(self, file: HashedFile) -> csv.CSVWriter:
        """After the BOM, the headings."""
        file.write(BOM)
        headings = pa.schema([(column.heading, pa.string()) for column in self.columns])
        return csv.CSVWriter(file, headings, write_options=_CSV)

    def as_written(self, page: pa.Table) -> pa.Table:
        """In people's words."""
        return for_people(page, self.columns)


class ParquetSink(Sink):
    """For machines: names and types. A few pages are a row group."""

    def __init__(self, path: Path, columns: Sequence[Column]) -> None:
        super().__init__(path, columns)
        self._group: list[pa.Table] = []

    def begun(self, file: HashedFile) -> parquet.ParquetWriter:
        """The columns' types."""
        return parquet.ParquetWriter(file, schema_of(self.columns))

    def as_written(self, page: pa.Table) -> pa.Table:
        """In types."""
        return for_machines(page, self.columns)

    def write(self, page: pa.Table) -> None:
        """One page, or a group that it completes."""
        self._group.append(self.as_written(page))
        self._rows += page.num_rows
        if sum(one.num_rows for one in self._group) >= _ROW_GROUP:
            self._write_group()

    def close(self) -> Written:
        """The end of the file."""
        self._write_group()
        return super().close()

    def _write_group(self) -> None:
        if self._group:
            self._writer.write_table(pa.concat_tables(self._group), row_group_size=_ROW_GROUP * 2)
            self._group.clear()


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
