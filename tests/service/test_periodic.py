"""Monthly and weekly tables: held against the pipeline of each group, and against what leads
looked like; counted by hand in one small office."""

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.actor import acting
from domain.errors import NotFound
from service.application import Ledger
from service.projections.choosing import Selection
from service.projections.units import units_at
from service.reports.grouping import BANDS, band_of
from service.reports.periodic import MEASURES
from service.reports.periods import MONTHLY, WEEKLY, Period, compared, period_named
from service.reports.tables import tables
from tests.service.helpers import (
    DISTRICT,
    call,
    check_projections,
    ledger_in,
    register,
    somebody,
    tip,
)
from tests.service.seeds import seeds
from tests.service.test_time_travel import DAYS, Office

UNITS = ("商务局", "经开区", "科技局")
YI = 10**10


class Units(Office):
    """An office whose leads have units that differ, and are put right."""

    def _commands(self, lead: UUID) -> list[tuple[str, dict[str, Any]]]:
        return [
            (name, {**facts, "responsible_unit": self.chance.choice(UNITS)})
            if name == "open_negotiation"
            else (name, facts)
            for name, facts in super()._commands(lead)
        ]

    def _correction(self, events: Sequence[dict[str, Any]]) -> dict[str, Any]:
        correction = super()._correction(events)
        opened = {item["version"] for item in events if item["event"] == "negotiation_opened"}
        if correction["version"] in opened and "facts" in correction:
            correction["facts"]["responsible_unit"] = self.chance.choice(UNITS)
        return correction


def some_office(ledger: Ledger, chance: Random, commands: int = 150) -> Units:
    """A few leads and what happened to them."""
    office = Units(ledger, chance)
    for _ in range(commands):
        if not office.leads or (chance.random() < 0.15 and len(office.leads) < 12):
            office.tip()
        else:
            office.act()
    return office


def unit_of(ledger: Ledger, lead: UUID, day: str, position: int) -> str | None:
    """As the lead itself says."""
    try:
        body = ledger.reads.lead_at(lead, known_at=position, as_of=date.fromisoformat(day)).body
    except NotFound:
        return None
    unit = json(body)["responsible_unit"]
    return None if unit is None else str(unit)


def json(body: bytes) -> dict[str, Any]:
    """What a lead's JSON says."""
    found: dict[str, Any] = orjson.loads(body)
    return found


@pytest.mark.parametrize("seed", seeds(2))
def test_the_unit_on_a_day_as_known_then_is_what_the_lead_says(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        office = some_office(ledger, chance)
        last = ledger.reads.position()
        named = 0
        for _ in range(25):
            day = office.day(DAYS)
            position = chance.randrange(5, last + 1)
            with ledger.reads.store.snapshot() as connection:
                found = units_at(connection, [day], position)[day]
            numbers = {f"{lead}": number for lead, number in numbers_of(ledger).items()}
            for lead in office.leads:
                told = unit_of(ledger, lead, day, position)
                assert found.get(numbers[f"{lead}"]) == told, (lead, day, position)
                named += told is not None
        assert named > 5
        check_projections(ledger)


def numbers_of(ledger: Ledger) -> dict[UUID, int]:
    """Lead → the position of its tip."""
    with ledger.reads.store.snapshot() as connection:
        rows = connection.exec_driver_sql("SELECT id, number FROM leads")
        return {UUID(id): number for id, number in rows}


Stages = list[dict[str, Any]]


def measures(stages: Stages, name: str) -> dict[tuple[str, str], tuple[int, str]]:
    """(stage, measure) → leads and 元, of a report's stages, or of one of those compared."""
    return {
        (stage["stage"], measure): (stage[measure][name]["count"], stage[measure][name]["cny"])
        for stage in stages
        for measure in MEASURES
    }


def in_pipeline(ledger: Ledger, period: Period, known: int, **chosen: Any) -> tuple[Any, int]:
    """The same, and the tips, as the pipeline of such leads has it."""
    found = ledger.reads.pipeline(Selection(**chosen), period.start, period.end, known)
    return {
        (stage["stage"], measure): (stage[measure]["count"], stage[measure]["cny"])
        for stage in found["stages"]
        for measure in MEASURES
    }, found["tips"]


def bounds(band: str) -> dict[str, int]:
    """The filter that a band is."""
    edges = [b.least for b in BANDS] + [2**62]
    at = [b.name for b in BANDS].index(band)
    return {"least_fen": edges[at], "most_fen": edges[at + 1] - 1}


def summed(figures: Sequence[Mapping[Any, tuple[int, str]]]) -> dict[Any, tuple[int, str]]:
    """All lines of a table."""
    return {
        key: (sum(f[key][0] for f in figures), f"{sum(int(f[key][1]) for f in figures)}")
        for key in figures[0]
    }


@pytest.mark.parametrize("seed", seeds(2))
def test_every_group_is_the_pipeline_of_its_leads(tmp_path: Path, seed: int) -> None:
    chance = Random(seed)
    with ledger_in(tmp_path) as ledger:
        office = some_office(ledger, chance)
        last = ledger.reads.position()
        seen = 0
        for _ in range(6):
            kind, form = chance.choice(((MONTHLY, "{:%Y-%m}"), (WEEKLY, "{:%G-W%V}")))
            period = period_named(kind, form.format(date.fromisoformat(office.day(DAYS))))
            district = chance.choice((None, "32", "320812"))
            known = chance.randrange(5, last + 1)
            report = ledger.reports.periodic(period, district, known)
            by = {table["by"]: table["lines"] for table in report["tables"]}
            for name, one in compared(period).items():
                whole = measures(report["stages"], name)
                told, tips = in_pipeline(ledger, one, known, district=district)
                assert (whole, report["tips"][name]) == (told, tips)
                for line in by["sector"]:
                    chosen = {"sector": line["key"], "district": district}
                    told, _ = in_pipeline(ledger, one, known, **chosen)
                    assert measures(line["stages"], name) == told
                for line in by["band"]:
                    chosen = {**bounds(line["key"]), "district": district}
                    told, _ = in_pipeline(ledger, one, known, **chosen)
                    assert measures(line["stages"], name) == told
                for table in ("unit", "band"):
                    lines = [measures(line["stages"], name) for line in by[table]]
                    if lines:
                        assert summed(lines) == whole
                seen += sum(count for count, _ in whole.values())
            standing = units_standing(ledger, office, period, district, known)
            assert standing == {
                (line["key"], stage["stage"]): count
                for line in by["unit"]
                for stage in line["stages"]
                if (count := stage["standing"]["now"]["count"])
            }
        assert seen > 20


def units_standing(
    ledger: Ledger, office: Office, period: Period, district: str | None, known: int
) -> dict[tuple[str, str], int]:
    """(unit, stage) → how many leads, as they themselves say."""
    found: dict[tuple[str, str], int] = {}
    for lead in office.leads:
        try:
            told = json(ledger.reads.lead_at(lead, known_at=known, as_of=period.end).body)
        except NotFound:
            continue
        if told["district"].startswith(district or ""):
            key = (told["responsible_unit"] or "", told["stage"])
            found[key] = found.get(key, 0) + 1
    return found


def line(report: Mapping[str, Any], by: str, key: str, stage: str) -> dict[str, Any]:
    """One stage of one group: measure → (now, previous, year_before) counts."""
    (table,) = (t for t in report["tables"] if t["by"] == by)
    (group,) = (g for g in table["lines"] if g["key"] == key)
    return counts(next(s for s in group["stages"] if s["stage"] == stage))


def counts(stage: Mapping[str, Any]) -> dict[str, Any]:
    """Measure → its three counts."""
    return {measure: tuple(f["count"] for f in stage[measure].values()) for measure in MEASURES}


def small_office(ledger: Ledger) -> None:
    """Two sectors, one lead of both; tips in February 2024 and in February and March 2025."""
    with acting(somebody()):
        members = [
            ledger.register_member(
                call(),
                {
                    "number": f"M{n}",
                    "name": "委员",
                    "sector": sector,
                    "district": DISTRICT,
                    "occurred_on": "2024-01-01",
                },
            ).subject
            for n, sector in enumerate(("科技", "经济", "科技"))
        ]
        science, economy, also_science = (f"{member}" for member in members)
        old = tip(ledger, members[0], occurred_on="2024-03-05", investment=None).subject
        both = tip(
            ledger,
            members[0],
            members=[science, economy, also_science],
            occurred_on="2025-02-10",
            investment={"amount": "10", "unit": "亿元"},
        ).subject
        tip(ledger, members[1], occurred_on="2025-03-31", investment=None)
        for lead, unit, day in ((old, "商务局", "2025-02-01"), (both, "经开区", "2025-03-01")):
            facts = {"responsible_unit": unit, "occurred_on": day}
            ledger.open_negotiation(lead, call(), facts)
        lost = {"outcome": "lost", "reason": "没地", "occurred_on": "2025-03-20"}
        ledger.close_lead(old, call(), lost)


def test_a_month_is_counted_by_hand(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        small_office(ledger)
        report = ledger.reports.periodic(period_named(MONTHLY, "2025-03"), None)
        assert (report["from"], report["to"], report["complete"]) == (
            "2025-03-01",
            "2025-03-31",
            True,
        )
        assert report["tips"] == {"now": 1, "previous": 1, "year_before": 1}
        talks = report["stages"][1]
        assert counts(talks) == {"entered": (1, 1, 0), "left": (1, 0, 0), "standing": (1, 1, 0)}
        assert talks["standing"]["now"]["cny"] == "1000000000"
        shared = {"entered": (1, 0, 0), "left": (0, 0, 0), "standing": (1, 0, 0)}
        assert line(report, "sector", "经济", "negotiating") == shared
        assert line(report, "sector", "科技", "negotiating") == {
            "entered": (1, 1, 0),
            "left": (1, 0, 0),
            "standing": (1, 1, 0),
        }
        assert line(report, "unit", "经开区", "negotiating") == shared
        assert line(report, "unit", "", "tip")["standing"] == (1, 1, 1)
        # 以上 includes the number itself.
        assert line(report, "band", "from_10", "negotiating") == shared
        assert [t["repeated"] for t in report["tables"]] == [1, 0, 0]


def test_the_tables_say_the_same_and_whether_they_add_up(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        small_office(ledger)
        report = ledger.reports.periodic(period_named(MONTHLY, "2025-03"), None)
        found = {table.name: table for table in tables(report)}
        assert list(found) == [
            "2025-03 阶段",
            "2025-03 界别",
            "2025-03 责任单位",
            "2025-03 计划投资",
        ]
        for table in found.values():
            names = [column.name for column in table.columns]
            assert len(set(names)) == len(names)
            assert all(len(row) == len(names) for row in table.rows)
        talks = dict(
            zip(
                [column.name for column in found["2025-03 阶段"].columns],
                list(found["2025-03 阶段"].rows)[1],
                strict=True,
            )
        )
        assert talks["stage"] == "在谈"
        assert (talks["entered"], talks["entered_on_previous"]) == (1, 0)
        assert (talks["standing"], talks["standing_yuan"]) == (1, Decimal(10**9))
        assert (talks["left_on_previous"], talks["left_on_year_before"]) == (1, 1)
        assert "有1个，各行之和因此大于" in "".join(found["2025-03 界别"].notes)
        assert "等于" in "".join(found["2025-03 责任单位"].notes)
        assert ("未填写", "信息") in {row[:2] for row in found["2025-03 责任单位"].rows}
        # Lines of nothing are left out.
        assert all(any(row[2:]) for row in found["2025-03 计划投资"].rows)


def test_what_was_recorded_late_is_in_the_month_it_belongs_to_from_then_on(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        small_office(ledger)
        march = period_named(MONTHLY, "2025-03")
        before = ledger.reports.periodic(march, None)
        member = register(ledger, number="QJP-009").subject
        tip(ledger, member, occurred_on="2025-03-02")
        after = ledger.reports.periodic(march, None)
        assert after["tips"]["now"] == before["tips"]["now"] + 1
        then = ledger.reports.periodic(march, None, before["position"])
        assert {**then, "known_at": None} == before


@pytest.mark.parametrize(
    ("fen", "band"),
    [
        (0, "unknown"),
        (1, "under_1"),
        (YI - 1, "under_1"),
        (YI, "from_1"),
        (10 * YI - 1, "from_1"),
        (10 * YI, "from_10"),
        (50 * YI - 1, "from_10"),
        (50 * YI, "from_50"),
        (10**16, "from_50"),
    ],
)
def test_a_band_takes_its_lower_edge_and_leaves_the_upper_one(fen: int, band: str) -> None:
    assert band_of(fen) == band
