"""A report as it is printed, whatever the format: heading, sentence, tables, and at its foot what
the numbers are of."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from domain.report import ANNUAL, digest_of
from domain.stage import CLOSED, LABELS, OUTCOMES
from service.exports.table import Column, Kind, Table
from service.reports.annual import RULES, amount_words
from service.reports.sheet import sheet
from service.reports.tables import TITLE, tables


class Printed(NamedTuple):
    """``name`` is that of its file, without an ending; ``wide`` asks for the page to lie across.
    ``sheets`` are what a workbook has of it in place of ``tables``, where it comes as one."""

    name: str
    title: str
    paragraphs: Sequence[str]
    tables: Sequence[Table]
    notes: Sequence[str]
    wide: bool = False
    sheets: Sequence[Table] = ()


_CLAIMS = (
    Column("label", "指标"),
    Column("value", "数量", Kind.COUNT),
    Column("yuan", "计划投资", Kind.YUAN),
    Column("meaning", "口径", width=40),
)
_LEADS = (
    Column("place", "序号", Kind.COUNT),
    Column("title", "项目", width=30),
    Column("members", "提供委员"),
    Column("investment", "计划投资"),
    Column("unit", "责任单位"),
    Column("stage", "截止日阶段"),
    Column("tip_on", "提供日期", Kind.DAY),
)

Lead = Mapping[str, Any]


def printed_annual(report: Mapping[str, Any], leads: Mapping[str, Lead]) -> Printed:
    """An annual report, sealed or not; ``leads`` by id as they were at its cut-off, as known when
    it was told."""
    claims = {claim["name"]: claim for claim in report["claims"]}
    rows = [(rule.label, *_figures(claims[rule.name]), rule.meaning) for rule in RULES]
    whole = Table("各项数字", "各项数字", _CLAIMS, rows)
    behind = [
        Table(rule.label, f"{rule.label}：{claim['value']}", _LEADS, list(_rows(claim, leads)))
        for rule in RULES
        if (claim := claims[rule.name])["value"]
    ]
    title = f"{TITLE}：{report['year']}年度报告"
    place = f"-{report['district']}" if report["district"] else ""
    notes = [_of(report), *_seal(report)]
    return Printed(
        f"report-{report['year']}{place}", title, [report["text"]], [whole, *behind], notes
    )


def printed_periodic(report: Mapping[str, Any]) -> Printed:
    """A month's or week's report."""
    place = f"-{report['district']}" if report["district"] else ""
    title = f"{TITLE}：{report['label']}"
    # It stands over them all already.
    shown = [table._replace(title=table.title.removeprefix(title)) for table in tables(report)]
    name, sheets = f"report-{report['period']}{place}", [sheet(report)]
    return Printed(name, title, [], shown, [_of(report)], wide=True, sheets=sheets)


def _figures(claim: Mapping[str, Any]) -> tuple[int, Decimal | None]:
    cny = claim["cny"]
    return claim["value"], None if cny is None else Decimal(cny)


def _rows(claim: Mapping[str, Any], leads: Mapping[str, Lead]) -> Iterator[tuple[Any, ...]]:
    for place, lead in enumerate((leads[id] for id in claim["leads"]), 1):
        money = lead["investment"]
        yield (
            place,
            lead["title"],
            "、".join(member["name"] for member in lead["members"]),
            amount_words(money["amount"], money["unit"]) if money else None,
            lead["responsible_unit"],
            _place(lead),
            date.fromisoformat(lead["dates"]["tip"]),
        )


def _place(lead: Lead) -> str:
    """The stage, with what else is known of it."""
    label = LABELS[lead["stage"]]
    if lead["stage"] == CLOSED:
        return f"{label}（{OUTCOMES[lead['outcome']][0]}）"
    return f"{label}（即将签约）" if lead["about_to_sign"] else label


def _of(report: Mapping[str, Any]) -> str:
    district = report["district"] or "全部"
    return (
        f"统计期{report['from']}至{report['to']}（截止日），区划{district}，"
        f"口径第{report['rule']}号，据台账第{report['position']}位及以前的记录。"
    )


def _seal(report: Mapping[str, Any]) -> Iterator[str]:
    """What says that it is sealed, or that it is not."""
    if "digest" not in report:
        facts = {"start": report["from"], "end": report["to"], "known_at": report["position"]}
        digest = digest_of({**report, **facts, "kind": ANNUAL})
        yield f"尚未封存。内容的 SHA-256 摘要为 {digest}。"
        return
    yield (
        f"第{report['number']}号，{report['sealed_on']}由{report['sealed_by']}封存，"
        f"编号 {report['id']}，内容的 SHA-256 摘要为 {report['digest']}。"
    )
    if report["note"]:
        yield f"说明：{report['note']}"
    if not report.get("verified", True):
        yield "注意：台账现在所记与封存时不符。"
    if report.get("followed_by"):
        yield f"此后另有报告，编号 {report['followed_by']}。"


def cell(column: Column, value: Any) -> str:
    """A value as it is read on paper; '' for nothing known."""
    if value is None:
        return ""
    if column.kind == Kind.YUAN:
        return amount_words(f"{value:f}", "元") if value else "0"
    return f"{value:,}" if column.kind == Kind.COUNT else f"{value}"


def is_number(column: Column) -> bool:
    """Whether its values stand to the right."""
    return column.kind in (Kind.COUNT, Kind.YUAN)
