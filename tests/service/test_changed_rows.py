"""A row that says something else than before becomes the events that explain it, or is refused."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.actor import acting
from service.application import Ledger
from service.imports import BadImport, Imported
from service.projections.lead_list import Question
from tests.service.helpers import call, check_projections, ledger_in, processes, somebody, whole_log
from tests.service.sheets import FULL, Row, row, sheet, take_in
from tests.service.test_imports import import_at_once

TALKS = {"洽谈日期": "2025-04-02", "责任单位": "商务局"}
MONEY = {"计划投资": "2", "单位": "亿元"}
SIGNED = {**TALKS, **MONEY, "签约日期": "2025-05-01", "协议类型": "合同"}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path / "ledger") as opened:
        yield opened


class Office:
    """Keeps one row of paper, and imports it each time it was changed."""

    def __init__(self, ledger: Ledger, folder: Path, first: Row) -> None:
        self.ledger, self.path = ledger, folder / "a.csv"
        take_in(ledger, sheet(self.path, [first]))
        (body,) = ledger.reads.leads(Question(limit=9)).bodies
        self.id = UUID(orjson.loads(body)["id"])
        self.versions = len(self.history())

    def history(self) -> list[dict[str, Any]]:
        """Everything recorded of the lead."""
        return list(self.ledger.reads.history(self.id))

    def lead(self) -> dict[str, Any]:
        """The lead as it stands."""
        (body,) = self.ledger.reads.leads(Question(limit=9)).bodies
        found: dict[str, Any] = orjson.loads(body)
        return found

    def says(self, changed: Row) -> list[dict[str, Any]]:
        """What was recorded because the row now says this; importing it again records nothing."""
        before = len(self.history())
        assert take_in(self.ledger, sheet(self.path, [changed])).leads == 0
        log = whole_log(self.ledger)
        assert take_in(self.ledger, self.path) == Imported(unchanged=1)
        assert whole_log(self.ledger) == log
        return self.history()[before:]

    def refused(self, changed: Row) -> dict[str, str]:
        """Cell → why the row cannot say this; nothing was recorded."""
        log = whole_log(self.ledger)
        with pytest.raises(BadImport) as why:
            take_in(self.ledger, sheet(self.path, [changed]))
        assert whole_log(self.ledger) == log
        return {cell.column: cell.reason for cell in why.value.cells}

    def does(self, method: str, **facts: Any) -> None:
        """Somebody enters a command meanwhile."""
        with acting(somebody(may_waive=True)):
            getattr(self.ledger, method)(self.id, call(), facts)


def events(recorded: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """(event, day) of each."""
    return [(event["event"], event["occurred_on"]) for event in recorded]


def today() -> str:
    """Today's date in China."""
    return f"{somebody().today}"


def told(event: dict[str, Any], *names: str) -> list[Any]:
    """Some of its facts."""
    return [event["facts"][name] for name in names]


def test_a_step_more_in_the_row_is_recorded_on_its_day(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row(**MONEY))
    recorded = office.says(row(**MONEY, **TALKS))
    assert events(recorded) == [("negotiation_opened", "2025-04-02")]
    recorded = office.says({**row(**SIGNED), "开工日期": "2025-09-01"})
    assert events(recorded) == [("signed", "2025-05-01"), ("groundbroken", "2025-09-01")]
    assert office.lead()["stage"] == "groundbroken"
    check_projections(ledger)


def test_another_day_is_a_correction_that_names_the_import(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row(**SIGNED))
    (event,) = office.says(row(**{**SIGNED, "签约日期": "2025-06-01"}))
    assert (event["event"], event["corrects"]) == ("corrected", 3)
    assert event["facts"]["facts"] == {"occurred_on": "2025-06-01"}
    assert event["facts"]["reason"].startswith("台账改动：line 2（导入 ")
    assert office.lead()["dates"]["signed"] == "2025-06-01"


@pytest.mark.parametrize("days", [("2025-05-20", "2025-06-20"), ("2025-03-20", "2025-03-30")])
def test_days_that_move_together_move_in_the_order_that_history_allows(
    tmp_path: Path, ledger: Ledger, days: tuple[str, str]
) -> None:
    office = Office(ledger, tmp_path, row(**SIGNED))
    talks, signed = days
    recorded = office.says(row(**{**SIGNED, "洽谈日期": talks, "签约日期": signed}))
    assert [event["event"] for event in recorded] == ["corrected", "corrected"]
    dates = office.lead()["dates"]
    assert (dates["negotiating"], dates["signed"]) == days


def test_a_plan_moves_with_the_talks_it_is_dated_by(tmp_path: Path, ledger: Ledger) -> None:
    plan = {**TALKS, "拟签约日期": "2026-01-15"}
    office = Office(ledger, tmp_path, row(**plan))
    recorded = office.says(row(**{**plan, "洽谈日期": "2025-04-20"}))
    assert [event["event"] for event in recorded] == ["corrected", "corrected"]
    assert office.lead()["about_to_sign"] is True


def test_another_title_and_amount_are_revisions_of_the_day(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row(**MONEY, **TALKS))
    (event,) = office.says(row(**{**MONEY, **TALKS, "计划投资": "3"}, 项目名称="二期"))
    assert events([event]) == [("revised", today())]
    amount = {"amount": "3", "unit": "亿元"}
    assert event["facts"]["facts"] == {"title": "二期", "investment": amount}
    assert event["facts"]["reason"].startswith("台账改动：")


def test_a_planned_amount_after_the_contract_puts_the_tip_right(
    tmp_path: Path, ledger: Ledger
) -> None:
    agreed = {"协议投资": "1.5", "协议单位": "亿元"}
    office = Office(ledger, tmp_path, row(**SIGNED, **agreed))
    (event,) = office.says(row(**{**SIGNED, "计划投资": "3"}, **agreed))
    assert (event["event"], event["corrects"]) == ("corrected", 1)
    assert office.lead()["investment"]["amount"] == "1.5"
    (event,) = office.says(row(**{**SIGNED, "计划投资": "3"}, **{**agreed, "协议投资": "1.8"}))
    assert (event["event"], event["corrects"]) == ("corrected", 3)
    assert office.lead()["investment"]["amount"] == "1.8"


def test_an_investor_keeps_the_country_that_paper_does_not_tell_unless_it_is_another(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(投资方="甲"))
    investor = {"name": "甲", "uscc": None, "country": "DE"}
    office.does("revise", facts={"investor": investor}, occurred_on="2025-04-01")
    code = "91320812MA1MABCD1N"
    office.says(row(投资方="甲", 统一社会信用代码=code))
    assert office.lead()["investor"] == {"name": "甲", "uscc": code, "country": "DE"}
    office.says(row(投资方="乙"))
    assert office.lead()["investor"] == {"name": "乙", "uscc": None, "country": None}


def test_a_contract_told_after_another_amount_has_the_agreed_one(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**MONEY, **TALKS))
    office.says(row(**{**MONEY, "计划投资": "3"}, **TALKS))
    agreed = {"协议投资": "5", "协议单位": "亿元"}
    office.says(row(**{**SIGNED, "计划投资": "3"}, **agreed))
    assert office.lead()["investment"]["amount"] == "5"


def test_members_note_and_tip_day_are_put_right_in_the_tip(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row(提供委员="QJP-001"))
    recorded = office.says(row(提供委员="QJP-002;QJP-001", 备注="会上报的", 提供日期="2025-03-01"))
    assert [event["corrects"] for event in recorded] == [1]
    lead = office.lead()
    assert [member["name"] for member in lead["members"]] == ["QJP-002", "QJP-001"]
    assert lead["dates"]["tip"] == "2025-03-01"
    check_projections(ledger)


def test_a_signing_expected_another_day_is_a_slip_and_one_not_expected_is_withdrawn(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**TALKS, 拟签约日期="2025-06-01"))
    (event,) = office.says(row(**TALKS, 拟签约日期="2099-09-01"))
    assert events([event]) == [("signing_planned", today())]
    assert told(event, "expected_on") == ["2099-09-01"]
    (event,) = office.says(row(**TALKS))
    assert told(event, "expected_on") == [None]
    assert office.lead()["about_to_sign"] is False


def test_a_plan_that_was_withdrawn_goes_with_the_talks(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row(**TALKS, 拟签约日期="2099-06-01"))
    office.says(row(**TALKS))
    recorded = office.says(row())
    assert [event["corrects"] for event in recorded] == [4, 3, 2]
    assert office.lead()["stage"] == "tip"
    check_projections(ledger)


def test_a_plan_that_was_withdrawn_moves_with_the_talks(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row(**TALKS, 拟签约日期="2099-06-01"))
    office.says(row(**TALKS))
    recorded = office.says(row(**{**TALKS, "洽谈日期": "2025-04-20"}))
    assert [event["corrects"] for event in recorded] == [3, 2]
    assert office.lead()["about_to_sign"] is False


def test_a_plan_for_a_day_before_the_talks_that_moved_never_was(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**TALKS, 拟签约日期="2025-04-10"))
    office.says(row(**TALKS, 拟签约日期="2099-06-01"))
    later = {**TALKS, "洽谈日期": "2025-04-20"}
    recorded = office.says(row(**later, 拟签约日期="2099-06-01"))
    assert [(e["corrects"], e["facts"]["void"]) for e in recorded] == [(3, True), (2, False)]
    faults = office.refused(row(**later, 拟签约日期="2025-04-10"))
    assert list(faults) == ["拟签约日期"]


def test_a_plan_said_again_for_a_day_before_it_was_withdrawn_was_never_withdrawn(
    tmp_path: Path, ledger: Ledger
) -> None:
    plan = {**TALKS, "拟签约日期": "2025-06-01"}
    office = Office(ledger, tmp_path, row(**plan))
    office.says(row(**TALKS))
    (event,) = office.says(row(**plan))
    assert (event["corrects"], event["facts"]["void"]) == (4, True)
    assert office.lead()["expected_signing_on"] == "2025-06-01"
    office.says(row(**TALKS))
    recorded = office.says(row(**{**SIGNED, "拟签约日期": "2025-05-20"}))
    assert [event["event"] for event in recorded][-1] == "signed"


@pytest.mark.parametrize("end", [SIGNED, {**TALKS, "终止日期": "2025-07-01", "终止结果": "流失"}])
def test_another_expected_day_of_what_is_signed_or_closed_puts_the_plan_right(
    tmp_path: Path, ledger: Ledger, end: Row
) -> None:
    office = Office(ledger, tmp_path, row(**end, 拟签约日期="2025-06-01"))
    (event,) = office.says(row(**end, 拟签约日期="2025-06-20"))
    assert (event["corrects"], event["facts"]["facts"]) == (3, {"expected_on": "2025-06-20"})


def test_a_fact_that_a_step_needs_is_missed_at_its_own_cell(tmp_path: Path, ledger: Ledger) -> None:
    agreed = {"协议投资": "1.5", "协议单位": "亿元"}
    office = Office(ledger, tmp_path, row(**SIGNED, **agreed))
    moved = {**SIGNED, "洽谈日期": "2025-04-20", "签约日期": "2025-06-01", "责任单位": ""}
    faults = office.refused(row(**moved))
    assert faults.keys() == {"责任单位", "协议投资"}
    assert faults["责任单位"].startswith("The row had it before, and the step needs it.")


def test_an_agreed_amount_told_after_another_is_put_right_and_goes_with_the_contract(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**MONEY))
    office.says(row(**{**MONEY, "计划投资": "3"}))
    late = {**SIGNED, "计划投资": "3", "协议单位": "亿元"}
    for amount in ("5", "6"):
        office.says(row(**late, 协议投资=amount))
        assert office.lead()["investment"]["amount"] == amount
    office.says(row(**{**MONEY, "计划投资": "3"}, **TALKS))
    assert office.lead()["investment"]["amount"] == "3"
    check_projections(ledger)


def test_an_agreed_amount_told_after_the_contract_stands_unless_the_office_said_another(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**MONEY))
    office.says(row(**{**MONEY, "计划投资": "3"}))
    signed = {**SIGNED, "计划投资": "3"}
    office.says(row(**signed))
    office.says(row(**signed, 协议投资="5", 协议单位="亿元"))
    assert office.lead()["investment"]["amount"] == "5"
    more = {"investment": {"amount": "9", "unit": "亿元"}}
    office.does("revise", facts=more, reason="增资", occurred_on=today())
    office.says(row(**signed, 协议投资="6", 协议单位="亿元"))
    assert office.lead()["investment"]["amount"] == "9"


def test_a_step_that_the_row_has_no_more_never_was(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, FULL)
    gone = {**FULL, "开工日期": "", "开工佐证": "", "签约日期": "", "协议类型": ""}
    recorded = office.says({**gone, "协议投资": "", "协议单位": ""})
    assert [(event["event"], event["facts"]["void"]) for event in recorded] == [
        ("corrected", True),
        ("corrected", True),
    ]
    assert office.lead()["stage"] == "negotiating"


def test_an_end_is_recorded_put_right_and_taken_back(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row(**TALKS))
    end = {"终止日期": "2025-07-01", "终止结果": "流失", "终止原因": "去了邻区"}
    assert events(office.says(row(**TALKS, **end))) == [("closed", "2025-07-01")]
    assert len(office.says(row(**TALKS, **{**end, "终止结果": "撤回"}))) == 1
    assert office.lead()["outcome"] == "withdrawn"
    assert len(office.says(row(**TALKS))) == 1
    assert office.lead()["stage"] == "negotiating"


def test_a_contract_after_a_framework_agreement_leaves_that_as_it_was(
    tmp_path: Path, ledger: Ledger
) -> None:
    framework = {**TALKS, "签约日期": "2025-05-01", "协议类型": "框架协议"}
    office = Office(ledger, tmp_path, row(**framework))
    later = {**framework, "协议类型": "合同", "签约日期": "2025-06-01"}
    assert events(office.says(row(**later))) == [("signed", "2025-06-01")]


def test_a_framework_agreement_that_was_the_contract_is_put_right(
    tmp_path: Path, ledger: Ledger
) -> None:
    framework = {**TALKS, "签约日期": "2025-05-01", "协议类型": "框架协议"}
    office = Office(ledger, tmp_path, row(**framework))
    recorded = office.says(row(**{**framework, "协议类型": "合同"}))
    assert sorted(name for name, _ in events(recorded)) == ["corrected", "signed"]
    assert office.lead()["stage"] == "signed"


def test_a_row_that_goes_back_to_what_it_said_first_is_followed(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(项目名称="甲"))
    office.says(row(项目名称="乙"))
    office.says(row(项目名称="甲"))
    assert office.lead()["title"] == "甲"


# What the office did meanwhile


def test_what_the_office_entered_stays_where_the_paper_did_not_change(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**MONEY))
    more = {"investment": {"amount": "9", "unit": "亿元"}, "title": "三期"}
    office.does("revise", facts=more, reason="增资", occurred_on="2025-04-01")
    office.does("open_negotiation", responsible_unit="开发区", occurred_on="2025-04-05")
    (event,) = office.says(row(**MONEY, 备注="会上报的"))
    assert event["event"] == "corrected"
    lead = office.lead()
    assert (lead["title"], lead["stage"]) == ("三期", "negotiating")
    assert lead["investment"]["amount"] == "9"


def test_what_both_say_is_recorded_once(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row())
    office.does("open_negotiation", responsible_unit="商务局", occurred_on="2025-04-02")
    assert office.says(row(**TALKS)) == []


def test_what_both_changed_is_refused_naming_the_cell(tmp_path: Path, ledger: Ledger) -> None:
    office = Office(ledger, tmp_path, row(**TALKS))
    office.does("revise", facts={"title": "三期"}, occurred_on="2025-04-01")
    office.does("sign", investment={"amount": "1", "unit": "亿元"}, occurred_on="2025-05-05")
    changed = row(**TALKS, 项目名称="二期", 签约日期="2025-05-06", 协议类型="合同")
    faults = office.refused(changed)
    assert faults.keys() == {"项目名称", "签约日期"}
    assert faults["项目名称"].startswith("The ledger says 三期, which somebody entered since")


def test_what_the_office_undid_is_not_done_again_by_another_change(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**SIGNED))
    office.does("correct", version=3, void=True, reason="没有签", occurred_on=today())
    office.says(row(**SIGNED, 备注="会上报的"))
    assert office.lead()["stage"] == "negotiating"
    faults = office.refused(row(**{**SIGNED, "签约日期": "2025-05-09"}, 备注="会上报的"))
    assert faults["签约日期"].startswith("The ledger undid it since")


def test_a_plan_that_the_office_withdrew_is_not_made_again_by_another_change(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**TALKS, 拟签约日期="2025-06-01"))
    office.says(row(**TALKS, 拟签约日期="2099-09-01"))
    office.does("plan_signing", expected_on=None, occurred_on=today())
    office.says(row(**TALKS, 拟签约日期="2099-09-01", 备注="会上报的"))
    assert office.lead()["about_to_sign"] is False


def test_a_plan_for_what_is_signed_is_refused_at_its_own_cell(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**SIGNED))
    faults = office.refused(row(**SIGNED, 拟签约日期="2025-06-01"))
    assert list(faults) == ["拟签约日期"]


def test_what_history_forbids_is_refused_naming_the_cell_and_why(
    tmp_path: Path, ledger: Ledger
) -> None:
    office = Office(ledger, tmp_path, row(**SIGNED))
    office.does("recognise", stage="signed", authority="市", occurred_on="2025-05-10")
    faults = office.refused(row(**{**SIGNED, "签约日期": "2025-07-01"}))
    assert list(faults) == ["签约日期"]
    assert "What was recorded later could then not have happened" in faults["签约日期"]
    faults = office.refused(row(**{**SIGNED, "洽谈日期": "2025-01-01"}))
    assert "is before 提供日期, 2025-03-18" in faults["洽谈日期"]


def test_one_row_that_cannot_change_holds_back_the_whole_file(
    tmp_path: Path, ledger: Ledger
) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [row(1), row(2)]))
    log = whole_log(ledger)
    path = sheet(tmp_path / "a.csv", [row(1, **TALKS), row(2, 洽谈日期="2025-01-01"), row(3)])
    with pytest.raises(BadImport):
        take_in(ledger, path)
    assert whole_log(ledger) == log


def test_a_dry_run_counts_what_would_change(tmp_path: Path, ledger: Ledger) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [row(1), row(2)]))
    path = sheet(tmp_path / "a.csv", [row(1, **TALKS), row(2)])
    asked = take_in(ledger, path, dry_run=True)
    assert asked == Imported(unchanged=1, events=1, changed=1) == take_in(ledger, path)


# Any two rows

DAYS = tuple(f"2025-{month:02d}-15" for month in range(3, 11))


@st.composite
def rows(draw: st.DrawFn) -> Row:
    """A row that could be imported, its district, year and number apart always another."""
    days = sorted(draw(st.lists(st.sampled_from(DAYS), min_size=5, max_size=5)))
    far = draw(st.integers(0, 3))
    cells = row(提供日期=days[0], 项目名称=draw(st.sampled_from(("甲", "乙"))))
    if draw(st.booleans()):
        cells |= {"计划投资": draw(st.sampled_from(("1", "2"))), "单位": "亿元"}
    if far:
        cells |= {"洽谈日期": days[1], "责任单位": draw(st.sampled_from(("商务局", "开发区", "")))}
        if draw(st.booleans()):
            cells["拟签约日期"] = draw(st.sampled_from(("2025-11-01", "2099-01-01")))
    if far > 1:
        cells |= {"签约日期": days[2], "协议类型": "合同"}
        if draw(st.booleans()):
            cells |= {"协议投资": draw(st.sampled_from(("1", "3"))), "协议单位": "亿元"}
    if far > 2:
        cells |= {
            "开工日期": days[3],
            "开工佐证": draw(st.sampled_from(("permit:1", "photo:2", ""))),
        }
    elif draw(st.booleans()):
        word = (("不予跟进", "重复"), ("流失", "撤回"), ("解约",))[far]
        cells |= {"终止日期": days[4], "终止结果": draw(st.sampled_from(word)), "终止原因": "没地"}
    return cells


# A fact that a step needs, and the cell that dates the step.
NEEDED = {"责任单位": "洽谈日期", "协议投资": "签约日期", "开工佐证": "开工日期"}
NOT_ON_PAPER = frozenset("id version source recorded_at waivers last_activity_on".split())


def may_refuse(before: Row, cells: Row) -> set[str]:
    """The cells at which a row of ``before`` cannot become ``cells``: a fact that a step needs is
    gone, or a signing was to come that had come, or will not, by what the row said before."""
    gone = {
        name
        for name, day in NEEDED.items()
        if before.get(name) and not cells.get(name) and before.get(day) and cells.get(day)
    }
    ended = all(row.get("签约日期") or row.get("终止日期") for row in (before, cells))
    return gone | ({"拟签约日期"} if ended and cells.get("拟签约日期") else set())


def import_round(ledger: Ledger, path: Path, stands: dict[str, Row], said: dict[str, Row]) -> None:
    """Have the rows, by number, say something else; those that cannot stay as they stand."""
    try:
        take_in(ledger, sheet(path, said.values()), dry_run=True)
    except BadImport as why:
        numbers = [*said]
        for cell in why.cells:
            number = numbers[cell.line - 2]
            assert cell.column in may_refuse(stands[number], said[number]), cell
        for number in {numbers[cell.line - 2] for cell in why.cells}:
            del said[number]
    take_in(ledger, sheet(path, said.values()))
    stands |= said


@settings(max_examples=15)
@given(histories=st.lists(st.lists(rows(), min_size=2, max_size=4), min_size=1, max_size=8))
def test_a_row_changed_any_way_is_the_lead_that_its_last_words_alone_make(
    histories: list[list[Row]],
) -> None:
    with TemporaryDirectory() as folder, ledger_in(Path(folder) / "ledger") as ledger:
        path, stands = Path(folder) / "a.csv", dict[str, Row]()
        for turn in range(4):
            said = [(f"{n}", rows[turn]) for n, rows in enumerate(histories) if rows[turn:]]
            import_round(ledger, path, stands, {n: {**cells, "编号": n} for n, cells in said})
        take_in(ledger, sheet(path, [{**cells, "编号": f"{n}'"} for n, cells in stands.items()]))
        leads = {
            lead["source"]["number"]: {n: v for n, v in lead.items() if n not in NOT_ON_PAPER}
            for lead in map(orjson.loads, ledger.reads.leads(Question(limit=99)).bodies)
        }
        for number in stands:
            assert leads[number] == leads[f"{number}'"]
        check_projections(ledger)


def test_two_imports_of_one_changed_file_at_once_record_it_once(tmp_path: Path) -> None:
    folder, many = tmp_path / "ledger", range(1, 101)
    with ledger_in(folder) as ledger:
        take_in(ledger, sheet(tmp_path / "a.csv", [row(n) for n in many]))
        path = sheet(tmp_path / "b.csv", [row(n, **TALKS) for n in many])
        results = processes(import_at_once, (folder, path), (folder, path))
        winner = Imported(events=100, changed=100)
        assert winner in results
        results.remove(winner)
        assert results == [Imported(unchanged=100)] or "recorded nothing" in results[0]
        assert take_in(ledger, path) == Imported(unchanged=100)
        assert len(whole_log(ledger)) == 1 + 2 * len(many)
