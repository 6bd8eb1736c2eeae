"""The columns of a paper ledger: one table for the import, the template and the exports."""

from collections.abc import Mapping
from typing import NamedTuple

# How a cell is read: as a text, a code, a day, one of a few words, an amount or its unit, or the
# numbers of members.
TEXT, CODE, DAY, WORD, AMOUNT, UNIT, MEMBERS, EVIDENCE = (
    "text code day word amount unit members evidence".split()
)


class Column(NamedTuple):
    """``name`` is its English one; ``also`` what else it may be called; ``about`` explains it to
    who fills it in; ``example`` is the template's."""

    heading: str
    name: str
    kind: str
    about: str
    example: str = ""
    also: tuple[str, ...] = ()
    required: bool = False


COLUMNS = (
    Column("编号", "number", CODE, "一年之内不重复的编号", "示例", required=True),
    Column("项目名称", "title", TEXT, "最多200字", "12英寸大晶圆项目", required=True),
    Column(
        "提供委员",
        "members",
        MEMBERS,
        "委员编号；几位委员按首报先后，用分号隔开",
        "QJP-027",
        required=True,
    ),
    Column("委员界别", "sector", TEXT, "新委员的界别", "科技"),
    Column("区划代码", "district", CODE, "六位区划代码", "320812", required=True),
    Column(
        "提供日期",
        "tipped_on",
        DAY,
        "委员提供信息的日期，如2025-03-18",
        "2025-03-18",
        ("occurred_on", "dates.tip"),
        required=True,
    ),
    Column("投资方", "investor", TEXT, "企业名称", "示例投资方", ("investor.name",)),
    Column(
        "统一社会信用代码", "uscc", CODE, "投资方的18位统一社会信用代码", "", ("investor.uscc",)
    ),
    Column("产业代码", "industry", CODE, "国民经济行业分类，如C397", "C397"),
    Column("计划投资", "investment", AMOUNT, "如30，也可写30亿元", "30", ("investment.amount",)),
    Column("单位", "unit", UNIT, "计划投资的单位", "亿元", ("investment.unit",)),
    Column(
        "洽谈日期", "negotiating_on", DAY, "开始洽谈的日期", "2025-04-02", ("dates.negotiating",)
    ),
    Column("责任单位", "responsible_unit", TEXT, "跟踪洽谈的单位", "商务局"),
    Column("责任人", "manager", TEXT, "跟踪洽谈的人", "张三"),
    Column("拟签约日期", "expected_signing_on", DAY, "即将签约的，预计哪天签约", "2026-01-15"),
    Column("签约日期", "signed_on", DAY, "签订合同或框架协议的日期", "", ("dates.signed",)),
    Column("协议类型", "agreement", WORD, "合同或框架协议", ""),
    Column("协议投资", "agreed_investment", AMOUNT, "合同载明的投资", ""),
    Column("协议单位", "agreed_unit", UNIT, "协议投资的单位", ""),
    Column("开工日期", "groundbroken_on", DAY, "主体开工的日期", "", ("dates.groundbroken",)),
    Column("开工佐证", "evidence", EVIDENCE, "种类:编号，如permit:许可证一，许可:许可证一", ""),
    Column("终止日期", "closed_on", DAY, "不再跟踪的日期", "", ("dates.closed",)),
    Column("终止结果", "outcome", WORD, "不予跟进、重复、流失、撤回或解约", ""),
    Column("终止原因", "reason", TEXT, "为什么终止", ""),
    Column("备注", "note", TEXT, "", "示例行，导入时略过"),
    Column(
        "历程",
        "course",
        TEXT,
        "一行说不清的，按先后逐步写全，"
        "如2025-03-18 信息 30亿元; 2025-04-02 洽谈; 2025-06-01 流失; 2025-07-01 重开",
    ),
)
# Columns that came later: empty, they leave a row what it was without them.
LATER = frozenset({"历程"})
HEADINGS = tuple(column.heading for column in COLUMNS)
REQUIRED = tuple(column.heading for column in COLUMNS if column.required)
# The days of a life in their order. Those that are over when the row is written are all but one:
# a signing may be expected.
EXPECTED_DAY = "拟签约日期"
DAYS_IN_ORDER = ("提供日期", "洽谈日期", EXPECTED_DAY, "签约日期", "开工日期", "终止日期")
PAST_DAYS = tuple(name for name in DAYS_IN_ORDER if name != EXPECTED_DAY)
# What an export has besides, that an import knows its leads by: the id in the API. No template
# asks for it.
IDENTITY = "项目标识"
# Amount's heading → its unit's.
UNIT_OF = {"计划投资": "单位", "协议投资": "协议单位"}
# Whatever a column may be called → its heading.
CALLED: Mapping[str, str] = {
    name.lower(): column.heading
    for column in COLUMNS
    for name in (column.heading, column.name, *column.also)
} | {IDENTITY: IDENTITY, "id": IDENTITY}
# A row of this number is the template's example and is left out.
EXAMPLE = "示例"
