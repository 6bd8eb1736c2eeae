"""Lines of cells as columns in memory, for people to read or for machines to compute with.

Whole columns are changed at a time, in Arrow: a million rows are never Python objects.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from service.exports.safe import FIRST_OF_FORMULA, FORMULA, QUOTED
from service.exports.table import Column, Kind
from service.projections.cells import BETWEEN, BREAKS, NAMES

# Of the two cells of each contact, what is shown in them.
Cells = tuple[str | None, str | None]
Contacts = Callable[[Sequence[Cells]], Sequence[Cells]]
_CONTACT = ("contact_name", "contact_phone")
_YUAN = pa.decimal128(18, 2)
# What each kind is for machines. An amount as stated stays the text that it is.
TYPES: Mapping[Kind, pa.DataType] = {
    Kind.TEXT: pa.string(),
    Kind.CODE: pa.string(),
    Kind.DECIMAL: pa.string(),
    Kind.DAY: pa.date32(),
    Kind.MOMENT: pa.timestamp("us", "UTC"),
    Kind.COUNT: pa.int64(),
    Kind.YUAN: _YUAN,
    Kind.FLAG: pa.bool_(),
}
_FLAGS = {"1": True, "0": False}


def read_lines(page: bytes, names: Sequence[str]) -> pa.Table:
    """Lines of cells as columns of texts, nulls where nothing is known."""
    return csv.read_csv(
        pa.BufferReader(page),
        read_options=csv.ReadOptions(column_names=names, block_size=max(len(page), 1)),
        parse_options=csv.ParseOptions(
            delimiter=BETWEEN, quote_char=False, escape_char=False, ignore_empty_lines=False
        ),
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=True,
            null_values=[""],
        ),
    )


def whole(page: bytes, columns: Sequence[Column], contacts: Contacts) -> pa.Table:
    """``columns`` of a page of leads, every text as it was typed; ``contacts`` shows those."""
    table = _with_contacts(read_lines(page, NAMES), contacts)
    breaks = {told: char for char, told in BREAKS.items() if told.encode() in page}
    return pa.table({c.name: _whole(table[c.name], c, breaks) for c in columns})


def _with_contacts(table: pa.Table, contacts: Contacts) -> pa.Table:
    """The table with its contacts as they are shown: the only cells that are looked at singly."""
    if all(table[name].null_count == table.num_rows for name in _CONTACT):
        return table
    shown = [table[name].to_pylist() for name in _CONTACT]
    there = [at for at, cells in enumerate(zip(*shown, strict=True)) if any(cells)]
    for at, told in zip(there, contacts([(shown[0][i], shown[1][i]) for i in there]), strict=True):
        shown[0][at], shown[1][at] = told
    for name, values in zip(_CONTACT, shown, strict=True):
        table = table.set_column(NAMES.index(name), name, pa.chunked_array([values], pa.string()))
    return table


def _whole(values: pa.ChunkedArray, column: Column, breaks: Mapping[str, str]) -> pa.ChunkedArray:
    if column.kind is Kind.TEXT:
        for told_as, char in breaks.items():
            values = pc.replace_substring(values, told_as, char)
    return values


def for_machines(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Every column in the type of its kind."""
    return pa.table(
        [_typed(table[column.name], column.kind) for column in columns], schema_of(columns)
    )


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """The names and types that machines read."""
    return pa.schema([(column.name, TYPES[column.kind]) for column in columns])


def _typed(values: pa.ChunkedArray, kind: Kind) -> pa.ChunkedArray:
    return pc.equal(values, "1") if kind is Kind.FLAG else values.cast(TYPES[kind])


def for_people(table: pa.Table, columns: Sequence[Column]) -> pa.Table:
    """Every column under its heading, in words, and with no text that is taken for a formula."""
    shown = {column.heading: _shown(table[column.name], column) for column in columns}
    return pa.table(shown)


def _shown(values: pa.ChunkedArray, column: Column) -> pa.ChunkedArray:
    if column.kind is Kind.TEXT:
        # Seldom is there one, and looking costs less than replacing.
        begin = pc.utf8_slice_codeunits(values, 0, 1)
        if pc.any(pc.is_in(begin, value_set=_first_of_formula())).as_py():
            return pc.replace_substring_regex(values, FORMULA, QUOTED)
        return values
    if not column.words:
        return values
    words = column.words
    if column.kind is Kind.FLAG:
        words = {told: column.words[meant] for told, meant in _FLAGS.items()}
    return pa.chunked_array([_in_words(chunk, words) for chunk in values.chunks], pa.string())


@cache
def _first_of_formula() -> pa.Array:
    # Not before it is asked: the first array that Arrow makes loads all of pandas, where there is
    # one.
    return pa.array(sorted(FIRST_OF_FORMULA))


def _in_words(values: Any, words: Mapping[str, str]) -> Any:
    coded = values.dictionary_encode()
    known = [words.get(value, value) for value in coded.dictionary.to_pylist()]
    return pa.array(known, pa.string()).take(coded.indices)
