"""Whether the access record is as it was written: every row's digest, and every head kept of it."""

from collections.abc import Iterable
from contextlib import closing
from typing import Any

from domain.errors import Invalid, LedgerError
from service.access.record import GENESIS, Access, Head, digest_of


class Altered(LedgerError):
    """A row was altered, taken out or put in, or the end cut off."""


def verify(record: Access, kept: Iterable[Head] = ()) -> Head | None:
    """The head of a record that holds (None: it is empty); Altered names the first row that does
    not, or the head of ``kept`` that is no more."""
    with closing(record.rows()) as rows:
        return verify_rows(rows, kept)


def verify_rows(rows: Iterable[dict[str, Any]], kept: Iterable[Head] = ()) -> Head | None:
    """The same of the rows of a record, in order."""
    wanted: dict[int, set[str]] = {}
    for head in kept:
        wanted.setdefault(head.id, set()).add(head.digest)
    last = Head(0, GENESIS)
    for row in rows:
        if row["id"] != last.id + 1:
            raise Altered(f"After access record {last.id} comes {row['id']}: some were taken out.")
        if row["digest"] != digest_of(last.digest, row):
            raise Altered(f"Access record {row['id']} is not the one that was written.")
        last = Head(row["id"], row["digest"])
        if wanted.pop(last.id, {last.digest}) != {last.digest}:
            raise Altered(f"Access record {last.id} is another one than when its head was kept.")
    if wanted:
        most = max(wanted)
        raise Altered(f"The access record ends at {last.id}, and {most} was written: it was cut.")
    return last if last.id else None


def read_head(text: str) -> Head:
    """The head in a text like ``42:9f…``; Invalid."""
    number, _, digest = text.strip().partition(":")
    if not (number.isascii() and number.isdigit() and len(digest) == len(GENESIS)):
        raise Invalid({"head": [f"'{text[:80]}' is no head, like 42: and 64 digits."]})
    return Head(int(number), digest)
