"""What is read a page at a time is the same whatever a page holds."""

from datetime import date
from pathlib import Path

import pyarrow as pa

from service.exports.cut import Cut
from service.exports.leads import entry_pages
from tests.service.helpers import journeys, ledger_in


def test_pages_of_entries_may_end_within_an_event(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        cut = Cut(date(2026, 1, 1), ledger.reads.position())

        def entries(most: int) -> list[dict[str, str]]:
            found: list[dict[str, str]] = pa.concat_tables(
                entry_pages(ledger.reads, cut, most)
            ).to_pylist()
            return found

        whole = entries(1_000)
        assert len(whole) > len({entry["position"] for entry in whole}) > 10
        for most in range(1, 8):
            assert entries(most) == whole
