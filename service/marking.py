"""Marked copies made in a process of its own: ``python -c`` of what is imported here.

An import tells what is wrong as sentences; whoever asked for it may speak another language, and
gives the reasons anew, in words.
"""

import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import orjson

from service.sheets import BadCell, BadSheet, source_of
from service.workbooks import mark

_MAIN = "from service.marking import main; main()"


def mark_apart(path: Path, bad: Iterable[BadCell], copy: Path) -> None:
    """Write the marked ``copy`` of the file at ``path``; none where it cannot be read at all."""
    told = orjson.dumps([[*cell] for cell in bad])
    words = [sys.executable, "-c", _MAIN, f"{path}", f"{copy}"]
    subprocess.run(words, input=told, check=True, capture_output=True)


def main() -> None:
    """In that process: the file, the copy, and on stdin what is wrong."""
    path, copy = map(Path, sys.argv[1:])
    bad = [BadCell(*cell) for cell in orjson.loads(sys.stdin.buffer.read())]
    with suppress(BadSheet):
        mark(source_of(path), bad, copy)
