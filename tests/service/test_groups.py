"""Leads by industry and sector, held against the leads themselves."""

import re
from collections import defaultdict
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest

from service.application import Ledger
from service.industries import DIVISIONS
from service.projections.choosing import EVERYTHING, Selection
from service.projections.lead_list import Question
from service.projections.store import FOREVER
from tests.service.helpers import journeys, ledger_in

TODAY, THEN = date(9999, 12, 31), date(2025, 6, 30)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Leads on which everything was done."""
    with ledger_in(Path(tmp_path_factory.mktemp("groups"))) as found:
        journeys(found)
        yield found


def leads(ledger: Ledger, day: date, known_at: int | None) -> list[dict[str, Any]]:
    """All leads as they were then."""
    known = FOREVER - 1 if known_at is None else known_at
    page = ledger.reads.leads(Question(limit=200, as_of=f"{day}", known_at=known))
    assert page.last is None
    return [orjson.loads(body) for body in page.bodies]


def sectors(ledger: Ledger) -> dict[str, str]:
    """Sector by member."""
    found, more = ledger.reads.members(0, 200, None, None)
    assert more is None
    return {member["id"]: member["sector"] or "" for member in found}


@pytest.mark.parametrize("by", ["industry", "sector"])
@pytest.mark.parametrize("day", [TODAY, THEN, date(2025, 3, 1)])
@pytest.mark.parametrize("known", [None, 0.5, 0.9])
def test_the_groups_are_what_the_leads_add_up_to(
    ledger: Ledger, by: str, day: date, known: float | None
) -> None:
    known_at = None if known is None else int(ledger.reads.position() * known)
    of = sectors(ledger)
    expected: defaultdict[tuple[str, str], list[Any]] = defaultdict(lambda: [0, Decimal(0)])
    for lead in leads(ledger, day, known_at):
        if by == "industry":
            keys = {(lead["industry"] or "")[:3]}
        else:
            keys = {of[member["id"]] for member in lead["members"]}
        for key in keys:
            figure = expected[key, lead["stage"]]
            figure[0] += 1
            figure[1] += Decimal((lead["investment"] or {}).get("cny") or 0)
    found = ledger.reads.groups(EVERYTHING, day, known_at, by)
    told = {
        (line["key"], stage): [figure["count"], Decimal(figure["cny"])]
        for line in found["lines"]
        for stage, figure in line["stages"].items()
        if figure["count"]
    }
    assert told == dict(expected)
    for line in found["lines"]:
        assert line["count"] == sum(figure["count"] for figure in line["stages"].values())
        amounts = (Decimal(figure["cny"]) for figure in line["stages"].values())
        assert Decimal(line["cny"]) == sum(amounts)
    totals = [Decimal(line["cny"]) for line in found["lines"]]
    assert totals == sorted(totals, reverse=True)


def test_a_selection_chooses_what_is_grouped(ledger: Ledger) -> None:
    for chosen in (Selection(sector="工商联"), Selection(industry="C3"), Selection(district="44")):
        page = ledger.reads.leads(Question(selection=chosen, limit=200))
        found = ledger.reads.groups(chosen, TODAY, None, "industry")
        assert sum(line["count"] for line in found["lines"]) == len(page.bodies)


def test_every_division_has_a_letter_two_digits_and_a_name() -> None:
    assert [int(code[1:]) for code in DIVISIONS] == list(range(1, 98))
    for code, name in DIVISIONS.items():
        assert re.fullmatch(r"[A-T]\d\d", code) and re.fullmatch("[\u4e00-\u9fff、]+", name)
    assert DIVISIONS["C39"] == "计算机、通信和其他电子设备制造业"
