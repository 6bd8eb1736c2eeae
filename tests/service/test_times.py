"""How long leads stay in each stage: counted one by one by the slow model, and by hand."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import pytest

from domain.actor import acting
from service.application import Ledger
from service.projections.choosing import Selection
from tests.service.helpers import call, ledger_in, register, somebody, tip
from tests.service.seeds import seeds
from tests.service.test_reports import some_history
from tests.service.test_time_travel import DAYS, FIRST, STAGES, Past, entered, known_at, stays

NEXT = {"tip": "negotiating", "negotiating": "signed", "signed": "groundbroken"}


class Stay(NamedTuple):
    """From one day to another (None: still there), and the stage after it."""

    stage: str
    begun: date
    ended: date | None
    after: str | None


def stays_of(lead: Past, end: date) -> Iterator[Stay]:
    """Where the lead was, one stage after the other, by the end of a day."""
    moves = [
        (date.fromisoformat(event.day), stage)
        for event, before in stays(lead)
        if (stage := entered(event, before))
    ]
    moves = sorted((move for move in moves if move[0] <= end), key=lambda move: move[0])
    for (begun, stage), after in zip(moves, [*moves[1:], (None, None)], strict=False):
        yield Stay(stage, begun, *after)


def nearest_rank(days: list[int], percent: int) -> int | None:
    """The shortest that at least so many percent do not exceed."""
    ranked = sorted(days)
    for number, length in enumerate(ranked, 1):
        if number * 100 >= len(ranked) * percent:
            return length
    return None


def times_in_model(found: list[Stay], stage: str, start: date, end: date) -> dict[str, Any]:
    """The answer for one stage."""
    begun = [stay for stay in found if stay.stage == stage and start <= stay.begun <= end]
    lengths = [(stay.ended - stay.begun).days for stay in begun if stay.ended]
    waiting = [(end - stay.begun).days for stay in begun if not stay.ended]
    onward = sum(stay.after == NEXT.get(stage, "") for stay in begun)
    share = round(onward / len(begun), 4) if begun and stage in NEXT else None
    return {
        "leads": len(begun),
        "median_days": nearest_rank(lengths, 50),
        "p90_days": nearest_rank(lengths, 90),
        "waiting": len(waiting),
        "longest_waiting_days": max(waiting, default=None),
        "conversion": share,
    }


@pytest.mark.parametrize("seed", seeds(4))
def test_times_are_those_of_the_stays_counted_one_by_one(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        office = some_history(ledger, chance, 120)
        last = ledger.reads.position()
        for _ in range(12):
            start, end = sorted(FIRST + timedelta(chance.randrange(DAYS)) for _ in range(2))
            position = chance.choice((last, chance.randrange(5, last + 1)))
            past = known_at(ledger, office.leads, position)
            found = [stay for lead in past.values() for stay in stays_of(lead, end)]
            told = ledger.reads.times(Selection(), start, end, position)["stages"]
            assert [answer["stage"] for answer in told] == list(STAGES)
            for answer in told:
                expected = times_in_model(found, answer["stage"], start, end)
                assert {name: answer[name] for name in expected} == expected, (start, end, position)


def in_talks(ledger: Ledger, member: UUID, days: int) -> UUID:
    """A lead that was tipped on 1 January and talked to so many days later."""
    lead = tip(ledger, member, occurred_on="2025-01-01").subject
    day = date(2025, 1, 1) + timedelta(days)
    with acting(somebody()):
        ledger.open_negotiation(
            lead, call(), {"responsible_unit": "商务局", "occurred_on": f"{day}"}
        )
    return lead


def test_median_and_ninetieth_percentile_are_days_that_somebody_stayed(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        for days in (1, 2, 3, 4, 5, 6, 7, 8, 9, 40):
            in_talks(ledger, member, days)
        tip(ledger, member, occurred_on="2025-01-02")
        (first, *_) = ledger.reads.times(Selection(), FIRST, date(2025, 12, 31))["stages"]
        assert first == {
            "stage": "tip",
            "label": "信息",
            "leads": 11,
            "median_days": 5,
            "p90_days": 9,
            "waiting": 1,
            "longest_waiting_days": 363,
            "conversion": round(10 / 11, 4),
        }
        (tips, talks, *_) = ledger.reads.times(Selection(), date(2025, 1, 2), date(2025, 1, 5))[
            "stages"
        ]
        assert (tips["leads"], talks["leads"], talks["waiting"]) == (1, 4, 4)
        (_, talks, *_) = ledger.reads.times(Selection(), date(2025, 1, 3), date(2025, 1, 4))[
            "stages"
        ]
        assert (talks["leads"], talks["longest_waiting_days"]) == (2, 1)
