"""Days of the whole book in memory: never of another position, never of another build."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from service.application import Ledger
from service.projections.choosing import Selection
from service.projections.kept_days import KeptDays, mark_now
from service.projections.pipeline import Book, movements, pipeline
from tests.service.helpers import (
    a_lead,
    contents,
    follow,
    journeys,
    ledger_in,
    register,
    stored_leads,
    tip,
    whole_log,
)

YEAR = (date(2025, 1, 1), date(2025, 12, 31))
Window = tuple[date, date]


def windows(count: int, seed: int = 1) -> list[Window]:
    """Windows in and about the year of the tests."""
    random = Random(seed)
    days = [date(2024, 12, 1) + timedelta(days=random.randrange(420)) for _ in range(2 * count)]
    return [(min(pair), max(pair)) for pair in zip(days[::2], days[1::2], strict=True)]


def added_up(ledger: Ledger, window: Window) -> list[dict[str, Any]]:
    """Pipeline and movements, straight from the tables."""
    with ledger.reads.store.snapshot() as connection:
        book = Book(connection, Selection())
        return [pipeline(book, *window), movements(book, *window)]


def answered(ledger: Ledger, window: Window) -> list[dict[str, Any]]:
    """Pipeline and movements, as clients are told."""
    everything = Selection()
    found = [
        ledger.reads.pipeline(everything, *window, None),
        ledger.reads.movements(everything, *window, None),
    ]
    assert {answer["position"] for answer in found} == {ledger.recorder.max_notification_id()}
    about = ("from", "to", "known_at", "by", "position", "rule")
    return [{k: v for k, v in answer.items() if k not in about} for answer in found]


def check(ledger: Ledger, asked: Sequence[Window]) -> None:
    """Every window is answered as the tables have it."""
    for window in asked:
        assert answered(ledger, window) == added_up(ledger, window)


def test_days_carried_forward_event_by_event_are_those_of_the_tables(tmp_path: Path) -> None:
    asked = windows(12)
    with ledger_in(tmp_path / "first") as first, ledger_in(tmp_path / "second") as second:
        journeys(first)
        for event in whole_log(first):
            second.record_all([event])
            check(second, asked)
        assert answered(second, YEAR)[0]["tips"] == len(contents(second)["leads"])


def test_days_follow_what_other_workers_write(tmp_path: Path) -> None:
    asked = windows(5)
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        member = register(other).subject
        for number in range(1, 4):
            check(ledger, asked)
            tip(other, member)
            follow(other, tip(other, member, occurred_on="2025-02-01").subject)
            assert answered(ledger, YEAR)[0]["tips"] == 2 * number


@pytest.mark.parametrize("leads", [199, 200, 201])
def test_days_are_right_however_much_was_posted_at_once(tmp_path: Path, leads: int) -> None:
    asked = windows(5)
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        check(ledger, asked)
        ledger.record_all(stored_leads(ledger, member, leads, 0))
        check(ledger, asked)
        assert answered(ledger, YEAR)[0]["tips"] == leads


def test_a_rebuild_elsewhere_drops_what_was_kept_and_what_was_answered(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        a_lead(ledger)
        right = answered(ledger, YEAR)
        with other.reads.store.writing() as spoilt:
            spoilt.exec_driver_sql("UPDATE totals SET leads = leads * 3")
        later = (YEAR[0], date(2025, 11, 30))
        assert answered(ledger, later)[0]["tips"] == 3
        assert answered(ledger, YEAR) == right
        other.reads.catch_up.rebuild()
        assert answered(ledger, later) == answered(ledger, YEAR) == right


def test_each_rebuild_is_another_build(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        ledger.reads.position()
        marks = [mark_now(ledger.reads.store)]
        for _ in range(2):
            ledger.reads.catch_up.rebuild()
            ledger.reads.position()
            marks.append(mark_now(ledger.reads.store))
        assert len(set(marks)) == 3 and {mark.position for mark in marks} == {2}


def test_no_more_days_are_kept_than_there_is_room_for(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
        ledger.reads.position()
        kept = KeptDays(ledger.reads.store)
        days = [date(2015, 1, 1) + timedelta(days=n) for n in range(6_000)]
        for part in (days[:3_000], days[3_000:]):
            found = kept.at(mark_now(ledger.reads.store), part)
            # They come by whole months.
            assert 3_000 <= len(found.days) <= 3_062
            assert [found.stood(day).tallies["tip"].standing[0] for day in part] == [
                int(day >= date(2025, 3, 18)) for day in part
            ]


def test_threads_that_read_while_others_write_never_see_half_a_day(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger, ledger_in(tmp_path) as other:
        member = register(ledger).subject

        def read(number: int) -> list[int]:
            seen = []
            for window in windows(40, seed=number):
                found = ledger.reads.pipeline(Selection(), *window, None)
                assert found["balanced"]
                standing = sum(stage["standing"]["count"] for stage in found["stages"])
                # Every tip is a log position of its own, after the member's.
                assert standing == (window[1] >= date(2025, 3, 18)) * (found["position"] - 1)
                seen.append(found["position"])
            return seen

        with ThreadPoolExecutor(4) as pool:
            reading = [pool.submit(read, number) for number in range(4)]
            for _ in range(30):
                tip(other, member)
            for seen in (future.result() for future in reading):
                assert seen == sorted(seen)
