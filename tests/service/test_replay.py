"""The history of a lead for a terminal, and for machines."""

from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
from click.testing import CliRunner, Result

from domain.actor import acting
from service.application import Ledger
from service.cli import main
from tests.databases import address_of
from tests.service.helpers import call, ledger_in, register, somebody, tip

WHY = {"reason": "合同金额录错", "occurred_on": "2025-12-01"}
AMOUNT = {"amount": "1.8", "unit": "亿元"}


def told(ledger: Ledger) -> UUID:
    """A lead that was tipped, talked to, signed; the signing then put right, and that voided."""
    lead = tip(ledger, register(ledger).subject).subject
    with acting(somebody()):
        talks = {"responsible_unit": "商务局", "occurred_on": "2025-04-02"}
        ledger.open_negotiation(lead, call(), talks)
        ledger.sign(lead, call(), {"investment": AMOUNT, "occurred_on": "2025-06-10"})
        day = {"facts": {"occurred_on": "2025-06-12"}}
        ledger.correct(lead, call(), {"version": 3, **day, **WHY})
        ledger.correct(lead, call(), {"version": 4, "void": True, **WHY, "note": "复核"})
    return lead


@pytest.fixture
def lead(tmp_path: Path) -> UUID:
    """The lead, in a ledger of the test's folder."""
    with ledger_in(tmp_path) as ledger:
        return told(ledger)


def replay(folder: Path, *arguments: Any) -> Result:
    """``leadledger audit replay``, on the ledger of the test's folder."""
    environment = address_of(folder)
    return CliRunner().invoke(main, ["audit", "replay", *map(str, arguments)], env=environment)


def test_each_step_says_what_happened_who_recorded_it_and_what_it_changed(
    tmp_path: Path, lead: UUID
) -> None:
    done = replay(tmp_path, lead)
    assert done.exit_code == 0
    steps = done.output.split("\n\n")
    assert steps[0] == f"12英寸大晶圆项目  320812  {lead}"
    talks = steps[2].splitlines()
    assert talks[0] == "   2  2025-04-02  negotiation_opened"
    assert "by 招商办, position 3" in talks[1]
    assert talks[2:] == [
        "      stage: tip → negotiating",
        "      screened: – → pursue",
        "      responsible_unit: – → 商务局",
        "      dates.negotiating: – → 2025-04-02",
    ]
    assert "      investment: 30 亿元 → 1.8 亿元" in steps[3].splitlines()
    assert "      members: – → 王委员 1" in steps[1].splitlines()


def test_a_correction_names_what_it_corrects_and_what_became_of_it(
    tmp_path: Path, lead: UUID
) -> None:
    steps = [step.splitlines() for step in replay(tmp_path, lead).output.split("\n\n")]
    assert steps[3][0] == "   3  2025-06-10  signed  (corrected by version 4)"
    assert steps[4][0] == "   4  2025-12-01  corrected  puts right version 3  (voided)"
    moved = "      dates.signed: 2025-06-10 → 2025-06-12"
    assert steps[4][2:] == ["      reason: 合同金额录错", moved]
    assert steps[5][0] == "   5  2025-12-01  corrected  voids version 4"
    assert steps[5][3:] == ["      note: 复核", "      dates.signed: 2025-06-12 → 2025-06-10"]


def test_as_known_then_nothing_is_told_of_what_came_later(tmp_path: Path, lead: UUID) -> None:
    done = replay(tmp_path, lead, "--known-at", "4")
    assert done.output.count("recorded ") == 3
    assert "correct" not in done.output


def test_machines_get_the_steps_of_the_api_a_line_each(tmp_path: Path, lead: UUID) -> None:
    lines = replay(tmp_path, lead, "--json").output.splitlines()
    with ledger_in(tmp_path) as ledger:
        assert [orjson.loads(line) for line in lines] == ledger.reads.history(lead)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("00000000-0000-4000-8000-000000000000",), 1, "There is no lead"),
        (("x",), 2, "is not a valid UUID"),
        ((), 2, "Missing argument"),
    ],
)
def test_what_cannot_be_replayed_is_said_in_a_line(
    tmp_path: Path, lead: UUID, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = replay(tmp_path, *arguments)
    assert (done.exit_code, words in done.output) == (status, True)


def test_a_moment_that_is_none_is_refused_naming_it(tmp_path: Path, lead: UUID) -> None:
    done = replay(tmp_path, lead, "--known-at", "yesterday")
    assert done.exit_code == 1
    assert "known_at: 'yesterday'" in done.output


def test_before_it_was_known_the_lead_was_not_known_and_that_is_said(
    tmp_path: Path, lead: UUID
) -> None:
    done = replay(tmp_path, lead, "--known-at", "1")
    assert (done.exit_code, done.output) == (
        1,
        f"Error: Lead {lead} was not known at position 1.\n",
    )
    never = "00000000-0000-4000-8000-000000000000"
    assert f"There is no lead {never}" in replay(tmp_path, never, "--known-at", "1").output


def test_a_position_past_the_last_is_refused_naming_the_last(tmp_path: Path, lead: UUID) -> None:
    with ledger_in(tmp_path) as ledger:
        last = ledger.reads.position()
    done = replay(tmp_path, lead, "--known-at", last + 1)
    assert done.exit_code == 1
    assert f"{last + 1} is past the last log position, {last}." in done.output
