"""A lead passes to another district: proposed by one side, accepted or refused by the other."""

from typing import Any

import pytest

from domain.errors import Invalid, Refused
from domain.lead import Lead
from tests.domain.given import (
    TOMORROW,
    Happened,
    closed,
    groundbroken,
    happened,
    lead_after,
    negotiating,
    office,
    recorded,
    refusal,
    reopened,
    screened,
    signed,
    suspended,
    tipped,
)

HERE, THERE, BEYOND = "320812", "320871", "110101"
WHY = {"reason": "用地在对方"}
ONLY = "Only a lead that is tip, negotiating, signed passes to another district"
OPEN = "Its transfer to 320871 was proposed on 2025-07-01"


def proposed(occurred_on: str = "2025-07-01", district: str = THERE) -> Happened:
    """A proposal."""
    return happened(Lead.TransferProposed, occurred_on, district=district, **WHY)


def passed(occurred_on: str = "2025-07-10", district: str = THERE) -> Happened:
    """An acceptance."""
    return happened(Lead.Transferred, occurred_on, district=district)


def refused(occurred_on: str = "2025-07-10") -> Happened:
    """A refusal."""
    return happened(Lead.TransferRefused, occurred_on, reason="没有指标")


STAGES: dict[str, tuple[Happened, ...]] = {
    "tip": (tipped(),),
    "negotiating": (tipped(), negotiating()),
    "signed": (tipped(), negotiating(), signed()),
    "suspended": (tipped(), negotiating(), suspended("2025-05-01")),
}
TALKS = STAGES["negotiating"]


@pytest.mark.parametrize("stage", STAGES)
def test_a_lead_is_proposed_to_another_district_and_passes_when_that_accepts(stage: str) -> None:
    lead = lead_after(*STAGES[stage])
    with office():
        lead.propose_transfer(district=THERE, occurred_on="2025-07-01", **WHY)
    assert recorded(lead) == [proposed()]
    assert lead.district == HERE, "until it is accepted"
    before = lead.stage
    with office():
        lead.accept_transfer(occurred_on="2025-07-10")
    assert recorded(lead) == [passed()]
    assert (lead.district, lead.stage, lead.proposal) == (THERE, before, None)


def test_it_stays_where_it_is_when_the_other_side_refuses() -> None:
    lead = lead_after(*TALKS, proposed())
    with office():
        lead.refuse_transfer(reason="没有指标", occurred_on="2025-07-10")
    assert recorded(lead) == [refused()]
    assert (lead.district, lead.proposal) == (HERE, None)


@pytest.mark.parametrize(
    ("history", "facts", "error", "words"),
    [
        (TALKS, {"district": HERE}, Invalid, "The lead is in 320812 already."),
        (TALKS, {"district": "3208"}, Invalid, "3208"),
        (TALKS, {"district": HERE}, Invalid, "district: The lead is in 320812 already."),
        (TALKS, {"reason": " "}, Invalid, "reason: It is empty."),
        (TALKS, {"reason": ""}, Invalid, "reason: It is empty."),
        (TALKS, {"reason": None}, Invalid, "reason: It is empty."),
        (TALKS, {"occurred_on": "2025-03-17"}, Invalid, "the lead was tipped"),
        (
            (*TALKS, closed("lost", "2025-05-01"), reopened("2025-07-02")),
            {},
            Invalid,
            "or the lead reopened",
        ),
        (TALKS, {"occurred_on": TOMORROW}, Invalid, "future"),
        ((*TALKS, closed("lost", "2025-05-01")), {}, Refused, "reopen it first"),
        (
            (*STAGES["signed"], groundbroken()),
            {},
            Refused,
            f"{ONLY}; this lead is groundbroken (开工) since 2025-09-01.",
        ),
        (
            (*TALKS, proposed()),
            {"district": BEYOND},
            Refused,
            f"{OPEN} and is not answered yet; one at a time.",
        ),
        ((*TALKS, proposed(), refused()), {}, Invalid, "the last transfer was answered"),
        ((*TALKS, proposed(), passed()), {"occurred_on": "2025-07-09"}, Invalid, "already"),
    ],
)
def test_a_proposal_that_cannot_be_is_refused_with_the_reason(
    history: tuple[Happened, ...], facts: dict[str, Any], error: type[Any], words: str
) -> None:
    lead = lead_after(*history)
    given = {"district": THERE, "occurred_on": "2025-07-01", **WHY, **facts}
    with refusal(error, words, of=lead):
        lead.propose_transfer(**given)


LINES = "用地在对方\n其余不变"


def test_each_step_may_have_a_note_and_reasons_have_lines() -> None:
    lead = lead_after(*TALKS)
    with office():
        lead.propose_transfer(district=THERE, reason=LINES, occurred_on="2025-07-01", note="一")
        lead.refuse_transfer(reason=LINES, occurred_on="2025-07-02", note="二")
        lead.propose_transfer(district=THERE, reason=LINES, occurred_on="2025-07-03", note="三")
        lead.accept_transfer(occurred_on="2025-07-04", note="四")
    asked = {"district": THERE, "reason": LINES}
    assert recorded(lead) == [
        happened(Lead.TransferProposed, "2025-07-01", **asked, note="一"),
        happened(Lead.TransferRefused, "2025-07-02", reason=LINES, note="二"),
        happened(Lead.TransferProposed, "2025-07-03", **asked, note="三"),
        happened(Lead.Transferred, "2025-07-04", district=THERE, note="四"),
    ]


def test_one_that_is_over_is_told_in_one_day() -> None:
    lead = lead_after(*TALKS)
    with office():
        lead.transfer(district=THERE, reason=LINES, occurred_on="2025-07-01", note="旧档")
    assert recorded(lead) == [
        happened(Lead.TransferProposed, "2025-07-01", district=THERE, reason=LINES, note="旧档"),
        happened(Lead.Transferred, "2025-07-01", district=THERE, note="旧档"),
    ]


@pytest.mark.parametrize("reason", ["", None, "  "])
def test_a_refusal_says_why(reason: Any) -> None:
    lead = lead_after(*TALKS, proposed())
    with refusal(Invalid, "reason: It is empty.", of=lead):
        lead.refuse_transfer(reason=reason, occurred_on="2025-07-10")


def test_the_same_proposal_again_records_nothing() -> None:
    lead = lead_after(*TALKS, proposed())
    with office():
        lead.propose_transfer(district=THERE, occurred_on="2025-07-01", **WHY)
    assert recorded(lead) == []


@pytest.mark.parametrize("answer", ["accept_transfer", "refuse_transfer"])
@pytest.mark.parametrize(
    "history",
    [
        TALKS,
        (*TALKS, proposed(), refused()),
        (*TALKS, proposed(), passed()),
        (*TALKS, proposed(), closed("lost", "2025-07-05")),
        (*TALKS, proposed(), closed("lost", "2025-07-05"), reopened("2025-07-06")),
        (tipped(), proposed("2025-03-20"), screened("2025-03-21", "decline", "不合适")),
    ],
)
def test_what_is_not_open_is_not_answered(answer: str, history: tuple[Happened, ...]) -> None:
    lead = lead_after(*history)
    facts = {"reason": "没有指标"} if answer == "refuse_transfer" else {}
    told = f"No transfer of this lead is open; it stands in {lead.district}, and is "
    with refusal(Refused, f"{told}{lead.stage} (", f") since {lead.entered_on}", of=lead) as caught:
        getattr(lead, answer)(occurred_on="2025-07-10", **facts)
    assert str(caught.value).startswith(told) and str(caught.value).endswith(".")


def test_an_answer_does_not_come_before_the_proposal() -> None:
    lead = lead_after(*TALKS, proposed())
    with refusal(Invalid, "before the transfer was proposed", of=lead):
        lead.accept_transfer(occurred_on="2025-06-30")
    with refusal(Invalid, "before the transfer was proposed", of=lead):
        lead.refuse_transfer(reason="没有指标", occurred_on="2025-06-30")


def test_a_lead_that_broke_ground_meanwhile_stays() -> None:
    lead = lead_after(*STAGES["signed"], proposed(), groundbroken())
    told = (
        "The lead is groundbroken (开工) since 2025-09-01 by now and stays where it is: refuse the "
        "transfer."
    )
    with refusal(Refused, told, of=lead):
        lead.accept_transfer(occurred_on="2025-09-02")
    with office():
        lead.refuse_transfer(reason="已开工", occurred_on="2025-09-02")


def test_only_the_district_that_it_was_proposed_to_takes_it() -> None:
    lead = lead_after(*TALKS, proposed())
    with refusal(Refused, "Its transfer is proposed to 320871, not to 110101.", of=lead):
        lead.accept_transfer(occurred_on="2025-07-10", district=BEYOND)


def test_it_may_pass_on_and_come_back() -> None:
    lead = lead_after(*TALKS, proposed(), passed())
    with office():
        lead.propose_transfer(district=HERE, occurred_on="2025-07-10", **WHY)
        lead.accept_transfer(occurred_on="2025-07-11")
    assert lead.district == HERE


# Corrections


def correct(lead: Lead, version: int, **what: Any) -> None:
    """Put it right."""
    with office():
        lead.correct(version=version, reason="录入有误", occurred_on="2025-12-01", **what)


def test_a_proposal_that_never_was_is_withdrawn() -> None:
    lead = lead_after(*TALKS, proposed())
    correct(lead, 3, void=True)
    assert lead.proposal is None


def test_an_acceptance_that_never_was_leaves_the_proposal_open() -> None:
    lead = lead_after(*TALKS, proposed(), passed())
    correct(lead, 4, void=True)
    assert lead.district == HERE
    assert lead.proposal is not None


def test_a_proposal_that_was_answered_is_not_voided_from_under_the_answer() -> None:
    lead = lead_after(*TALKS, proposed(), passed())
    with refusal(Refused, "version 4 (transferred on 2025-07-10: no transfer would be open)"):
        correct(lead, 3, void=True)
    follows = "version 4 (transferred on 2025-07-10: "
    with refusal(Refused, f"{follows}the transfer would be to 110101)"):
        correct(lead, 3, facts={"district": BEYOND})
    with refusal(Refused, f"{follows}its day, 2025-07-10, would be before the proposal)"):
        correct(lead, 3, facts={"occurred_on": "2025-07-11"})
    correct(lead, 3, facts={"occurred_on": "2025-07-10"})


def test_what_a_refusal_answered_is_not_voided_from_under_it_either() -> None:
    lead = lead_after(*TALKS, proposed(), refused())
    with refusal(Refused, "version 4 (transfer_refused on 2025-07-10: no transfer would be open)"):
        correct(lead, 3, void=True)


def test_an_answer_that_never_was_is_not_voided_where_another_transfer_was_proposed_since() -> None:
    lead = lead_after(*TALKS, proposed(), refused(), proposed("2025-07-11"))
    told = "version 5 (transfer_proposed on 2025-07-11: another transfer would be open)"
    with refusal(Refused, told):
        correct(lead, 4, void=True)


def test_the_day_of_an_acceptance_is_put_right_but_not_before_the_proposal() -> None:
    lead = lead_after(*TALKS, proposed(), passed())
    correct(lead, 4, facts={"occurred_on": "2025-07-02"})
    assert lead.settled_on == "2025-07-02"
    with refusal(Invalid, "before the transfer was proposed"):
        correct(lead, 4, facts={"occurred_on": "2025-06-30"})


def test_the_district_of_a_tip_is_not_put_right_to_where_it_passed_to() -> None:
    lead = lead_after(*TALKS, proposed(), passed())
    with refusal(
        Refused, "version 3 (transfer_proposed on 2025-07-01: the lead would be in 320871"
    ):
        correct(lead, 1, facts={"district": THERE})
    correct(lead, 1, facts={"district": BEYOND})
    assert lead.district == THERE


def test_a_closure_that_never_was_gives_back_the_proposal_it_withdrew() -> None:
    lead = lead_after(*TALKS, proposed(), closed("lost", "2025-07-05"))
    correct(lead, 4, void=True)
    assert lead.proposal is not None
    reopened_since = lead_after(
        *TALKS,
        proposed(),
        closed("lost", "2025-07-05"),
        reopened("2025-07-06"),
        proposed("2025-07-07"),
    )
    with refusal(Refused, "version 5 (reopened", of=reopened_since):
        reopened_since.correct(version=4, reason="误", occurred_on="2025-12-01", void=True)
