"""A life that one row cannot tell: written into one cell, read from it, and the same pipeline."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.actor import acting
from domain.correction import effective
from service.application import Ledger
from service.course import Entry, course_of, entries_in
from service.imports import BadImport, Imported
from service.projections.choosing import Selection
from tests.service.helpers import call, check_projections, journeys, ledger_in, somebody, whole_log
from tests.service.seeds import seeds
from tests.service.sheets import Row, row, sheet, take_in
from tests.service.test_time_travel import FIRST, Office

LOST_AND_BACK = (
    "2025-03-18 信息 30亿元; 2025-04-02 洽谈 商务局; 2025-05-01 投资 20亿元; "
    "2025-06-01 流失 去了邻区; 2025-07-01 重开; 2025-07-02 拟签约 2025-12-01; "
    "2025-08-01 签约 18亿元; 2025-08-10 暂缓 2025-09-01 等土地; 2025-09-01 恢复; "
    "2025-10-01 解约 资金断了"
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path / "ledger") as opened:
        yield opened


def leads_in(ledger: Ledger) -> list[UUID]:
    """The leads in the order of their tips."""
    log = whole_log(ledger)
    return [UUID(f"{stored.originator_id}") for stored in log if stored.topic == "lead.tipped"]


def events_of(ledger: Ledger, lead: UUID) -> list[Any]:
    """What happened to a lead, as it is to be read."""
    return effective(list(ledger.events.get(lead)))


def written_out(ledger: Ledger, number: int, lead: UUID) -> Row:
    """A lead as a row of an export: what it is now, where it was tipped, and its course."""
    now: Any = orjson.loads(ledger.reads.lead(lead).body)
    events = events_of(ledger, lead)
    members = [ledger.reads.member(UUID(member)) for member in events[0].members]
    home = events[0].district
    named = [
        m["number"] if m["district"] == home else f"{m['number']}@{m['district']}" for m in members
    ]
    cells = row(number, 项目名称=now["title"], 提供委员=";".join(named), 区划代码=home)
    cells |= {"提供日期": events[0].occurred_on, "产业代码": now["industry"] or ""}
    return {**cells, "历程": course_of(events)}


def answers(ledger: Ledger) -> list[Any]:
    """The pipeline over many windows, by either day, and in either district."""
    found = []
    for by in ("occurred", "recognised"):
        for district in (None, "320871"):
            chosen = Selection(district=district)
            for start in range(0, 75, 5):
                days = FIRST + timedelta(start // 2), FIRST + timedelta(start)
                found.append(ledger.reads.pipeline(chosen, *days, None, by))
            found.append(ledger.reads.pipeline(chosen, FIRST, date(2026, 1, 1), None, by))
    return [{**answer, "position": None} for answer in found]


@pytest.mark.parametrize("seed", seeds(5))
def test_any_ledger_written_out_and_imported_into_an_empty_one_gives_the_same_pipeline(
    tmp_path: Path, ledger: Ledger, seed: int
) -> None:
    office = Office(ledger, Random(seed))
    for _ in range(6):
        office.tip()
    carried_out = sum(office.act() for _ in range(150))
    assert carried_out > 30
    compare(tmp_path, ledger)


def test_so_does_a_ledger_of_every_command(tmp_path: Path, ledger: Ledger) -> None:
    journeys(ledger)
    compare(tmp_path, ledger)


def compare(folder: Path, ledger: Ledger) -> None:
    """Write the ledger out, import it elsewhere, and lay the two side by side."""
    leads = leads_in(ledger)
    rows = [written_out(ledger, number, lead) for number, lead in enumerate(leads, 1)]
    path = sheet(folder / "out.csv", rows)
    with ledger_in(folder / "other") as other:
        assert take_in(other, path).leads == len(leads)
        assert answers(other) == answers(ledger)
        assert standing(other) == standing(ledger)
        assert take_in(other, path) == Imported(unchanged=len(leads))
        check_projections(other)


SHOWN = ("title", "stage", "outcome", "suspended", "expected_signing_on", "dates", "recognised")


def standing(ledger: Ledger) -> list[Any]:
    """What each lead is now, and how many reported it: paper does not say which lead a duplicate
    is of, so that nobody joins the other's members."""
    found = []
    for lead in leads_in(ledger):
        now: Any = orjson.loads(ledger.reads.lead(lead).body)
        reporters = events_of(ledger, lead)[0].members
        found.append([*(now[name] for name in SHOWN), now["investment"], len(reporters)])
    return found


def test_a_course_is_what_happened_to_the_lead(tmp_path: Path, ledger: Ledger) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [row(历程=LOST_AND_BACK)]))
    (lead,) = leads_in(ledger)
    assert course_of(events_of(ledger, lead)) == LOST_AND_BACK.replace(
        "重开;", "重开 the imported paper lacks it;"
    )
    now: Any = orjson.loads(ledger.reads.lead(lead).body)
    assert (now["stage"], now["outcome"], now["investment"]["amount"]) == (
        "closed",
        "rescinded",
        "18",
    )


def test_a_course_may_be_written_as_people_write() -> None:
    assert entries_in("2025年3月18日信息30亿元；2025/4/2 洽谈\n2025.6.1　流失 去了邻区;") == [
        Entry("2025-03-18", "信息", "30亿元"),
        Entry("2025-04-02", "洽谈", ""),
        Entry("2025-06-01", "流失", "去了邻区"),
    ]


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"历程": "2025-04-02 吃饭"}, "历程", "'2025-04-02 吃饭' is no day with one of"),
        ({"历程": "2025-04-02 洽谈; 2025-05-01 信息"}, "历程", "信息 can only come first"),
        ({"历程": "2025-02-30 洽谈"}, "历程", "'2025-02-30' is no day of the calendar"),
        ({"历程": "2025-04-02 投资 很多"}, "历程", "'很多' is no amount like 30亿元."),
        ({"历程": "2025-03-01 信息"}, "提供日期", "历程 has no 信息 on 2025-03-18."),
        (
            {"历程": "2025-04-02 洽谈", "签约日期": "2025-05-01"},
            "签约日期",
            "历程 has no 签约、框架协议 on 2025-05-01.",
        ),
        ({"历程": "2025-04-02 洽谈; 2025-05-01 开工"}, "历程", "A groundbreaking needs a lead"),
        (
            {"历程": "2025-04-01 暂缓 2025-06-01 等土地; 2025-08-01 恢复; 2025-05-01 洽谈"},
            "历程",
            "The lead was suspended from 2025-04-01 until 2025-08-01; no negotiation is of",
        ),
    ],
)
def test_a_course_that_cannot_be_read_or_taken_is_named(
    tmp_path: Path, ledger: Ledger, cells: Row, column: str, reason: str
) -> None:
    with pytest.raises(BadImport) as why:
        take_in(ledger, sheet(tmp_path / "a.csv", [row(**cells)]))
    (fault,) = why.value.cells
    assert fault.column == column and fault.reason.startswith(reason)
    assert whole_log(ledger) == []


def test_a_course_goes_on_from_where_the_ledger_is_and_no_other_way(
    tmp_path: Path, ledger: Ledger
) -> None:
    first = "2025-03-18 信息 30亿元; 2025-04-02 洽谈"
    path = tmp_path / "a.csv"
    take_in(ledger, sheet(path, [row(历程=first)]))
    (lead,) = leads_in(ledger)
    with acting(somebody(may_waive=True)):
        money = {"amount": "9", "unit": "亿元"}
        ledger.sign(lead, call(), {"investment": money, "occurred_on": "2025-05-01"})
    more = f"{first}; 2025-05-01 签约; 2025-06-01 解约"
    assert take_in(ledger, sheet(path, [row(历程=more)])) == Imported(events=1, changed=1)
    assert take_in(ledger, path) == Imported(unchanged=1)
    assert take_in(ledger, sheet(path, [row(历程=first)])) == Imported(unchanged=1)
    with pytest.raises(BadImport, match="The ledger has 2025-05-01 签约 9亿元 where it says"):
        take_in(ledger, sheet(path, [row(历程=f"{first}; 2025-05-02 签约")]))


def test_a_member_of_another_district_is_named_with_it(tmp_path: Path, ledger: Ledger) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [row(提供委员="QJP-001;QJP-001@320871")]))
    members, _ = ledger.reads.members(0, 9, None, None)
    assert {member["district"] for member in members} == {"320812", "320871"}


def test_a_cell_that_was_quoted_against_formulas_is_taken_as_it_was(
    tmp_path: Path, ledger: Ledger
) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [row(1, 项目名称="'=1+1"), row(2, 项目名称="''@a")]))
    titles = [events_of(ledger, lead)[0].title for lead in leads_in(ledger)]
    assert titles == ["=1+1", "'@a"]
