"""Workbooks that another program wrote, kept in golden/, are read as they were meant."""

import shutil
from pathlib import Path

import pytest

from service.imports import BadImport, Imported
from tests.service.golden_workbooks import GOLDEN, PLAIN
from tests.service.helpers import ledger_in
from tests.service.sheets import sheet, take_in


def test_a_workbook_that_libreoffice_wrote_says_what_the_plain_csv_says(tmp_path: Path) -> None:
    with ledger_in(tmp_path / "ledger") as ledger:
        assert take_in(ledger, GOLDEN / "libreoffice.xlsx").leads == len(PLAIN)
        plain = sheet(tmp_path / "a.csv", PLAIN)
        assert take_in(ledger, plain) == Imported(unchanged=len(PLAIN))


@pytest.mark.parametrize("name", ["a.xls", "a.xlsx", "a.csv"])
def test_an_old_workbook_is_refused_with_what_to_do_whatever_it_is_called(
    tmp_path: Path, name: str
) -> None:
    shutil.copy(GOLDEN / "libreoffice.xls", tmp_path / name)
    with ledger_in(tmp_path / "ledger") as ledger, pytest.raises(BadImport) as why:
        take_in(ledger, tmp_path / name)
    assert "save it as .xlsx without one" in str(why.value)
