"""The doors that strangers' bytes come through, and what must hold whatever they are.

Each takes bytes and returns, or fails: a request that is no success is a refusal in our words, and
after any of them the ledger is whole.
"""

import atexit
import io
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import NamedTuple

from domain.actor import acting
from domain.errors import LedgerError
from service.imports import import_paper
from tests.api.office import BODIES, Office, open_office, settings_in
from tests.service.helpers import somebody

WORKBOOK = Path(__file__).parent.parent / "service" / "golden" / "libreoffice.xlsx"
SHEET = "xl/worksheets/sheet1.xml"
# What may be answered to a body that anybody may have made up.
REFUSED = frozenset({400, 403, 404, 409, 413, 415, 422})


class Ground(NamedTuple):
    """An office with a lead to aim at, and where to put files."""

    office: Office
    paths: tuple[str, ...]
    folder: Path


@cache
def ground() -> Ground:
    """The ground of this process."""
    folder = tempfile.TemporaryDirectory()
    office = open_office(settings_in(Path(folder.name)))
    atexit.register(folder.cleanup)
    atexit.register(office.close)
    officer = office.one("admin")
    member = officer.register()["id"]
    lead = officer.tip(member)["id"]
    commands = (f"/v1/leads/{lead}/{command}" for command in sorted(BODIES))
    paths = ("/v1/leads", "/v1/members", *commands, "/v1/reports/annual/2025")
    return Ground(office, paths, Path(folder.name))


def body(data: bytes) -> None:
    """A JSON body, for the route that its first byte chooses."""
    office, paths, _ = ground()
    path = paths[data[0] % len(paths)] if data else paths[0]
    answer = office.one("admin").call("POST", path, data[1:], {"Content-Type": "application/json"})
    assert answer.status_code in {200, 201} | REFUSED, f"{answer.status_code} {answer.text[:300]}"
    if answer.status_code < 300:
        # Whatever was let in can be read again, and leaves the book in balance.
        assert office.ledger.reads.whole_book_balances()
        if path.startswith("/v1/leads"):
            lead = answer.json["id"]  # type: ignore[index]
            assert office.one("admin").get(f"/v1/leads/{lead}/history").status_code == 200


def paper(data: bytes) -> None:
    """A file to be imported: a workbook or CSV, by what its bytes say."""
    office, _, folder = ground()
    file = folder / "paper"
    file.write_bytes(data)
    with acting(somebody()), suppress(LedgerError):
        import_paper(office.ledger, file, dry_run=True)


def sheet(data: bytes) -> None:
    """The XML of a workbook's sheet, in a workbook that is whole otherwise."""
    made = io.BytesIO()
    with zipfile.ZipFile(WORKBOOK) as whole, zipfile.ZipFile(made, "w") as other:
        for name in whole.namelist():
            other.writestr(name, data if name == SHEET else whole.read(name))
    paper(made.getvalue())


DOORS: Mapping[str, Callable[[bytes], None]] = {"body": body, "paper": paper, "sheet": sheet}
