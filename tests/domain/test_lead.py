"""The whole of a lead: every command in every stage, and old history that always loads."""

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import LedgerError, Refused
from domain.lead import Lead
from tests.domain.given import (
    Happened,
    closed,
    groundbroken,
    happened,
    lead_after,
    negotiating,
    office,
    planned,
    recorded,
    remembered,
    reopened,
    resumed,
    revised,
    screened,
    signed,
    suspended,
    tipped,
)

AMOUNT = {"amount": "30", "unit": "亿元"}
DAY = "2025-12-01"
PIECE = [{"kind": "photo", "reference": "x"}]

STANDS: dict[str, tuple[Happened, ...]] = {
    "tip": (tipped(),),
    "pursued": (tipped(), screened("2025-03-20")),
    "negotiating": (tipped(), negotiating()),
    "about to sign": (tipped(), negotiating(), planned("2025-05-01", "2025-12-31")),
    "signed": (tipped(), negotiating(), signed()),
    "groundbroken": (tipped(), negotiating(), signed(), groundbroken()),
    "declined": (tipped(), screened("2025-03-20", "decline", "x")),
    "lost": (tipped(), negotiating(), closed("2025-05-20")),
    "rescinded": (tipped(), negotiating(), signed(), closed("2025-07-01", "rescinded")),
}
OPEN = ("tip", "pursued", "negotiating", "about to sign", "signed", "groundbroken")
ENDED = ("declined", "lost", "rescinded")

# command                                    where it is carried out: from where to which stage
COMMANDS: dict[str, tuple[Callable[[Lead], None], dict[str, str]]] = {
    "pursue": (
        lambda lead: lead.screen(verdict="pursue", occurred_on=DAY),
        {"tip": "tip", "pursued": "tip"},
    ),
    "decline": (
        lambda lead: lead.screen(verdict="decline", reason="x", occurred_on=DAY),
        {"tip": "closed", "pursued": "closed"},
    ),
    "mark duplicate": (
        lambda lead: lead.screen(
            verdict="duplicate", reason="x", duplicate_of="y", occurred_on=DAY
        ),
        {"tip": "closed", "pursued": "closed"},
    ),
    "open negotiation": (
        lambda lead: lead.open_negotiation(responsible_unit="x", occurred_on=DAY),
        {"tip": "negotiating", "pursued": "negotiating"},
    ),
    "follow up": (
        lambda lead: lead.follow_up(form="call", result="x", occurred_on=DAY),
        {stand: lead_after(*STANDS[stand]).stage for stand in OPEN},
    ),
    "plan": (
        lambda lead: lead.plan_signing(expected_on="2026-02-01", occurred_on=DAY),
        {"negotiating": "negotiating", "about to sign": "negotiating"},
    ),
    "agree framework": (
        lambda lead: lead.agree_framework(occurred_on=DAY),
        {"negotiating": "negotiating", "about to sign": "negotiating"},
    ),
    "sign": (
        lambda lead: lead.sign(investment=AMOUNT, occurred_on=DAY),
        {"negotiating": "signed", "about to sign": "signed"},
    ),
    "break ground": (
        lambda lead: lead.break_ground(start="opening", evidence=PIECE, occurred_on=DAY),
        {"signed": "groundbroken"},
    ),
    "suspend": (
        lambda lead: lead.suspend(reason="x", review_on=DAY, occurred_on=DAY),
        {stand: lead_after(*STANDS[stand]).stage for stand in OPEN},
    ),
    "resume": (lambda lead: lead.resume(occurred_on=DAY), {}),
    "decline at closure": (
        lambda lead: lead.close(outcome="declined", reason="x", occurred_on=DAY),
        {"tip": "closed", "pursued": "closed"},
    ),
    "lose": (
        lambda lead: lead.close(outcome="lost", reason="x", occurred_on=DAY),
        {"negotiating": "closed", "about to sign": "closed"},
    ),
    "withdraw": (
        lambda lead: lead.close(outcome="withdrawn", reason="x", occurred_on=DAY),
        {"negotiating": "closed", "about to sign": "closed"},
    ),
    "rescind": (
        lambda lead: lead.close(outcome="rescinded", reason="x", occurred_on=DAY),
        {"signed": "closed"},
    ),
    "reopen": (
        lambda lead: lead.reopen(reason="x", occurred_on=DAY),
        {"declined": "tip", "lost": "negotiating", "rescinded": "signed"},
    ),
    "revise": (
        lambda lead: lead.revise(facts={"title": "x"}, occurred_on=DAY),
        {stand: lead_after(*STANDS[stand]).stage for stand in STANDS},
    ),
}


@pytest.mark.parametrize("command", list(COMMANDS))
@pytest.mark.parametrize("stand", list(STANDS))
def test_each_command_is_carried_out_where_the_table_says_and_refused_elsewhere(
    command: str, stand: str
) -> None:
    carry_out, allowed = COMMANDS[command]
    lead = lead_after(*STANDS[stand])
    if stand in allowed:
        with office():
            carry_out(lead)
        assert lead.stage == allowed[stand]
        assert len(recorded(lead)) == (0 if (command, stand) == ("pursue", "pursued") else 1)
    else:
        before = remembered(lead)
        with office(), pytest.raises(LedgerError) as caught:
            carry_out(lead)
        assert type(caught.value) is Refused
        assert recorded(lead) == []
        assert remembered(lead) == before


def test_what_a_command_leaves_is_what_its_events_leave() -> None:
    lead = lead_after(tipped("2025-03-18", investment={"amount": "2", "unit": "亿元"}))
    history = [tipped("2025-03-18", investment={"amount": "2", "unit": "亿元"})]
    commands: list[Callable[[], None]] = [
        lambda: lead.screen(verdict="pursue", occurred_on="2025-03-19"),
        lambda: lead.suspend(reason="x", review_on="2025-04-01", occurred_on="2025-03-20"),
        lambda: lead.resume(occurred_on="2025-03-21"),
        lambda: lead.open_negotiation(responsible_unit="x", occurred_on="2025-04-02"),
        lambda: lead.plan_signing(expected_on="2025-07-01", occurred_on="2025-05-01"),
        lambda: lead.close(outcome="lost", reason="x", occurred_on="2025-05-02"),
        lambda: lead.reopen(reason="x", occurred_on="2025-05-03"),
        lambda: lead.agree_framework(occurred_on="2025-05-04"),
        lambda: lead.follow_up(form="none", reason="x", occurred_on="2025-05-05"),
        lambda: lead.sign(investment=AMOUNT, occurred_on="2025-06-10"),
        lambda: lead.revise(facts={"title": "y"}, occurred_on="2025-06-11"),
        lambda: lead.break_ground(start="opening", evidence=PIECE, occurred_on="2025-09-01"),
    ]
    for command in commands:
        with office():
            command()
        history += recorded(lead)
        replayed = remembered(lead_after(*history))
        now = remembered(lead)
        library = {"modified_on", "version"}
        assert {k: v for k, v in now.items() if k not in library} == {
            k: v for k, v in replayed.items() if k not in library
        }
        assert lead.version == len(history)


# Old history. Each event breaks at least one rule of today; none of them is asked.

OLD: list[tuple[Happened, dict[str, Any]]] = [
    (screened("2024-01-01", "decline"), {"stage": "closed", "screened": "decline"}),
    (
        happened(
            Lead.NegotiationOpened,
            "2024-01-01",
            responsible_unit=None,
            manager=None,
            waived=[{"fact": "weather", "by": "?", "why": ""}],
        ),
        {"stage": "negotiating", "screened": "pursue", "entered_on": "2024-01-01"},
    ),
    (
        happened(
            Lead.FollowedUp, "2099-01-01", form="dream", result=None, reason=None, next_on="?"
        ),
        {"stage": "tip"},
    ),
    (planned("2099-01-01", "1999-02-30"), {"expected_on": "1999-02-30", "stage": "tip"}),
    (
        happened(
            Lead.FrameworkAgreed,
            "2024-02-30",
            number=None,
            investment={"amount": "-", "unit": "?"},
            document_sha256="?",
        ),
        {"stage": "tip"},
    ),
    (signed("1999-01-01", investment=None), {"stage": "signed", "entered_on": "1999-01-01"}),
    (signed("2099-01-01", investment={"amount": "-1"}), {"stage": "signed"}),
    (groundbroken("1999-01-01", start=None, evidence=[]), {"stage": "groundbroken"}),
    (suspended("1999-01-01", "", "1998-01-01"), {"suspension": ("", "1998-01-01")}),
    (resumed("1999-01-01"), {"suspension": None, "flagged_on": "1999-01-01"}),
    (closed("1999-01-01", "forgotten", reason=None), {"stage": "closed", "left": "tip"}),
    (revised("2099-01-01", title="", investment=None), {"stage": "tip"}),
]


@pytest.mark.parametrize(("event", "state"), OLD)
def test_an_old_event_loads_although_todays_rules_would_refuse_it(
    event: Happened, state: dict[str, Any]
) -> None:
    lead = lead_after(tipped("2025-03-18"), event)
    assert {name: getattr(lead, name) for name in state} == state
    assert lead.version == 2


def test_an_old_reopening_loads_whatever_its_day() -> None:
    lead = lead_after(tipped(), closed("2025-05-20"), reopened("1999-01-01", ""))
    assert (lead.stage, lead.entered_on) == ("tip", "1999-01-01")


def test_an_old_step_that_skipped_a_stage_loads() -> None:
    lead = lead_after(tipped(), groundbroken(), negotiating())
    assert (lead.stage, lead.version) == ("negotiating", 3)
