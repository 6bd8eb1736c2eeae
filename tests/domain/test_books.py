"""The two books of a lead: by the day it happened, and by the day it was recognised; corrected."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.correction import effective
from domain.errors import LedgerError
from domain.posting import BOOKED, CORRECTION, Books, Placement, Posting, recognised_path
from tests.domain.given import (
    Happened,
    closed,
    corrected,
    groundbroken,
    lead_after,
    negotiating,
    office,
    recognised,
    reopened,
    revised,
    signed,
    stored,
    tipped,
)
from tests.domain.test_lead_correction import commands

TWO, THIRTY = {"amount": "2", "unit": "亿元"}, {"amount": "30", "unit": "亿元"}
by = "recognised"
CLOSED = "closed/rescinded"
TWO_FEN, THIRTY_FEN = 2 * 10**10, 30 * 10**10
SIGNED = (tipped(investment=THIRTY), negotiating(), signed())


def posted(*history: Happened) -> list[list[Posting]]:
    """What each event of the lead posts, after those before it."""
    books, events = Books(), stored(*history)
    return [post(books, events[: number + 1]) for number in range(len(events))]


def post(books: Books, upto: list[Any]) -> list[Posting]:
    """What the last of these events posts."""
    event = upto[-1]
    if event.TOPIC == CORRECTION:
        return books.retold(effective(upto))
    return books.happened(event) if event.TOPIC in BOOKED else []


def test_what_is_not_landed_stands_in_both_books() -> None:
    (tip,), (talks,) = posted(tipped(investment=TWO), negotiating())
    assert (tip.by, talks.by) == ("both", "both")


def test_a_signing_counts_in_one_book_until_it_is_recognised_in_the_other() -> None:
    *_, contract, recognition = posted(*SIGNED, recognised("2025-07-01"))
    assert contract == [
        Posting("2025-06-10", "first", "negotiating", "signed", 1, THIRTY_FEN, "occurred")
    ]
    assert recognition == [
        Posting("2025-07-01", "first", "negotiating", "signed", 1, THIRTY_FEN, "recognised")
    ]


def test_the_agreed_amount_counts_in_both_books_from_the_signing_on() -> None:
    *_, contract = posted(tipped(investment=TWO), negotiating(), signed())
    assert contract == [
        Posting("2025-06-10", "amount", "outside", "negotiating", 0, THIRTY_FEN - TWO_FEN),
        Posting("2025-06-10", "first", "negotiating", "signed", 1, THIRTY_FEN, "occurred"),
    ]


def test_a_recognised_groundbreaking_recognises_the_signing_with_it() -> None:
    *_, recognition = posted(*SIGNED, groundbroken(), recognised("2025-10-01", "groundbroken"))
    day, money = "2025-10-01", THIRTY_FEN
    assert recognition == [
        Posting(day, "first", "negotiating", "signed", 1, money, "recognised"),
        Posting(day, "first", "signed", "groundbroken", 1, money, "recognised"),
    ]


def test_a_signing_recognised_after_its_groundbreaking_moves_nothing_any_more() -> None:
    later = (recognised("2025-10-01", "groundbroken"), recognised("2025-11-01", "signed"))
    assert posted(*SIGNED, groundbroken(), *later)[-1] == []


def test_a_recognition_learnt_late_is_posted_on_its_own_day() -> None:
    late = (recognised("2025-10-01", "groundbroken"), recognised("2025-07-01", "signed"))
    day, money = "2025-07-01", THIRTY_FEN
    assert posted(*SIGNED, groundbroken(), *late)[-1] == [
        Posting(day, "first", "negotiating", "signed", 1, money, "recognised"),
        Posting("2025-10-01", "first", "negotiating", "signed", -1, -money, "recognised"),
    ]


def test_what_falls_through_unrecognised_is_rescinded_from_negotiation() -> None:
    end = closed("2025-08-01", "rescinded")
    assert posted(*SIGNED, end)[-1] == [
        Posting("2025-08-01", "first", "signed", "closed/rescinded", 1, THIRTY_FEN, "occurred"),
        Posting(
            "2025-08-01", "first", "negotiating", "closed/rescinded", 1, THIRTY_FEN, "recognised"
        ),
    ]


def test_what_comes_back_counts_where_it_was_recognised() -> None:
    back = (closed("2025-08-01", "rescinded"), reopened("2025-09-01"))
    lines = posted(*SIGNED, recognised("2025-07-01"), *back)[-1]
    assert lines == [
        Posting("2025-09-01", "return", "closed/rescinded", "signed", 1, THIRTY_FEN, "both")
    ]


def test_a_voided_signing_posts_its_exact_reversal_in_the_book_it_stood_in() -> None:
    *_, contract, reversal = posted(*SIGNED, corrected(3, void=True))
    (line,) = contract
    assert reversal == [line._replace(leads=-1, fen=-THIRTY_FEN)]


def test_a_signing_moved_to_another_day_is_reversed_on_the_old_and_posted_on_the_new() -> None:
    *_, contract, moved = posted(*SIGNED, corrected(3, occurred_on="2025-06-20"))
    (line,) = contract
    assert moved == [
        line._replace(leads=-1, fen=-THIRTY_FEN),
        line._replace(day="2025-06-20"),
    ]


def test_a_correction_that_moves_no_lead_and_no_money_posts_nothing() -> None:
    assert posted(*SIGNED, corrected(2, manager="赵敏"))[-1] == []


def test_a_corrected_amount_is_posted_on_every_move_since() -> None:
    *_, lines = posted(tipped(investment=TWO), negotiating(), corrected(1, investment=THIRTY))
    change = THIRTY_FEN - TWO_FEN
    assert lines == [
        Posting("2025-03-18", "first", "outside", "tip", 0, change),
        Posting("2025-04-02", "first", "tip", "negotiating", 0, change),
    ]


def test_by_recognition_a_late_amount_follows_the_lead_where_it_is_counted() -> None:
    late = revised("2025-04-01", "补报", investment=TWO)
    lines = posted(tipped(), negotiating("2025-04-02"), signed(investment=THIRTY), late)[-1]
    assert {line.by for line in lines} == {"both"}
    path = [Placement("2025-03-18", "tip", 0), Placement("2025-06-10", "signed", 5)]
    assert recognised_path(path, {}) == [path[0], Placement("2025-06-10", "negotiating", 5)]


def test_a_recognition_dated_after_the_end_of_the_claim_moves_nothing() -> None:
    end = closed("2025-06-20", "rescinded")
    lines = posted(*SIGNED, recognised("2025-07-01"), end)[-1]
    assert [line for line in lines if line.by != "occurred"] == [
        Posting("2025-06-20", "first", "negotiating", "closed/rescinded", 1, THIRTY_FEN, by),
        Posting("2025-07-01", "first", "negotiating", "signed", -1, -THIRTY_FEN, by),
    ]


@pytest.mark.parametrize(
    ("recognised_on", "counted"),
    [
        ({"signed": "2025-08-31"}, ["negotiating", CLOSED, "signed"]),
        # On the day it comes back the return is counted first, and the recognition after it.
        ({"signed": "2025-09-01"}, ["negotiating", CLOSED, "negotiating", "signed"]),
        ({"signed": "2025-09-02"}, ["negotiating", CLOSED, "negotiating", "signed"]),
        # A groundbreaking that was never claimed counts for no more than the signing.
        ({"groundbroken": "2025-07-01"}, ["negotiating", "signed", CLOSED, "signed"]),
        ({}, ["negotiating", CLOSED, "negotiating"]),
    ],
)
def test_a_lead_is_counted_by_what_was_recognised_by_then(
    recognised_on: dict[str, str], counted: list[str]
) -> None:
    path = [
        Placement("2025-06-10", "signed", 5),
        Placement("2025-08-01", CLOSED, None),
        Placement("2025-09-01", "signed", None),
    ]
    found = recognised_path(path, recognised_on)
    assert [placement.account for placement in found] == counted
    assert [placement.day for placement in found] == sorted(p.day for p in found)


@given(st.lists(commands(), max_size=25))
def test_whatever_happens_step_by_step_or_told_anew_both_books_are_the_same(
    given_commands: list[tuple[str, dict[str, Any]]],
) -> None:
    """The entries of every step add up to the books that the final history alone gives."""
    lead, books = lead_after(tipped("2025-06-01", investment=TWO)), Books()
    lines = post(books, lead.past)
    for method, facts in given_commands:
        before = len(lead.past)
        with office():
            try:
                getattr(lead, method)(**facts)
            except LedgerError:
                continue
        if len(lead.past) > before:
            lines = [*lines, *post(books, lead.past)]
    told = Books().retold(effective(lead.past))
    for book in ("occurred", "recognised"):
        assert net(lines, book) == net(told, book)
        assert all(count >= 0 for count, _ in standing(lines, book).values())
        assert sum(count for count, _ in standing(lines, book).values()) == 1


def net(lines: list[Posting], book: str) -> dict[tuple[str, ...], tuple[int, int]]:
    """Leads and fen by everything else, of one book, without what comes to nothing."""
    sums: dict[tuple[str, ...], tuple[int, int]] = {}
    for line in lines:
        if line.by in ("both", book):
            count, fen = sums.get(line[:4], (0, 0))
            sums[line[:4]] = (count + line.leads, fen + line.fen)
    return {key: total for key, total in sums.items() if total != (0, 0)}


def standing(lines: list[Posting], book: str) -> dict[str, tuple[int, int]]:
    """Where the lead stands at last, by account, `outside` left out."""
    found: dict[str, tuple[int, int]] = {}
    for line in lines:
        if line.by in ("both", book):
            for account, sign in ((line.source, -1), (line.target, 1)):
                count, fen = found.get(account, (0, 0))
                found[account] = (count + sign * line.leads, fen + sign * line.fen)
    found.pop("outside")
    return found
