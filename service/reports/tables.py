"""A month's or week's tables as they go out of the house: for workbook, page and document."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from service.exports.table import Column, Kind, Table
from service.reports.grouping import DIMENSIONS
from service.reports.periodic import MEASURES

TITLE = "委员助招商台账"
_MEANING = (
    "进入、离开为本期内进入、离开该阶段的项目，期末为期末仍在该阶段的项目；"
    "投资额为计划投资，未另注单位的以元计，未填写的和没有汇率的外币不计。"
)
LABELS = {"entered": "进入", "left": "离开", "standing": "期末"}


def tables(report: Mapping[str, Any]) -> list[Table]:
    """The tables of what ``periodic`` told: by stage, then by each group and stage.

    Lines of nothing are left out of those by group.
    """
    name, title = report["period"], f"{TITLE}：{report['label']}"
    stage = Column("stage", "阶段")
    whole = [(line["label"], *figures(line)) for line in report["stages"]]
    found = [
        Table(f"{name} 阶段", f"{title}按阶段", [stage, *columns()], whole, notes=notes(report))
    ]
    for table in report["tables"]:
        group = Column(table["by"], table["label"], width=24)
        by = f"{title}按{table['label']}"
        found.append(
            Table(
                f"{name} {table['label']}",
                by,
                [group, stage, *columns()],
                list(_rows(table)),
                notes=notes_on(table),
            )
        )
    return found


def columns() -> Iterator[Column]:
    """What ``figures`` gives: of each measure leads, 元, and both differences."""
    for measure in MEASURES:
        label = LABELS[measure]
        yield Column(measure, f"{label}（个）", Kind.COUNT)
        yield Column(f"{measure}_yuan", f"{label}投资额", Kind.YUAN)
        yield Column(f"{measure}_on_previous", f"{label}比上期", Kind.COUNT)
        yield Column(f"{measure}_on_year_before", f"{label}比上年同期", Kind.COUNT)


def _rows(table: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for line in table["lines"]:
        for stage in line["stages"]:
            told = figures(stage)
            if any(told):
                yield (line["label"], stage["label"], *told)


def figures(stage: Mapping[str, Any]) -> tuple[Any, ...]:
    """Of each measure: leads, 元, and by how many leads it is more than before."""
    found: list[Any] = []
    for measure in MEASURES:
        now, before, last_year = (
            stage[measure][name] for name in ("now", "previous", "year_before")
        )
        count = now["count"]
        found += (count, Decimal(now["cny"]), count - before["count"], count - last_year["count"])
    return tuple(found)


def notes(report: Mapping[str, Any]) -> list[str]:
    """What the numbers are of."""
    others = report["compared"]
    days = [_days(of) for of in (report, others["previous"], others["year_before"])]
    spans = f"本期{days[0]}，上期{days[1]}，上年同期{days[2]}。"
    if not report["complete"]:
        spans += "本期未满，上期和上年同期也只计到相应的日子。"
    tips = report["tips"]
    came = "本期新提供信息{now}条，上期{previous}条，上年同期{year_before}条。".format(**tips)
    return [spans, came, _MEANING]


def _days(of: Mapping[str, Any]) -> str:
    return f"{of['from']}至{of['to']}"


def notes_on(table: Mapping[str, Any]) -> list[str]:
    """How the groups are counted, and whether they add up."""
    if DIMENSIONS[table["by"]].once:
        return ["各行之和等于按阶段的合计。"]
    label, repeated = table["label"], table["repeated"]
    more = "因此大于" if repeated else "等于"
    return [
        f"由多个{label}共同提供的项目在每个{label}各计一次。",
        f"本期末这样的项目有{repeated}个，各行之和{more}按阶段的合计。",
    ]
