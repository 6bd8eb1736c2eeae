"""Transfers: in the book of each district, and of every prefix above, each lead stands once.

The model is slow and obvious: of a lead's events up to the day, as put right by then, it asks in
which district the lead was after each, and knows nothing of postings.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest

from domain.actor import acting
from domain.errors import Forbidden, NotFound
from service.application import Ledger
from service.commands.carrying import Answer
from service.projections.choosing import Selection
from service.projections.fates import Retold, Window, fates
from service.projections.lead_list import Question
from service.projections.past_books import Room
from service.projections.past_days import PastDays
from service.projections.stock import moves, standing
from service.reports.asked import asked_for
from service.reports.behind import leads_behind
from service.scope import Scope
from tests.service.helpers import call, check_projections, ledger_in, register, somebody, tip
from tests.service.seeds import seeds
from tests.service.test_time_travel import (
    DAYS,
    FIRST,
    STAGES,
    Office,
    Past,
    Told,
    as_figure,
    fen,
    fold,
    known_at,
)

HERE, THERE = "320812", "320871"
WHY = {"reason": "用地在对方"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path) as ledger:
        yield ledger


def do(ledger: Ledger, method: str, lead: UUID, day: str, **facts: Any) -> Answer:
    """A command."""
    with acting(somebody(may_waive=True)):
        answer: Answer = getattr(ledger, method)(lead, call(), {"occurred_on": day, **facts})
    return answer


def passes(ledger: Ledger, lead: UUID, day: str, district: str = THERE) -> None:
    """Propose and accept."""
    do(ledger, "propose_transfer", lead, day, district=district, **WHY)
    do(ledger, "accept_transfer", lead, day)


def talks(ledger: Ledger) -> UUID:
    """A lead of 30 亿元 in talks since April."""
    lead = tip(ledger, register(ledger).subject).subject
    do(ledger, "open_negotiation", lead, "2025-04-02", responsible_unit="商务局")
    return lead


def stands(ledger: Ledger, district: str | None, end: str, **then: Any) -> dict[str, int]:
    """How many stand in each stage of a district; its tips, and what it received, of the year."""
    chosen, last = Selection(district=district), date.fromisoformat(end)
    told = ledger.reads.pipeline(chosen, date(2025, 1, 1), last, then.get("known_at"))
    assert told["balanced"] is True
    found = {s["stage"]: s["standing"]["count"] for s in told["stages"] if s["standing"]["count"]}
    passed = told["stages"][-1]["outcomes"]["transferred"]
    also = {"tips": told["tips"], "received": told["received"], "passed on": passed}
    return found | {name: count for name, count in also.items() if count}


def totals(ledger: Ledger, district: str, member: UUID) -> tuple[int, int]:
    """The tips of a member as whoever is limited to the district is told them; and by its book."""
    told = ledger.reads.member(member, Scope(district=district))["tips"]
    chosen = Selection(within=district, member=f"{member}")
    year = ledger.reads.pipeline(chosen, date(2025, 1, 1), date(2025, 12, 31), None)
    return told, year["tips"]


def test_a_members_tips_are_those_of_the_districts_book_also_of_what_crossed_its_border(
    ledger: Ledger,
) -> None:
    member = register(ledger).subject
    first, second, _ = (tip(ledger, member).subject for _ in range(3))
    assert totals(ledger, HERE, member) == (3, 3)
    passes(ledger, first, "2025-06-01")
    # There and back again.
    passes(ledger, second, "2025-06-02")
    passes(ledger, second, "2025-06-03", HERE)
    for prefix in (HERE, "3208"):
        assert totals(ledger, prefix, member) == (3, 3)
    with acting(somebody()):
        facts = {"number": "1", "name": "李委员", "district": THERE, "occurred_on": "2025-01-02"}
        other = ledger.register_member(call(), {**facts, "sector": None}).subject
    passes(ledger, tip(ledger, other).subject, "2025-06-01")
    # It came from elsewhere, and is no tip.
    assert totals(ledger, THERE, other) == (0, 0)
    assert ledger.reads.member(other)["tips"] == 1
    page, _ = ledger.reads.members(0, 50, None, None, Scope(district=HERE))
    assert [one["tips"] for one in page] == [3]


def test_it_leaves_the_stock_and_its_tip_stays_counted_where_it_was_given(ledger: Ledger) -> None:
    lead = talks(ledger)
    do(ledger, "propose_transfer", lead, "2025-06-01", district=THERE, **WHY)
    before = ledger.reads.position()
    do(ledger, "accept_transfer", lead, "2025-06-10")
    assert stands(ledger, HERE, "2025-06-09") == {"negotiating": 1, "tips": 1}
    assert stands(ledger, THERE, "2025-06-09") == {}
    assert stands(ledger, HERE, "2025-12-31") == {"closed": 1, "passed on": 1, "tips": 1}
    assert stands(ledger, THERE, "2025-12-31") == {"negotiating": 1, "received": 1}
    for above in (None, "32", "3208"):
        assert stands(ledger, above, "2025-12-31") == {"negotiating": 1, "tips": 1}
    assert stands(ledger, HERE, "2025-12-31", known_at=before) == {"negotiating": 1, "tips": 1}
    assert stands(ledger, THERE, "2025-12-31", known_at=before) == {}
    names = [step["event"] for step in ledger.reads.history(lead)]
    assert names[-2:] == ["transfer_proposed", "transferred"]
    check_projections(ledger)


def test_what_happens_there_is_no_more_of_the_district_that_passed_it_on(ledger: Ledger) -> None:
    lead = talks(ledger)
    passes(ledger, lead, "2025-06-10")
    agreed = {"amount": "40", "unit": "亿元"}
    do(ledger, "sign", lead, "2025-07-01", investment=agreed)
    year = (date(2025, 1, 1), date(2025, 12, 31), None)
    here, there, both = (
        {
            line["stage"]: line
            for line in ledger.reads.movements(Selection(district=d), *year)["stages"]
        }
        for d in (HERE, THERE, "3208")
    )
    assert here["closed"]["closing"] == {"count": 1, "cny": "3000000000"}
    assert here["signed"]["in"]["count"] == 0
    assert there["negotiating"]["in"] == {"count": 1, "cny": "4000000000"}
    assert there["signed"]["closing"] == {"count": 1, "cny": "4000000000"}
    assert both["signed"]["closing"] == {"count": 1, "cny": "4000000000"}
    assert both["closed"]["closing"]["count"] == 0


def test_both_sides_see_what_is_proposed_and_the_worklist_has_it_due(ledger: Ledger) -> None:
    lead = talks(ledger)
    do(ledger, "propose_transfer", lead, "2025-06-01", district=THERE, **WHY)
    body = orjson.loads(ledger.reads.lead(lead).body)
    assert (body["district"], body["transfer_to"]) == (HERE, THERE)
    assert body["transfer_proposed_on"] == "2025-06-01"
    for district in (HERE, THERE, "32"):
        page = ledger.worklist.page(Selection(district=district), date(2025, 6, 8), rule="transfer")
        assert [item["due_on"] for item in page.items] == ["2025-06-08"], district
    assert "接收方尚未答复" in page.items[0]["sentence"]
    others = ledger.worklist.page(Selection(district=THERE), date(2025, 12, 1)).items
    assert [item["rule"] for item in others] == ["transfer"], "the rest is not its affair yet"
    do(ledger, "refuse_transfer", lead, "2025-06-09", reason="没有指标")
    assert ledger.worklist.page(Selection(district=THERE), date(2025, 12, 1)).items == []
    body = orjson.loads(ledger.reads.lead(lead).body)
    assert (body["transfer_to"], body["transfers"]) == (None, [])


def test_a_lead_that_is_closed_has_no_proposal_any_more(ledger: Ledger) -> None:
    lead = talks(ledger)
    do(ledger, "propose_transfer", lead, "2025-06-01", district=THERE, **WHY)
    do(ledger, "close_lead", lead, "2025-06-05", outcome="lost", reason="去了邻区")
    body = orjson.loads(ledger.reads.lead(lead).body)
    assert (body["transfer_to"], body["transfer_proposed_on"]) == (None, None)


def test_lists_have_it_where_it_stands_on_the_day(ledger: Ledger) -> None:
    lead = talks(ledger)
    passes(ledger, lead, "2025-06-10")

    def listed(district: str, as_of: str) -> int:
        return len(ledger.reads.leads(Question(Selection(district=district), as_of=as_of)).bodies)

    assert [listed(d, "2025-06-09") for d in (HERE, THERE, "32")] == [1, 0, 1]
    assert [listed(d, "2025-06-10") for d in (HERE, THERE, "32")] == [0, 1, 1]
    body = orjson.loads(ledger.reads.lead(lead).body)
    assert body["transfers"] == [{"from": HERE, "to": THERE, "on": "2025-06-10"}]


def test_the_years_sentence_of_each_district_counts_its_own(ledger: Ledger) -> None:
    lead = talks(ledger)
    end = date(2025, 12, 29)
    before = ledger.reports.annual(asked_for(2025, end, HERE))["text"]
    assert before == "政协委员累计提供项目信息1条，跟踪洽谈1个。"
    passes(ledger, lead, "2025-06-10")
    texts = {d: ledger.reports.annual(asked_for(2025, end, d))["text"] for d in (HERE, THERE, None)}
    assert texts[HERE] == "政协委员累计提供项目信息1条。"
    assert texts[THERE] == "跟踪洽谈1个。"
    assert texts[None] == before


def test_what_was_tipped_or_signed_elsewhere_is_no_tip_and_no_signing_here(ledger: Ledger) -> None:
    as_tip = tip(ledger, register(ledger).subject).subject
    passes(ledger, as_tip, "2025-06-10")
    as_signed = tip(ledger, register(ledger, "Q-2").subject).subject
    do(ledger, "open_negotiation", as_signed, "2025-04-02", responsible_unit="商务局")
    money = {"amount": "1", "unit": "亿元"}
    do(ledger, "sign", as_signed, "2025-05-01", investment=money)
    passes(ledger, as_signed, "2025-06-10")
    asked = asked_for(2025, date(2025, 12, 29), THERE)
    assert ledger.reports.annual(asked)["text"] == "政协委员尚未提供项目信息。"
    told = {claim["name"]: claim["value"] for claim in ledger.reports.annual(asked)["claims"]}
    assert set(told.values()) == {0}
    assert stands(ledger, THERE, "2025-12-29") == {"tip": 1, "signed": 1, "received": 2}
    passes(ledger, as_signed, "2025-07-01", HERE)
    here = ledger.reports.annual(asked_for(2025, date(2025, 12, 29), HERE))["text"]
    assert here == "政协委员累计提供项目信息2条，全年签约落地1个。", "signed here, and here again"


def within(district: str | None) -> Any:
    """A call of somebody who is limited to a district."""
    return replace(call(), scope=Scope(district=district))


def test_the_receiving_district_answers_and_nobody_else(ledger: Ledger) -> None:
    lead = talks(ledger)
    with acting(somebody()):
        with pytest.raises(NotFound):
            ledger.accept_transfer(lead, within(THERE), {"occurred_on": "2025-06-01"})
        proposal = {"district": THERE, "occurred_on": "2025-06-01", **WHY}
        ledger.propose_transfer(lead, within(HERE), proposal)
        facts = {"occurred_on": "2025-06-10"}
        with pytest.raises(Forbidden, match=f"proposed to {THERE}, whose answer it is"):
            ledger.accept_transfer(lead, within(HERE), facts)
        with pytest.raises(Forbidden, match=f"limited to district {HERE}"):
            ledger.refuse_transfer(lead, within(HERE), {**facts, **WHY})
        with pytest.raises(NotFound):
            ledger.accept_transfer(lead, within("11"), facts)
        visit = {"form": "visit", "result": "去了", **facts}
        with pytest.raises(Forbidden, match=f"{HERE} is outside of it"):
            ledger.follow_up(lead, within(THERE), visit)
        right = {"version": 1, "facts": {"title": "改"}, "reason": "误", **facts}
        with pytest.raises(Forbidden, match=f"{HERE} is outside of it"):
            ledger.correct(lead, within(THERE), right)
        assert ledger.accept_transfer(lead, within(THERE), facts).body["district"] == THERE
        with pytest.raises(NotFound):
            ledger.follow_up(lead, within(HERE), visit)
        assert ledger.follow_up(lead, within(THERE), visit).version == 5
        assert ledger.correct(lead, within(THERE), right).body["title"] == "改"
        moved = {**right, "facts": {"district": "320111"}}
        with pytest.raises(Forbidden, match="320111 is outside of it"):
            ledger.correct(lead, within(THERE), moved)


def test_both_sides_read_it_while_it_is_open(ledger: Ledger) -> None:
    lead, here, there = talks(ledger), Scope(district=HERE), Scope(district=THERE)
    reads = ledger.reads
    do(ledger, "propose_transfer", lead, "2025-06-01", district=THERE, **WHY)
    assert reads.lead_seen(lead, here, proposed=True) == 3
    assert reads.lead_seen(lead, there, proposed=True) == 3
    with pytest.raises(NotFound):
        reads.lead_seen(lead, there)
    with pytest.raises(NotFound):
        reads.lead_seen(lead, Scope(district="11"), proposed=True)
    due = ledger.worklist.page(Selection(within=THERE, district=THERE), date(2025, 12, 1)).items
    assert [item["rule"] for item in due] == ["transfer"]
    do(ledger, "accept_transfer", lead, "2025-06-10")
    with pytest.raises(NotFound):
        reads.lead_seen(lead, here, proposed=True)
    assert reads.lead_seen(lead, there) == 4


def test_whoever_is_limited_to_a_district_has_its_book_and_no_other(ledger: Ledger) -> None:
    passes(ledger, talks(ledger), "2025-06-10")
    year = (date(2025, 1, 1), date(2025, 12, 31), None)

    def counted(limit: str, district: str | None, **more: Any) -> dict[str, int]:
        chosen = Selection(within=limit, district=district, **more)
        told = ledger.reads.pipeline(chosen, *year)
        found = {s["stage"]: s["standing"]["count"] for s in told["stages"]}
        return {stage: count for stage, count in found.items() if count}

    assert counted(HERE, HERE) == counted(HERE, "32") == counted(HERE, None) == {"closed": 1}
    assert counted(THERE, THERE) == counted(THERE, "3208") == {"negotiating": 1}
    assert counted("3208", HERE) == {"closed": 1}
    assert counted("3208", "32") == {"negotiating": 1}
    assert counted("11", HERE) == counted(HERE, THERE) == counted("11", "32") == {}
    # What it is worth elsewhere by now is not for who passed it on.
    assert counted(HERE, HERE, least_fen=1) == {}
    assert counted("3208", HERE, least_fen=1) == {"closed": 1}


def test_the_leads_behind_a_report_are_shown_as_they_left_the_district(ledger: Ledger) -> None:
    lead = talks(ledger)
    passes(ledger, lead, "2025-06-10")
    do(ledger, "sign", lead, "2025-07-01", investment={"amount": "40", "unit": "亿元"})
    report = ledger.reports.annual(asked_for(2025, date(2025, 12, 29), HERE))
    (shown,) = leads_behind(ledger.reads, report).values()
    assert (shown["stage"], shown["investment"]["amount"]) == ("negotiating", "30")
    report = ledger.reports.annual(asked_for(2025, date(2025, 12, 29), THERE))
    (shown,) = leads_behind(ledger.reads, report).values()
    assert (shown["stage"], shown["investment"]["amount"]) == ("signed", "40")


def test_a_late_acceptance_is_why_a_sealed_report_drifted(ledger: Ledger) -> None:
    lead = talks(ledger)
    with acting(somebody()):
        sealed = ledger.seal(call(), asked_for(2025, date(2025, 12, 29), HERE)).subject
    passes(ledger, lead, "2025-06-10")
    claims = {c["name"]: c for c in ledger.reports.drift(sealed)["claims"]}
    assert [e["event"] for e in claims["negotiating"]["events"]] == ["transferred"]
    assert (claims["negotiating"]["published"], claims["negotiating"]["now"]) == (1, 0)
    assert claims["tips"]["events"] == []


# Random histories

PLACES = (HERE, THERE, "320111", "110101")
PREFIXES = ("32", "11", "3208", "3201", *PLACES)


class Border(Office):
    """An office whose leads pass between districts."""

    def _commands(self, lead: UUID) -> list[tuple[str, dict[str, Any]]]:
        on = {"occurred_on": self.day()}
        proposal = {"district": self.chance.choice(PLACES), **WHY, **on}
        transfers: list[tuple[str, dict[str, Any]]] = [
            *[("propose_transfer", proposal)] * 8,
            *[("accept_transfer", on)] * 12,
            ("refuse_transfer", {**WHY, **on}),
        ]
        return [*super()._commands(lead), *transfers]


class Seen(NamedTuple):
    """What a prefix sees of a lead at the end of a day: where it stands there, with how much; on
    which day it was tipped there, and on which it came there from elsewhere, if it did."""

    stage: str
    fen: int
    planned: bool
    tipped: str | None
    came: str | None


def seen(lead: Past, prefix: str, day: str, by: str = "occurred") -> Seen | None:
    """The same of one lead; None if the prefix never had it by then."""
    state, stage = lead.at(day), lead.counted_at(day, by)
    if state is None or stage is None:
        return None
    here, came, left = lead.district.startswith(prefix), None, None
    tipped = state.tip if here else None
    for event in sorted(lead.events, key=lambda e: (e.day, e.version)):
        if event.name != "transferred" or event.day > day:
            continue
        goes_on = event.facts["district"].startswith(prefix)
        if goes_on and not here and tipped is None and came is None:
            came = event.day
        left = event if here and not goes_on else left
        here = goes_on
    if here:
        return Seen(stage, fen(state.investment), state.planned, tipped, came)
    if left is None:
        return None
    then = fold([e for e in lead.events if (e.day, e.version) < (left.day, left.version)])
    assert then is not None
    return Seen("closed", fen(then.investment), False, tipped, came)


def figures(views: Iterable[Seen | None]) -> dict[str, tuple[int, int]]:
    """How many stand in each stage, and their amounts."""
    found = dict.fromkeys(STAGES, (0, 0))
    for view in views:
        if view is not None:
            count, amount = found[view.stage]
            found[view.stage] = (count + 1, amount + view.fen)
    return found


def check_book(
    ledger: Ledger, past: dict[UUID, Past], prefix: str, position: int, days: list[date]
) -> None:
    """Pipeline, movements and series of a prefix are the model's, by either kind of days."""
    (start, end), chosen = days, Selection(district=prefix)
    for by in ("occurred", "recognised"):
        asked = (chosen, start, end, position)
        views = [seen(lead, prefix, f"{end}", by) for lead in past.values()]
        answer = ledger.reads.pipeline(*asked, by)
        assert answer["balanced"] is True
        shown = {s["stage"]: as_figure(s["standing"]) for s in answer["stages"]}
        assert shown == figures(views), (prefix, end, position, by)
        tips = [v for v in views if v and v.tipped and f"{start}" <= v.tipped]
        received = [v for v in views if v and v.came and f"{start}" <= v.came]
        assert (answer["tips"], answer["received"]) == (len(tips), len(received))
        ever = [v for v in views if v and (v.tipped or v.came)]
        assert sum(count for count, _ in shown.values()) == len(ever)
        before = figures(
            seen(lead, prefix, f"{start - timedelta(1)}", by) for lead in past.values()
        )
        for line in ledger.reads.movements(*asked, by)["stages"]:
            figure = {name: as_figure(line[name]) for name in ("opening", "in", "out", "closing")}
            assert figure["opening"] == before[line["stage"]]
            assert figure["closing"] == shown[line["stage"]]
            for unit in (0, 1):
                net = figure["in"][unit] - figure["out"][unit]
                assert figure["opening"][unit] + net == figure["closing"][unit]
        for point in ledger.reads.series(*asked, "week", by)["points"]:
            found = {stage: as_figure(figure) for stage, figure in point["stages"].items()}
            then = (seen(lead, prefix, point["on"], by) for lead in past.values())
            assert found == figures(then)


def check_fates(
    ledger: Ledger, past: dict[UUID, Past], prefix: str, position: int, days: list[date]
) -> None:
    """What reports count by: each lead's fate, asked of the book and retold from its entries."""
    window = Window(f"{days[0]}", f"{days[1]}", position)
    numbers = [lead.number for lead in past.values()]
    with ledger.reads.store.snapshot() as connection:
        told = fates(connection, Selection(district=prefix), window)
        retold = Retold(connection, numbers)
        again = [retold.fate(number, prefix, window) for number in sorted(numbers)]
        stood = standing(connection, Selection(district=prefix), window)
        moved = moves(connection, Selection(district=prefix), window)
    assert told == [fate for fate in again if fate]
    views = {lead.number: seen(lead, prefix, window.end) for lead in past.values()}
    expected = {n: (v.stage, v.planned, v.fen) for n, v in views.items() if v}
    assert {f.number: (f.stage, f.about_to_sign, f.fen) for f in told} == expected
    assert {n: (stage, amount) for n, stage, amount in stood} == {
        n: (stage, amount) for n, (stage, _, amount) in expected.items()
    }
    tips = sum(leads for lead, source, _, leads, _ in moved if source == "outside" and views[lead])
    assert tips == sum(1 for v in views.values() if v and v.tipped and window.start <= v.tipped)


def check_where(ledger: Ledger, past: dict[UUID, Past], position: int, day: date) -> None:
    """One lead, and lists, say the district that it stood in."""
    stood = {
        id: [lead.district, *(e.facts["district"] for e in transfers(lead, f"{day}"))][-1]
        for id, lead in past.items()
        if lead.at(f"{day}")
    }
    for id, district in stood.items():
        body = orjson.loads(ledger.reads.lead_at(id, None, position, day).body)
        assert body["district"] == district
        assert [step["to"] for step in body["transfers"]][-1:] in ([], [district])
    for prefix in PREFIXES:
        question = Question(Selection(district=prefix), limit=50, as_of=f"{day}", known_at=position)
        listed = {UUID(orjson.loads(body)["id"]) for body in ledger.reads.leads(question).bodies}
        assert listed == {id for id, district in stood.items() if district.startswith(prefix)}


def transfers(lead: Past, day: str) -> list[Told]:
    """Those that had happened by then."""
    return [event for event in lead.events if event.name == "transferred" and event.day <= day]


@pytest.mark.parametrize("seed", seeds(5))
def test_every_figure_of_every_district_is_that_of_the_slow_model(
    tmp_path: Path, seed: int
) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        # So that sums of the past are set aside of a short log, too.
        ledger.reads.past_days = PastDays(ledger.reads.store, Room(5, 20))
        border = Border(ledger, chance)
        border.tip()
        for _ in range(160):
            if chance.random() < 0.12 and len(border.leads) < 7:
                border.tip()
            else:
                border.act()
        last = ledger.reads.position()
        for _ in range(6):
            position = chance.choice((last, chance.randrange(5, last + 1)))
            past = known_at(ledger, border.leads, position)
            days = sorted(FIRST + timedelta(chance.randrange(DAYS)) for _ in range(2))
            for prefix in PREFIXES:
                check_book(ledger, past, prefix, position, days)
                check_fates(ledger, past, prefix, position, days)
            check_where(ledger, past, position, days[1])
        past = known_at(ledger, border.leads, last)
        assert sum(len(transfers(lead, "9999")) for lead in past.values()) >= 1
        check_projections(ledger)


def test_the_model_itself_tells_the_districts_apart() -> None:
    facts = {"members": ["m"], "district": HERE, "title": "t", "industry": None, "investment": None}
    events = [
        Told(1, 1, "tipped", "2025-01-01", facts),
        Told(2, 2, "negotiation_opened", "2025-01-05", {}),
        Told(3, 3, "transferred", "2025-01-09", {"district": THERE}),
    ]
    lead = Past(1, HERE, events)
    assert [(v := seen(lead, HERE, day)) and v.stage for day in ("2025-01-08", "2025-01-09")] == [
        "negotiating",
        "closed",
    ]
    assert [(v := seen(lead, THERE, day)) and v.came for day in ("2025-01-08", "2025-01-09")] == [
        None,
        "2025-01-09",
    ]
    assert seen(lead, "32", "2025-01-09") == seen(lead, "", "2025-01-09")
