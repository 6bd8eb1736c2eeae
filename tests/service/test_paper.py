"""What one row of a paper ledger says, and what is wrong with one that says nothing."""

from typing import Any

import pytest

from domain.stage import EVIDENCE_KINDS
from service.columns import HEADINGS
from service.paper import read_row
from service.rows import BadRow, Paper
from tests.service.sheets import FULL, Row, row

# A code whose check character is right, and the same with a wrong one.
USCC, WRONG_USCC = "91320812MA1MABCD1N", "91320812MA1MABCD1Y"
LATE_WAIVER = "the imported paper lacks it"


def read(cells: Row) -> Paper:
    """The row's meaning, empty under every heading not given."""
    return read_row({**dict.fromkeys(HEADINGS, ""), **cells})


def faults(cells: Row) -> dict[str, str]:
    """What is wrong with each cell of the row."""
    with pytest.raises(BadRow) as refused:
        read(cells)
    return refused.value.cells


def methods(paper: Paper) -> list[str]:
    """The commands after the tip, in order."""
    return [step.method for step in paper.steps]


def test_a_row_with_everything_is_a_lead_from_its_tip_to_groundbreaking() -> None:
    paper = read(FULL)
    assert (paper.number, paper.district, paper.sector) == ("1", "320812", "工商联")
    assert paper.members == ["QJP-001"]
    assert paper.tip.method == "tip"
    assert paper.tip.facts == {
        "title": "示例项目一",
        "summary": None,
        "district": "320812",
        "occurred_on": "2025-01-09",
        "investor": {"name": "示例投资方一", "uscc": None, "country": None},
        "industry": "C34",
        "investment": {"amount": "1.6", "unit": "亿元"},
        "contact": None,
        "note": "全年开工亿元项目",
    }
    # The paper says not how the works began, so that fact is waived and none is invented.
    start = {"fact": "start", "reason": LATE_WAIVER}
    assert [(step.method, step.facts) for step in paper.steps] == [
        (
            "open_negotiation",
            {
                "responsible_unit": "清江浦经济开发区",
                "manager": "赵",
                "occurred_on": "2025-01-20",
                "waivers": [],
            },
        ),
        ("plan_signing", {"expected_on": "2025-05-01", "occurred_on": "2025-01-20"}),
        (
            "sign",
            {
                "investment": {"amount": "1.5", "unit": "亿元"},
                "occurred_on": "2025-04-11",
                "waivers": [],
            },
        ),
        (
            "break_ground",
            {
                "start": None,
                "evidence": [{"kind": "permit", "reference": "示例许可证一"}],
                "occurred_on": "2025-09-26",
                "waivers": [start],
            },
        ),
    ]


def test_a_row_with_the_required_cells_only_is_a_tip_and_nothing_else() -> None:
    paper = read(row(7))
    assert paper.steps == []
    assert paper.sector is None
    absent = ("investor", "industry", "investment", "contact", "note", "summary")
    assert [paper.tip.facts[name] for name in absent] == [None] * len(absent)


def test_an_empty_cell_is_an_absent_fact_and_each_required_one_is_waived_by_name() -> None:
    dates = {"洽谈日期": "2025-04-01", "签约日期": "2025-05-01", "开工日期": "2025-06-01"}
    paper = read(row(协议类型="合同", **dates))
    waived = {step.method: [w["fact"] for w in step.facts["waivers"]] for step in paper.steps}
    assert waived == {
        "open_negotiation": ["responsible_unit"],
        "sign": ["investment"],
        "break_ground": ["start", "evidence"],
    }


@pytest.mark.parametrize("separator", [";", "；", " ; ", ";;", "；;"])
def test_several_members_in_a_cell_keep_their_order(separator: str) -> None:
    paper = read(row(提供委员=separator.join(["QJP-031", "QJP-014", "QJP-002"])))
    assert paper.members == ["QJP-031", "QJP-014", "QJP-002"]


@pytest.mark.parametrize(
    ("word", "method"),
    [
        ("合同", "sign"),
        ("投资合同", "sign"),
        ("框架", "agree_framework"),
        ("框架协议", "agree_framework"),
    ],
)
def test_only_a_contract_is_a_signing(word: str, method: str) -> None:
    dates = {"洽谈日期": "2025-04-01", "签约日期": "2025-05-01"}
    assert methods(read(row(协议类型=word, **dates))) == ["open_negotiation", method]


@pytest.mark.parametrize(
    ("word", "method", "facts"),
    [
        ("不予跟进", "close", {"outcome": "declined", "waivers": []}),
        ("流失", "close", {"outcome": "lost", "waivers": []}),
        ("撤回", "close", {"outcome": "withdrawn", "waivers": []}),
        ("解约", "close", {"outcome": "rescinded", "waivers": []}),
        (
            "重复",
            "screen",
            {
                "verdict": "duplicate",
                "duplicate_of": None,
                "waivers": [{"fact": "duplicate_of", "reason": LATE_WAIVER}],
            },
        ),
    ],
)
def test_each_word_for_an_end_is_its_outcome(word: str, method: str, facts: Row) -> None:
    paper = read(row(终止日期="2025-05-01", 终止结果=word, 终止原因="没有用地"))
    (end,) = paper.steps
    assert end.method == method
    assert end.facts == {"occurred_on": "2025-05-01", "reason": "没有用地", **facts}


def test_an_end_without_its_reason_waives_the_reason() -> None:
    (end,) = read(row(终止日期="2025-05-01", 终止结果="不予跟进")).steps
    assert end.facts["waivers"] == [{"fact": "reason", "reason": LATE_WAIVER}]


@pytest.mark.parametrize("name", ["编号", "项目名称", "提供委员", "区划代码", "提供日期"])
def test_each_required_cell_is_missed_by_name(name: str) -> None:
    assert faults(row(**{name: ""})) == {name: "It is empty, and every row needs it."}


TALKS = {"洽谈日期": "2025-04-01"}
SIGNED = {**TALKS, "签约日期": "2025-05-01", "协议类型": "合同"}
NO_DAY = "is no day of the calendar, like 2025-03-18."


@pytest.mark.parametrize(
    ("cells", "column", "reason"),
    [
        ({"项目名称": "长" * 201}, "项目名称", "It has 201 characters; at most 200 are kept."),
        ({"项目名称": "a\x00b"}, "项目名称", "Character 2 (U+0000) is one that no text keeps."),
        ({"备注": "a\u202eb"}, "备注", "Character 2 (U+202E) is one that no text keeps."),
        (
            {"提供委员": "一" * 41},
            "提供委员",
            f"{'一' * 40}: It has 41 characters; at most 40 are kept.",
        ),
        (
            {"区划代码": "320800"},
            "区划代码",
            "320800 names a whole province or city, not a district.",
        ),
        (
            {"区划代码": "999999"},
            "区划代码",
            "'999999' is no GB/T 2260 district code of six digits, like 320812.",
        ),
        ({"提供日期": "2025-02-30"}, "提供日期", f"'2025-02-30' {NO_DAY}"),
        ({"提供日期": "2025/3/18"}, "提供日期", f"'2025/3/18' {NO_DAY}"),
        ({"提供日期": "２０２５-03-18"}, "提供日期", f"'２０２５-03-18' {NO_DAY}"),
        ({"洽谈日期": "2025-13-01"}, "洽谈日期", f"'2025-13-01' {NO_DAY}"),
        (
            {"产业代码": "Z9"},
            "产业代码",
            "'Z9' is no GB/T 4754 code: a letter A to T and up to four digits, like C397.",
        ),
        (
            {"计划投资": "-1", "单位": "亿元"},
            "计划投资",
            "'-1' is no amount of 0 or more, like 30, 3,000,000,000 or 30亿元.",
        ),
        (
            {"计划投资": "NaN", "单位": "亿元"},
            "计划投资",
            "'NaN' is no amount of 0 or more, like 30, 3,000,000,000 or 30亿元.",
        ),
        (
            {"计划投资": "1", "单位": "亿"},
            "单位",
            "'亿' is none of 元、万元、亿元、万美元、亿美元.",
        ),
        (
            {"计划投资": "1"},
            "单位",
            "It is empty; one of 元、万元、亿元、万美元、亿美元 belongs to 计划投资.",
        ),
        ({"单位": "亿元"}, "单位", "It is given without 计划投资."),
        (
            {**SIGNED, "协议投资": "1"},
            "协议单位",
            "It is empty; one of 元、万元、亿元、万美元、亿美元 belongs to 协议投资.",
        ),
        (
            {**SIGNED, "协议类型": "意向书"},
            "协议类型",
            "'意向书' is none of 合同、投资合同、框架、框架协议.",
        ),
        (
            {"终止日期": "2025-05-01", "终止结果": "流转"},
            "终止结果",
            "'流转' is none of 不予跟进、重复、流失、撤回、解约.",
        ),
        (
            {**SIGNED, "开工日期": "2025-06-01", "开工佐证": "许可证"},
            "开工佐证",
            f"'许可证' is not kind:reference with a kind of {', '.join(EVIDENCE_KINDS)}.",
        ),
        ({"统一社会信用代码": USCC}, "统一社会信用代码", "It is given without 投资方."),
        ({"拟签约日期": "2025-04-02"}, "拟签约日期", "It is given without 洽谈日期."),
        ({**TALKS, "签约日期": "2025-05-01"}, "签约日期", "It is given without 协议类型."),
        ({**TALKS, "开工日期": "2025-05-01"}, "开工日期", "It is given without 签约日期."),
        ({"终止日期": "2025-05-01"}, "终止日期", "It is given without 终止结果."),
        ({"终止结果": "流失"}, "终止结果", "It is given without 终止日期."),
        ({"终止原因": "流失"}, "终止原因", "It is given without 终止日期."),
        ({**TALKS, "协议类型": "合同"}, "协议类型", "It is given without 签约日期."),
        ({**SIGNED, "开工佐证": "permit:1"}, "开工佐证", "It is given without 开工日期."),
        ({"责任单位": "开发区"}, "责任单位", "It is given without 洽谈日期."),
        ({"责任人": "赵"}, "责任人", "It is given without 洽谈日期."),
    ],
)
def test_a_bad_cell_is_named_with_its_reason(cells: Row, column: str, reason: str) -> None:
    assert faults(row(**cells)) == {column: reason}


def test_a_code_with_a_wrong_check_character_is_refused_and_a_right_one_is_kept() -> None:
    investor = {"投资方": "示例投资方"}
    wrong = faults(row(**investor, 统一社会信用代码=WRONG_USCC))
    assert list(wrong) == ["统一社会信用代码"]
    assert wrong["统一社会信用代码"].startswith(f"'{WRONG_USCC}' is no unified social credit code")
    kept: Any = read(row(**investor, 统一社会信用代码=USCC)).tip.facts["investor"]
    assert kept["uscc"] == USCC


def test_every_bad_cell_of_a_row_is_named_not_only_the_first() -> None:
    found = faults(row("", 区划代码="1", 提供日期="x", 产业代码="?", 计划投资="y", 单位="亿元"))
    assert set(found) == {"编号", "区划代码", "提供日期", "产业代码", "计划投资"}


def test_a_note_of_several_lines_is_kept() -> None:
    assert read(row(备注="第一行\n第二行")).tip.facts["note"] == "第一行\n第二行"


# Days out of order


def test_badly_written_amounts_do_not_hide_days_that_are_out_of_order() -> None:
    found = faults(
        {
            **FULL,
            "计划投资": "很多",
            "洽谈日期": "2025-01-08",
            "签约日期": "2025-01-07",
            "终止日期": "2025-13-01",
            "终止结果": "流失",
        }
    )
    assert found["洽谈日期"] == "2025-01-08 is before 提供日期, 2025-01-09."
    assert found["签约日期"] == "2025-01-07 is before 提供日期, 2025-01-09."
    assert found["终止日期"] == "'2025-13-01' is no day of the calendar, like 2025-03-18."
    assert "is no amount" in found["计划投资"]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (
            {"拟签约日期": "2025-01-15", "洽谈日期": "2025-02-01"},
            {"拟签约日期": "2025-01-15 is before 洽谈日期, 2025-02-01."},
        ),
        (
            {"洽谈日期": "2025-02-01", "终止日期": "2025-01-31", "终止结果": "流失"},
            {"终止日期": "2025-01-31 is before 洽谈日期, 2025-02-01."},
        ),
    ],
)
def test_a_day_before_the_one_it_follows_is_told_by_the_papers_headings(
    cells: Row, expected: dict[str, str]
) -> None:
    assert faults(row(1, 提供日期="2025-01-09", **cells)) == expected


def test_a_lead_may_end_before_a_framework_agreement_and_sign_before_the_day_it_was_expected() -> (
    None
):
    days = {"洽谈日期": "2025-02-01", "签约日期": "2025-03-01", "终止日期": "2025-02-15"}
    read(row(1, 提供日期="2025-01-09", **days, 协议类型="框架", 终止结果="流失"))
    signed = {"洽谈日期": "2025-02-01", "签约日期": "2025-03-01", "拟签约日期": "2025-06-01"}
    read(row(1, 提供日期="2025-01-09", **signed, 协议类型="合同"))
