"""Reports: the claims are those of the slow model, and drift names the events that made it."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.actor import acting
from domain.errors import Invalid, NotFound
from domain.posting import ACCOUNTS
from domain.report import digest_of
from service.application import Ledger
from service.projections.choosing import Selection
from service.projections.fates import Fate, Retold, Window, fates
from service.reports.annual import HUNDRED_MILLION, claims_of
from service.reports.asked import Asked, asked_for
from tests.service.helpers import (
    DISTRICT,
    call,
    ledger_in,
    processes,
    register,
    somebody,
    tip,
    whole_log,
)
from tests.service.seeds import seeds
from tests.service.test_time_travel import (
    DAYS,
    FIRST,
    Office,
    Past,
    entered,
    fen,
    known_at,
    stays,
)

YEAR_END = date(2025, 12, 29)
ENTERED = ("tip", "signed", "groundbroken")


def fate_in_model(lead: Past, window: Window) -> Fate | None:
    """A lead's fate, as the slow model tells it."""
    state = lead.at(window.end)
    if state is None:
        return None
    came = {
        stage
        for event, before in stays(lead)
        if window.start <= event.day <= window.end and (stage := entered(event, before)) in ENTERED
    }
    planned = state.planned and state.stage == "negotiating"
    return Fate(lead.number, state.stage, planned, fen(state.investment), frozenset(came))


def counts(past: Mapping[UUID, Past], window: Window, district: str | None) -> list[dict[int, int]]:
    """Of each claim, in their order: the leads that it counts, with their amounts."""
    chosen = [lead for lead in past.values() if lead.district.startswith(district or "")]
    told = [fate for lead in chosen if (fate := fate_in_model(lead, window))]
    stayed = [fate for fate in told if fate.stage in fate.entered]
    broken = [fate for fate in stayed if fate.stage == "groundbroken"]
    signed = [fate for fate in stayed if fate.stage == "signed"]
    claims = (
        (False, [fate for fate in told if "tip" in fate.entered]),
        (True, [fate for fate in broken if fate.fen >= 10**10]),
        (True, [fate for fate in broken if fate.fen < 10**10]),
        (True, signed),
        (True, [fate for fate in told if fate.stage == "negotiating"]),
        (True, [fate for fate in told if fate.about_to_sign]),
    )
    return [{fate.number: fate.fen * money for fate in these} for money, these in claims]


def some_history(ledger: Ledger, chance: Random, commands: int) -> Office:
    """A few leads and what happened to them, some of it late and some put right."""
    office = Office(ledger, chance)
    office.tip()
    go_on(office, chance, commands)
    return office


def go_on(office: Office, chance: Random, commands: int) -> None:
    """Some more of it."""
    for _ in range(commands):
        if chance.random() < 0.12 and len(office.leads) < 9:
            office.tip()
        else:
            office.act()


@pytest.mark.parametrize("seed", seeds(4))
def test_what_became_of_each_lead_is_what_the_slow_model_says(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        office = some_history(ledger, chance, 120)
        last = ledger.reads.position()
        for _ in range(10):
            start, end = sorted(FIRST + timedelta(chance.randrange(DAYS)) for _ in range(2))
            window = Window(f"{start}", f"{end}", chance.randrange(5, last + 1))
            district = chance.choice((None, "32", "320812"))
            past = known_at(ledger, office.leads, window.known_at)
            told = {
                lead.number: fate
                for lead in past.values()
                if lead.district.startswith(district or "")
                and (fate := fate_in_model(lead, window))
            }
            with ledger.reads.store.snapshot() as connection:
                found = fates(connection, Selection(district=district), window)
                retold = Retold(connection, [lead.number for lead in past.values()])
            assert {fate.number: fate for fate in found} == told
            anew = {
                lead.number: retold.fate(lead.number, district, window) for lead in past.values()
            }
            assert {number: fate for number, fate in anew.items() if fate} == told


@pytest.mark.parametrize("seed", seeds(4))
def test_drift_names_each_event_that_made_a_difference_and_no_other(
    tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        office = some_history(ledger, chance, 60)
        asked = Asked(2025, FIRST + timedelta(DAYS // 2), chance.choice((None, "320812")))
        with acting(somebody()):
            report = ledger.seal(call(), asked).body
        go_on(office, chance, 60)
        drift = ledger.reports.drift(UUID(report["id"]))
        window = Window("2025-01-01", f"{asked.end}", report["position"])
        before = counts(known_at(ledger, office.leads, window.known_at), window, asked.district)
        last = ledger.reads.position()
        steps = {
            at: counts(known_at(ledger, office.leads, at), window, asked.district)
            for at in range(window.known_at, last + 1)
        }
        for place, claim in enumerate(drift["claims"]):
            now = steps[last][place]
            assert (claim["published"], claim["now"]) == (len(before[place]), len(now))
            changed = {n for n in {*before[place], *now} if before[place].get(n) != now.get(n)}
            flips = {
                at
                for at in range(window.known_at + 1, last + 1)
                if any(steps[at][place].get(n) != steps[at - 1][place].get(n) for n in changed)
            }
            if claim["name"] == "about_to_sign":
                flips |= renamed(ledger, office.leads, before[place], now, window)
            assert [event["position"] for event in claim["events"]] == sorted(flips)
        assert ledger.reports.sealed(UUID(report["id"]))["verified"] is True


def renamed(
    ledger: Ledger,
    leads: Sequence[UUID],
    before: dict[int, int],
    now: dict[int, int],
    window: Window,
) -> set[int]:
    """Where the largest lead, which is the same as then, came to be named otherwise."""
    largest = [max(each, key=lambda n: (each[n], -n), default=None) for each in (before, now)]
    if largest[0] is None or largest[0] != largest[1]:
        return set()
    last = ledger.reads.position()
    past = known_at(ledger, leads, last)
    (lead,) = (id for id, told in past.items() if told.number == largest[0])
    words = [words_of(ledger, lead, at, window.end) for at in range(window.known_at, last + 1)]
    return {window.known_at + at for at in range(1, len(words)) if words[at] != words[at - 1]}


def words_of(ledger: Ledger, lead: UUID, at: int, day: str) -> Any:
    """What the sentence says of a lead, as known at a position; None before its tip."""
    try:
        found = ledger.reads.lead_at(lead, known_at=at, as_of=date.fromisoformat(day))
    except NotFound:
        return None
    told = orjson.loads(found.body)
    return told["title"], told["investment"]


def story(ledger: Ledger) -> tuple[UUID, UUID]:
    """Two leads in talks, one of which was signed; sealed at the end of 2025 by nobody yet."""
    member = register(ledger).subject
    leads = []
    for title in ("甲", "乙"):
        lead = tip(ledger, member, title=title, occurred_on="2025-03-01").subject
        with acting(somebody()):
            opened = {"responsible_unit": "商务局", "occurred_on": "2025-04-01"}
            ledger.open_negotiation(lead, call(), opened)
        leads.append(lead)
    with acting(somebody()):
        ledger.sign(leads[0], call(), contract("2025-06-01"))
    return leads[0], leads[1]


def contract(day: str) -> dict[str, Any]:
    """The facts of a contract."""
    money = {"amount": "2", "unit": "亿元"}
    return {"number": "HT-1", "investment": money, "occurred_on": day}


def sealed(ledger: Ledger) -> UUID:
    """The report of 2025, sealed."""
    with acting(somebody()):
        return ledger.seal(call(), asked_for(2025, YEAR_END, None)).subject


def drift_of(ledger: Ledger, report: UUID) -> dict[str, tuple[int, int, list[tuple[str, str]]]]:
    """Claim → published, now, (lead, event) of what made the difference."""
    return {
        claim["name"]: (
            claim["published"],
            claim["now"],
            [(event["lead"], event["event"]) for event in claim["events"]],
        )
        for claim in ledger.reports.drift(report)["claims"]
        if claim["events"]
    }


def test_a_signing_recorded_late_drifts_a_sealed_report_and_is_named(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        _, talks = story(ledger)
        report = sealed(ledger)
        with acting(somebody()):
            ledger.follow_up(
                talks, call(), {"form": "call", "result": "好", "occurred_on": "2025-12-01"}
            )
            ledger.sign(talks, call(), contract("2025-12-20"))
        late = (f"{talks}", "signed")
        assert drift_of(ledger, report) == {
            "signed": (1, 2, [late]),
            "negotiating": (1, 0, [late]),
        }


def test_a_voided_signing_drifts_a_sealed_report_and_is_named(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        signed, _ = story(ledger)
        report = sealed(ledger)
        with acting(somebody()):
            void = {"version": 3, "void": True, "reason": "录错了", "occurred_on": "2026-01-05"}
            ledger.correct(signed, call(), void)
        voided = (f"{signed}", "corrected")
        assert drift_of(ledger, report) == {
            "signed": (1, 0, [voided]),
            "negotiating": (1, 2, [voided]),
        }


def test_an_amount_put_right_drifts_the_money_and_not_the_number(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        signed, _ = story(ledger)
        report = sealed(ledger)
        with acting(somebody()):
            right = {"investment": {"amount": "3", "unit": "亿元"}}
            why = {"reason": "合同附件", "occurred_on": "2026-01-05"}
            ledger.correct(signed, call(), {"version": 3, "facts": right, **why})
        assert drift_of(ledger, report) == {"signed": (1, 1, [(f"{signed}", "corrected")])}
        (claim,) = (c for c in ledger.reports.drift(report)["claims"] if c["events"])
        assert (claim["published_cny"], claim["now_cny"]) == ("200000000", "300000000")


def test_another_title_of_the_lead_that_the_sentence_names_drifts_it(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        _, talks = story(ledger)
        with acting(somebody()):
            plan = {"expected_on": "2026-02-01", "occurred_on": "2025-05-01"}
            ledger.plan_signing(talks, call(), plan)
        report = sealed(ledger)
        with acting(somebody()):
            why = {"reason": "录错了", "occurred_on": "2026-01-05"}
            ledger.correct(talks, call(), {"version": 1, "facts": {"summary": "一期"}, **why})
            ledger.correct(talks, call(), {"version": 1, "facts": {"title": "丙"}, **why})
        assert drift_of(ledger, report) == {"about_to_sign": (1, 1, [(f"{talks}", "corrected")])}


def test_what_happened_after_the_cut_off_drifts_nothing(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        _, talks = story(ledger)
        report = sealed(ledger)
        with acting(somebody()):
            ledger.sign(talks, call(), contract("2025-12-30"))
        assert drift_of(ledger, report) == {}


def test_a_sealed_report_is_followed_by_another_and_never_changes(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        _, talks = story(ledger)
        first = sealed(ledger)
        before = ledger.reports.sealed(first)
        with acting(somebody()):
            ledger.sign(talks, call(), contract("2025-12-20"))
        second = sealed(ledger)
        after = ledger.reports.sealed(first)
        assert after == {**before, "followed_by": f"{second}"}
        assert after["verified"] and ledger.reports.sealed(second)["follows"] == f"{first}"
        assert ledger.reports.sealed(second)["number"] == 2
        assert [r["id"] for r in ledger.reports.all(2**62, 10, None, None)[0]] == [
            f"{second}",
            f"{first}",
        ]


def test_the_digest_is_of_what_was_published_and_of_nothing_else(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        story(ledger)
        report = ledger.reports.sealed(sealed(ledger))
        facts = {**report, "start": report["from"], "end": report["to"]}
        facts["known_at"] = report["position"]
        assert digest_of(facts) == report["digest"]
        for name, other in (("text", "别的"), ("year", 2024), ("claims", [])):
            assert digest_of({**facts, name: other}) != report["digest"]


def test_a_report_whose_events_were_altered_is_not_verified(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        story(ledger)
        report = sealed(ledger)
        with ledger.reads.store.writing() as connection:
            connection.exec_driver_sql("UPDATE leads SET fen = fen + 100 WHERE stage = 'signed'")
        assert ledger.reports.sealed(report)["verified"] is False


def seal_at_once(barrier: Any, folder: Path) -> str:
    """Seal the report of 2025, when all do."""
    with ledger_in(folder) as ledger:
        barrier.wait()
        return f"{sealed(ledger)}"


def test_reports_sealed_at_once_follow_one_another(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        story(ledger)
    found = processes(seal_at_once, *[(tmp_path,)] * 4)
    assert len(set(found)) == 4
    with ledger_in(tmp_path) as ledger:
        told = [ledger.reports.sealed(UUID(id)) for id in found]
        assert sorted(report["number"] for report in told) == [1, 2, 3, 4]
        by_number = {report["number"]: report for report in told}
        assert [by_number[n]["follows"] for n in (2, 3, 4)] == [
            by_number[n]["id"] for n in (1, 2, 3)
        ]


def test_the_cut_off_lies_in_the_year_and_is_past() -> None:
    assert asked_for(2024, None, None).end == date(2024, 12, 31)
    with pytest.raises(Invalid, match="is not in 2025"):
        asked_for(2025, date(2024, 12, 31), None)
    with pytest.raises(Invalid, match="none of the years"):
        asked_for(1977, None, None)
    with acting(somebody()) as actor:
        today = actor.today
    assert asked_for(today.year, None, None).end == min(today, date(today.year, 12, 31))
    with pytest.raises(Invalid, match="none of the years"):
        asked_for(today.year + 1, None, None)
    if today < date(today.year, 12, 31):
        with pytest.raises(Invalid, match="still to come"):
            asked_for(today.year, date(today.year, 12, 31), None)


def test_a_district_is_counted_alone(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        story(ledger)
        member = register(ledger, number="QJP-009").subject
        tip(ledger, member, district="110101", occurred_on="2025-05-01")
        tips = {
            district: ledger.reports.annual(Asked(2025, YEAR_END, district))["claims"][0]["value"]
            for district in (None, "32", DISTRICT, "11", "44")
        }
        assert tips == {None: 3, "32": 2, DISTRICT: 2, "11": 1, "44": 0}


def test_a_report_that_was_never_sealed_is_not_found(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        story(ledger)
        with pytest.raises(NotFound):
            ledger.reports.sealed(UUID(int=1))
        with pytest.raises(NotFound):
            ledger.reports.drift(UUID(int=1))
        assert ledger.reports.all(2**62, 10, None, None) == ([], None)
        assert all(event.topic != "report.sealed" for event in whole_log(ledger))


def test_each_stage_that_is_asked_for_is_an_account() -> None:
    assert set(ENTERED) <= set(ACCOUNTS)
    assert HUNDRED_MILLION == 10**10
    assert [claim.value for claim in claims_of([])] == [0] * 6
