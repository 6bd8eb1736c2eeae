"""Every column of the exports, in its order: the one list that files, README and tests go by.

A file for people (CSV, XLSX) has the headings, and words; a file for machines (Parquet) the names,
and the API's values.
"""

from collections.abc import Mapping, Sequence

from domain.stage import LABELS, OUTCOMES
from service.exports.table import YES_OR_NO, Column, Kind

TEXT, CODE, DAY, MOMENT = Kind.TEXT, Kind.CODE, Kind.DAY, Kind.MOMENT
COUNT, YUAN, DECIMAL, FLAG = Kind.COUNT, Kind.YUAN, Kind.DECIMAL, Kind.FLAG

AGREEMENT_WORDS = {"contract": "合同", "framework": "框架协议"}
OUTCOME_WORDS = {name: label for name, (label, _) in OUTCOMES.items()}
VERDICT_WORDS = {"pursue": "跟进", "decline": "不予跟进", "duplicate": "重复"}
START_WORDS = {"construction": "主体施工", "equipment": "设备进场", "opening": "开业"}

# What a paper ledger has stands under its headings, so that `leadledger import` takes it back; the
# first columns are those that go on paper.
LEADS: Sequence[Column] = (
    Column("number", "编号", TEXT, "the paper's, else # and the log position of the tip", width=7),
    Column("title", "项目名称", TEXT, "", width=26),
    Column("stage", "阶段", CODE, "where it stands", LABELS, width=6),
    Column("members", "提供委员", TEXT, "their numbers, in the order of first report", width=12),
    Column("tip_on", "提供日期", DAY),
    Column("investor", "投资方", TEXT, "", width=20),
    Column("industry", "产业代码", CODE, "GB/T 4754", width=6),
    Column("planned", "计划投资", DECIMAL, "as stated; before the contract, where there is one"),
    Column("planned_unit", "单位", CODE, "", width=7),
    Column("responsible_unit", "责任单位", TEXT, "", width=18),
    Column("manager", "责任人", TEXT, "", width=9),
    Column("negotiating_on", "洽谈日期", DAY, "when it first came to negotiation"),
    Column("expected_signing_on", "拟签约日期", DAY, "while it is about to be signed"),
    Column("agreement_on", "签约日期", DAY, "of the contract, else of the framework agreement"),
    Column("agreement", "协议类型", CODE, "contract or framework", AGREEMENT_WORDS),
    Column("agreed", "协议投资", DECIMAL, "the amount since the contract"),
    Column("agreed_unit", "协议单位", CODE, "", width=7),
    Column("groundbroken_on", "开工日期", DAY),
    Column("closed_on", "终止日期", DAY),
    Column("outcome", "终止结果", CODE, "", OUTCOME_WORDS),
    Column("note", "备注", TEXT, "of the tip", width=20),
    Column("course", "历程", TEXT, "each step with its day, as an import takes it", width=40),
    Column("sector", "委员界别", TEXT, "of the first member", width=10),
    Column("district", "区划代码", CODE, "GB/T 2260; where the tip was given"),
    Column("uscc", "统一社会信用代码", CODE, "", width=21),
    Column("evidence", "开工佐证", TEXT, "the first piece of it, kind:reference", width=18),
    Column("reason", "终止原因", TEXT, "", width=20),
    Column("id", "项目标识", CODE, "the lead's id in the API", width=38),
    Column("version", "版本", COUNT),
    Column("about_to_sign", "即将签约", FLAG, "", YES_OR_NO),
    Column("suspended", "暂缓", FLAG, "", YES_OR_NO),
    Column("review_on", "复查日期", DAY, "of a suspension"),
    Column("screened", "研判", CODE, "the verdict", VERDICT_WORDS),
    Column("investment", "现投资额", DECIMAL, "the present amount, as stated"),
    Column("investment_unit", "现单位", CODE, "", width=7),
    Column("cny", "现投资额（元）", YUAN, "the same in 元; nothing for foreign money"),
    Column("member_names", "委员姓名", TEXT, "", width=14),
    Column("summary", "项目简介", TEXT, "", width=24),
    Column("country", "投资方国别", CODE, "ISO 3166"),
    Column("contact_name", "联系人", TEXT, "masked: 李**"),
    Column("contact_phone", "联系电话", TEXT, "masked: 138****0001", width=14),
    Column("contract_number", "合同编号", TEXT, "", width=14),
    Column("start", "开工方式", CODE, "", START_WORDS),
    Column("lost_to", "流向", TEXT, "to whom a lost lead went"),
    Column("duplicate_of", "重复于", CODE, "the id of the surviving lead", width=38),
    Column("signed_recognised_on", "签约认定日期", DAY),
    Column("groundbroken_recognised_on", "开工认定日期", DAY),
    Column("last_activity_on", "最近动态", DAY),
    Column("recorded_at", "登记时间", MOMENT, "of the last event: UTC, in the workbook China time"),
    Column("stands_in", "现区划", CODE, "where it stands, if it passed to another district"),
)
ON_PAPER = 1 + [column.name for column in LEADS].index("note")

ENTRIES: Sequence[Column] = (
    Column("position", "日志位置", COUNT, "of the event that posted it"),
    Column("line", "行", COUNT, "among the lines of that event"),
    Column("lead", "项目标识", CODE),
    Column("occurred_on", "发生日期", DAY, "the day it counts on"),
    Column("kind", "类别", CODE, "first, return, plan or amount"),
    Column("source", "转出", CODE, "the account it leaves"),
    Column("target", "转入", CODE, "the account it comes to"),
    Column("leads", "项目数", COUNT, "1, 0 for money alone, -1 for a reversal"),
    Column("cny", "金额（元）", YUAN),
    Column("by", "口径", CODE, "both, or the book by the day it occurred, or was recognised"),
)

_FIGURES = (("count", "项目数", COUNT), ("cny", "金额（元）", YUAN))


def _figures(name: str, heading: str) -> tuple[Column, ...]:
    return tuple(Column(f"{name}_{n}", heading + h, kind) for n, h, kind in _FIGURES)


PIPELINE: Sequence[Column] = (
    Column("label", "名称", CODE, "a stage, an outcome of closed ones, or a part", width=20),
    *_figures("standing", "现有"),
    *_figures("entered", "本年进入"),
    *_figures("left", "本年离开"),
    *_figures("reached", "累计达到"),
    Column("row", "代码", CODE, "the same in the API's words", width=24),
)

WINDOW_WORDS: Mapping[str, str] = {"day": "本日", "month": "本月", "year": "本年"}

MOVEMENTS: Sequence[Column] = (
    Column("window", "期间", CODE, "the day, or the month or year to it", WINDOW_WORDS),
    Column("from", "自", DAY),
    Column("to", "至", DAY),
    Column("stage", "阶段", CODE, "", LABELS),
    *_figures("opening", "期初"),
    *_figures("in", "转入"),
    *_figures("out", "转出"),
    *_figures("closing", "期末"),
)

CHANGE_WORDS = {"added": "新增", "changed": "变更", "gone": "移除"}

CHANGES: Sequence[Column] = (
    Column("change", "变动", CODE, "added, changed or gone", CHANGE_WORDS),
    Column("lead", "项目标识", CODE, "", width=38),
    # What follows stands as it does in leads.csv, which has seen to formulas.
    Column("title", "项目名称", CODE, "", width=28),
    Column("district", "区划代码", CODE),
    Column("column", "列", CODE, "the heading in leads.csv; nothing where the row is new or gone"),
    Column("before", "原值", CODE, "", width=24),
    Column("after", "现值", CODE, "", width=24),
    Column("events", "事件", CODE, "what changed the row: position/version/name", width=40),
)

# file → its columns
COLUMNS: Mapping[str, Sequence[Column]] = {
    "leads.csv, .parquet, .xlsx": LEADS,
    "entries.parquet": ENTRIES,
    "pipeline.csv": PIPELINE,
    "movements.csv": MOVEMENTS,
    "changes.csv": CHANGES,
}
