"""The pipeline, its movements, and the month and week so far, at a cut, as tables."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from domain.posting import ABOUT_TO_SIGN, closed_account
from domain.stage import OUTCOMES, STAGES
from service.exports.columns import MOVEMENTS, PIPELINE
from service.exports.cut import Cut
from service.exports.table import Chart, Table
from service.projections.choosing import EVERYTHING
from service.reads import Reads
from service.reports.periodic import periodic
from service.reports.periods import MONTHLY, WEEKLY, period_to
from service.reports.sheet import sheet

TITLE = "委员助招商台账"
_KINDS = ("standing", "entered", "left", "reached")
_MOVES = ("opening", "in", "out", "closing")
_CHART = Chart("各阶段现有项目数", "label", ["standing_count"], rows=len(STAGES))


def year_of(day: date) -> date:
    """The first day of its year."""
    return day.replace(month=1, day=1)


def pipeline_table(reads: Reads, cut: Cut) -> Table:
    """Where every lead stands at the cut, and what entered and left in its year."""
    found = reads.pipeline(EVERYTHING, year_of(cut.day), cut.day, cut.position)
    title = f"{TITLE}：{cut.day.year}年汇总"
    return Table("汇总", title, PIPELINE, list(_pipeline_rows(found)), _CHART)


def _pipeline_rows(found: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    for stage in found["stages"]:
        figures = [value for kind in _KINDS for value in _figure(stage[kind])]
        yield (stage["label"], *figures, stage["stage"])
    nothing = (None,) * 6
    yield ("其中：即将签约", *_figure(found["about_to_sign"]), *nothing, ABOUT_TO_SIGN)
    yield ("落地（签约和开工）", *_figure(found["landed"]), *nothing, "landed")
    closed = found["stages"][-1]["outcomes"]
    for outcome, (label, _) in OUTCOMES.items():
        yield (f"终止：{label}", closed[outcome], None, *nothing, closed_account(outcome))
    yield ("本年提供信息", None, None, found["tips"], *nothing[1:], "tips")


# Why its money is not that of the summary's leads that entered and left.
_REVALUED = (
    "转入、转出金额含该阶段内项目金额的调整（如签约时确定的投资额），期初＋转入－转出＝期末；"
    "汇总表的进入、离开金额只计进出的项目。"
)


def movements_table(reads: Reads, cut: Cut) -> Table:
    """Opening, in, out and closing of each stage: on the day, in its month, in its year."""
    title = f"{TITLE}：阶段变动"
    return Table("变动", title, MOVEMENTS, list(_movement_rows(reads, cut)), notes=(_REVALUED,))


def _movement_rows(reads: Reads, cut: Cut) -> Iterator[tuple[Any, ...]]:
    end = cut.day
    starts = {"day": end, "month": end.replace(day=1), "year": year_of(end)}
    for window, start in starts.items():
        found = reads.movements(EVERYTHING, start, end, cut.position)
        for stage in found["stages"]:
            figures = [value for kind in _MOVES for value in _figure(stage[kind])]
            yield (window, start, end, stage["stage"], *figures)


def period_tables(reads: Reads, cut: Cut) -> Iterator[Table]:
    """The reports of the month and of the week that the cut's day is in, up to that day."""
    for kind in (MONTHLY, WEEKLY):
        yield sheet(periodic(reads, period_to(kind, cut.day), EVERYTHING, cut.position))


def _figure(figure: Mapping[str, Any]) -> tuple[int, Decimal]:
    return figure["count"], Decimal(figure["cny"])
