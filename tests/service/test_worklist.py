"""What is due: each rule's clock, and all of them against a slow and obvious model."""

from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from domain.actor import acting
from service.application import Ledger
from service.imports import import_paper
from service.projections.choosing import Selection
from service.projections.clocks import DAYS, RULES
from service.working_days import KNOWN_UNTIL, after_working_days
from service.worklist import Worklist
from tests.service.helpers import call, ledger_in, register, somebody, tip
from tests.service.seeds import seeds
from tests.service.test_annual import LEDGER_2025
from tests.service.test_reports import some_history
from tests.service.test_time_travel import FIRST, Past, fold, known_at

DAY = date(2025, 6, 2)
TIPPED = "2025-03-18"


def due(ledger: Ledger, day: date = DAY, **more: Any) -> list[tuple[str, str, int]]:
    """(rule, due on, days overdue) of everything due."""
    page = ledger.worklist.page(Selection(), day, limit=200, **more)
    return [(item["rule"], item["due_on"], item["days_overdue"]) for item in page.items]


def act(ledger: Ledger, lead: UUID, command: str, day: str, **facts: Any) -> None:
    """One command on a lead."""
    with acting(somebody()):
        getattr(ledger, command)(lead, call(), {**facts, "occurred_on": day})


def a_tip(ledger: Ledger, **facts: Any) -> UUID:
    """A lead that was tipped on a Tuesday."""
    member = register(ledger, number=f"N{ledger.reads.position()}")
    return tip(ledger, member.subject, occurred_on=TIPPED, **facts).subject


def test_a_tip_is_to_be_answered_in_a_working_day_and_screened_in_three(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_tip(ledger)
        assert due(ledger, date(2025, 3, 18)) == []
        assert due(ledger, date(2025, 3, 19)) == [("answer", "2025-03-19", 0)]
        assert due(ledger, date(2025, 3, 22)) == [
            ("answer", "2025-03-19", 3),
            ("screen", "2025-03-21", 1),
        ]
        act(ledger, lead, "follow_up", "2025-03-20", form="call", result="好")
        assert due(ledger, date(2025, 3, 22)) == [("screen", "2025-03-21", 1)]
        act(ledger, lead, "screen", "2025-03-21", verdict="pursue")
        assert due(ledger, date(2025, 3, 22)) == []


def test_the_members_are_told_within_a_week_of_each_step(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_tip(ledger)
        act(ledger, lead, "screen", "2025-03-20", verdict="decline", reason="太小")
        assert due(ledger, date(2025, 3, 26)) == []
        assert due(ledger, date(2025, 3, 30)) == [("tell", "2025-03-27", 3)]
        act(ledger, lead, "tell_members", "2025-03-20")
        assert due(ledger) == []
        act(ledger, lead, "reopen", "2025-04-01", reason="再看看")
        act(ledger, lead, "open_negotiation", "2025-04-02", responsible_unit="商务局")
        assert ("tell", "2025-04-09", 1) in due(ledger, date(2025, 4, 10))
        act(ledger, lead, "tell_members", "2025-04-05")
        assert "tell" not in [rule for rule, _, _ in due(ledger)]


def test_talks_are_followed_up_in_two_weeks_and_silent_after_thirty_days(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_tip(ledger)
        act(ledger, lead, "open_negotiation", "2025-04-01", responsible_unit="商务局")
        act(ledger, lead, "tell_members", "2025-04-01")
        # It is no word from the talks.
        act(ledger, lead, "revise", "2025-04-12", facts={"summary": "二期"}, reason=None)
        assert due(ledger, date(2025, 4, 14)) == []
        assert due(ledger, date(2025, 4, 15)) == [("follow_up", "2025-04-15", 0)]
        assert due(ledger, date(2025, 4, 30)) == [("follow_up", "2025-04-15", 15)]
        assert due(ledger, date(2025, 5, 1)) == [("silent", "2025-05-01", 0)]
        act(ledger, lead, "follow_up", "2025-05-01", form="none", reason="放假")
        assert due(ledger, date(2025, 5, 14)) == []
        act(ledger, lead, "suspend", "2025-05-02", reason="等土地", review_on="2025-05-20")
        assert due(ledger, date(2025, 5, 19)) == []
        assert due(ledger, date(2025, 5, 20)) == [("review", "2025-05-20", 0)]


def test_a_signing_that_slips_is_counted_and_said(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_tip(ledger, title="晶圆")
        act(ledger, lead, "open_negotiation", "2025-04-01", responsible_unit="商务局")
        act(ledger, lead, "tell_members", "2025-04-01")
        for day, expected in (
            ("2025-04-02", "2025-05-01"),
            ("2025-04-28", "2025-05-20"),
            # Earlier is no slip, nor is another day after none.
            ("2025-05-10", "2025-05-15"),
            ("2025-05-11", None),
            ("2025-05-12", "2025-05-30"),
        ):
            act(ledger, lead, "plan_signing", day, expected_on=expected)
        (item,) = ledger.worklist.page(Selection(), DAY, rule="slipped").items
        assert (item["due_on"], item["slips"], item["days_overdue"]) == ("2025-05-30", 2, 3)
        assert item["sentence"] == "《晶圆》2025-05-30预计签约，到期未签（已推迟2次），已逾期3天。"


def test_a_signed_lead_that_never_starts_is_due_after_half_a_year(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        lead = a_tip(ledger)
        act(ledger, lead, "open_negotiation", "2025-04-01", responsible_unit="商务局")
        money = {"amount": "2", "unit": "亿元"}
        act(ledger, lead, "sign", "2025-04-02", number="1", investment=money)
        act(ledger, lead, "tell_members", "2025-04-02")
        assert due(ledger, date(2025, 9, 28)) == []
        assert due(ledger, date(2025, 9, 29)) == [("start", "2025-09-29", 0)]


def test_what_came_from_paper_is_not_news_but_what_follows_is(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        with acting(somebody(may_waive=True)):
            import_paper(ledger, LEDGER_2025)
        rules = {item[0] for item in due(ledger, date(2026, 2, 1))}
        assert rules == {"silent", "slipped", "answer", "screen"}
        page = ledger.worklist.page(Selection(), date(2026, 2, 1), rule="slipped")
        lead = UUID(page.items[0]["lead"]["id"])
        money = {"amount": "30", "unit": "亿元"}
        act(ledger, lead, "sign", "2026-02-02", number="1", investment=money)
        assert ("tell", "2026-02-09", 0) in due(ledger, date(2026, 2, 9))


def test_pages_go_on_where_the_last_one_ended(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        for _ in range(5):
            a_tip(ledger)
        whole = ledger.worklist.page(Selection(), DAY, limit=200)
        assert len(whole.items) == 10 and whole.last is None
        found, place = [], None
        while True:
            page = ledger.worklist.page(Selection(), DAY, after=place, limit=3)
            found += page.items
            place = page.last
            if place is None:
                break
        assert found == whole.items
        assert [item["due_on"] for item in found] == sorted(item["due_on"] for item in found)


def test_the_numbers_of_days_are_the_settings(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_tip(ledger)
        patient = Worklist(ledger.reads, {**DAYS, "answer": 5})
        items = patient.page(Selection(), DAY).items
        assert [(i["rule"], i["due_on"]) for i in items] == [
            ("screen", "2025-03-21"),
            ("answer", "2025-03-25"),
        ]


def test_a_day_beyond_the_holidays_known_is_said_to_be(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_tip(ledger)
        assert ledger.worklist.page(Selection(), KNOWN_UNTIL).warning is None
        beyond = ledger.worklist.page(Selection(), KNOWN_UNTIL + timedelta(1))
        assert "Holidays are known until" in (beyond.warning or "")


# The slow model


def last_day(events: Iterable[Any], *names: str) -> str | None:
    """The last day of these kinds of events."""
    return max((event.day for event in events if event.name in names), default=None)


def verdict(events: list[Any]) -> str | None:
    """What the tip was screened as, if it was."""
    screened = None
    for number, event in enumerate(events, 1):
        if event.name == "screened":
            screened = event.facts["verdict"]
        elif event.name == "negotiation_opened":
            screened = "pursue"
        elif event.name == "reopened":
            after = fold(events[:number])
            screened = None if after and after.stage == "tip" else screened
    return screened


def later(day: str, days: int) -> date:
    """So many days after a day."""
    return date.fromisoformat(day) + timedelta(days)


def of_a_tip(events: list[Any], tipped: date) -> dict[str, date]:
    """What is due of a tip."""
    answered = last_day(events, "followed_up", "screened", "negotiation_opened", "closed")
    due = {} if answered else {"answer": after_working_days(tipped, 1)}
    return due if verdict(events) else {**due, "screen": after_working_days(tipped, 3)}


def of_talks(events: list[Any], planned: bool, day: date) -> dict[str, date]:
    """What is due of a lead in talks."""
    kinds = "followed_up negotiation_opened signing_planned framework_agreed resumed reopened"
    heard = last_day(events, *kinds.split()) or ""
    due = {"follow_up": later(heard, 14)}
    if later(heard, 30) <= day:
        due = {"silent": later(heard, 30)}
    if planned:
        (*_, plan) = (event for event in events if event.name == "signing_planned")
        due["slipped"] = later(plan.facts["expected_on"], 0)
    return due


def of_a_signed(events: list[Any]) -> dict[str, date]:
    """What is due of a signed lead."""
    (*_, came) = (event for event in events if event.name in ("signed", "reopened"))
    return {"start": later(came.day, 180)}


def of_a_hold(events: list[Any]) -> dict[str, date]:
    """What is due of a suspended lead."""
    (*_, hold) = (event for event in events if event.name == "suspended")
    review = hold.facts["review_on"]
    return {"review": later(review, 0)} if review else {}


def model(lead: Past, day: date) -> dict[str, str]:
    """Rule → the day it was due, told from the lead's events as put right."""
    events, state = lead.events, fold(lead.events)
    assert state is not None
    found: dict[str, date] = {}
    if state.suspended:
        found = of_a_hold(events)
    elif state.stage == "tip":
        found = of_a_tip(events, date.fromisoformat(state.tip))
    elif state.stage == "negotiating":
        found = of_talks(events, state.planned, day)
    elif state.stage == "signed":
        found = of_a_signed(events)
    news = last_day(events, "screened", "negotiation_opened", "signed", "groundbroken", "closed")
    if news and news > (last_day(events, "members_told") or ""):
        found["tell"] = later(news, 7)
    return {name: f"{when}" for name, when in found.items() if when <= day}


@pytest.mark.parametrize("seed", seeds(4))
def test_what_is_due_is_what_the_slow_model_says(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        office = some_history(ledger, chance, 120)
        for lead in chance.sample(list(office.leads), len(list(office.leads)) // 2):
            act(ledger, lead, "tell_members", f"{FIRST + timedelta(55)}")
        last = ledger.reads.position()
        for ahead in (5, 20, 60, 90, 300):
            day = FIRST + timedelta(ahead)
            past = known_at(ledger, office.leads, last)
            expected = {f"{id}": model(lead, day) for id, lead in past.items()}
            found: dict[str, dict[str, str]] = {id: {} for id in expected}
            for item in ledger.worklist.page(Selection(), day, limit=500).items:
                found[item["lead"]["id"]][item["rule"]] = item["due_on"]
            assert found == expected


def test_every_rule_has_words_of_its_own() -> None:
    assert len({rule.what for rule in RULES}) == len({rule.label for rule in RULES}) == len(RULES)
    assert set(DAYS) == {rule.name for rule in RULES if rule.unit}
