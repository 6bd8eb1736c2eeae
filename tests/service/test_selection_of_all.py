"""Two ways to one answer: a selection that takes every lead, and none.

The whole book as known now is answered from totals and days kept in memory; a selection, or an
earlier knowledge, from the entries.
"""

from datetime import timedelta
from pathlib import Path
from random import Random

import pytest

from service.projections.choosing import Selection
from tests.service.helpers import ledger_in
from tests.service.seeds import seeds
from tests.service.test_reports import some_history
from tests.service.test_time_travel import DAYS, FIRST

# Every lead of such a history is in this province.
ALL = Selection(district="32")


@pytest.mark.parametrize("seed", seeds(3))
@pytest.mark.parametrize("by", ["occurred", "recognised"])
def test_a_selection_of_all_leads_is_answered_as_no_selection_is(
    tmp_path: Path, seed: int, by: str
) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        some_history(ledger, chance, 120)
        reads, last = ledger.reads, ledger.reads.position()
        for _ in range(12):
            start, end = sorted(FIRST + timedelta(chance.randrange(DAYS)) for _ in range(2))
            for known in (None, chance.randrange(5, last + 1)):
                asked = (start, end, known)
                for ask in (reads.pipeline, reads.movements, reads.times):
                    assert ask(ALL, *asked, by) == ask(Selection(), *asked, by)
                for step in ("day", "week", "month"):
                    of_all = reads.series(ALL, *asked, step, by)
                    assert of_all == reads.series(Selection(), *asked, step, by)
