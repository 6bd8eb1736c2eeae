"""Many processes start on a ledger that is not there yet: each finds one that works."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from service.projections.choosing import Selection
from tests.service.helpers import check_projections, ledger_in, processes, register, tip, whole_log

pytestmark = pytest.mark.fault

PROCESSES = 8
ROUNDS = 30


def start(barrier: Any, folder: Path, number: int) -> tuple[int, bool]:
    """Open the ledger with everybody else, write, and read what was written."""
    barrier.wait()
    with ledger_in(folder) as ledger:
        lead = tip(ledger, register(ledger, f"QJP-{number}").subject).subject
        found = ledger.reads.lead(lead).version
        window = (date(2025, 1, 1), date(2025, 12, 31))
        return found, ledger.reads.pipeline(Selection(), *window, None)["balanced"]


@pytest.mark.parametrize("nth", range(ROUNDS))
def test_eight_processes_that_start_at_once_all_succeed(tmp_path: Path, nth: int) -> None:
    folder = tmp_path / "new"
    told = processes(start, *[(folder, number) for number in range(PROCESSES)])
    assert told == [(1, True)] * PROCESSES
    with ledger_in(folder) as ledger:
        assert len(whole_log(ledger)) == 2 * PROCESSES
        check_projections(ledger)
