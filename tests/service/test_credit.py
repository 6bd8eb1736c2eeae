"""Credit: rulings in the ledger, and that every sum of shares is the same exact fraction."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.actor import acting
from domain.errors import Refused
from service.application import Ledger
from service.commands.carrying import Answer
from service.projections.choosing import Selection
from tests.service.helpers import call, check_projections, ledger_in, register, somebody, tip
from tests.service.seeds import seeds
from tests.service.test_time_travel import DAYS, FIRST, Office, Past, Told, known_at

pytestmark = pytest.mark.both_databases

YEAR = (date(2025, 1, 1), date(2025, 12, 31), None)
WHY = {"reason": "首报为主"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path) as ledger:
        yield ledger


def do(ledger: Ledger, method: str, lead: UUID, day: str = "2025-05-01", **facts: Any) -> Answer:
    """A command."""
    with acting(somebody()):
        answer: Answer = getattr(ledger, method)(lead, call(), {"occurred_on": day, **WHY, **facts})
    return answer


def rule(ledger: Ledger, lead: UUID, day: str = "2025-05-01", **shares: str) -> Answer:
    """Rule on its credit; ``shares`` by the members' ids."""
    told = [{"member": member, "share": share} for member, share in shares.items()]
    return do(ledger, "rule_credit", lead, day, shares=told)


def duplicate(ledger: Ledger, lead: UUID, of: UUID, day: str = "2025-06-01") -> None:
    """Rule it a duplicate."""
    do(ledger, "screen", lead, day, verdict="duplicate", duplicate_of=f"{of}")


def shown(ledger: Ledger, lead: UUID, **then: Any) -> tuple[list[str], str | None, bool]:
    """The shares in the order of first report, the ruling's day, and whether one is needed."""
    body = orjson.loads(ledger.reads.lead_at(lead, **then).body)
    shares = [member["share"] for member in body["members"]]
    return shares, body["credit_ruled_on"], body["credit_ruling_needed"]


def two(ledger: Ledger) -> list[str]:
    """Two members."""
    return [f"{register(ledger, f'Q-{n}').subject}" for n in range(2)]


def credit(ledger: Ledger, by: str = "member", **then: Any) -> dict[str | None, str]:
    """Whose part of all leads is how large."""
    asked = {"as_of": None, "known_at": None, **then}
    answer = ledger.reads.credit(Selection(), by=by, **asked)
    return {line["key"]: line["credit"] for line in answer["lines"]}


def test_a_ruling_gives_the_shares_from_its_day_on(ledger: Ledger) -> None:
    one, other = people = two(ledger)
    lead = tip(ledger, UUID(one), members=people).subject
    before = ledger.reads.position()
    rule(ledger, lead, **{one: "2/3", other: "1/3"})
    assert shown(ledger, lead) == (["2/3", "1/3"], "2025-05-01", False)
    assert shown(ledger, lead, as_of=date(2025, 4, 30)) == (["1/2", "1/2"], None, False)
    assert shown(ledger, lead, known_at=before) == (["1/2", "1/2"], None, False)
    assert [ledger.reads.member(UUID(id))["credit"] for id in people] == ["2/3", "1/3"]
    assert credit(ledger) == {one: "2/3", other: "1/3"}
    assert credit(ledger, as_of=date(2025, 4, 30)) == {one: "1/2", other: "1/2"}
    assert credit(ledger, known_at=before) == {one: "1/2", other: "1/2"}
    assert credit(ledger, as_of=date(2025, 1, 1)) == {}, "there was no tip yet"
    assert [step["event"] for step in ledger.reads.history(lead)] == ["tipped", "credit_ruled"]
    check_projections(ledger)


def test_while_its_members_are_others_shares_are_equal_and_a_ruling_is_due(ledger: Ledger) -> None:
    one, other = people = two(ledger)
    third = f"{register(ledger, 'Q-3').subject}"
    lead = tip(ledger, UUID(one), members=people).subject
    rule(ledger, lead, **{one: "2/3", other: "1/3"})
    again = tip(ledger, UUID(third)).subject
    duplicate(ledger, again, lead)
    assert shown(ledger, lead) == (["1/3", "1/3", "1/3"], None, True)
    assert shown(ledger, lead, as_of=date(2025, 5, 31)) == (["2/3", "1/3"], "2025-05-01", False)
    due = ledger.worklist.page(Selection(), date(2025, 6, 8), rule="credit").items
    assert [(item["since"], item["due_on"]) for item in due] == [("2025-06-01", "2025-06-08")]
    assert "裁定份额后提供人有变" in due[0]["sentence"]
    rule(ledger, lead, "2025-06-10", **{one: "1/2", other: "1/4", third: "1/4"})
    assert shown(ledger, lead) == (["1/2", "1/4", "1/4"], "2025-06-10", False)
    do(ledger, "reopen", again, "2025-07-01")
    assert shown(ledger, lead) == (["2/3", "1/3"], "2025-05-01", False), "whoever came is gone"
    assert ledger.worklist.page(Selection(), date(2025, 12, 1), rule="credit").items == []
    check_projections(ledger)


def test_it_is_due_of_a_closed_lead_as_well(ledger: Ledger) -> None:
    one, other = two(ledger)
    lead = tip(ledger, UUID(one)).subject
    rule(ledger, lead, **{one: "1"})
    do(ledger, "close_lead", lead, "2025-05-10", outcome="declined")
    with acting(somebody()):
        ledger.tell_members(lead, call(), {"occurred_on": "2025-05-11"})
        facts = {"version": 1, "facts": {"members": [one, other]}, **WHY}
        ledger.correct(lead, call(), {"occurred_on": "2025-05-12", **facts})
    (item,) = ledger.worklist.page(Selection(), date(2025, 12, 1)).items
    assert (item["rule"], item["since"]) == ("credit", "2025-05-01")


def test_a_ruling_that_never_was_takes_its_shares_with_it(ledger: Ledger) -> None:
    one, other = people = two(ledger)
    lead = tip(ledger, UUID(one), members=people).subject
    rule(ledger, lead, **{one: "1", other: "0"})
    do(ledger, "correct", lead, version=2, void=True)
    assert shown(ledger, lead) == (["1/2", "1/2"], None, False)
    assert credit(ledger) == {one: "1/2", other: "1/2"}
    do(ledger, "correct", lead, version=3, void=True)
    assert shown(ledger, lead)[0] == ["1", "0"]
    right = [{"member": one, "share": "2/4"}, {"member": other, "share": "1/2"}]
    do(ledger, "correct", lead, version=2, facts={"shares": right})
    assert shown(ledger, lead) == (["1/2", "1/2"], "2025-05-01", False), "in lowest terms"
    check_projections(ledger)


def test_a_duplicates_shares_count_in_the_lead_that_survives(ledger: Ledger) -> None:
    one, other = two(ledger)
    lead, again = (tip(ledger, UUID(id)).subject for id in (one, other))
    duplicate(ledger, again, lead)
    rule(ledger, lead, "2025-06-02", **{one: "3/4", other: "1/4"})
    assert credit(ledger) == {one: "3/4", other: "1/4"}
    with pytest.raises(Refused, match=f"duplicate of {lead}"):
        rule(ledger, again, "2025-06-03", **{other: "1"})


def test_sectors_have_what_their_members_have(ledger: Ledger) -> None:
    with acting(somebody()):
        facts = {"number": "N", "name": "无界别", "sector": None, "district": "320812"}
        nobody = ledger.register_member(call(), {**facts, "occurred_on": "2025-01-01"}).subject
    one, other = two(ledger)
    lead = tip(ledger, nobody, members=[one, other, f"{nobody}"]).subject
    tip(ledger, UUID(one))
    rule(ledger, lead, **{one: "1/2", other: "1/6", f"{nobody}": "1/3"})
    assert credit(ledger, by="sector") == {"工商联": "5/3", None: "1/3"}
    answer = ledger.reads.credit(Selection(), None, None, "sector")
    assert answer["credit"] == "2"
    assert [line["label"] for line in answer["lines"]] == ["工商联", "未填写"]


# Random histories


class Court(Office):
    """An office that also rules: on duplicates, and on credit."""

    def __init__(self, ledger: Ledger, chance: Random) -> None:
        super().__init__(ledger, chance)
        facts = {"number": "M9", "name": "无界别", "sector": None, "district": "320812"}
        with acting(somebody()):
            last = ledger.register_member(call(), {**facts, "occurred_on": "2025-01-01"})
        self.members.append(f"{last.subject}")

    def _commands(self, lead: UUID) -> list[tuple[str, dict[str, Any]]]:
        on = {"occurred_on": self.day(), **WHY}
        other = f"{self.chance.choice(self.leads)}"
        verdict = {"verdict": "duplicate", "duplicate_of": other, **on}
        members = self.members_of(lead)
        rules = [("rule_credit", {"shares": self.shares(members), **on}) for _ in range(8)]
        return [*super()._commands(lead), *rules, *[("screen", verdict)] * 6, ("reopen", on)]

    def members_of(self, lead: UUID) -> list[str]:
        """The members that it has."""
        body = orjson.loads(self.ledger.reads.lead(lead).body)
        return [member["id"] for member in body["members"]]

    def shares(self, members: list[str]) -> list[dict[str, str]]:
        """Shares of these."""
        parts = [self.chance.choice((0, 1, 1, 2, 5)) for _ in members]
        whole = sum(parts) or 1
        told = [f"{Fraction(part, whole)}" for part in parts]
        return [{"member": m, "share": s} for m, s in zip(members, told, strict=True)]


class Parts:
    """Whoever has a part of one lead, while its events are told."""

    def __init__(self, reporters: list[str]) -> None:
        self.reporters = reporters
        self.joined: dict[str, list[str]] = {}
        self.is_duplicate = False
        self.rulings: list[tuple[str, dict[str, Fraction]]] = []

    def hear(self, event: Told) -> None:
        """One more event."""
        facts = event.facts
        if event.name == "members_joined":
            self.joined[facts["duplicate"]] = facts["members"]
        elif event.name == "members_left":
            self.joined.pop(facts["duplicate"], None)
        elif event.name in ("screened", "reopened"):
            self.is_duplicate = facts.get("verdict") == "duplicate"
        elif event.name == "credit_ruled":
            shares = {told["member"]: Fraction(told["share"]) for told in facts["shares"]}
            self.rulings.append((event.day, shares))

    def shares(self) -> dict[str, Fraction]:
        """Member → its share."""
        came = [member for members in self.joined.values() for member in members]
        members = {*self.reporters, *came}
        fitting = [(day, shares) for day, shares in self.rulings if set(shares) == members]
        if not fitting:
            return dict.fromkeys(members, Fraction(1, len(members)))
        last = max(day for day, _ in fitting)
        return [shares for day, shares in fitting if day == last][-1]


def shares_then(events: Iterable[Told]) -> dict[str, Fraction] | None:
    """The shares that these events of a lead come to; None for a duplicate, or before the tip."""
    told = list(events)
    if not told or told[0].name != "tipped":
        return None
    parts = Parts(told[0].facts["members"])
    for event in told:
        parts.hear(event)
    return None if parts.is_duplicate else parts.shares()


def expected(leads: Iterable[Past], day: str) -> tuple[int, dict[str, Fraction]]:
    """How many leads count, and each member's part of them."""
    found = [shares_then(e for e in lead.events if e.day <= day) for lead in leads]
    counted = [shares for shares in found if shares is not None]
    sums: dict[str, Fraction] = defaultdict(Fraction)
    for shares in counted:
        assert sum(shares.values()) == 1
        for member, share in shares.items():
            sums[member] += share
    return len(counted), dict(sums)


def check_credit(ledger: Ledger, court: Court, position: int, day: date) -> None:
    """Sums over members, over sectors and over leads are the model's, and the book's."""
    leads, sums = expected(known_at(ledger, court.leads, position).values(), f"{day}")
    asked = (Selection(), day, position)
    by_member, by_sector = (ledger.reads.credit(*asked, by=by) for by in ("member", "sector"))
    assert {line["key"]: Fraction(line["credit"]) for line in by_member["lines"]} == sums
    sectors: dict[str | None, Fraction] = defaultdict(Fraction)
    for member, part in sums.items():
        sectors[ledger.reads.member(UUID(member))["sector"]] += part
    assert {line["key"]: Fraction(line["credit"]) for line in by_sector["lines"]} == sectors
    assert by_member["credit"] == by_sector["credit"] == f"{leads}"
    book = ledger.reads.pipeline(Selection(), FIRST, day, position)
    standing = sum(stage["standing"]["count"] for stage in book["stages"])
    assert standing - book["stages"][-1]["outcomes"]["duplicate"] == leads


@pytest.mark.parametrize("seed", seeds(3))
def test_every_sum_of_shares_is_the_same_exact_fraction(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        court = Court(ledger, chance)
        court.tip()
        for _ in range(120):
            if chance.random() < 0.12 and len(court.leads) < 8:
                court.tip()
            else:
                court.act()
        last = ledger.reads.position()
        for _ in range(12):
            position = chance.choice((last, chance.randrange(6, last + 1)))
            check_credit(ledger, court, position, FIRST + timedelta(chance.randrange(DAYS)))
        check_credit(ledger, court, last, date(2025, 12, 31))
        _, sums = expected(known_at(ledger, court.leads, last).values(), "9999-12-31")
        now = {id: Fraction(ledger.reads.member(UUID(id))["credit"]) for id in court.members}
        assert {id: part for id, part in now.items() if part or id in sums} == sums
        events = [s["event"] for lead in court.leads for s in ledger.reads.history(lead)]
        assert events.count("credit_ruled") >= 3, "hardly anything was ruled"
        assert "members_joined" in events
        check_projections(ledger)
