"""A month's or week's report as one sheet of a workbook: every number of it, and those that are
printed first."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from domain.stage import STAGES
from service.exports.table import Chart, Column, Kind, Table
from service.reports.periodic import MEASURES
from service.reports.periods import MONTHLY, WEEKLY
from service.reports.tables import LABELS, TITLE, columns, figures, notes, notes_on

NAMES: Mapping[str, str] = {MONTHLY: "月报", WEEKLY: "周报"}
_BEFORE: Mapping[str, str] = {"previous": "上期", "year_before": "上年同期"}
_HEAD = (
    Column("by", "分组", width=9),
    Column("group", "名称", width=24),
    Column("stage", "阶段", width=6),
)
_WHOLE = "合计"
_CHART = Chart(
    "各阶段期末项目数",
    "stage",
    ["standing", *(f"standing_{name}" for name in _BEFORE)],
    rows=len(STAGES),
)


def sheet(report: Mapping[str, Any]) -> Table:
    """The sheet of what ``periodic`` told: in all, then by group, stage after stage.

    Lines of nothing are left out of the groups. What the differences are from stands to the right
    of what is printed.
    """
    printed = [*_HEAD, *(_as_number(column) for column in columns())]
    kind = NAMES[report["kind"]]
    title = f"{TITLE}：{report['label']}{kind}"
    return Table(
        kind,
        title if report["complete"] else f"{title}（截至{report['to']}）",
        [*printed, *_columns_before()],
        list(_rows(report)),
        _CHART,
        [*notes(report), *_notes_on_groups(report)],
        printed=len(printed),
        frozen=len(_HEAD),
    )


def _rows(report: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for stage in report["stages"]:
        yield (_WHOLE, None, stage["label"], *figures(stage), *_before(stage))
    for table in report["tables"]:
        for line in table["lines"]:
            for stage in line["stages"]:
                told = (*figures(stage), *_before(stage))
                if any(told):
                    yield (table["label"], line["label"], stage["label"], *told)


def _as_number(column: Column) -> Column:
    """As a column of plain numbers, which have no unit beside them."""
    if column.kind is Kind.YUAN:
        return column._replace(heading=f"{column.heading}（元）", width=19)
    return column._replace(width=8)


def _columns_before() -> Iterator[Column]:
    for measure in MEASURES:
        for name, when in _BEFORE.items():
            label = f"{when}{LABELS[measure]}"
            yield Column(f"{measure}_{name}", f"{label}（个）", Kind.COUNT, width=11)
            yield _as_number(Column(f"{measure}_{name}_yuan", f"{label}投资额", Kind.YUAN))


def _before(stage: Mapping[str, Any]) -> Iterator[Any]:
    for measure in MEASURES:
        for name in _BEFORE:
            figure = stage[measure][name]
            yield figure["count"]
            yield Decimal(figure["cny"])


def _notes_on_groups(report: Mapping[str, Any]) -> Iterator[str]:
    for table in report["tables"]:
        yield f"按{table['label']}：{''.join(notes_on(table))}"
