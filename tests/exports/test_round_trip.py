"""A ledger's export, imported into an empty ledger, gives the same pipeline."""

from pathlib import Path
from random import Random

import pytest

from tests.exports.shelf import exported
from tests.service.helpers import check_projections, journeys, ledger_in
from tests.service.sheets import take_in
from tests.service.test_course import answers, leads_in, standing
from tests.service.test_time_travel import Office


@pytest.mark.parametrize("seed", range(100, 106))
@pytest.mark.parametrize("file", ["leads.csv", "leads.xlsx"])
def test_any_ledgers_export_imported_into_an_empty_one_gives_the_same_pipeline(
    tmp_path: Path, seed: int, file: str
) -> None:
    with ledger_in(tmp_path / "one") as ledger, ledger_in(tmp_path / "other") as other:
        if seed == 100:
            journeys(ledger)
        else:
            office = Office(ledger, Random(seed))
            for _ in range(6):
                office.tip()
            assert sum(office.act() for _ in range(120)) > 25
        done = take_in(other, exported(ledger).folder / file)
        assert done.leads == len(leads_in(ledger))
        assert answers(other) == answers(ledger)
        assert standing(other) == standing(ledger)
        check_projections(other)
