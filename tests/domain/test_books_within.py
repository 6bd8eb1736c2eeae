"""The book of a district, a city or a province: what a lead that crossed its border posts there."""

import pytest

from domain.correction import effective
from domain.posting import Posting, difference_within, prefixes_crossed
from tests.domain.given import (
    Happened,
    corrected,
    negotiating,
    recognised,
    revised,
    signed,
    stored,
    tipped,
)
from tests.domain.test_books import THIRTY, THIRTY_FEN, TWO, TWO_FEN, posted
from tests.domain.test_lead_transfer import HERE, THERE, passed, proposed

BEYOND = "110101"
TIP, TALKS, SIGNED = "tip", "negotiating", "signed"
PASSED_ON = "closed/transferred"
# Tipped here, in talks, passed on there and signed there at a larger amount.
CROSSED = (tipped(investment=TWO), negotiating(), proposed(), passed(), signed("2025-08-01"))


def within(prefix: str, *history: Happened) -> list[Posting]:
    """The whole book of the lead within these districts."""
    return difference_within(prefix, [], effective(stored(*history)))


def line(day: str, kind: str, source: str, target: str, leads: int, fen: int) -> Posting:
    """A line of both books."""
    return Posting(day, kind, source, target, leads, fen)


COMES = [
    line("2025-03-18", "first", "outside", TIP, 1, TWO_FEN),
    line("2025-04-02", "first", TIP, TALKS, 1, TWO_FEN),
]


def test_where_it_left_it_is_closed_as_transferred_and_what_follows_does_not_show() -> None:
    gone = line("2025-07-10", "first", TALKS, PASSED_ON, 1, TWO_FEN)
    assert within(HERE, *CROSSED) == [*COMES, gone]


def test_where_it_came_to_it_comes_from_elsewhere_with_what_it_has() -> None:
    more = THIRTY_FEN - TWO_FEN
    assert within(THERE, *CROSSED) == [
        line("2025-07-10", "first", "elsewhere", TALKS, 1, TWO_FEN),
        Posting("2025-08-01", "amount", "outside", TALKS, 0, more),
        Posting("2025-08-01", "first", TALKS, SIGNED, 1, THIRTY_FEN, "occurred"),
    ]


@pytest.mark.parametrize("prefix", ["32", "3208"])
def test_where_it_stayed_within_it_is_booked_as_if_it_had_not_moved(prefix: str) -> None:
    assert prefixes_crossed(effective(stored(*CROSSED))) == {HERE, THERE}
    whole = [posting for some in posted(*CROSSED) for posting in some]
    assert sorted(within(prefix, *CROSSED)) == sorted(whole)


@pytest.mark.parametrize("prefix", [BEYOND, "11", "3209"])
def test_where_it_never_was_there_is_nothing(prefix: str) -> None:
    assert within(prefix, *CROSSED) == []


def test_without_events_there_is_nothing_anywhere() -> None:
    assert within(HERE) == []


def test_over_provinces_every_level_is_crossed() -> None:
    far = (tipped(), proposed(district=BEYOND), passed(district=BEYOND))
    levels = {HERE, "3208", "32", BEYOND, "1101", "11"}
    assert prefixes_crossed(effective(stored(*far))) == levels
    assert prefixes_crossed(effective(stored(tipped(), proposed()))) == set()


def test_what_comes_back_returns_from_the_account_of_those_passed_on() -> None:
    back = (
        *CROSSED[:4],
        proposed("2025-07-20", HERE),
        passed("2025-07-21", HERE),
        signed("2025-08-01"),
    )
    assert within(HERE, *back)[:4] == [
        *COMES,
        line("2025-07-10", "first", TALKS, PASSED_ON, 1, TWO_FEN),
        line("2025-07-21", "return", PASSED_ON, TALKS, 1, TWO_FEN),
    ]
    assert within(THERE, *back) == [
        line("2025-07-10", "first", "elsewhere", TALKS, 1, TWO_FEN),
        line("2025-07-21", "first", TALKS, PASSED_ON, 1, TWO_FEN),
    ]


def test_it_comes_with_the_amount_that_it_has_by_then() -> None:
    told = (*CROSSED[:3], revised("2025-07-05", investment=THIRTY), passed())
    assert within(THERE, *told) == [line("2025-07-10", "first", "elsewhere", TALKS, 1, THIRTY_FEN)]
    later = (*CROSSED[:4], revised("2025-07-15", investment=THIRTY))
    assert within(HERE, *later) == within(HERE, *CROSSED[:4]), "it is elsewhere by then"
    assert within(THERE, *later)[1:] == [
        Posting("2025-07-15", "amount", "outside", TALKS, 0, THIRTY_FEN - TWO_FEN)
    ]


def test_what_was_signed_there_is_recognised_there() -> None:
    *_, by_day = within(THERE, *CROSSED, recognised("2025-09-01"))
    assert by_day == Posting("2025-09-01", "first", TALKS, SIGNED, 1, THIRTY_FEN, "recognised")
    assert within(HERE, *CROSSED, recognised("2025-09-01")) == within(HERE, *CROSSED)


def test_one_that_passes_on_signed_is_still_in_talks_where_it_counts_by_recognition() -> None:
    history = (tipped(investment=THIRTY), negotiating(), signed(), proposed(), passed())
    gone = [posting for posting in within(HERE, *history) if posting.target == PASSED_ON]
    assert sorted((posting.source, posting.by) for posting in gone) == [
        (TALKS, "recognised"),
        (SIGNED, "occurred"),
    ]
    assert [(p.source, p.target, p.by) for p in within(THERE, *history)] == [
        ("elsewhere", SIGNED, "occurred"),
        ("elsewhere", TALKS, "recognised"),
    ]


def test_another_day_of_the_transfer_is_the_difference_on_both_sides_of_the_border() -> None:
    """A correction reverses what stood, exactly, and posts what stands now."""
    before = stored(*CROSSED)
    after = stored(*CROSSED, corrected(4, occurred_on="2025-07-05"))
    out = [("2025-07-05", 1, TWO_FEN), ("2025-07-10", -1, -TWO_FEN)]
    for prefix, source, target in ((HERE, TALKS, PASSED_ON), (THERE, "elsewhere", TALKS)):
        assert difference_within(prefix, effective(before), effective(after)) == [
            line(day, "first", source, target, leads, fen) for day, leads, fen in out
        ]


def test_a_transfer_that_never_was_takes_its_whole_book_away() -> None:
    before, after = stored(*CROSSED[:4]), stored(*CROSSED[:4], corrected(4, void=True))
    assert difference_within(THERE, effective(before), effective(after)) == [
        line("2025-07-10", "first", "elsewhere", TALKS, -1, -TWO_FEN)
    ]
    assert difference_within(HERE, effective(before), effective(after)) == [
        line("2025-07-10", "first", TALKS, PASSED_ON, -1, -TWO_FEN)
    ]
