"""The book as known at past positions: kept, and dropped when it must be."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from domain.actor import acting
from service.application import Ledger
from service.projections.choosing import Selection
from service.projections.past_days import _MOST_PASTS, Past
from tests.service.helpers import a_lead, call, journeys, ledger_in, somebody

YEAR = (date(2025, 1, 1), date(2025, 12, 31))
EVERYTHING = Selection()


def tips(answer: dict[str, Any]) -> int:
    found: int = answer["tips"]
    return found


def test_a_book_that_nothing_was_posted_in_is_empty_on_every_day() -> None:
    past = Past([])
    assert past.stood(date(2025, 1, 1)).sums == {}
    assert past.stood(date(2025, 1, 1)).balanced


def test_each_day_holds_all_before_it_and_nothing_after() -> None:
    posted = [
        ("2025-01-02", "first", "outside", "tip", 1, 5),
        ("2025-01-02", "first", "tip", "negotiating", 1, 5),
        ("2025-01-09", "amount", "outside", "negotiating", 0, 3),
    ]
    past = Past(posted)
    stood = {
        day: past.stood(date(2025, 1, day)).tallies["negotiating"].standing for day in range(1, 11)
    }
    assert [stood[day] for day in (1, 2, 8, 9, 10)] == [[0, 0], [1, 5], [1, 5], [1, 8], [1, 8]]


@pytest.mark.parametrize("by", ["occurred", "recognised"])
def test_a_position_to_come_is_the_present_one(tmp_path: Path, by: str) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        now = ledger.reads.pipeline(EVERYTHING, *YEAR, None, by)
        later = ledger.reads.pipeline(EVERYTHING, *YEAR, 10**9, by)
        assert {**later, "known_at": None} == now
        a_lead(ledger)
        assert tips(ledger.reads.pipeline(EVERYTHING, *YEAR, 10**9, by)) == tips(now) + 1


def test_the_past_stays_as_it_was_whatever_is_recorded_since(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_lead(ledger)
        then = ledger.reads.position()
        before = ledger.reads.pipeline(EVERYTHING, *YEAR, then)
        correction = {"version": 1, "facts": {"occurred_on": "2024-12-31"}}
        with acting(somebody()):
            ledger.correct(
                lead, call(), {**correction, "reason": "错", "occurred_on": "2025-06-01"}
            )
        again = ledger.reads.pipeline(EVERYTHING, *YEAR, then)
        assert {**again, "position": 0} == {**before, "position": 0}
        assert tips(ledger.reads.pipeline(EVERYTHING, *YEAR, None)) == 0


def test_more_pasts_than_are_kept_are_all_answered(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        positions = [at for _ in range(_MOST_PASTS + 3) for at in [after_one_more(ledger)]]
        for _ in range(2):
            answers = [ledger.reads.pipeline(EVERYTHING, *YEAR, at) for at in positions]
            assert [tips(answer) for answer in answers] == list(range(1, len(positions) + 1))


def after_one_more(ledger: Ledger) -> int:
    """The position after one more tip."""
    a_lead(ledger)
    return ledger.reads.position()


def test_pasts_of_an_older_build_are_read_again(tmp_path: Path) -> None:
    """Whoever repairs the projections by making them anew sees the repair in the past too."""
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        then = ledger.reads.position()
        with ledger.reads.store.writing() as connection:
            connection.exec_driver_sql("UPDATE entries SET occurred_on = '2024-01-01'")
        assert tips(ledger.reads.pipeline(EVERYTHING, *YEAR, then)) == 0
        ledger.reads.catch_up.rebuild()
        assert tips(ledger.reads.pipeline(EVERYTHING, *YEAR, then)) == 1
