"""What is due, counted, chosen and paged by the database: what one would find lead by lead."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import orjson
import pytest
import sqlalchemy as sa

from service.application import Ledger
from service.projections.choosing import FILTERS, Selection
from service.projections.clocks import ANSWERED_ELSEWHERE, DAYS, INSTEAD, RULES
from service.projections.leads import leads
from service.projections.moment import NOW
from service.working_days import after_working_days
from service.worklist import Place, Worklist
from tests.service.helpers import check_projections, ledger_in
from tests.service.seeds import seeds
from tests.service.test_time_travel import FIRST
from tests.service.test_transfers import PLACES, Border

pytestmark = pytest.mark.both_databases

# Days that fall together with others, and the graver rule due before the milder one.
HASTY = {**DAYS, "answer": 0, "screen": 1, "tell": 3, "follow_up": 9, "silent": 9, "start": 20}
ODD = {**DAYS, "answer": 4, "follow_up": 40, "silent": 12, "transfer": 0, "credit": 1}


# What an item shows: the day it is due, its rule, its lead's id, and since when it waits.
Shown = tuple[str, str, str, str]


class Found(NamedTuple):
    """An item: its place, since when it waits, and its lead's id."""

    place: Place
    since: str
    lead: str

    def shown(self) -> Shown:
        """As the list shows it."""
        return self.place.due_on, RULES[self.place.rule].name, self.lead, self.since


def shown(item: Mapping[str, Any]) -> Shown:
    """Of an item that the list shows."""
    return item["due_on"], item["rule"], item["lead"]["id"], item["since"]


def lead_by_lead(
    ledger: Ledger, days: Mapping[str, int], chosen: Selection, day: date
) -> list[Found]:
    """Everything due, each rule asked of each lead."""
    where = [_or_asked(name) for name in chosen.values()]
    wanted = sa.select(leads.c.number, leads.c.body, leads.c.state).where(*where)
    with ledger.reads.store.reading() as connection:
        rows = connection.execute(wanted, {**chosen.values(), **NOW}).all()
    return sorted(item for row in rows for item in of_a_lead(row, days, chosen, f"{day}"))


def _or_asked(name: str) -> sa.ColumnElement[bool]:
    if name not in ("district", "within"):
        return FILTERS[name](leads)
    return sa.or_(FILTERS[name](leads), leads.c.transfer_to.like(sa.bindparam(name)))


def of_a_lead(row: Any, days: Mapping[str, int], chosen: Selection, day: str) -> Iterator[Found]:
    """What is due of it; where it is in another district, what is to be answered to that alone."""
    lead, clocks = orjson.loads(row.body), orjson.loads(row.state)
    here = lead["district"].startswith(chosen.book or "")
    found = {}
    for number, rule in enumerate(RULES):
        since = rule.since(lead, clocks) if here or rule.name == ANSWERED_ELSEWHERE else None
        if since is not None:
            begun, count = date.fromisoformat(since), days[rule.name] if rule.unit else 0
            working = rule.unit == "working"
            due_on = after_working_days(begun, count) if working else begun + timedelta(count)
            if f"{due_on}" <= day:
                found[rule.name] = Found(Place(f"{due_on}", number, row.number), since, lead["id"])
    yield from (item for name, item in found.items() if INSTEAD.get(name) not in found)


class Clerk(Border):
    """An office that is late with everything that can be due."""

    def _commands(self, lead: UUID) -> list[tuple[str, dict[str, Any]]]:
        on = {"occurred_on": self.day()}
        other = f"{self.chance.choice(self.leads)}"
        shares = [
            {"member": member, "share": "1/2"} for member in self.chance.sample(self.members, 2)
        ]
        duplicate = {"verdict": "duplicate", "duplicate_of": other, "reason": "重复"}
        later = f"{FIRST + timedelta(self.chance.randrange(90))}"
        return [
            *super()._commands(lead),
            ("tell_members", on),
            *[("plan_signing", {"expected_on": later, **on})] * 9,
            *[("rule_credit", {"shares": shares, "reason": "商定", **on})] * 4,
            *[("screen", {**duplicate, **on})] * 2,
            ("screen", {"verdict": "pursue", **on}),
        ]


def selections(clerk: Clerk) -> list[Selection]:
    """Leads of districts, sectors, members, amounts; as one asks, and as one is limited."""
    here, there = PLACES[0], PLACES[-1]
    return [
        Selection(),
        Selection(district="32"),
        Selection(within=here, district=here),
        Selection(within=there),
        Selection(within=here, district=there),
        Selection(sector="科技"),
        Selection(member=clerk.members[1], district=here[:4]),
        Selection(industry="C39", least_fen=10**10),
    ]


@pytest.mark.parametrize("seed", seeds(3))
def test_what_is_due_is_what_one_finds_lead_by_lead(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        clerk = Clerk(ledger, chance)
        for number in range(150):
            if number < 6 or (number % 9 == 0 and len(clerk.leads) < 20):
                clerk.tip()
            clerk.act()
        ledger.reads.position()
        met: set[str] = set()
        for days in (DAYS, HASTY, ODD):
            worklist = Worklist(ledger.reads, days)
            for chosen in selections(clerk):
                for ahead in (4, 11, 33, 75, 300):
                    day = FIRST + timedelta(ahead)
                    expected = lead_by_lead(ledger, days, chosen, day)
                    met |= {RULES[item.place.rule].name for item in expected}
                    check(worklist, chosen, day, expected, chance)
        assert len(met) >= 6, f"only {met}"
        check_projections(ledger)


def check(
    worklist: Worklist, chosen: Selection, day: date, expected: list[Found], chance: Random
) -> None:
    """The list in pages of any size, of all rules and of one; and how many there are of each."""
    rule = chance.choice((None, None, *(rule.name for rule in RULES)))
    found: list[Shown] = []
    place: Place | None = None
    while True:
        page = worklist.page(chosen, day, rule=rule, after=place, limit=chance.choice((1, 3, 50)))
        found += map(shown, page.items)
        counted = Counter(RULES[item.place.rule].name for item in expected)
        assert page.by_rule == counted
        place = page.last
        if place is None:
            break
    of_rule = [item for item in expected if rule in (None, RULES[item.place.rule].name)]
    assert found == [item.shown() for item in of_rule]


def test_the_milder_of_two_rules_runs_on_the_clock_of_the_graver() -> None:
    rules = {rule.name: rule for rule in RULES}
    for milder, graver in INSTEAD.items():
        assert rules[milder].since is rules[graver].since and graver not in INSTEAD
