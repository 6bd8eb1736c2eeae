"""A lead's line of cells says what the lead says, as a paper ledger would."""

from pathlib import Path
from typing import Any

import orjson
import sqlalchemy as sa

from domain.actor import acting
from service.application import Ledger
from service.projections.cells import BETWEEN, NAMES
from service.projections.leads import leads, sheet
from tests.service.helpers import DISTRICT, MONEY, call, journeys, ledger_in, somebody

Cells = dict[str, str]


def cells(ledger: Ledger) -> list[tuple[dict[str, Any], Cells]]:
    """Each lead with its cells, by name."""
    ledger.reads.position()
    with ledger.reads.store.reading() as connection:
        both = sa.select(leads.c.body, sheet.c.cells).join(sheet, sheet.c.lead == leads.c.number)
        rows = connection.execute(both.order_by(leads.c.number))
        return [
            (orjson.loads(body), dict(zip(NAMES, line.split(BETWEEN), strict=True)))
            for body, line in rows
        ]


def of(ledger: Ledger, title: str) -> Cells:
    """The cells of the lead of that title."""
    (found,) = [told for _, told in cells(ledger) if told["title"] == title]
    return found


def test_what_a_lead_shows_stands_in_its_cells(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        for lead, told in cells(ledger):
            assert told["stands_in"] == lead["district"]
            given_in = lead["transfers"][0]["from"] if lead["transfers"] else lead["district"]
            assert told["district"] == given_in
            for name in ("id", "title", "stage", "recorded_at", "last_activity_on"):
                assert told[name] == lead[name]
            for name in ("industry", "outcome", "responsible_unit", "manager", "screened"):
                assert told[name] == (lead[name] or "")
            assert told["version"] == f"{lead['version']}"
            assert told["cny"] == ((lead["investment"] or {}).get("cny") or "")
            for stage, day in lead["dates"].items():
                name = "agreement_on" if stage == "signed" else f"{stage}_on"
                assert told[name] == (day or "")
            assert told["member_names"] == ";".join(m["name"] for m in lead["members"])


def test_a_paper_ledger_s_facts_come_from_contract_evidence_and_note(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        told = of(ledger, "12英寸晶圆项目")
    assert (told["number"], told["members"], told["sector"]) == ("7", "QJP-001;QJP-002", "工商联")
    assert (told["planned"], told["planned_unit"]) == ("3.5", "亿美元")
    # What was agreed is told at the lead's present amount, at which it stands in the book.
    assert (told["agreed"], told["agreed_unit"]) == ("3.5", "亿美元")
    assert (told["agreement_on"], told["agreement"]) == ("2025-05-20", "contract")
    assert (told["contract_number"], told["evidence"]) == ("HT-1", "permit:施-1")
    assert told["note"] == "会上报的"
    assert told["summary"] == "一期\x1e二期"


def test_a_lead_that_no_paper_numbered_has_the_number_of_its_tip_in_the_log(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        numbers = [told["number"] for _, told in cells(ledger)]
    assert numbers[0] == "7"
    assert all(number.startswith("#") for number in numbers[1:])
    assert len(set(numbers)) == len(numbers)


def test_a_reopened_lead_tells_no_reason_and_a_member_from_elsewhere_tells_whence(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger, acting(somebody()):
        facts = {"number": "QJP-9", "name": "李", "sector": None, "occurred_on": "2025-01-02"}
        member = ledger.register_member(call(), {**facts, "district": "320871"}).subject
        tipped = {"title": "甲", "members": [str(member)], "district": DISTRICT}
        given = {**tipped, "investment": MONEY, "occurred_on": "2025-03-18"}
        lead = ledger.tip(call(), given).subject
        end = {"outcome": "declined", "reason": "没有用地", "occurred_on": "2025-03-20"}
        ledger.close_lead(lead, call(), end)
        assert of(ledger, "甲")["reason"] == "没有用地"
        ledger.reopen(lead, call(), {"reason": "又来了", "occurred_on": "2025-03-21"})
        told = of(ledger, "甲")
    assert (told["reason"], told["outcome"], told["closed_on"]) == ("", "", "")
    assert (told["members"], told["sector"]) == ("QJP-9@320871", "")
    assert (told["planned"], told["agreed"]) == ("30", "")
