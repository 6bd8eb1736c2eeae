"""Sums over leads that are carried forward, held against the same asked of every lead anew."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.application import Ledger
from service.projections.carried import Ask, Carried
from service.projections.choosing import EVERYTHING
from service.projections.fates import Window, fate_sums
from service.projections.groups import BY, group_sums
from service.projections.kept_days import mark_within
from service.projections.store import FOREVER, LAST_DAY
from service.reports.annual import HUNDRED_MILLION
from tests.service.helpers import journeys, ledger_in

DAYS = (LAST_DAY, "2025-06-30", "2025-03-01")
NOW = FOREVER - 1


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Leads on which everything was done."""
    with ledger_in(Path(tmp_path_factory.mktemp("carried"))) as found:
        journeys(found)
        yield found


def groups(by: str, day: str) -> Ask:
    """The sums of groups as of a day."""
    return lambda connection, known, among: group_sums(
        connection, EVERYTHING, day, known, by, among
    )


def fates(start: str, end: str, day: str) -> Ask:
    """The sums of fates within a window."""
    return lambda connection, known, among: fate_sums(
        connection, Window(start, end, known), day, HUNDRED_MILLION, among
    )


ASKED = {f"{by} {day}": groups(by, day) for by in BY for day in DAYS} | {
    "fates of a year": fates("2025-01-01", "2025-12-31", LAST_DAY),
    "fates of half a year": fates("2025-01-01", "2025-06-30", "2025-06-30"),
    "fates of some months": fates("2025-02-01", "2025-04-15", "2025-04-15"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_sums_carried_from_any_position_are_those_of_all_leads(ledger: Ledger, asked: str) -> None:
    ask, last = ASKED[asked], ledger.reads.position()
    with ledger.reads.store.snapshot() as connection:
        mark, whole = mark_within(connection), ask(connection, NOW, None)
        assert whole
        carried = Carried(most_leads=10_000)
        for position in range(last):
            before = ask(connection, position, None)
            then = mark._replace(position=position)
            assert carried.later(connection, then, before, ask) == whole, position


def test_where_many_leads_changed_all_are_asked(ledger: Ledger) -> None:
    ledger.reads.position()
    ask = ASKED[f"industry {LAST_DAY}"]
    with ledger.reads.store.snapshot() as connection:
        mark = mark_within(connection)
        wrong = {("X00", "tip"): (7, 7)}
        told = Carried(most_leads=1).later(connection, mark._replace(position=0), wrong, ask)
        assert told == ask(connection, NOW, None)


def test_the_same_book_is_asked_once_and_another_build_anew(ledger: Ledger) -> None:
    ledger.reads.position()
    times = []

    def ask(*_: object) -> dict[str, tuple[int, int]]:
        times.append(1)
        return {"all": (1, 1)}

    carried = Carried()
    for _ in range(2):
        with ledger.reads.store.snapshot() as connection:
            assert carried.sums(connection, "all", None, ask) == {"all": (1, 1)}
    assert len(times) == 1
    ledger.reads.catch_up.rebuild()
    ledger.reads.position()
    with ledger.reads.store.snapshot() as connection:
        carried.sums(connection, "all", None, ask)
    assert len(times) == 2
