"""Corrections: an earlier event put right, or voided, and the lead as if it had been so."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.correction import (
    ALWAYS,
    CORRECTABLE,
    CORRECTED,
    HAPPENS,
    JOINED,
    LEFT,
    REVISABLE,
    Correction,
    effective,
    put_right,
)
from domain.errors import Invalid, LedgerError, Refused
from domain.lead import Lead
from domain.stage import CLOSED, OPEN, STAGES
from tests.domain.given import (
    ADMIN,
    OFFICER,
    TODAY,
    TOMORROW,
    Happened,
    closed,
    corrected,
    groundbroken,
    happened,
    lead_after,
    negotiating,
    office,
    recognised,
    recorded,
    refusal,
    remembered,
    reopened,
    resumed,
    revised,
    screened,
    signed,
    stored,
    suspended,
    tipped,
)

TWENTY, THIRTY = {"amount": "20", "unit": "亿元"}, {"amount": "30", "unit": "亿元"}
PERMIT = [{"kind": "permit", "reference": "施-1"}]
GROUNDBROKEN = (tipped(), negotiating(), signed(), groundbroken())
SIGNED = GROUNDBROKEN[:3]


def correct(lead: Lead, version: int, **how: Any) -> None:
    with office():
        lead.correct(version=version, **{"reason": "录入有误", "occurred_on": TODAY, **how})


def same_as(lead: Lead, *history: Happened) -> bool:
    """Whether the lead is, for every rule, as if only this had happened to it."""
    library = {"modified_on", "version"}
    ours, theirs = remembered(lead), remembered(lead_after(*history))
    return {k: ours[k] for k in ours.keys() - library} == {
        k: theirs[k] for k in theirs.keys() - library
    }


# Put right


def test_a_fact_put_right_is_as_if_it_had_been_right_from_the_start() -> None:
    lead = lead_after(*SIGNED)
    correct(lead, 3, facts={"occurred_on": "2025-06-12", "investment": TWENTY})
    assert recorded(lead) == [corrected(3, occurred_on="2025-06-12", investment=TWENTY)]
    assert same_as(lead, tipped(), negotiating(), signed("2025-06-12", investment=TWENTY))


def test_a_correction_read_from_the_log_leaves_what_the_command_left() -> None:
    lead = lead_after(*SIGNED)
    correct(lead, 2, facts={"responsible_unit": "开发区", "occurred_on": "2025-04-08"})
    replayed = lead_after(*SIGNED, *recorded(lead))
    apart = {"modified_on": replayed.modified_on}
    assert {**remembered(replayed), **apart} == {**remembered(lead), **apart}


def test_events_after_a_correction_go_on_from_what_is_right() -> None:
    lead = lead_after(*SIGNED, corrected(3, occurred_on="2025-06-20"))
    with refusal(Invalid, "2025-06-12", "2025-06-20", of=lead):
        lead.break_ground(
            start="opening",
            evidence=[{"kind": "permit", "reference": "1"}],
            occurred_on="2025-06-12",
        )


def test_a_tip_is_put_right_in_its_members_and_its_district() -> None:
    lead = lead_after(tipped())
    correct(lead, 1, facts={"members": ["member-2"], "district": "320871"})
    (tip,) = effective(lead.past)
    assert (tip.members, tip.district) == (["member-2"], "320871")


def test_of_a_revision_only_what_it_stated_is_put_right() -> None:
    lead = lead_after(tipped(), revised("2025-04-01", title="晶圆二期"))
    correct(lead, 2, facts={"title": "晶圆一期"})
    assert lead.facts["title"] == "晶圆一期"
    with refusal(
        Invalid,
        "facts.investment",
        "title",
        of=lead_after(tipped(), revised("2025-04-01", title="x")),
    ):
        correct(
            lead_after(tipped(), revised("2025-04-01", title="x")), 2, facts={"investment": THIRTY}
        )


def test_a_waiver_ends_when_the_fact_is_given() -> None:
    waived = [{"fact": "investment", "by": "admin:li", "why": "旧台账未记"}]
    lead = lead_after(tipped(), negotiating(), signed(investment=None, waived=waived))
    correct(lead, 3, facts={"investment": TWENTY})
    assert effective(lead.past)[2].waived == []
    assert lead.facts["investment"] == TWENTY


def test_what_was_waived_stays_waived_when_something_else_is_put_right() -> None:
    waived = [{"fact": "investment", "by": "admin:li", "why": "旧台账未记"}]
    lead = lead_after(tipped(), negotiating(), signed(investment=None, waived=waived))
    correct(lead, 3, facts={"number": "HT-9"})
    assert effective(lead.past)[2].waived == waived


def test_what_was_recorded_after_a_correction_is_told_with_the_next_one() -> None:
    history = (tipped(), negotiating(), corrected(2, manager="赵敏"), signed())
    lead = lead_after(*history, corrected(4, number="HT-2"), groundbroken())
    assert [event.TOPIC for event in effective(lead.past)] == [
        "lead.tipped",
        "lead.negotiation_opened",
        "lead.signed",
        "lead.groundbroken",
    ]
    assert lead.stage == "groundbroken"


def test_a_correction_keeps_its_reason_of_several_lines_and_its_note() -> None:
    lead = lead_after(*SIGNED)
    correct(lead, 3, facts={"number": "HT-2"}, reason=" 合同\n编号录错 ", note="见附件")
    (happened,) = recorded(lead)
    assert (happened.facts["reason"], happened.facts["note"]) == ("合同\n编号录错", "见附件")


def test_a_fact_that_is_none_of_the_event_is_refused_with_those_that_are() -> None:
    lead = lead_after(*SIGNED)
    with refusal(Invalid, of=lead) as caught:
        correct(lead, 3, facts={"title": "x"})
    (reason,) = caught.value.errors["facts.title"]
    assert reason == (
        "It cannot be put right in version 3 (signed on 2025-06-10); there it may be occurred_on, "
        "note, number, investment, document_sha256."
    )
    with refusal(Invalid, of=lead) as caught:
        correct(lead, 3)
    assert caught.value.errors["facts"] == [
        "Give the right facts, or say void: true; one of the two."
    ]


# Voided


def test_a_voided_signing_leaves_the_lead_in_negotiation() -> None:
    lead = lead_after(*SIGNED)
    correct(lead, 3, void=True)
    assert recorded(lead) == [corrected(3, void=True)]
    assert same_as(lead, tipped(), negotiating())


def test_a_closure_that_never_was_needs_no_reopening() -> None:
    lead = lead_after(tipped(), negotiating(), suspended("2025-05-01"), closed("2025-06-01"))
    correct(lead, 4, void=True)
    assert same_as(lead, tipped(), negotiating(), suspended("2025-05-01"))


def test_a_tip_is_never_voided() -> None:
    lead = lead_after(tipped())
    with refusal(Refused, "counted once", of=lead):
        correct(lead, 1, void=True)


def test_the_signing_of_a_lead_that_broke_ground_is_voided_only_after_the_groundbreaking() -> None:
    lead = lead_after(*GROUNDBROKEN)
    with refusal(Refused, "version 4 (groundbroken on 2025-09-01", of=lead):
        correct(lead, 3, void=True)
    correct(lead, 4, void=True)
    correct(lead, 3, void=True)
    assert same_as(lead, tipped(), negotiating())


def test_everything_that_stands_on_it_is_named_the_last_first() -> None:
    lead = lead_after(*GROUNDBROKEN, recognised("2025-10-01", "groundbroken"))
    with refusal(Refused, of=lead) as caught:
        correct(lead, 2, void=True)
    said = str(caught.value)
    places = [said.index(f"version {version} (") for version in (5, 4, 3)]
    assert places == sorted(places)


def test_the_refusal_is_a_whole_sentence_that_says_what_to_void_in_which_order() -> None:
    lead = lead_after(*SIGNED, closed("2025-07-01", "rescinded"))
    with refusal(Refused, of=lead) as caught:
        correct(lead, 3, void=True)
    assert str(caught.value) == (
        "What was recorded later could then not have happened. Void or correct first, in this "
        "order: version 4 (closed on 2025-07-01: the lead would be negotiating)."
    )
    again = lead_after(*GROUNDBROKEN)
    with refusal(Refused, of=again) as caught:
        correct(again, 2, facts={"occurred_on": "2025-09-15"})
    assert str(caught.value) == (
        "What was recorded later could then not have happened. Void or correct first, in this "
        "order: version 4 (groundbroken on 2025-09-01: the lead would be negotiating), "
        "version 3 (signed on 2025-06-10: its day, 2025-06-10, would be too early)."
    )
    tip = lead_after(tipped())
    with refusal(Refused, of=tip) as caught:
        correct(tip, 1, void=True)
    assert str(caught.value) == (
        "A tip is counted once, for ever: decline it, or rule it a duplicate."
    )


def test_a_closure_stays_when_its_outcome_fits_the_stage_that_is_left() -> None:
    lead = lead_after(tipped(), negotiating(), closed("2025-07-01", "lost"))
    with refusal(Refused, "version 3 (closed on 2025-07-01: the lead would be tip)", of=lead):
        correct(lead, 2, void=True)
    correct(lead, 2, facts={"occurred_on": "2025-07-01"})
    assert (lead.stage, lead.entered["negotiating"]) == ("closed", "2025-07-01")


def test_what_was_recognised_stays_so_when_something_else_is_put_right() -> None:
    lead = lead_after(*GROUNDBROKEN, recognised("2025-10-01", "groundbroken"))
    correct(lead, 1, facts={"title": "正名"})
    assert lead.recognised == {"groundbroken": ("2025-10-01", "市商务局")}
    assert len(recorded(lead)) == 1
    with refusal(Refused, "version 5 (recognised on 2025-10-01", of=lead):
        correct(lead, 4, void=True)


# Corrections of corrections


def test_a_voided_correction_gives_back_what_it_took() -> None:
    lead = lead_after(*SIGNED, corrected(3, investment=TWENTY))
    correct(lead, 4, void=True)
    assert same_as(lead, *SIGNED)


def test_a_voided_voiding_brings_the_event_back() -> None:
    lead = lead_after(*SIGNED, corrected(3, void=True))
    correct(lead, 4, void=True)
    assert same_as(lead, *SIGNED)


def test_the_voiding_of_a_voiding_can_itself_be_voided() -> None:
    lead = lead_after(*SIGNED, corrected(3, void=True), corrected(4, void=True))
    correct(lead, 5, void=True)
    assert same_as(lead, tipped(), negotiating())


def test_a_correction_of_a_correction_states_the_facts_of_the_event_itself() -> None:
    lead = lead_after(*SIGNED, corrected(3, investment=TWENTY, number="HT-2"))
    correct(lead, 4, facts={"investment": {"amount": "21", "unit": "亿元"}})
    (_, _, contract) = effective(lead.past)
    assert (contract.investment["amount"], contract.number) == ("21", "HT-2")


def test_the_last_of_several_corrections_of_one_event_counts() -> None:
    lead = lead_after(*SIGNED, corrected(3, number="A"), corrected(3, number="B"))
    assert effective(lead.past)[2].number == "B"
    correct(lead, 5, void=True)
    assert effective(lead.past)[2].number == "A"


def test_a_thousand_corrections_of_corrections_are_read() -> None:
    chain = [
        corrected(3 + n, investment={"amount": f"{n + 1}", "unit": "亿元"}) for n in range(1000)
    ]
    lead = lead_after(*SIGNED, *chain)
    assert lead.facts["investment"]["amount"] == "1000"


@pytest.mark.parametrize("how", [{"void": True}, {"facts": {"number": "x"}}])
def test_a_voided_event_is_corrected_no_more_until_it_is_back(how: dict[str, Any]) -> None:
    lead = lead_after(*SIGNED, corrected(3, void=True))
    told = "Version 3 was voided by version 4; void that to have it back."
    with refusal(Refused, told, of=lead):
        correct(lead, 3, **how)


def test_a_correction_of_a_voided_event_is_corrected_no_more_either() -> None:
    lead = lead_after(*SIGNED, corrected(3, number="A"), corrected(3, void=True))
    with refusal(Refused, "Version 3 was voided by version 5", of=lead):
        correct(lead, 4, facts={"number": "B"})


def test_what_follows_from_a_ruling_on_another_lead_is_corrected_there() -> None:
    joined = happened(
        Lead.MembersJoined,
        "2025-04-01",
        duplicate="lead-2",
        members=["member-2"],
        reported_on="2025-03-20",
    )
    lead = lead_after(tipped(), joined)
    told = "Version 2 follows from a ruling on lead lead-2; reopen or correct that one."
    for how in ({"void": True}, {"facts": {"occurred_on": "2025-04-02"}}):
        with refusal(Refused, told, of=lead):
            correct(lead, 2, **how)


def test_the_reason_of_a_revision_may_be_put_right_with_the_facts_that_it_revised() -> None:
    lead = lead_after(tipped(), revised("2025-04-01", reason="增资", title="新名"))
    correct(lead, 2, facts={"reason": "扩产", "title": "新名二期"})
    assert [event.reason for event in effective(lead.past)[1:]] == ["扩产"]
    with refusal(Invalid, "there it may be occurred_on, note, title, reason"):
        correct(lead, 2, facts={"summary": "x"})


@pytest.mark.parametrize("version", [0, 4])
def test_what_was_never_recorded_is_not_put_right(version: int) -> None:
    lead = lead_after(*SIGNED)
    told = f"version: There is no event {version}; the last is 3."
    with refusal(Invalid, told, of=lead):
        correct(lead, version, void=True)


def test_a_voiding_has_no_facts_to_put_right() -> None:
    lead = lead_after(*SIGNED, corrected(3, void=True))
    told = "Version 4 voided an event and has no facts; void it instead."
    with refusal(Refused, told, of=lead):
        correct(lead, 4, facts={"number": "x"})


# Refused, and nothing recorded


@pytest.mark.parametrize(
    ("version", "how", "field"),
    [
        (0, {"void": True}, "version"),
        (5, {"void": True}, "version"),
        (3, {}, "facts"),
        (3, {"facts": {}}, "facts"),
        (3, {"facts": {"number": "x"}, "void": True}, "facts"),
        (3, {"facts": {"title": "x"}}, "facts.title"),
        (3, {"facts": {"waived": []}}, "facts.waived"),
        (3, {"facts": {"actor": "x"}}, "facts.actor"),
        (3, {"facts": {"occurred_on": TOMORROW}}, "occurred_on"),
        (3, {"facts": {"occurred_on": "2025-02-30"}}, "occurred_on"),
        (3, {"facts": {"occurred_on": "2025-04-01"}}, "occurred_on"),
        (3, {"facts": {"investment": {"amount": "-1", "unit": "元"}}}, "investment.amount"),
        (3, {"void": True, "occurred_on": TOMORROW}, "occurred_on"),
        (3, {"void": True, "reason": " "}, "reason"),
        (1, {"facts": {"title": ""}}, "title"),
        (1, {"facts": {"members": []}}, "members"),
        (1, {"facts": {"district": "320800"}}, "district"),
        (4, {"facts": {"start": "party"}}, "start"),
    ],
)
def test_a_wrong_correction_names_its_field(version: int, how: dict[str, Any], field: str) -> None:
    lead = lead_after(*GROUNDBROKEN)
    with refusal(Invalid, of=lead) as caught:
        correct(lead, version, **how)
    assert list(caught.value.errors) == [field]


def test_a_required_fact_cannot_be_taken_away() -> None:
    lead = lead_after(*SIGNED)
    with refusal(Refused, "investment", of=lead) as caught:
        correct(lead, 3, facts={"investment": None})
    assert caught.value.missing == ["investment"]


def test_a_day_after_what_followed_is_refused_naming_that() -> None:
    lead = lead_after(*GROUNDBROKEN)
    with refusal(Refused, "version 4", "groundbroken", "too early", of=lead):
        correct(lead, 3, facts={"occurred_on": "2025-09-02"})
    correct(lead, 3, facts={"occurred_on": "2025-09-01"})
    assert lead.entered["signed"] == "2025-09-01"


@pytest.mark.parametrize(
    "facts",
    [{"investment": THIRTY}, {"occurred_on": "2025-06-10"}, {"number": None, "note": None}],
)
def test_a_correction_that_changes_nothing_records_nothing(facts: dict[str, Any]) -> None:
    lead = lead_after(*SIGNED)
    before = remembered(lead)
    correct(lead, 3, facts=facts)
    assert recorded(lead) == []
    assert remembered(lead) == before


def test_a_resumption_cannot_be_voided_from_under_a_signing() -> None:
    lead = lead_after(
        tipped(), negotiating(), suspended("2025-05-01"), resumed("2025-05-10"), signed()
    )
    why = "version 5 (signed on 2025-06-10: the lead would be suspended)"
    with refusal(Refused, why, of=lead):
        correct(lead, 4, void=True)


@pytest.mark.parametrize("version", [3, 4])
def test_a_hold_is_not_put_right_to_be_of_a_day_on_which_the_lead_moved(version: int) -> None:
    """Signed on 2025-06-10, on hold before or after; corrected, it would have been across it."""
    before = (suspended("2025-05-01"), resumed("2025-05-10"), signed())
    after = (signed(), suspended("2025-07-01"))
    lead = lead_after(tipped(), negotiating(), *(before if version == 4 else after))
    day, why = {
        3: ("2025-07-02", "version 4 (suspended on 2025-07-01: its day, 2025-07-01, would be too"),
        4: ("2025-06-11", "version 5 (signed on 2025-06-10: the lead would be suspended)"),
    }[version]
    with refusal(Refused, why, of=lead):
        correct(lead, version, facts={"occurred_on": day})


def test_a_step_is_not_put_right_to_be_of_a_day_on_hold() -> None:
    lead = lead_after(
        tipped(), negotiating(), suspended("2025-05-01"), resumed("2025-05-10"), signed()
    )
    with refusal(Refused, "The lead was suspended from 2025-05-01 until 2025-05-10", of=lead):
        correct(lead, 5, facts={"occurred_on": "2025-05-09"})
    correct(lead, 5, facts={"occurred_on": "2025-05-10"})
    assert lead.entered_on == "2025-05-10"


def test_a_suspension_cannot_be_voided_from_under_its_resumption() -> None:
    lead = lead_after(tipped(), suspended("2025-05-01"), resumed("2025-05-10"))
    with refusal(Refused, "version 3 (resumed on 2025-05-10: nothing to resume)", of=lead):
        correct(lead, 2, void=True)


def test_a_screening_voided_under_a_closure_names_the_reopening() -> None:
    lead = lead_after(
        tipped(),
        screened("2025-03-20", "decline", "没地"),
        reopened("2025-05-01"),
        negotiating("2025-06-01"),
    )
    with refusal(Refused, "version 3 (reopened", of=lead):
        correct(lead, 2, void=True)


# Recognition


def test_a_signing_is_recognised_beside_the_claim() -> None:
    lead = lead_after(*SIGNED)
    with office():
        lead.recognise(stage="signed", authority=" 市商务局 ", occurred_on="2025-07-01")
    assert recorded(lead) == [recognised("2025-07-01")]
    assert (lead.stage, lead.entered_on) == ("signed", "2025-06-10")


def test_both_claims_of_a_lead_that_broke_ground_are_recognised_in_any_order() -> None:
    lead = lead_after(*GROUNDBROKEN)
    with office():
        lead.recognise(stage="groundbroken", authority="省", occurred_on="2025-10-01")
        lead.recognise(stage="signed", authority="市", occurred_on="2025-11-01")
    assert lead.recognised == {"groundbroken": ("2025-10-01", "省"), "signed": ("2025-11-01", "市")}


def test_the_same_recognition_again_records_nothing_and_another_is_refused() -> None:
    lead = lead_after(*SIGNED, recognised("2025-07-01"))
    with office():
        lead.recognise(stage="signed", authority="市商务局", occurred_on="2025-07-01")
    assert recorded(lead) == []
    with refusal(Refused, of=lead) as caught:
        lead.recognise(stage="signed", authority="省商务厅", occurred_on="2025-07-01")
    assert str(caught.value) == (
        "市商务局 recognised it as signed on 2025-07-01 already; if that is wrong, correct it."
    )


def test_a_recognition_keeps_its_note() -> None:
    lead = lead_after(*SIGNED)
    with office():
        lead.recognise(stage="signed", authority="市", occurred_on="2025-07-01", note="文号 12")
    assert recorded(lead)[0].facts["note"] == "文号 12"


@pytest.mark.parametrize(
    ("facts", "field"), [({"stage": "closed"}, "stage"), ({"authority": " "}, "authority")]
)
def test_a_wrong_recognition_names_its_field(facts: dict[str, Any], field: str) -> None:
    lead = lead_after(*SIGNED)
    known = {"stage": "signed", "authority": "市", "occurred_on": "2025-07-01"}
    with refusal(Invalid, of=lead) as caught:
        lead.recognise(**{**known, **facts})
    assert list(caught.value.errors) == [field]


@pytest.mark.parametrize(
    ("history", "stage", "words"),
    [
        (
            (tipped(), negotiating()),
            "signed",
            "The lead was never signed (签约); it is negotiating (在谈) since 2025-04-02.",
        ),
        (
            SIGNED,
            "groundbroken",
            "The lead was never groundbroken (开工); it is signed (签约) since 2025-06-10.",
        ),
        ((*SIGNED, closed("2025-07-01", "rescinded")), "signed", "reopen it first"),
    ],
)
def test_only_a_claim_that_stands_is_recognised(
    history: tuple[Happened, ...], stage: str, words: str
) -> None:
    lead = lead_after(*history)
    with refusal(Refused, words, of=lead):
        lead.recognise(stage=stage, authority="市", occurred_on="2025-08-01")


def test_a_claim_is_not_recognised_before_it_was_made() -> None:
    lead = lead_after(*SIGNED)
    with refusal(Invalid, "2025-06-09 is before the lead became signed on 2025-06-10", of=lead):
        lead.recognise(stage="signed", authority="市", occurred_on="2025-06-09")


def test_a_recognised_signing_moves_only_as_far_as_its_recognition() -> None:
    lead = lead_after(*SIGNED, recognised("2025-07-01"))
    with refusal(Refused, "version 4 (recognised on 2025-07-01", of=lead):
        correct(lead, 3, facts={"occurred_on": "2025-07-02"})


# The tables


def test_every_event_but_the_correction_has_its_row_in_both_tables() -> None:
    topics = {
        value.TOPIC
        for value in vars(Lead).values()
        if isinstance(value, type) and hasattr(value, "TOPIC")
    }
    # That members joined or left follows from a ruling on another lead, and is corrected there.
    assert set(CORRECTABLE) == topics - {CORRECTED, JOINED, LEFT}
    assert set(HAPPENS) == topics - {CORRECTED, "lead.tipped"}


@pytest.mark.parametrize("topic", CORRECTABLE)
def test_what_may_be_put_right_are_facts_of_the_event_and_of_its_command(topic: str) -> None:
    event = next(v for v in vars(Lead).values() if getattr(v, "TOPIC", None) == topic)
    fields = set(event.__dataclass_fields__)
    own = set(CORRECTABLE[topic].facts) - (set(REVISABLE) if topic == "lead.revised" else set())
    assert own <= fields
    assert set(ALWAYS) <= fields
    assert callable(getattr(Lead, CORRECTABLE[topic].command))


SINCE = {"entered_on", "planned_on", "tipped_on", "flagged_on", "moved_on", "settled_on"}


@pytest.mark.parametrize("topic", HAPPENS)
def test_the_stages_of_the_table_are_stages(topic: str) -> None:
    stages, since, _ = HAPPENS[topic]
    assert set(stages) <= {*OPEN, CLOSED} == set(STAGES)
    assert set(since) <= SINCE


def test_a_copy_put_right_leaves_the_event_as_it_was_recorded() -> None:
    (tip,) = stored(tipped(title="原"))
    right = put_right(tip, {"title": "改", "occurred_on": "2025-03-19"})
    assert (tip.title, tip.occurred_on) == ("原", "2025-03-18")
    assert (right.title, right.occurred_on, type(right)) == ("改", "2025-03-19", type(tip))


def test_an_officer_corrects_what_an_administrator_waived() -> None:
    assert not OFFICER.may_waive
    assert ADMIN.may_waive
    waived = [{"fact": "responsible_unit", "by": "admin:li", "why": "旧台账未记"}]
    lead = lead_after(tipped(), negotiating(responsible_unit=None, waived=waived))
    correct(lead, 2, facts={"manager": "赵敏"})
    assert effective(lead.past)[1].manager == "赵敏"


# Whatever is commanded


DAYS = st.integers(1, 28).map(lambda day: f"2025-06-{day:02d}")


COMMANDS: list[tuple[str, dict[str, Any]]] = [
    ("open_negotiation", {"responsible_unit": "x"}),
    ("plan_signing", {"expected_on": "2025-12-01"}),
    ("sign", {"investment": TWENTY}),
    ("break_ground", {"start": "opening", "evidence": PERMIT}),
    ("suspend", {"reason": "x", "review_on": "2025-12-01"}),
    ("resume", {}),
    ("close", {"outcome": "lost", "reason": "x"}),
    ("reopen", {"reason": "x"}),
    ("recognise", {"stage": "signed", "authority": "市"}),
    ("correct", {"reason": "x", "void": True}),
    ("correct", {"reason": "x"}),
    ("correct", {"reason": "x"}),
]


@st.composite
def commands(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A command, or a correction, of which most are allowed somewhere."""
    on = {"occurred_on": draw(DAYS)}
    method, facts = draw(st.sampled_from(COMMANDS))
    if method == "correct":
        facts = {**facts, "version": draw(st.integers(1, 9))}
        if "void" not in facts:
            facts["facts"] = {"occurred_on": draw(DAYS)}
    return method, {**facts, **on}


@given(st.lists(commands(), max_size=25))
def test_whatever_is_commanded_what_is_left_could_have_happened(
    given_commands: list[tuple[str, dict[str, Any]]],
) -> None:
    """Told without its corrections, the lead's history obeys every command's rules in turn, and
    leads to the same lead."""
    lead = lead_after(tipped("2025-06-01"))
    for method, facts in given_commands:
        with office():
            try:
                getattr(lead, method)(**facts)
            except LedgerError:
                continue
    told = effective(lead.past)
    assert all(lead.past[n].originator_version == n + 1 for n in range(len(lead.past)))
    again = lead_after(tipped(told[0].occurred_on))
    with office():
        for event in told[1:]:
            names = set(type(event).__dataclass_fields__) - {"waived"}
            known = {n: getattr(event, n) for n in names if n not in _ENVELOPE}
            getattr(again, CORRECTABLE[event.TOPIC].command)(**known)
    library = {"modified_on", "version"}
    ours, theirs = remembered(lead), remembered(again)
    assert {k: v for k, v in ours.items() if k not in library} == {
        k: v for k, v in theirs.items() if k not in library
    }


_ENVELOPE = frozenset(
    "originator_id originator_version originator_topic timestamp actor request".split()
)


def test_corrections_that_follow_the_stream_are_heeded_too() -> None:
    events = stored(*SIGNED)
    told = effective(events, [Correction(4, 3, {}, True), Correction(5, 4, {}, True)])
    assert [event.TOPIC for event in told] == [event.TOPIC for event in events]
