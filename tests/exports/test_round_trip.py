"""A ledger's export, imported into an empty ledger, gives the same pipeline."""

from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from domain.actor import acting
from service.application import Ledger
from service.imports import Imported, import_paper
from service.projections.choosing import Selection
from tests.exports.shelf import exported
from tests.service.helpers import (
    call,
    check_projections,
    journeys,
    ledger_in,
    somebody,
    whole_log,
)
from tests.service.sheets import row, sheet, take_in
from tests.service.test_course import answers, leads_in, standing
from tests.service.test_time_travel import DAYS, FIRST, Office
from tests.service.test_transfers import PREFIXES, Border


@pytest.mark.parametrize("seed", range(100, 106))
@pytest.mark.parametrize("file", ["leads.csv", "leads.xlsx"])
def test_any_ledgers_export_imported_into_an_empty_one_gives_the_same_pipeline(
    tmp_path: Path, seed: int, file: str
) -> None:
    with ledger_in(tmp_path / "one") as ledger, ledger_in(tmp_path / "other") as other:
        if seed == 100:
            journeys(ledger)
        else:
            office = (Border if seed > 103 else Office)(ledger, Random(seed))
            for _ in range(6):
                office.tip()
            assert sum(office.act() for _ in range(120)) > 25
        done = take_in(other, exported(ledger).folder / file)
        assert done.leads == len(leads_in(ledger))
        assert answers(other) == answers(ledger)
        assert standing(other) == standing(ledger)
        assert by_district(other) == by_district(ledger)
        check_projections(other)
        for one in (ledger, other):
            # Each knows its leads by the ids in the file.
            before = whole_log(one)
            with acting(somebody(may_waive=True)):
                again = import_paper(one, exported(ledger).folder / file)
            assert again == Imported(unchanged=done.leads, extra=done.extra)
            assert whole_log(one) == before


def by_district(ledger: Ledger) -> list[Any]:
    """The pipeline of every district, and of those above, on several days."""
    ends = [FIRST + timedelta(day) for day in range(0, 2 * DAYS, 17)]
    asked = [(Selection(district=prefix), FIRST, end, None) for prefix in PREFIXES for end in ends]
    found = [ledger.reads.pipeline(*question) for question in asked]
    return [{**answer, "position": 0} for answer in found]


def test_tips_that_moved_to_another_year_come_back_as_the_leads_they_are(tmp_path: Path) -> None:
    """Two that moved to where their number stands already, and one that left its year alone."""
    rows = [
        row(1, 项目名称="甲", 提供日期="2024-12-20"),
        row(1, 项目名称="乙", 提供日期="2025-01-05"),
        row(2, 项目名称="丙", 提供日期="2024-12-21"),
    ]
    with ledger_in(tmp_path / "one") as ledger, ledger_in(tmp_path / "other") as other:
        take_in(ledger, sheet(tmp_path / "a.csv", rows))
        with acting(somebody()):
            for lead, day in zip(leads_in(ledger)[::2], ("2025-01-02", "2025-01-03"), strict=True):
                right = {"version": 1, "facts": {"occurred_on": day}, "reason": "跨年"}
                ledger.correct(lead, call(), {**right, "occurred_on": "2025-01-05"})
        file = exported(ledger).folder / "leads.csv"
        assert take_in(other, file).leads == 3
        assert answers(other) == answers(ledger)
        for one in (ledger, other):
            assert take_in(one, file).unchanged == 3


def test_a_lead_whose_district_was_put_right_is_known_by_its_row(tmp_path: Path) -> None:
    """It is exported under the right one; and an export from before it was still names it."""
    with ledger_in(tmp_path / "one") as ledger:
        take_in(ledger, sheet(tmp_path / "a.csv", [row(1)]))
        before = exported(ledger).folder / "leads.csv"
        text = before.read_bytes()
        with acting(somebody()):
            (lead,) = leads_in(ledger)
            right = {"version": 1, "facts": {"district": "320871"}, "reason": "在开发区"}
            ledger.correct(lead, call(), {**right, "occurred_on": "2025-12-05"})
        (tmp_path / "before.csv").write_bytes(text)
        assert take_in(ledger, tmp_path / "before.csv").unchanged == 1
        assert take_in(ledger, exported(ledger).folder / "leads.csv").unchanged == 1
