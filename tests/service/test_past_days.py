"""The book as known at past positions: kept, and dropped when it must be."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from domain.actor import acting
from service.ahead import Ahead
from service.application import Ledger
from service.locks import FileLock
from service.projections.choosing import Selection
from service.projections.kept_days import Mark
from service.projections.past_books import Room, past_books
from service.projections.past_days import _MOST_PASTS, PastDays, Which
from service.projections.pipeline import Book, pipeline_json
from service.reads import day_of
from tests.service.helpers import a_lead, call, journeys, ledger_in, somebody

pytestmark = pytest.mark.both_databases

YEAR = (date(2025, 1, 1), date(2025, 12, 31))
EVERYTHING = Selection()


def tips(answer: dict[str, Any]) -> int:
    found: int = answer["tips"]
    return found


def test_a_book_that_nothing_was_posted_in_is_empty_on_every_day(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        answer = ledger.reads.pipeline(EVERYTHING, *YEAR, 0)
        assert tips(answer) == 0 and answer["balanced"] is True


# Rows set aside


# As little room as makes rows and sums of a handful of entries.
SMALL = Room(3, 10)
ASKED = (Selection(), Selection(district="32"), Selection(district="3208"), Selection(within="32"))


def of_the_entries(ledger: Ledger, asked: tuple[Any, ...], by: str) -> bytes:
    """The pipeline as the entries themselves tell it."""
    selection, start, end, position = asked
    with ledger.reads.store.snapshot() as connection:
        book = Book(connection, selection, day_of(end), position, by)
        return pipeline_json(book, start, end)


@pytest.mark.parametrize("room", [SMALL, Room(1, 1), Room(7, 1_000), Room(2, 4)])
def test_sums_set_aside_are_those_of_the_entries_at_every_position(
    tmp_path: Path, room: Room
) -> None:
    with ledger_in(tmp_path) as ledger:
        for turn in range(3):
            # They are gone on with from where they were.
            ledger.reads.past_days = PastDays(ledger.reads.store, room)
            journeys(ledger, f"{turn}-")
            last = ledger.reads.position()
            for position in range(last, 0, -11):
                for selection, by in zip(ASKED, ("occurred", "recognised") * 2, strict=True):
                    for end in (date(2025, 3, 1), YEAR[1]):
                        asked = (selection, YEAR[0], end, position)
                        told, _ = ledger.reads.pipeline_json(*asked, by)
                        assert told.endswith(of_the_entries(ledger, asked, by)[1:]), asked
        with ledger.reads.store.reading() as connection:
            kept = connection.execute(sa.select(past_books.c.position)).scalars().all()
        assert max(kept) > 0


def test_a_past_is_told_from_the_entries_while_nobody_can_write(tmp_path: Path) -> None:
    with ledger_in(tmp_path, lock_timeout=0.01) as ledger:
        journeys(ledger)
        last = ledger.reads.position()
        ledger.reads.past_days = PastDays(ledger.reads.store, SMALL)
        before = of_the_entries(ledger, (EVERYTHING, *YEAR, last - 5), "occurred")
        # By whoever has the file open a second time.
        with FileLock(lock_of(ledger), 1).held():
            told, _ = ledger.reads.pipeline_json(EVERYTHING, *YEAR, last - 5, "occurred")
        assert told.endswith(before[1:])


def test_the_book_of_all_is_set_aside_before_anybody_asks(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        ledger.reads.past_days = PastDays(ledger.reads.store, SMALL)
        ahead = Ahead(ledger.reads)
        while not ahead.work(1.0):
            pass
        with ledger.reads.store.reading() as connection:
            kept = connection.execute(sa.select(past_books.c.prefix, past_books.c.position))
            assert list(map(tuple, kept)) == [("", ledger.reads.position())]


def lock_of(ledger: Ledger) -> Path:
    """The file by which one writer of the projections keeps out another."""
    path = ledger.settings.projections
    return path.with_name(path.name + ".lock")


def test_a_district_through_which_many_leads_pass_is_told_from_the_entries(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        lead = a_lead(ledger)
        with acting(somebody()):
            there = {"district": "320871", "reason": "x", "occurred_on": "2025-06-01"}
            ledger.propose_transfer(lead, call(), there)
            ledger.accept_transfer(lead, call(), {"occurred_on": "2025-06-02"})
        last = ledger.reads.position()
        chosen = Selection(district="320871")
        mark = Mark(last, None)
        which = Which("320871", "", "9999-12-31", last, "occurred")
        found = PastDays(ledger.reads.store, most_strays=0).at(mark, which, [YEAR[1]])
        assert found is None
        ledger.reads.past_days = PastDays(ledger.reads.store, most_strays=0)
        asked = (chosen, *YEAR, last)
        told, _ = ledger.reads.pipeline_json(*asked, "occurred")
        assert told.endswith(of_the_entries(ledger, asked, "occurred")[1:])


# What is kept in memory


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
