"""The double-entry book: what each event posts, and that it balances whatever comes, in any order.

A slow model that knows nothing of postings says where a lead stands on a day; the book must agree.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from domain.errors import LedgerError
from domain.lead import Lead
from domain.money import Money
from domain.posting import (
    ABOUT_TO_SIGN,
    ACCOUNTS,
    AMOUNT,
    FIRST,
    KINDS,
    OUTSIDE,
    PLAN,
    POSTING_RULES,
    RETURN,
    Placement,
    Posting,
    Track,
    closed_account,
    postings,
)
from tests.domain.given import (
    TODAY,
    Happened,
    closed,
    groundbroken,
    happened,
    lead_after,
    negotiating,
    office,
    planned,
    reopened,
    resumed,
    revised,
    screened,
    signed,
    stored,
    suspended,
    tipped,
)

TWO = {"amount": "2", "unit": "亿元"}
THIRTY = {"amount": "30", "unit": "亿元"}
TWO_FEN, THIRTY_FEN = 20_000_000_000, 300_000_000_000
LOST, DECLINED = "closed/lost", "closed/declined"

# The accounts


def test_accounts_are_the_stages_outside_about_to_sign_and_an_account_of_each_outcome() -> None:
    assert ACCOUNTS == {
        "outside": "outside",
        "elsewhere": "elsewhere",
        "tip": "tip",
        "negotiating": "negotiating",
        "signed": "signed",
        "groundbroken": "groundbroken",
        "negotiating/about_to_sign": "negotiating",
        "closed/declined": "closed",
        "closed/duplicate": "closed",
        "closed/lost": "closed",
        "closed/withdrawn": "closed",
        "closed/rescinded": "closed",
        "closed/transferred": "closed",
    }
    assert (OUTSIDE, ABOUT_TO_SIGN) == ("outside", "negotiating/about_to_sign")
    assert closed_account("lost") == LOST


def test_the_kinds_of_an_entry_have_their_names() -> None:
    assert (FIRST, RETURN, PLAN, AMOUNT) == KINDS == ("first", "return", "plan", "amount")


# Which event places the lead where

PLACEMENTS: list[tuple[Happened, Placement | None]] = [
    (tipped("2025-03-18"), Placement("2025-03-18", "tip", 0)),
    (tipped("2025-03-18", investment=TWO), Placement("2025-03-18", "tip", TWO_FEN)),
    (
        tipped("2025-03-18", investment={"amount": "3", "unit": "亿美元"}),
        Placement("2025-03-18", "tip", 0),
    ),
    (screened("2025-03-20", "pursue"), None),
    (screened("2025-03-20", "decline", "x"), Placement("2025-03-20", DECLINED, None)),
    (
        screened("2025-03-20", "duplicate", "x", "y"),
        Placement("2025-03-20", "closed/duplicate", None),
    ),
    (negotiating("2025-04-02"), Placement("2025-04-02", "negotiating", None)),
    (
        planned("2025-05-01", "2025-07-01"),
        Placement("2025-05-01", "negotiating/about_to_sign", None),
    ),
    (planned("2025-05-02", None), Placement("2025-05-02", "negotiating", None)),
    (signed("2025-06-10"), Placement("2025-06-10", "signed", THIRTY_FEN)),
    (signed("2025-06-10", investment=None), Placement("2025-06-10", "signed", None)),
    (
        signed("2025-06-10", investment={"amount": "3", "unit": "亿美元"}),
        Placement("2025-06-10", "signed", 0),
    ),
    (groundbroken("2025-09-01"), Placement("2025-09-01", "groundbroken", None)),
    (closed("2025-05-20", "lost"), Placement("2025-05-20", LOST, None)),
    (closed("2025-05-20", "rescinded"), Placement("2025-05-20", "closed/rescinded", None)),
    (revised("2025-05-01", investment=TWO), Placement("2025-05-01", None, TWO_FEN)),
    (revised("2025-05-01", investment=None), Placement("2025-05-01", None, 0)),
    (revised("2025-05-01", title="x"), None),
]


@pytest.mark.parametrize(("event", "placement"), PLACEMENTS)
def test_each_event_places_the_lead_as_the_table_says(
    event: Happened, placement: Placement | None
) -> None:
    (happening,) = stored(event) if event.event is Lead.Tipped else stored(tipped(), event)[1:]
    assert POSTING_RULES[happening.TOPIC](happening, Track()) == placement


@pytest.mark.parametrize(
    ("path", "account"),
    [
        ([("01", "tip"), ("03", DECLINED)], "tip"),
        ([("01", "tip"), ("02", "negotiating"), ("03", LOST)], "negotiating"),
        ([("01", "tip"), ("02", ABOUT_TO_SIGN), ("03", LOST)], "negotiating"),
        ([("01", "tip"), ("02", "negotiating"), ("03", LOST), ("05", None)], "negotiating"),
        ([("01", "tip"), ("02", "signed"), ("03", "closed/rescinded")], "signed"),
        ([("01", "tip"), ("03", LOST), ("04", "tip"), ("05", LOST)], "tip"),
    ],
)
def test_a_reopened_lead_returns_to_the_last_stage_that_was_not_closed(
    path: list[tuple[str, str | None]], account: str
) -> None:
    (_, event) = stored(tipped(), reopened("2025-06-01"))
    placed = [Placement(f"2025-01-{day}", where, None if where else 5) for day, where in path]
    expected = Placement("2025-06-01", account, None)
    assert POSTING_RULES[event.TOPIC](event, Track(placed)) == expected


def test_every_other_event_posts_nothing() -> None:
    assert list(POSTING_RULES) == [
        "lead.tipped",
        "lead.screened",
        "lead.negotiation_opened",
        "lead.signing_planned",
        "lead.signed",
        "lead.groundbroken",
        "lead.closed",
        "lead.reopened",
        "lead.revised",
        # In the books of districts only.
        "lead.transferred",
    ]


# What the placements post, line by line


def book_of(*history: Happened) -> tuple[list[Placement], list[list[Posting]]]:
    """The path of a lead, and the lines that each of its events posted."""
    track = Track()
    posted: list[list[Posting]] = []
    for event in stored(*history):
        rule = POSTING_RULES.get(event.TOPIC)
        placement = rule(event, track) if rule else None
        posted.append(track.post(placement) if placement else [])
    return track.path, posted


def test_a_tip_comes_from_outside_with_its_money() -> None:
    _, posted = book_of(tipped("2025-03-18", investment=TWO))
    assert posted == [[Posting("2025-03-18", "first", "outside", "tip", 1, TWO_FEN)]]


def test_a_tip_without_money_moves_none() -> None:
    _, posted = book_of(tipped("2025-03-18"))
    assert posted == [[Posting("2025-03-18", "first", "outside", "tip", 1, 0)]]


def test_a_step_moves_the_lead_with_its_money() -> None:
    _, posted = book_of(tipped("2025-03-18", investment=TWO), negotiating("2025-04-02"))
    assert posted[-1] == [Posting("2025-04-02", "first", "tip", "negotiating", 1, TWO_FEN)]


def test_a_plan_moves_the_lead_within_negotiation() -> None:
    history = (tipped("2025-03-18", investment=TWO), negotiating("2025-04-02"))
    _, posted = book_of(*history, planned("2025-05-01", "2025-07-01"), planned("2025-05-02", None))
    assert posted[-2:] == [
        [Posting("2025-05-01", "plan", "negotiating", ABOUT_TO_SIGN, 1, TWO_FEN)],
        [Posting("2025-05-02", "plan", ABOUT_TO_SIGN, "negotiating", 1, TWO_FEN)],
    ]


def test_a_slip_of_the_plan_posts_nothing() -> None:
    history = (tipped(), negotiating(), planned("2025-05-01", "2025-07-01"))
    path, posted = book_of(*history, planned("2025-06-01", "2025-08-01"))
    assert posted[-1] == []
    assert path[-1] == Placement("2025-06-01", ABOUT_TO_SIGN, None)


def test_a_contract_at_a_larger_amount_brings_the_difference_from_outside_first() -> None:
    _, posted = book_of(tipped("2025-03-18", investment=TWO), negotiating("2025-04-02"), signed())
    assert posted[-1] == [
        Posting("2025-06-10", "amount", "outside", "negotiating", 0, THIRTY_FEN - TWO_FEN),
        Posting("2025-06-10", "first", "negotiating", "signed", 1, THIRTY_FEN),
    ]


def test_a_contract_at_a_smaller_amount_gives_the_difference_back_first() -> None:
    big = {"amount": "40", "unit": "亿元"}
    _, posted = book_of(tipped("2025-03-18", investment=big), negotiating("2025-04-02"), signed())
    assert posted[-1] == [
        Posting("2025-06-10", "amount", "negotiating", "outside", 0, 100_000_000_000),
        Posting("2025-06-10", "first", "negotiating", "signed", 1, THIRTY_FEN),
    ]


@pytest.mark.parametrize(
    ("before", "after", "source", "target"),
    [(TWO, THIRTY, "outside", "negotiating"), (THIRTY, TWO, "negotiating", "outside")],
)
def test_another_amount_posts_the_difference_where_the_lead_stands(
    before: dict[str, str], after: dict[str, str], source: str, target: str
) -> None:
    history = (tipped("2025-03-18", investment=before), negotiating("2025-04-02"))
    _, posted = book_of(*history, revised("2025-05-01", investment=after))
    change = THIRTY_FEN - TWO_FEN
    assert posted[-1] == [Posting("2025-05-01", "amount", source, target, 0, change)]


def test_an_amount_that_becomes_unknown_goes_back_outside() -> None:
    history = (tipped("2025-03-18", investment=TWO), revised("2025-05-01", investment=None))
    _, posted = book_of(*history)
    assert posted[-1] == [Posting("2025-05-01", "amount", "tip", "outside", 0, TWO_FEN)]


def test_the_same_amount_in_other_units_posts_nothing() -> None:
    same = {"amount": "20000", "unit": "万元"}
    _, posted = book_of(tipped(investment=TWO), revised("2025-05-01", investment=same))
    assert posted[-1] == []


def test_a_closed_lead_stands_in_its_outcome_and_comes_back_by_a_return() -> None:
    history = (tipped("2025-03-18"), negotiating("2025-04-02"), closed("2025-05-20"))
    _, posted = book_of(*history, reopened("2025-06-01"))
    assert posted[-2:] == [
        [Posting("2025-05-20", "first", "negotiating", LOST, 1, 0)],
        [Posting("2025-06-01", "return", LOST, "negotiating", 1, 0)],
    ]


def test_an_amount_learnt_late_is_posted_on_its_own_day_and_on_every_move_since() -> None:
    history = (tipped("2025-03-18"), negotiating("2025-04-02"))
    path, posted = book_of(*history, revised("2025-03-20", investment=TWO))
    assert path == [
        Placement("2025-03-18", "tip", 0),
        Placement("2025-03-20", None, TWO_FEN),
        Placement("2025-04-02", "negotiating", None),
    ]
    assert posted[-1] == [
        Posting("2025-03-20", "amount", "outside", "tip", 0, TWO_FEN),
        Posting("2025-04-02", "first", "tip", "negotiating", 0, TWO_FEN),
    ]


def test_a_signing_learnt_late_voids_the_plan_made_after_it_by_its_exact_reversal() -> None:
    history = (tipped("2025-03-18"), negotiating("2025-04-02"), planned("2025-06-20", "2025-07-01"))
    path, posted = book_of(*history, signed("2025-06-10"))
    assert path[-1] == Placement("2025-06-10", "signed", THIRTY_FEN)
    assert len(path) == 3
    assert posted[-1] == [
        Posting("2025-06-10", "amount", "outside", "negotiating", 0, THIRTY_FEN),
        Posting("2025-06-10", "first", "negotiating", "signed", 1, THIRTY_FEN),
        Posting("2025-06-20", "plan", "negotiating", ABOUT_TO_SIGN, -1, 0),
    ]


def test_a_fact_that_changes_nothing_posts_nothing_even_when_it_is_late() -> None:
    history = (tipped("2025-03-18", investment=TWO), negotiating("2025-04-02"))
    _, posted = book_of(*history, revised("2025-03-20", investment=TWO))
    assert posted[-1] == []


def test_a_second_closure_with_another_outcome_is_a_return_to_closed() -> None:
    history = (tipped("2025-03-18"), negotiating("2025-04-02"), closed("2025-05-20"))
    _, posted = book_of(*history, reopened("2025-06-01"), closed("2025-06-02", "withdrawn"))
    assert posted[-1] == [Posting("2025-06-02", "return", "negotiating", "closed/withdrawn", 1, 0)]


# The order of a path

TIP = Placement("2025-01-01", "tip", 0)
TALKS = Placement("2025-02-01", "negotiating", None)
PLANNED = Placement("2025-04-01", ABOUT_TO_SIGN, None)
MORE = Placement("2025-05-01", None, 7)


def path_with(path: list[Placement], placement: Placement) -> list[Placement]:
    track = Track(path)
    track.post(placement)
    return track.path


def test_a_track_without_placements_is_outside_with_nothing() -> None:
    track = Track()
    assert (track.path, track.account, track.fen, track.reached) == ([], "outside", 0, [])


def test_a_track_knows_where_its_path_has_brought_the_lead() -> None:
    track = Track([TIP, TALKS, PLANNED, MORE])
    assert track.path == [TIP, TALKS, PLANNED, MORE]
    assert (track.account, track.fen) == (ABOUT_TO_SIGN, 7)
    assert track.reached == ["tip", "negotiating"]


def test_the_first_placement_begins_a_path() -> None:
    assert path_with([], TIP) == [TIP]


@pytest.mark.parametrize("day", ["2025-05-01", "2025-05-02"])
def test_a_placement_of_the_last_day_or_later_comes_last(day: str) -> None:
    late = Placement(day, "signed", 9)
    assert path_with([TIP, TALKS, MORE], late) == [TIP, TALKS, MORE, late]


def test_a_late_amount_goes_where_its_day_belongs_and_voids_nothing() -> None:
    late = Placement("2025-04-01", None, 9)
    assert path_with([TIP, TALKS, PLANNED, MORE], late) == [TIP, TALKS, PLANNED, late, MORE]


def test_a_late_plan_goes_where_its_day_belongs_and_voids_nothing() -> None:
    late = Placement("2025-03-01", ABOUT_TO_SIGN, None)
    assert path_with([TIP, TALKS, PLANNED, MORE], late) == [TIP, TALKS, late, PLANNED, MORE]


def test_a_late_move_voids_the_plans_after_it_and_keeps_the_amounts() -> None:
    late = Placement("2025-03-01", "signed", None)
    assert path_with([TIP, TALKS, PLANNED, MORE], late) == [TIP, TALKS, late, MORE]


def test_a_late_move_keeps_a_plan_of_its_own_day_before_it() -> None:
    late = Placement("2025-04-01", "signed", None)
    assert path_with([TIP, TALKS, PLANNED, MORE], late) == [TIP, TALKS, PLANNED, late, MORE]


def test_a_late_move_keeps_the_money_of_a_placement_that_it_voids() -> None:
    both = Placement("2025-06-01", "signed", 0)
    late = Placement("2025-05-15", LOST, None)
    assert path_with([TIP, both], late) == [TIP, late, Placement("2025-06-01", None, 0)]


def test_a_track_leaves_the_path_it_was_given_as_it_was() -> None:
    path = [TIP, TALKS, PLANNED, MORE]
    track = Track(path)
    track.post(Placement("2025-03-01", "signed", None))
    track.post(Placement("2025-09-01", "groundbroken", None))
    postings(path)
    assert path == [TIP, TALKS, PLANNED, MORE]


# For every sequence of placements, in whatever order they are learnt

NEW_YEAR = date(2025, 1, 1)


def day_at(offset: int) -> str:
    return str(NEW_YEAR + timedelta(days=offset))


DAYS = [day_at(n) for n in range(13)]
LATER = st.one_of(
    st.builds(Placement, st.sampled_from(DAYS), st.none(), st.integers(0, 5)),
    st.builds(
        Placement,
        st.sampled_from(DAYS),
        st.sampled_from(
            ["tip", "negotiating", ABOUT_TO_SIGN, "signed", "groundbroken", LOST, DECLINED]
        ),
        st.one_of(st.none(), st.integers(0, 5)),
    ),
)
BEGINNING = st.builds(Placement, st.just(DAYS[0]), st.just("tip"), st.integers(0, 5))
LEARNT = st.builds(lambda first, rest: [first, *rest], BEGINNING, st.lists(LATER, max_size=8))

Key = tuple[str, str, str, str]


def learn(learnt: Iterable[Placement]) -> tuple[Track, list[list[Posting]]]:
    """The track at last, and the lines posted at each step."""
    track = Track()
    posted = [track.post(placement) for placement in learnt]
    return track, posted


def net(lines: Iterable[Posting]) -> dict[Key, tuple[int, int]]:
    """Leads and fen by day, kind, source and target, without what comes to nothing."""
    sums: dict[Key, tuple[int, int]] = {}
    for day, kind, source, target, leads, fen, _ in lines:
        so_far = sums.get((day, kind, source, target), (0, 0))
        sums[day, kind, source, target] = (so_far[0] + leads, so_far[1] + fen)
    return {key: total for key, total in sums.items() if total != (0, 0)}


def standing(lines: Iterable[Posting], day: str) -> dict[str, tuple[int, int]]:
    """Leads and fen of every account at the end of ``day``, by the book; empty ones left out."""
    leads: Counter[str] = Counter()
    money: Counter[str] = Counter()
    for line in lines:
        if line.day <= day:
            for account, sign in ((line.source, -1), (line.target, 1)):
                leads[account] += sign * line.leads
                money[account] += sign * line.fen
    return {a: (leads[a], money[a]) for a in leads if (leads[a], money[a]) != (0, 0)}


def slow_accounts(learnt: list[Placement], day: str) -> list[str]:
    """The accounts a lead stood in up to ``day``, one after another: no postings, no path.

    A plan is void as soon as a move of an earlier day is learnt after it; so is any other move.
    """
    stands = []
    for at, placement in enumerate(learnt):
        overtaken = any(
            later.account not in (None, ABOUT_TO_SIGN) and later.day < placement.day
            for later in learnt[at + 1 :]
        )
        if placement.account and placement.day <= day and not overtaken:
            stands.append((placement.day, at, placement.account))
    return [account for _, _, account in sorted(stands)]


def slow_amount(learnt: list[Placement], day: str) -> int:
    """The amount of the latest day up to ``day``; of one day, the one learnt last."""
    known = [
        (p.day, at, p.fen) for at, p in enumerate(learnt) if p.fen is not None and p.day <= day
    ]
    return max(known)[2]


@given(LEARNT)
def test_the_trial_balance_is_zero_on_every_day_as_known_at_every_moment(
    learnt: list[Placement],
) -> None:
    posted = learn(learnt)[1]
    for known in range(1, len(posted) + 1):
        lines = [line for step in posted[:known] for line in step]
        for day in DAYS:
            balance = standing(lines, day).values()
            assert sum(leads for leads, _ in balance) == 0
            assert sum(fen for _, fen in balance) == 0


@given(LEARNT)
@example([TIP, TALKS, PLANNED, Placement("2025-03-01", "signed", 3)])
def test_what_was_posted_step_by_step_is_the_book_of_the_final_path(
    learnt: list[Placement],
) -> None:
    track, posted = learn(learnt)
    assert net(line for step in posted for line in step) == net(postings(track.path))


@given(LEARNT)
def test_a_lead_stands_in_exactly_one_account_with_its_whole_money_from_its_tip_on(
    learnt: list[Placement],
) -> None:
    posted = learn(learnt)[1]
    for known in range(1, len(posted) + 1):
        lines = [line for step in posted[:known] for line in step]
        for day in DAYS:
            stands = standing(lines, day)
            outside = stands.pop("outside")
            assert outside[0] == -1
            ((account, (count, fen)),) = stands.items()
            assert count == 1
            assert fen == -outside[1]
            assert account == slow_accounts(learnt[:known], day)[-1]
            assert fen == slow_amount(learnt[:known], day)


@given(LEARNT)
def test_a_lead_comes_to_each_stage_for_the_first_time_once(learnt: list[Placement]) -> None:
    track = learn(learnt)[0]
    stages = [ACCOUNTS[account] for account in slow_accounts(learnt, DAYS[-1])]
    assert track.reached == list(dict.fromkeys(stages))
    firsts = [
        (next(day for day in DAYS if stage in stages_by(learnt, day)), stage)
        for stage in track.reached
    ]
    lines = [line for line in postings(track.path) if line.kind == "first"]
    assert [(line.day, ACCOUNTS[line.target]) for line in lines] == firsts


def stages_by(learnt: list[Placement], day: str) -> set[str]:
    return {ACCOUNTS[account] for account in slow_accounts(learnt, day)}


@given(LEARNT)
def test_a_final_book_moves_whole_leads_with_their_money_or_money_alone(
    learnt: list[Placement],
) -> None:
    for line in postings(learn(learnt)[0].path):
        assert line.source != line.target
        if line.kind == "amount":
            assert line.leads == 0
            assert line.fen > 0
            assert "outside" in (line.source, line.target)
        else:
            assert line.leads == 1
            assert line.fen >= 0


@given(LEARNT)
def test_every_change_of_account_is_one_line_of_its_kind(learnt: list[Placement]) -> None:
    path = learn(learnt)[0].path
    accounts = ["outside", *(p.account for p in path if p.account)]
    steps = [(a, b) for a, b in pairwise(accounts) if a != b]
    lines = [line for line in postings(path) if line.leads]
    assert [(line.source, line.target) for line in lines] == steps
    for at, line in enumerate(lines):
        source, target = ACCOUNTS[line.source], ACCOUNTS[line.target]
        before = {ACCOUNTS[earlier.target] for earlier in lines[:at]}
        if source == target:
            assert line.kind == "plan"
        else:
            assert line.kind == ("return" if target in before else "first")


@given(LEARNT, LATER)
def test_what_is_learnt_posts_nothing_before_its_day_and_no_empty_line(
    learnt: list[Placement], last: Placement
) -> None:
    track = learn(learnt)[0]
    lines = track.post(last)
    assert all(line.day >= last.day for line in lines)
    assert all(line.leads or line.fen for line in lines)
    assert last in track.path
    days = [placement.day for placement in track.path]
    assert days == sorted(days)


@given(LEARNT, LATER)
def test_a_track_loaded_again_goes_on_as_the_one_that_was_kept(
    learnt: list[Placement], last: Placement
) -> None:
    kept = learn(learnt)[0]
    loaded = Track(kept.path)
    assert state_of(loaded) == state_of(kept)
    assert loaded.post(last) == kept.post(last)
    assert state_of(loaded) == state_of(kept)


def state_of(track: Track) -> tuple[list[Placement], str, int, list[str]]:
    return list(track.path), track.account, track.fen, list(track.reached)


# For every lead, whatever is commanded


ANYWHERE: list[tuple[str, dict[str, Any]]] = [
    ("suspend", {"reason": "x", "review_on": "2025-12-01"}),
    ("resume", {}),
    ("revise", {"facts": {"investment": TWO}, "reason": "x"}),
    ("revise", {"facts": {"investment": {"amount": "1", "unit": "元"}}, "reason": "x"}),
    ("revise", {"facts": {"investment": None}, "reason": "x"}),
]
FROM_STAGE: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "tip": [
        ("screen", {"verdict": "pursue"}),
        ("screen", {"verdict": "decline", "reason": "x"}),
        ("open_negotiation", {"responsible_unit": "x"}),
    ],
    "negotiating": [
        ("plan_signing", {"expected_on": "2025-12-01"}),
        ("plan_signing", {"expected_on": "2025-12-02"}),
        ("plan_signing", {"expected_on": None}),
        ("sign", {"investment": {"amount": "3", "unit": "亿元"}}),
        ("close", {"outcome": "lost", "reason": "x"}),
    ],
    "signed": [
        ("break_ground", {"start": "opening", "evidence": [{"kind": "photo", "reference": "x"}]}),
        ("close", {"outcome": "rescinded", "reason": "x"}),
    ],
    "groundbroken": [],
    "closed": [("reopen", {"reason": "x"})],
}
EVERYWHERE = [*ANYWHERE, *(command for some in FROM_STAGE.values() for command in some)]
FORWARD = {"tip": 0, "negotiating": 1, "signed": 2, "groundbroken": 3}


@st.composite
def command_to(draw: st.DrawFn, lead: Lead) -> tuple[str, dict[str, Any]]:
    """Mostly what the lead's stage allows, on a day near its entry; now and then anything."""
    fitting = FROM_STAGE[lead.stage]
    name, facts = draw(
        st.sampled_from([*fitting, *fitting, *ANYWHERE]) | st.sampled_from(EVERYWHERE)
    )
    entered = date.fromisoformat(lead.entered_on)
    day = str(entered + timedelta(days=draw(st.integers(-3, 6))))
    return name, {**facts, "occurred_on": day}


@given(st.data(), st.integers(5, 20))
def test_the_book_of_a_lead_agrees_with_the_lead_whatever_is_commanded(
    data: st.DataObject, how_many: int
) -> None:
    with office():
        lead = Lead.tip(members=["m"], district="320812", occurred_on=DAYS[0], title="x")
        track = Track()
        lines = posted_by(lead, track)
        for _ in range(how_many):
            before = lead.stage
            name, facts = data.draw(command_to(lead))
            with suppress(LedgerError):
                getattr(lead, name)(**facts)
            lines += posted_by(lead, track)
            if before in FORWARD and lead.stage in FORWARD:
                assert FORWARD[lead.stage] - FORWARD[before] in (0, 1)
            known = lead.facts["investment"]
            fen = Money(**known).fen if known else 0
            assert standing(lines, TODAY) == {track.account: (1, fen), "outside": (-1, -track.fen)}
            assert (ACCOUNTS[track.account], track.fen) == (lead.stage, fen)
            assert (track.account == ABOUT_TO_SIGN) == bool(lead.expected_on)


def posted_by(lead: Lead, track: Track) -> list[Posting]:
    """What the lead's new events post."""
    lines: list[Posting] = []
    for event in lead.collect_events():
        happening: Any = event
        rule = POSTING_RULES.get(happening.TOPIC)
        placement = rule(happening, track) if rule else None
        if placement:
            lines += track.post(placement)
    return lines


def test_the_whole_way_of_a_lead_is_in_the_book() -> None:
    history = (
        tipped("2025-01-01", investment=TWO),
        screened("2025-01-02"),
        suspended("2025-01-03"),
        resumed("2025-01-04"),
        negotiating("2025-01-05"),
        happened(Lead.FollowedUp, "2025-01-06", form="call", result="x", reason=None, next_on=None),
        planned("2025-01-07", "2025-02-01"),
        signed("2025-01-08"),
        groundbroken("2025-01-09"),
    )
    path, posted = book_of(*history)
    lines = [line for step in posted for line in step]
    assert [bool(step) for step in posted] == [n in (0, 4, 6, 7, 8) for n in range(9)]
    at = {day: set(standing(lines, day)) - {"outside"} for day in DAYS[:9]}
    assert [next(iter(at[day])) for day in DAYS[:9]] == [
        *["tip"] * 4,
        *["negotiating"] * 2,
        ABOUT_TO_SIGN,
        "signed",
        "groundbroken",
    ]
    assert standing(lines, DAYS[-1]) == {
        "outside": (-1, -THIRTY_FEN),
        "groundbroken": (1, THIRTY_FEN),
    }
    assert lead_after(*history).stage == ACCOUNTS[str(path[-1].account)]
