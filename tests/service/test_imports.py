"""A paper ledger is taken in whole or not at all, once, and says everything that is wrong."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from subprocess import PIPE, Popen
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.actor import acting, now
from domain.errors import Forbidden, Refused
from service.application import Ledger
from service.columns import HEADINGS
from service.imports import MOST_BAD, BadImport, Imported, import_paper
from service.projections.choosing import Selection
from service.projections.lead_list import Question
from tests.service.helpers import (
    PATIENCE,
    call,
    check_projections,
    follow,
    ledger_in,
    processes,
    register,
    somebody,
    tip,
    whole_log,
)
from tests.service.sheets import FULL, Row, row, sheet, take_in, text

HOME = Path(__file__).parents[2]


def refused(ledger: Ledger, path: Path) -> list[str]:
    """What is wrong with the file, one sentence a cell; nothing of it was recorded."""
    before = whole_log(ledger)
    with pytest.raises(BadImport) as why:
        take_in(ledger, path)
    assert whole_log(ledger) == before
    assert str(why.value).split("\n") == [str(cell) for cell in why.value.cells]
    return [str(cell) for cell in why.value.cells]


def shown(ledger: Ledger) -> list[Any]:
    """The leads in the order they were recorded."""
    return [orjson.loads(body) for body in ledger.reads.leads(Question(limit=200)).bodies]


def happened(ledger: Ledger, lead: Any) -> list[tuple[str, str]]:
    """(event, day) of a lead's history."""
    return [(e["event"], e["occurred_on"]) for e in ledger.reads.history(UUID(lead["id"]))]


# What is taken


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_the_same_sheet_in_each_encoding_is_the_same_ledger(
    tmp_path: Path, ledger: Ledger, encoding: str
) -> None:
    rows = [FULL, row(2, 项目名称="㐀㙍𠀀 12英寸")]
    assert take_in(ledger, sheet(tmp_path / "a.csv", rows, encoding)) == Imported(2, 1, 0, 7)
    assert [lead["title"] for lead in shown(ledger)] == ["示例项目一", "㐀㙍𠀀 12英寸"]
    again = take_in(ledger, sheet(tmp_path / "b.csv", rows, "utf-8"))
    assert again == Imported(unchanged=2), "a row is the same row in whatever encoding"


NO_LEDGER = "line 1, file: It is neither an Excel workbook nor text in UTF-8 or GB18030."


def test_a_file_that_is_neither_utf8_nor_gb18030_is_refused(tmp_path: Path, ledger: Ledger) -> None:
    path = sheet(tmp_path / "a.csv", [row()], "utf-16")
    assert refused(ledger, path) == [NO_LEDGER]


def test_a_bad_byte_far_into_the_file_is_refused_before_anything_is_recorded(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / "a.csv"
    many = text(row(n) for n in range(1, 30_001)).encode()
    path.write_bytes(many + b"\xff\xff")
    assert refused(ledger, path) == [NO_LEDGER]


def test_lines_may_end_as_windows_ends_them_and_the_last_may_not_end_at_all(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(text([row(1), row(2)]).rstrip().replace("\n", "\r\n").encode())
    assert take_in(ledger, path).leads == 2


def test_columns_may_stand_in_any_order_and_optional_ones_be_left_out(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        text([row(1)], ["提供日期", "区划代码", "提供委员", "编号", "项目名称"]), "utf-8"
    )
    assert take_in(ledger, path) == Imported(1, 1, 0, 2)
    assert take_in(ledger, sheet(tmp_path / "b.csv", [row(1)])) == Imported(unchanged=1)


def test_empty_lines_and_spaces_around_cells_mean_nothing(tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "a.csv"
    lines = text([row(1, 项目名称=" 冷链 ")]).split("\n")
    path.write_text("\n".join([lines[0], "", "," * 24, lines[1], "", ""]), "utf-8")
    assert take_in(ledger, path).leads == 1
    assert shown(ledger)[0]["title"] == "冷链"


def test_a_sheet_with_headings_only_records_nothing(tmp_path: Path, ledger: Ledger) -> None:
    assert take_in(ledger, sheet(tmp_path / "a.csv", [])) == Imported()
    assert whole_log(ledger) == []


# What comes of a row


def test_a_row_becomes_the_events_that_happened_on_their_dates(
    tmp_path: Path, ledger: Ledger
) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [FULL]))
    (lead,) = shown(ledger)
    assert happened(ledger, lead) == [
        ("tipped", "2025-01-09"),
        ("negotiation_opened", "2025-01-20"),
        ("signing_planned", "2025-01-20"),
        ("signed", "2025-04-11"),
        ("groundbroken", "2025-09-26"),
    ]
    assert lead["stage"] == "groundbroken"
    assert lead["investment"] == {"amount": "1.5", "unit": "亿元", "cny": "150000000"}
    assert lead["source"] | {"row": ""} == {"year": "2025", "number": "1", "row": ""}
    events: list[Any] = [ledger.mapper.to_domain_event(stored) for stored in whole_log(ledger)]
    recorded = [event.timestamp for event in events]
    assert all((now() - moment).total_seconds() < 60 for moment in recorded)


def test_what_the_paper_lacks_is_waived_by_whom_and_why_and_never_invented(
    tmp_path: Path, ledger: Ledger
) -> None:
    bare = row(洽谈日期="2025-04-01", 签约日期="2025-05-01", 协议类型="合同", 开工日期="2025-06-01")
    take_in(ledger, sheet(tmp_path / "a.csv", [bare]))
    (lead,) = shown(ledger)
    by, why = "招商办", "the imported paper lacks it"
    facts = ("responsible_unit", "investment", "start", "evidence")
    assert lead["waivers"] == [{"fact": fact, "by": by, "why": why} for fact in facts]
    assert lead["investment"] is None
    assert lead["responsible_unit"] is None
    told = {e["event"]: e["facts"] for e in ledger.reads.history(UUID(lead["id"]))}
    assert told["negotiation_opened"]["responsible_unit"] is None
    assert told["signed"]["investment"] is None
    assert (told["groundbroken"]["start"], told["groundbroken"]["evidence"]) == (None, [])
    assert told["groundbroken"]["waived"] == lead["waivers"][2:]


def test_nothing_is_waived_that_the_paper_has(tmp_path: Path, ledger: Ledger) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [FULL]))
    assert [waiver["fact"] for waiver in shown(ledger)[0]["waivers"]] == ["start"]


def test_an_import_by_somebody_who_may_not_waive_waives_nothing(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = sheet(tmp_path / "a.csv", [row(洽谈日期="2025-04-01")])
    with pytest.raises(Forbidden), acting(somebody(may_waive=False)):
        import_paper(ledger, path)
    assert whole_log(ledger) == []


def test_several_members_in_a_cell_keep_their_order_of_first_report(
    tmp_path: Path, ledger: Ledger
) -> None:
    rows = [row(1, 提供委员="QJP-031；QJP-014; QJP-002"), row(2, 提供委员="QJP-002;QJP-031")]
    assert take_in(ledger, sheet(tmp_path / "a.csv", rows)).members == 3
    reported = [[member["name"] for member in lead["members"]] for lead in shown(ledger)]
    assert reported == [["QJP-031", "QJP-014", "QJP-002"], ["QJP-002", "QJP-031"]]
    assert {m["share"] for m in shown(ledger)[0]["members"]} == {"1/3"}


def test_an_unknown_member_is_registered_with_its_number_as_its_name(
    tmp_path: Path, ledger: Ledger
) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [row(委员界别="经济")]))
    ((member,), _) = ledger.reads.members(0, 10, None, None)
    assert (member["number"], member["name"], member["sector"]) == ("QJP-001", "QJP-001", "经济")
    assert (member["district"], member["registered_on"]) == ("320812", "2025-03-18")


def test_a_member_that_the_ledger_knows_keeps_its_name(tmp_path: Path, ledger: Ledger) -> None:
    register(ledger, "QJP-001", "王委员")
    assert take_in(ledger, sheet(tmp_path / "a.csv", [row()])).members == 0
    assert [m["name"] for m in shown(ledger)[0]["members"]] == ["王委员"]


@pytest.mark.parametrize("number", ["qjp-abc", "QJP 9", "QJP－7"])
def test_a_member_is_found_however_a_paper_tells_its_number(
    tmp_path: Path, ledger: Ledger, number: str
) -> None:
    member = register(ledger, number).subject
    done = take_in(ledger, sheet(tmp_path / "a.csv", [row(提供委员=number)]))
    assert (done.leads, done.members) == (1, 0)
    assert [lead["members"][0]["id"] for lead in shown(ledger)] == [f"{member}"]


def test_a_number_that_is_just_so_comes_before_one_that_is_told_so(
    tmp_path: Path, ledger: Ledger
) -> None:
    register(ledger, "qjp-abc")
    member = register(ledger, "QJP-ABC").subject
    take_in(ledger, sheet(tmp_path / "a.csv", [row(提供委员="qjp-abc")]))
    assert [lead["members"][0]["id"] for lead in shown(ledger)] == [f"{member}"]


def test_a_file_in_which_everything_is_bad_is_not_read_to_its_end(
    tmp_path: Path, ledger: Ledger
) -> None:
    told = refused(
        ledger, sheet(tmp_path / "a.csv", [row(n, 区划代码="1") for n in range(1, 7_000)])
    )
    assert len(told) == MOST_BAD + 1
    line = MOST_BAD + 1
    assert f"line {line}, row: {MOST_BAD} faults are told, and it was read no further." in told


def test_the_same_number_in_two_districts_is_two_members(tmp_path: Path, ledger: Ledger) -> None:
    rows = [row(1), row(2, 区划代码="320871")]
    assert take_in(ledger, sheet(tmp_path / "a.csv", rows)).members == 2


def test_a_member_who_had_retired_by_then_is_named_in_the_members_cell(
    tmp_path: Path, ledger: Ledger
) -> None:
    member = register(ledger, "QJP-001").subject
    with acting(somebody()):
        ledger.retire_member(member, call(), {"occurred_on": "2025-03-01"})
    path = sheet(tmp_path / "a.csv", [row(1, 提供日期="2025-03-01"), row(2)])
    assert refused(ledger, path) == ["line 3, 提供委员: 王委员 (QJP-001) retired on 2025-03-01."]


def test_a_framework_agreement_on_paper_leaves_the_lead_negotiating(
    tmp_path: Path, ledger: Ledger
) -> None:
    signed = {"签约日期": "2025-05-01", "协议类型": "框架", "协议投资": "9", "协议单位": "亿元"}
    take_in(ledger, sheet(tmp_path / "a.csv", [row(洽谈日期="2025-04-01", **signed)]))
    (lead,) = shown(ledger)
    assert (lead["stage"], lead["investment"]) == ("negotiating", None)
    assert happened(ledger, lead)[-1] == ("framework_agreed", "2025-05-01")


# What is refused


def test_a_dozen_different_faults_are_all_named_at_once(tmp_path: Path, ledger: Ledger) -> None:
    talks: Row = {"洽谈日期": "2025-04-01"}
    rows = [
        row(1),
        row(2, 项目名称=""),
        row(3, 区划代码="320800"),
        row(4, 提供日期="2025-02-30"),
        row(5, 投资方="某公司", 统一社会信用代码="91320812MA1MABCD1X"),
        row(6, 计划投资="1", 单位="两"),
        row(7, 计划投资="-3", 单位="亿元"),
        row(8, **talks, 签约日期="2025-05-01"),
        row(9, **talks, 开工日期="2025-06-01"),
        row(1, 项目名称="另一个"),
        row(11, 提供日期="2999-01-01"),
        row(12, 洽谈日期="2025-03-17"),
        row(13, 终止日期="2025-05-01", 终止结果="算了"),
        row(14, 提供委员="QJP-001;QJP-001"),
        row(15, 终止日期="2025-05-01", 终止结果="解约", 终止原因="资金"),
        row(16, **talks, 拟签约日期="2025-03-31"),
        row("", 产业代码="Z", 备注="a\x07"),
        row(18),
    ]
    units = "元、万元、亿元、万美元、亿美元"
    checksum = "is no unified social credit code: The number's checksum or check digit is invalid."
    stands = "this lead is tip (信息) since 2025-03-18."
    shape = "a letter A to T and up to four digits, like C397."
    today = somebody().today
    assert refused(ledger, sheet(tmp_path / "a.csv", rows)) == [
        "line 3, 项目名称: It is empty, and every row needs it.",
        "line 4, 区划代码: 320800 names a whole province or city, not a district.",
        "line 5, 提供日期: '2025-02-30' is no day of the calendar, like 2025-03-18.",
        f"line 6, 统一社会信用代码: '91320812MA1MABCD1X' {checksum}",
        f"line 7, 单位: '两' is none of {units}.",
        "line 8, 计划投资: '-3' is no amount of 0 or more, like 30, 3,000,000,000 or 30亿元.",
        "line 9, 签约日期: It is given without 协议类型.",
        "line 10, 开工日期: It is given without 签约日期.",
        "line 11, 编号: 1 of 2025 stands in line 2 already.",
        f"line 12, 提供日期: 2999-01-01 is in the future; today is {today} in China.",
        "line 13, 洽谈日期: 2025-03-17 is before 提供日期, 2025-03-18.",
        "line 14, 终止结果: '算了' is none of 不予跟进、重复、流失、撤回、解约.",
        "line 15, 提供委员: One member is named twice.",
        f"line 16, 终止日期: rescinded (解约) closes a lead that is signed; {stands}",
        "line 17, 拟签约日期: 2025-03-31 is before 洽谈日期, 2025-04-01.",
        "line 18, 编号: It is empty, and every row needs it.",
        f"line 18, 产业代码: 'Z' is no GB/T 4754 code: {shape}",
        "line 18, 备注: Character 2 (U+0007) is one that no text keeps.",
    ]


def test_whatever_is_wrong_with_a_row_is_named_at_once(tmp_path: Path, ledger: Ledger) -> None:
    bad: Row = {
        "计划投资": "-3",
        "单位": "亿元",
        "洽谈日期": "2025-03-17",
        "签约日期": "2999-05-01",
    }
    bad |= {"拟签约日期": "2025-03-01", "协议类型": "合同", "开工日期": "2999-04-01"}
    today = somebody().today
    future = f"is in the future; today is {today} in China."
    assert refused(ledger, sheet(tmp_path / "a.csv", [row(1, **bad)])) == [
        "line 2, 计划投资: '-3' is no amount of 0 or more, like 30, 3,000,000,000 or 30亿元.",
        "line 2, 洽谈日期: 2025-03-17 is before 提供日期, 2025-03-18.",
        "line 2, 拟签约日期: 2025-03-01 is before 洽谈日期, 2025-03-17.",
        f"line 2, 签约日期: 2999-05-01 {future}",
        "line 2, 开工日期: 2999-04-01 is before 签约日期, 2999-05-01.",
    ]


def test_a_row_with_too_many_cells_does_not_hide_the_faults_of_the_others(
    tmp_path: Path, ledger: Ledger
) -> None:
    lines = text([row(1, 区划代码="1"), row(2), row(3, 区划代码="2")]).split("\n")
    lines[2] += ",多余"
    path = tmp_path / "a.csv"
    path.write_text("\n".join(lines), "utf-8")
    kind = "is no GB/T 2260 district code of six digits, like 320812."
    assert refused(ledger, path) == [
        f"line 2, 区划代码: '1' {kind}",
        "line 3, row: The row has 27 cells under 26 headings.",
        f"line 4, 区划代码: '2' {kind}",
    ]


def test_a_members_sector_is_whichever_row_tells_it_and_no_two(
    tmp_path: Path, ledger: Ledger
) -> None:
    rows = [row(1, 委员界别=""), row(2, 委员界别="科技"), row(3, 委员界别="科技"), row(4)]
    rows[3]["委员界别"] = ""
    take_in(ledger, sheet(tmp_path / "a.csv", rows))
    (member,), _ = ledger.reads.members(0, 9, None, None)
    assert member["sector"] == "科技"
    again = [row(5, 委员界别="农业"), row(6, 提供委员="QJP-9", 委员界别="工会")]
    again.append(row(7, 提供委员="QJP-9", 委员界别="妇联"))
    assert refused(ledger, sheet(tmp_path / "b.csv", again)) == [
        f"line 2, 委员界别: That of {rows[0]['提供委员']} is 科技 in the ledger.",
        "line 4, 委员界别: That of QJP-9 is 工会 above.",
    ]


def test_a_row_that_names_its_lead_is_that_lead_and_no_other(
    tmp_path: Path, ledger: Ledger
) -> None:
    member = register(ledger)
    lead = tip(ledger, member.subject).subject
    take_in(ledger, sheet(tmp_path / "a.csv", [row(1)]))
    first = shown(ledger)[0]
    names = {str(lead): "a lead", str(member.subject): "a member", "x": "nothing"}
    of_paper = str(events_by_title(ledger, row(1)["项目名称"]))
    rows = [row(n, 区划代码=first["district"]) for n in range(11, 17)]
    given = [*names, of_paper, of_paper, ""]
    path = tmp_path / "b.csv"
    lines = text(rows).rstrip().split("\n")
    path.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, ["项目标识", *given], strict=True)))
    found = refused(ledger, path)
    assert "line 3, 项目标识: It names no lead." in found
    assert "line 4, 项目标识: 'x' is no id of a lead." in found
    assert "line 5, 编号: 项目标识 names the lead that the paper has as 1 of 2025." in found
    assert f"line 6, 项目标识: {of_paper} stands in line 5 already." in found
    assert not any(fault.startswith("line 7") for fault in found)


def events_by_title(ledger: Ledger, title: str) -> UUID:
    """The id of the lead of that title."""
    return next(UUID(lead["id"]) for lead in shown(ledger) if lead["title"] == title)


def test_columns_of_the_offices_own_stand_anywhere_and_are_told(
    tmp_path: Path, ledger: Ledger
) -> None:
    own = ["联系电话,,批示", "139,,已阅", ",,"]
    path = tmp_path / "a.csv"
    lines = text([row(1), row(2)]).split("\n")
    path.write_text("\n".join(f"{a},{b}" for a, b in zip(lines, own, strict=False)), "utf-8")
    done = take_in(ledger, path)
    assert (done.leads, done.extra) == (2, {"联系电话", "批示"})


def test_a_line_break_in_a_quoted_cell_moves_the_line_numbers_after_it(
    tmp_path: Path, ledger: Ledger
) -> None:
    lines = text([row(1, 历程="x"), row(2, 区划代码="1")]).replace(",x\n", ',"   \n\n"\n')
    path = tmp_path / "a.csv"
    path.write_text(lines, "utf-8")
    (fault,) = refused(ledger, path)
    assert fault.startswith("line 5, 区划代码: "), "an editor shows the second row in line 5"


def test_a_row_over_several_lines_is_named_by_the_line_it_begins_in(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = sheet(tmp_path / "a.csv", [row(1), row(2, 区划代码="1", 备注="\n\n"), row(3)])
    (fault,) = refused(ledger, path)
    assert fault.startswith("line 3, 区划代码: ")


def test_a_note_with_a_line_break_is_taken_as_the_api_takes_it(
    tmp_path: Path, ledger: Ledger
) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [row(备注="第一行\n第二行")]))
    (event,) = ledger.reads.history(UUID(shown(ledger)[0]["id"]))
    assert event["facts"]["note"] == "第一行\n第二行"


@pytest.mark.parametrize(
    ("headings", "faults"),
    [
        (["编号", "项目名称", "区划代码", "提供日期"], ["The heading 提供委员 is missing."]),
        ([*HEADINGS, "编号"], ["The heading 编号 stands twice."]),
    ],
)
def test_headings_that_are_missing_or_doubled_are_named(
    tmp_path: Path, ledger: Ledger, headings: list[str], faults: list[str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text([row()], headings), "utf-8")
    assert refused(ledger, path) == [f"line 1, headings: {fault}" for fault in faults]


def test_an_empty_file_misses_its_headings(tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"")
    missing = "编号, 项目名称, 提供委员, 区划代码, 提供日期"
    assert refused(ledger, path) == [
        f"line 1, file: No row has the headings of a ledger, among them {missing}."
    ]


def test_a_quotation_that_never_ends_is_refused_with_its_line(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text([row(1)]) + '2,"示例\n', "utf-8")
    (fault,) = refused(ledger, path)
    assert fault.startswith("line 3, row: It is no CSV")


# Once


def test_repeating_an_import_changes_nothing(tmp_path: Path, ledger: Ledger) -> None:
    path = sheet(tmp_path / "a.csv", [FULL, row(2)])
    take_in(ledger, path)
    before = whole_log(ledger)
    assert take_in(ledger, path) == Imported(unchanged=2)
    assert whole_log(ledger) == before


def test_a_longer_sheet_adds_only_what_is_new(tmp_path: Path, ledger: Ledger) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [row(1)]))
    longer = sheet(tmp_path / "a.csv", [row(0), row(1), row(2)])
    assert take_in(ledger, longer) == Imported(2, 0, 1, 2)


def test_a_lead_that_went_on_since_is_still_the_same_row(tmp_path: Path, ledger: Ledger) -> None:
    path = sheet(tmp_path / "a.csv", [row(1)])
    take_in(ledger, path)
    follow(ledger, UUID(shown(ledger)[0]["id"]))
    assert take_in(ledger, path) == Imported(unchanged=1)


def test_the_same_number_of_another_year_or_district_is_another_row(
    tmp_path: Path, ledger: Ledger
) -> None:
    rows = [row(1), row(1, 提供日期="2024-03-18"), row(1, 区划代码="320871")]
    assert take_in(ledger, sheet(tmp_path / "a.csv", rows)).leads == 3


def test_a_dry_run_says_the_same_and_records_nothing(tmp_path: Path, ledger: Ledger) -> None:
    path = sheet(tmp_path / "a.csv", [FULL, row(2, 提供委员="A;B")])
    said = take_in(ledger, path, dry_run=True)
    assert whole_log(ledger) == []
    assert take_in(ledger, path) == said == Imported(2, 3, 0, 9)
    again = take_in(ledger, path, dry_run=True)
    assert again == Imported(unchanged=2)


def test_a_dry_run_names_the_same_faults(tmp_path: Path, ledger: Ledger) -> None:
    path = sheet(tmp_path / "a.csv", [row(1, 区划代码="1"), row(2, 提供日期="x")])
    with pytest.raises(BadImport) as why:
        take_in(ledger, path, dry_run=True)
    assert [str(cell) for cell in why.value.cells] == refused(ledger, path)


def test_an_import_and_its_projections_agree(tmp_path: Path, ledger: Ledger) -> None:
    take_in(ledger, sheet(tmp_path / "a.csv", [FULL, *(row(n) for n in range(2, 50))]))
    check_projections(ledger)


def import_at_once(barrier: Any, folder: Path, path: Path) -> Any:
    """The import's result, or the sentence it was refused with."""
    with ledger_in(folder) as ledger:
        barrier.wait()
        try:
            return take_in(ledger, path)
        except Refused as why:
            return str(why)


def test_two_imports_of_one_file_at_once_record_it_once(tmp_path: Path) -> None:
    rows = [row(n, 提供委员=f"QJP-{n % 7}") for n in range(1, 301)]
    path = sheet(tmp_path / "a.csv", rows)
    for number in range(4):
        folder = tmp_path / str(number)
        with ledger_in(folder) as ledger:
            results = processes(import_at_once, (folder, path), (folder, path))
            winners = [r for r in results if isinstance(r, Imported) and r.leads]
            assert winners == [Imported(300, 7, 0, 307)]
            results.remove(winners[0])
            (loser,) = results
            if isinstance(loser, str):
                assert "this import recorded nothing. Import the file again." in loser
            else:
                assert loser == Imported(unchanged=300)
            assert len(whole_log(ledger)) == 307
            assert take_in(ledger, path) == Imported(unchanged=300)


def test_a_member_registered_while_an_import_runs_is_refused_not_doubled(
    tmp_path: Path, ledger: Ledger
) -> None:
    path = sheet(tmp_path / "a.csv", [row(n) for n in range(1, 200)])
    with ledger_in(tmp_path / "ledger") as other:
        read = 0

        def register_at_the_hundredth(lines: int) -> None:
            nonlocal read
            read += lines
            if read == 100:
                register(other, "QJP-001", "王委员")

        with pytest.raises(Refused, match="recorded nothing"), acting(somebody(may_waive=True)):
            import_paper(ledger, path, progress=register_at_the_hundredth)
    assert len(whole_log(ledger)) == 1
    assert take_in(ledger, path).leads == 199
    assert [m["name"] for m in shown(ledger)[0]["members"]] == ["王委员"]


def test_a_number_asked_while_an_import_runs_is_the_same_when_asked_for_that_moment_later(
    tmp_path: Path, ledger: Ledger
) -> None:
    """An import's events are known from when it was recorded, not from when it was begun."""
    member = register(ledger, "QJP-009").subject
    path = sheet(tmp_path / "a.csv", [row(1), row(2)])
    window = (Selection(), date(2025, 1, 1), date(2025, 12, 31))
    with acting(somebody(may_waive=True)):
        tip(ledger, member)  # another request, after the import was begun
        moment = now()
        then = ledger.reads.pipeline(*window, None)
        import_paper(ledger, path)
    known = ledger.reads.position_known_at(moment)
    assert ledger.reads.pipeline(*window, known)["tips"] == then["tips"] == 1


# Large ones

ROWS = 20_000


def many(count: int) -> Iterator[Row]:
    """Leads of every kind, by two hundred members."""
    for n in range(count):
        start = f"2025-{n % 9 + 1:02d}-{n % 28 + 1:02d}"
        member = f"M{n % 200}"
        full = {**FULL, "编号": str(n), "提供委员": member}
        yield row(n, 提供日期=start, 提供委员=member) if n % 8 else full


SCRIPT = """
import resource, sys
from pathlib import Path
from tests.service.helpers import ledger_in
from tests.service.sheets import take_in
with ledger_in(Path(sys.argv[1])) as ledger:
    done = take_in(ledger, Path(sys.argv[2]))
print(done.leads, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


def importing(folder: Path, path: Path) -> "Popen[str]":
    """A process of its own that imports the file."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(HOME)}
    return Popen(command, stdout=PIPE, stderr=PIPE, text=True, env=environment)


def finished(process: "Popen[str]") -> tuple[int, int]:
    """Leads recorded, and the most memory used, in MiB."""
    out, err = process.communicate(timeout=PATIENCE * 3)
    assert process.returncode == 0, err
    leads, memory = out.split()
    return int(leads), int(memory)


def test_twenty_thousand_rows_take_little_more_memory_than_two_hundred(tmp_path: Path) -> None:
    large = sheet(tmp_path / "large.csv", many(ROWS))
    few = importing(tmp_path / "few", sheet(tmp_path / "few.csv", many(200)))
    much = importing(tmp_path / "much", large)
    (small, base), (leads, memory) = finished(few), finished(much)
    assert (small, leads) == (200, ROWS)
    assert memory - base < 40, f"{memory} MiB against {base} MiB"


@pytest.mark.sqlite_alone("the moment is known by the file's write-ahead log")
def test_an_import_killed_while_it_records_leaves_nothing_and_the_next_one_succeeds(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "ledger"
    rows = [{**FULL, "编号": str(n)} for n in range(6_000)]
    # Of so many the first are being recorded for a while: however late we are told, it goes on.
    large, few = sheet(tmp_path / "large.csv", rows), sheet(tmp_path / "few.csv", rows[:500])
    with ledger_in(folder) as ledger:
        register(ledger, "QJP-999")
        log = folder / "ledger.sqlite-wal"
        # Uncommitted pages go to the WAL once SQLite's cache is full: then it is recording.
        for grown in (0, 500_000, 1_500_000):
            start = log.stat().st_size
            process = importing(folder, large)
            with process:
                deadline = time.monotonic() + PATIENCE
                while process.poll() is None and log.stat().st_size <= start + grown:
                    assert time.monotonic() < deadline, "it never began to record"
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(signal.SIGKILL)
            assert process.returncode == -signal.SIGKILL, "it was done before it was killed"
            assert len(whole_log(ledger)) == 1
    assert finished(importing(folder, few))[0] == 500
    with ledger_in(folder) as ledger:
        assert ledger.reads.pipeline(Selection(), date(2025, 1, 1), date(2025, 12, 31), None)[
            "balanced"
        ]
