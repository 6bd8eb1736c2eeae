"""LibreOffice, as whoever opens a file with it: it says nothing, or it cannot.

Without a screen it repairs nothing on the quiet: a file that it would ask about is not opened.
"""

import csv
import os
import shutil
import subprocess
from pathlib import Path

import pytest

# Where one machine must have it, so that nothing is left out there on the quiet.
_REQUIRED = bool(os.environ.get("CI"))
_PATIENCE = 180
# Every sheet, as it is shown, quoted where it must be, in UTF-8: "filter tokens" in its manual.
_SHEETS = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,true,true,false,false,-1"
_TEXT = "txt:Text (encoded):UTF8"

needs_libreoffice = pytest.mark.skipif(
    not _REQUIRED and shutil.which("soffice") is None,
    reason="LibreOffice is not on this machine: README, Tests, says how to get it",
)


class CannotOpen(Exception):
    """LibreOffice did not open the file; what it said."""


def shown_sheets(path: Path) -> dict[str, list[list[str]]]:
    """A workbook's sheets by name: the rows of their cells, as LibreOffice shows them."""
    stem = f"{path.stem}-"
    shown = {}
    for file in _converted(path, _SHEETS):
        with file.open(encoding="utf-8", newline="") as lines:
            shown[file.stem.removeprefix(stem)] = list(csv.reader(lines))
    return shown


def shown_text(path: Path) -> str:
    """A document's text."""
    (file,) = _converted(path, _TEXT)
    return file.read_text(encoding="utf-8-sig")


def _converted(path: Path, into: str) -> list[Path]:
    """What it writes of the file; CannotOpen when it writes nothing."""
    out = path.parent / f"{path.name}.opened"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    profile = f"-env:UserInstallation=file://{path.parent}/libreoffice"
    words = ["soffice", profile, "--headless", "--convert-to", into, "--outdir", f"{out}"]
    done = subprocess.run(
        [*words, f"{path}"], check=True, capture_output=True, text=True, timeout=_PATIENCE
    )
    files = sorted(out.iterdir())
    if not files or "Error" in done.stderr:
        raise CannotOpen(f"{path.name}: {done.stdout}{done.stderr}")
    return files
