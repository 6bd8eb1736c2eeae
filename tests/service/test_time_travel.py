"""As of D, as known at K: every answer equals that of a slow and obvious model.

The model below knows no postings, projections or SQL. It takes a lead's recorded events up to K,
puts right what their corrections say, leaves out what happened after D, and looks at what is left.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest

from domain.actor import acting
from domain.errors import LedgerError, NotFound
from service.application import Ledger
from service.projections.choosing import Selection
from service.projections.lead_list import SORTS, Question
from service.projections.past_books import Room
from service.projections.past_days import PastDays
from tests.holds import moved_on_hold
from tests.service.helpers import call, check_projections, ledger_in, somebody
from tests.service.seeds import seeds

pytestmark = pytest.mark.both_databases

FIRST, DAYS = date(2025, 1, 1), 60
DISTRICTS, INDUSTRIES = ("320812", "320871"), ("C39", "C397", "G59", None)
UNITS = {"元": 10**2, "万元": 10**6, "亿元": 10**10, "万美元": 0}
AMOUNTS: tuple[Any, ...] = (
    None,
    {"amount": "1", "unit": "亿元"},
    {"amount": "30", "unit": "亿元"},
    {"amount": "8000", "unit": "万元"},
    {"amount": "1200", "unit": "万美元"},
)
LANDED = ("signed", "groundbroken")
STAGES = ("tip", "negotiating", "signed", "groundbroken", "closed")


# The model


class Told(NamedTuple):
    """One recorded event, as the history tells it."""

    version: int
    position: int
    name: str
    day: str
    facts: dict[str, Any]


def put_right(events: list[Told]) -> list[Told]:
    """What is left when every correction is heeded, the last one first."""
    changes: dict[int, list[dict[str, Any] | None]] = {}
    for event in reversed(events):
        own = changes.get(event.version, [])
        if event.name == "corrected" and None not in own:
            facts = event.facts["facts"]
            if not event.facts["void"]:
                for later in reversed(own):
                    facts = {**facts, **(later or {})}
            changes.setdefault(event.facts["corrects"], []).append(facts)
    return [
        changed(event, reversed(changes.get(event.version, [])))
        for event in events
        if event.name != "corrected" and None not in changes.get(event.version, [])
    ]


def changed(event: Told, changes: Iterable[dict[str, Any] | None]) -> Told:
    """The event with the right values."""
    for change in changes:
        for name, value in (change or {}).items():
            if name == "occurred_on":
                event = event._replace(day=value)
            elif event.name == "revised" and name in event.facts["facts"]:
                revised = {**event.facts["facts"], name: value}
                event = event._replace(facts={**event.facts, "facts": revised})
            else:
                event = event._replace(facts={**event.facts, name: value})
    return event


class State(NamedTuple):
    """A lead at the end of a day."""

    stage: str
    planned: bool
    suspended: bool
    title: str
    industry: str | None
    investment: Any
    members: tuple[str, ...]
    tip: str
    activity: str
    came_from: str | None = None


def entered(event: Told, state: State | None) -> str | None:
    """The stage that an event leads to; None when it leads nowhere."""
    moves = {
        "tipped": "tip",
        "negotiation_opened": "negotiating",
        "signed": "signed",
        "groundbroken": "groundbroken",
        "closed": "closed",
    }
    if event.name == "reopened":
        return state.came_from if state else None
    if event.name == "screened":
        return None if event.facts["verdict"] == "pursue" else "closed"
    return moves.get(event.name)


def news(event: Told) -> dict[str, Any]:
    """The facts that an event states anew."""
    if event.name == "signed" and event.facts["investment"]:
        return {"investment": event.facts["investment"]}
    revised: dict[str, Any] = event.facts["facts"] if event.name == "revised" else {}
    return revised


def fold(events: list[Told]) -> State | None:
    """The state after these events, in the order of recording."""
    if not events or events[0].name != "tipped":
        return None
    tip = events[0]
    known = {name: (tip.day, tip.facts[name]) for name in ("title", "industry", "investment")}
    state = State("tip", False, False, "", None, None, tuple(tip.facts["members"]), tip.day, "")
    for event in events[1:]:
        stage = entered(event, state)
        if stage:
            left = state.stage if stage == "closed" else None
            suspended = state.suspended and stage != "closed"
            state = state._replace(stage=stage, planned=False, came_from=left, suspended=suspended)
        if event.name == "signing_planned":
            state = state._replace(planned=event.facts["expected_on"] is not None)
        if event.name in ("suspended", "resumed"):
            state = state._replace(suspended=event.name == "suspended")
        learnt = news(event)
        for name in learnt.keys() & known.keys():
            if event.day >= known[name][0]:
                known[name] = (event.day, learnt[name])
    values = {name: value for name, (_, value) in known.items()}
    return state._replace(activity=max(event.day for event in events), **values)


def fen(money: Any) -> int:
    """In fen; nothing for foreign money, or none."""
    return int(Decimal(money["amount"]) * UNITS[money["unit"]]) if money else 0


class Past(NamedTuple):
    """A lead as known at some position."""

    number: int
    district: str
    events: list[Told]

    def at(self, day: str) -> State | None:
        """Its state at the end of the day; None before its tip."""
        return fold([event for event in self.events if event.day <= day])

    def counted_at(self, day: str, by: str) -> str | None:
        """The stage it is counted in."""
        state = self.at(day)
        if state is None or by == "occurred" or state.stage not in LANDED:
            return state and state.stage
        accepted = [
            e.facts["stage"] for e in self.events if e.name == "recognised" and e.day <= day
        ]
        upto = LANDED[: LANDED.index(state.stage) + 1]
        reached = [stage for stage in upto if stage in accepted]
        return reached[-1] if reached else "negotiating"


class Chosen(NamedTuple):
    """The filters of a question."""

    district: str | None = None
    industry: str | None = None
    member: str | None = None
    least: int | None = None
    most: int | None = None
    stage: str | None = None
    suspended: bool | None = None
    planned: bool | None = None
    words: str | None = None

    def takes(self, lead: Past, state: State) -> bool:
        """Whether the lead fits."""
        return all(
            (
                self.district is None or lead.district.startswith(self.district),
                self.industry is None or (state.industry or "").startswith(self.industry),
                self.member is None or self.member in state.members,
                self.least is None or fen(state.investment) >= self.least,
                self.most is None or fen(state.investment) <= self.most,
                self.stage is None or state.stage == self.stage,
                self.suspended is None or state.suspended == self.suspended,
                self.planned is None or state.planned == self.planned,
                self.words is None or self.words in state.title,
            )
        )

    def selection(self) -> Selection:
        """The same, in the service's words."""
        return Selection(
            district=self.district,
            industry=self.industry,
            member=self.member,
            least_fen=self.least,
            most_fen=self.most,
            stage=self.stage,
            suspended=self.suspended,
            about_to_sign=self.planned,
            words=self.words,
        )


def known_at(ledger: Ledger, leads: Iterable[UUID], position: int) -> dict[UUID, Past]:
    """Every lead as the log up to ``position`` tells it, from its recorded history."""
    found = {}
    for lead in leads:
        told = [
            Told(
                item["version"],
                item["position"],
                item["event"],
                item["occurred_on"],
                {**item["facts"], "corrects": item["corrects"]},
            )
            for item in ledger.reads.history(lead)
            if item["position"] <= position
        ]
        if told:
            right = put_right(told)
            district = right[0].facts["district"]
            found[lead] = Past(told[0].position, district, right)
    return found


def figures(leads: Iterable[Past], day: str, by: str) -> dict[str, tuple[int, int]]:
    """How many stand in each stage, and their amounts."""
    found = dict.fromkeys(STAGES, (0, 0))
    for lead in leads:
        state, stage = lead.at(day), lead.counted_at(day, by)
        if state and stage:
            count, amount = found[stage]
            found[stage] = (count + 1, amount + fen(state.investment))
    return found


# Random histories


class Office:
    """Carries out random commands on a ledger, most of which are allowed."""

    def __init__(self, ledger: Ledger, chance: Random) -> None:
        self.ledger, self.chance = ledger, chance
        self.leads: list[UUID] = []
        with acting(somebody()):
            self.members = [
                str(ledger.register_member(call(), self._member(number)).subject)
                for number in range(4)
            ]

    def _member(self, number: int) -> dict[str, Any]:
        return {
            "number": f"M{number}",
            "name": f"委员{number}",
            "sector": ("经济", "科技")[number % 2],
            "district": DISTRICTS[0],
            "occurred_on": "2025-01-01",
        }

    def day(self, latest: int = DAYS) -> str:
        """A day."""
        return f"{FIRST + timedelta(self.chance.randrange(latest))}"

    def tip(self) -> None:
        """A new lead."""
        facts = {
            "title": self.chance.choice(("晶圆", "物流", "电池")),
            "members": self.chance.sample(self.members, self.chance.choice((1, 1, 2))),
            "district": self.chance.choice(DISTRICTS),
            "industry": self.chance.choice(INDUSTRIES),
            "investment": self.chance.choice(AMOUNTS),
            "occurred_on": self.day(20),
        }
        with acting(somebody()):
            self.leads.append(self.ledger.tip(call(), facts).subject)

    def act(self) -> bool:
        """One random command on one lead; whether it was carried out."""
        lead = self.chance.choice(self.leads)
        method, facts = self.chance.choice(self._commands(lead))
        try:
            with acting(somebody(may_waive=True)):
                getattr(self.ledger, method)(lead, call(), facts)
        except LedgerError:
            return False
        return True

    def _commands(self, lead: UUID) -> list[tuple[str, dict[str, Any]]]:
        chance, day = self.chance, self.day()
        money = chance.choice(AMOUNTS)
        on = {"occurred_on": day}
        facts = {"investment": money, "title": "改名", "industry": chance.choice(INDUSTRIES)}
        revised = {name: facts[name] for name in chance.sample(sorted(facts), 2)}
        steps: list[tuple[str, dict[str, Any]]] = [
            ("open_negotiation", {"responsible_unit": "商务局", **on}),
            ("sign", {"investment": money or AMOUNTS[1], **on}),
            ("break_ground", {"start": "opening", "evidence": [_permit()], **on}),
        ]
        ends = chance.choice(("lost", "declined", "rescinded"))
        events = self.ledger.reads.history(lead)
        return [
            *steps * 3,
            ("plan_signing", {"expected_on": chance.choice((None, "2025-06-01")), **on}),
            ("follow_up", {"form": "visit", "result": "去了", **on}),
            ("suspend", {"reason": "等地", "review_on": "2025-12-01", **on}),
            ("resume", on),
            ("close_lead", {"outcome": ends, "reason": "没地", **on}),
            ("reopen", {"reason": "又来", **on}),
            ("revise", {"facts": revised, "reason": "改", **on}),
            ("recognise", {"stage": chance.choice(LANDED), "authority": "市", **on}),
            *[("correct", self._correction(events)) for _ in range(8)],
        ]

    def _correction(self, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
        chance = self.chance
        item = chance.choice(events)
        correction = {"version": item["version"], "reason": "错", "occurred_on": self.day()}
        if chance.random() < 0.4:
            return {**correction, "void": True}
        right: dict[str, Any] = {"occurred_on": self.day()}
        choices = {
            "tipped": {
                "members": chance.sample(self.members, 2),
                "district": chance.choice(DISTRICTS),
                "industry": chance.choice(INDUSTRIES),
                "investment": chance.choice(AMOUNTS),
                "title": "正名",
            },
            "signed": {"investment": chance.choice(AMOUNTS)},
            "revised": dict.fromkeys(("industry", "investment")),
            "corrected": {"investment": AMOUNTS[2]},
        }.get(item["event"], {})
        names = chance.sample(sorted(choices), min(len(choices), chance.choice((0, 1, 2))))
        right |= {name: choices[name] for name in names}
        if names and chance.random() < 0.5:
            del right["occurred_on"]
        return {**correction, "facts": right}


def _permit() -> dict[str, str]:
    return {"kind": "permit", "reference": "施-1"}


# The comparison


def check_book(ledger: Ledger, past: dict[UUID, Past], position: int, chance: Random) -> None:
    """Pipeline, movements and series of a random window, for a random selection."""
    start, end = sorted(FIRST + timedelta(chance.randrange(DAYS)) for _ in range(2))
    chosen, by = some_filters(chance), chance.choice(("occurred", "recognised"))
    day = f"{end}"
    leads = [lead for lead in past.values() if (s := lead.at(day)) and chosen.takes(lead, s)]
    asked = (chosen.selection(), start, end, position)
    answer = ledger.reads.pipeline(*asked, by)
    assert answer["balanced"] is True
    standing = figures(leads, day, by)
    shown = {s["stage"]: as_figure(s["standing"]) for s in answer["stages"]}
    assert shown == standing, (chosen, day, position, by)
    tips = [lead for lead in leads if f"{start}" <= (lead.at(day) or missing()).tip]
    assert answer["tips"] == len(tips)
    moved = ledger.reads.movements(*asked, by)
    before = figures(leads, f"{start - timedelta(1)}", by)
    for line in moved["stages"]:
        figure = {name: as_figure(line[name]) for name in ("opening", "in", "out", "closing")}
        assert figure["opening"] == before[line["stage"]]
        assert figure["closing"] == standing[line["stage"]]
        net = tuple(a - b for a, b in zip(figure["in"], figure["out"], strict=True))
        change = zip(figure["closing"], figure["opening"], strict=True)
        assert net == tuple(a - b for a, b in change)
    series = ledger.reads.series(*asked, "week", by)
    for point in series["points"]:
        found = {stage: as_figure(figure) for stage, figure in point["stages"].items()}
        assert found == figures(leads, point["on"], by)


def check_holds(past: dict[UUID, Past]) -> None:
    """As known then, no lead moved on a day on which it was on hold."""
    for lead in past.values():
        assert moved_on_hold((e.name, e.day) for e in ended_by_verdict(lead.events)) == []


def ended_by_verdict(events: Iterable[Told]) -> Iterable[Told]:
    """A tip that is declined or ruled a duplicate is closed by it."""
    for event in events:
        closes = event.name == "screened" and event.facts["verdict"] != "pursue"
        yield event._replace(name="closed") if closes else event


def check_moves(ledger: Ledger, past: dict[UUID, Past], position: int, chance: Random) -> None:
    """What entered each stage, counted on the days it changed, one by one."""
    end = FIRST + timedelta(chance.randrange(DAYS))
    answer = ledger.reads.pipeline(Selection(), FIRST, end, position)
    for stage in answer["stages"]:
        came = sum(
            1
            for lead in past.values()
            for event, before in stays(lead)
            if event.day <= f"{end}" and entered(event, before) == stage["stage"]
        )
        assert stage["entered"]["count"] == came, (stage, position)


def stays(lead: Past) -> Iterable[tuple[Told, State | None]]:
    """Each event with the state before it, in the order of recording."""
    for number, event in enumerate(lead.events):
        yield event, fold(lead.events[:number])


def check_lists(ledger: Ledger, past: dict[UUID, Past], position: int, chance: Random) -> None:
    """A list of a random selection, sort and day, over all of its pages; and single leads."""
    day = f"{FIRST + timedelta(chance.randrange(DAYS))}"
    chosen, sort = some_filters(chance, lists=True), chance.choice(sorted(SORTS))
    descending = chance.random() < 0.5
    keys: dict[str, Callable[[Past, State], Any]] = {
        "recorded": lambda lead, state: lead.number,
        "occurred": lambda lead, state: state.tip,
        "amount": lambda lead, state: fen(state.investment),
        "activity": lambda lead, state: state.activity,
    }
    fits = {
        lead_id: (keys[sort](lead, state), lead.number)
        for lead_id, lead in past.items()
        if (state := lead.at(day)) and chosen.takes(lead, state)
    }
    expected = sorted(fits, key=lambda lead_id: fits[lead_id], reverse=descending)
    question = Question(chosen.selection(), sort, descending, 3, day, position)
    shown: list[UUID] = []
    while True:
        page = ledger.reads.leads(question)
        shown += [UUID(orjson.loads(body)["id"]) for body in page.bodies]
        if page.last is None:
            break
        question = Question(chosen.selection(), sort, descending, 3, day, page.position, page.last)
    assert shown == expected, (chosen, sort, day, position)
    for lead_id, lead in past.items():
        check_lead(ledger, lead_id, lead, day, position)


def check_lead(ledger: Ledger, lead_id: UUID, lead: Past, day: str, position: int) -> None:
    """One lead, as of the day, as known then."""
    state = lead.at(day)
    if state is None:
        with pytest.raises(NotFound):
            ledger.reads.lead_at(lead_id, None, position, date.fromisoformat(day))
        return
    body = orjson.loads(ledger.reads.lead_at(lead_id, None, position, date.fromisoformat(day)).body)
    money = body["investment"] and {n: body["investment"][n] for n in ("amount", "unit")}
    found = (
        body["stage"],
        body["about_to_sign"],
        body["suspended"],
        body["title"],
        body["industry"],
        money,
        tuple(member["id"] for member in body["members"]),
        body["dates"]["tip"],
        body["last_activity_on"],
    )
    assert found == state[:-1]


def some_filters(chance: Random, lists: bool = False) -> Chosen:
    """None, one or two filters."""
    choices: dict[str, Any] = {
        "district": chance.choice(("32", "320871")),
        "industry": chance.choice(("C", "C397")),
        "least": chance.choice((1, 10**10, 2 * 10**11)),
    }
    if lists:
        choices |= {
            "most": 10**10,
            "stage": chance.choice(STAGES),
            "suspended": chance.random() < 0.5,
            "planned": chance.random() < 0.5,
            "words": chance.choice(("名", "晶圆")),
        }
    names = chance.sample(sorted(choices), chance.choice((0, 1, 1, 2)))
    return Chosen(**{name: choices[name] for name in names})


def as_figure(shown: dict[str, Any]) -> tuple[int, int]:
    """A figure as (count, fen)."""
    return shown["count"], int(Decimal(shown["cny"]) * 100)


def missing() -> State:
    """Never: each lead chosen has a state."""
    raise AssertionError("a lead without a state was chosen")


def travel(folder: Path, seed: int, commands: int, questions: int) -> int:
    """Make a random history, ask it everything, and compare; how many corrections it has."""
    chance = Random(seed)
    with ledger_in(folder) as ledger:
        # So that sums of the past are set aside of a short log, too.
        ledger.reads.past_days = PastDays(ledger.reads.store, Room(5, 20))
        office = Office(ledger, chance)
        office.tip()
        for _ in range(commands):
            if chance.random() < 0.12 and len(office.leads) < 9:
                office.tip()
            else:
                office.act()
        last = ledger.reads.position()
        for question in range(questions):
            position = chance.choice((last, chance.randrange(5, last + 1)))
            past = known_at(ledger, office.leads, position)
            check_holds(past)
            check_book(ledger, past, position, chance)
            check_lists(ledger, past, position, chance)
            check_moves(ledger, past, position, chance)
            if question % 5 == 0:
                # With the member of a lead that is asked for by name.
                check_members(ledger, past, position, chance, office.members)
        check_projections(ledger)
        return sum(
            item["event"] == "corrected"
            for lead in office.leads
            for item in ledger.reads.history(lead)
        )


def check_members(
    ledger: Ledger, past: dict[UUID, Past], position: int, chance: Random, members: list[str]
) -> None:
    """The pipeline of one member's leads, as their members were known then."""
    end = FIRST + timedelta(chance.randrange(DAYS))
    member = chance.choice(members)
    leads = [
        lead for lead in past.values() if (state := lead.at(f"{end}")) and member in state.members
    ]
    answer = ledger.reads.pipeline(Selection(member=member), FIRST, end, position)
    shown = {s["stage"]: as_figure(s["standing"]) for s in answer["stages"]}
    assert shown == figures(leads, f"{end}", "occurred")


@pytest.mark.parametrize("seed", seeds(6))
def test_every_answer_is_that_of_the_slow_model(seed: int) -> None:
    with TemporaryDirectory(prefix="travel-") as folder:
        corrections = travel(Path(folder), seed, commands=160, questions=12)
    assert corrections >= 3, "there was hardly anything to put right"


@pytest.mark.fault
def test_every_answer_is_that_of_the_slow_model_for_a_long_time() -> None:
    for seed in range(1_000, 1_200):
        with TemporaryDirectory(prefix="travel-") as folder:
            travel(Path(folder), seed, commands=400, questions=30)


def test_the_model_itself_tells_a_voided_signing_from_a_signed_one() -> None:
    """A model that agreed with everything would prove nothing."""
    tip = {"members": ["m"], "district": "320812", "title": "t", "industry": None}
    events = [
        Told(1, 1, "tipped", "2025-01-01", {**tip, "investment": None}),
        Told(2, 2, "negotiation_opened", "2025-01-05", {}),
        Told(3, 3, "signed", "2025-01-09", {"investment": AMOUNTS[1]}),
        Told(4, 4, "corrected", "2025-02-01", {"corrects": 3, "void": True, "facts": None}),
        Told(5, 5, "corrected", "2025-02-02", {"corrects": 4, "void": True, "facts": None}),
    ]
    stages = [
        state.stage if (state := fold(put_right(events[:known]))) else None for known in range(6)
    ]
    assert stages == [None, "tip", "negotiating", "signed", "negotiating", "signed"]
    assert all(a != b for a, b in pairwise(stages))
