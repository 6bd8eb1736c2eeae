"""An import by whoever is limited to a district: rows, leads and members outside are bad cells."""

from collections.abc import Iterable
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from domain.actor import acting
from service.application import Ledger
from service.columns import HEADINGS, IDENTITY
from service.imports import BadImport, Imported, import_paper
from service.projections.lead_list import Question
from service.scope import Scope
from tests.service.helpers import call, ledger_in, somebody
from tests.service.sheets import Row, row, sheet, take_in, text

HERE, ABROAD = Scope("320812"), "440106"


def named(path: Path, rows: Iterable[Row]) -> Path:
    """Rows as an export writes them, with their leads' ids."""
    path.write_text(text(rows, (*HEADINGS, IDENTITY)))
    return path


def taken(ledger: Ledger, path: Path) -> Imported:
    """What the import within did."""
    with acting(somebody(may_waive=True)):
        return import_paper(ledger, path, scope=HERE)


def refused(ledger: Ledger, path: Path) -> list[tuple[str, str]]:
    """The bad cells of an import within, by column; nothing of it was recorded."""
    before = ledger.recorder.max_notification_id()
    with pytest.raises(BadImport) as why:
        taken(ledger, path)
    assert ledger.recorder.max_notification_id() == before
    return [(cell.column, cell.reason) for cell in why.value.cells]


def outside(district: str = ABROAD) -> str:
    """What is said of a district outside."""
    return f"This token is limited to district 320812, and {district} is outside of it."


def leads_of(ledger: Ledger) -> list[UUID]:
    """Every lead, in the order of their tips."""
    page = ledger.reads.leads(Question())
    return [UUID(body.partition(b'"id":"')[2][:36].decode()) for body in page.bodies]


def test_rows_of_other_districts_are_bad_cells_and_the_rest_is_as_for_everybody(
    tmp_path: Path,
) -> None:
    rows = [row(1), row(2, 区划代码=ABROAD), row(3, 区划代码="320804")]
    with ledger_in(tmp_path) as ledger:
        path = sheet(tmp_path / "a.csv", rows)
        assert refused(ledger, path) == [("区划代码", outside()), ("区划代码", outside("320804"))]
        assert taken(ledger, sheet(path, [row(1)])).leads == 1
        assert taken(ledger, path) == Imported(unchanged=1)
        assert taken(ledger, sheet(path, [row(1, 责任单位="", 备注="新")])).changed == 1


def test_a_row_that_names_a_foreign_lead_is_refused_as_one_that_names_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with ledger_in(tmp_path) as ledger:
        take_in(ledger, sheet(path, [row(1), row(1, 区划代码=ABROAD)]))
        ours, theirs = (str(lead) for lead in leads_of(ledger))
        told = [
            refused(ledger, named(path, [row(7, **{IDENTITY: lead})]))
            for lead in (theirs, f"{uuid4()}")
        ]
        assert [column for ((column, _),) in told] == [IDENTITY, IDENTITY]
        assert [reason[:17] for ((_, reason),) in told] == [
            "There is no lead ",
            "There is no lead ",
        ]
        assert taken(ledger, named(path, [row(1, **{IDENTITY: ours})])) == Imported(unchanged=1)


def test_a_row_whose_lead_went_elsewhere_is_refused(tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.csv", [row(1)])
    with ledger_in(tmp_path) as ledger:
        take_in(ledger, path)
        (lead,) = leads_of(ledger)
        right = {"version": 1, "facts": {"district": ABROAD}, "reason": "在别处"}
        with acting(somebody()):
            ledger.correct(lead, call(), {**right, "occurred_on": "2025-04-01"})
        reason = "1 of 2025 is in another district now, outside of 320812."
        assert refused(ledger, path) == [("编号", reason)]


def test_a_member_of_another_district_is_named_by_nobody_within(tmp_path: Path) -> None:
    named_so = f"QJP-001;QJP-9@{ABROAD}"
    path = sheet(tmp_path / "a.csv", [row(1, 提供委员=named_so)])
    with ledger_in(tmp_path) as ledger:
        told = f"QJP-9@{ABROAD}: {outside()}"
        assert refused(ledger, path) == [("提供委员", told)]
        take_in(ledger, path)
        # Of a lead that has it already it may be told again.
        assert taken(ledger, path) == Imported(unchanged=1)
        assert taken(ledger, sheet(path, [row(1, 提供委员=named_so, 备注="新")])).changed == 1
        assert refused(ledger, sheet(path, [row(2, 提供委员=named_so)])) == [("提供委员", told)]


def test_new_leads_are_compared_with_those_within(tmp_path: Path) -> None:
    path = sheet(tmp_path / "a.csv", [row(1, 项目名称="大晶圆厂", 区划代码=ABROAD)])
    with ledger_in(tmp_path) as ledger:
        take_in(ledger, path)
        sheet(path, [row(2, 项目名称="大晶圆厂")])
        with acting(somebody(may_waive=True)):
            of_all = import_paper(ledger, path, dry_run=True).similar
            within = import_paper(ledger, path, dry_run=True, scope=HERE).similar
        assert (of_all.alike, within.alike, within.compared) == (1, 0, 1)


def test_only_the_district_that_took_a_lead_over_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with ledger_in(tmp_path) as ledger:
        here = "2025-03-18 信息; 2025-05-01 流转 320804; 2025-06-01 流转 320812"
        path.write_text(text([row(1, 历程=here, 洽谈日期="")]))
        (cell,) = refused(ledger, path)
        assert cell[0] == "历程"
        assert cell[1].startswith("The transfer is proposed to 320804, whose answer it is")
        with acting(somebody(may_waive=True)):
            assert import_paper(ledger, path).leads == 1
