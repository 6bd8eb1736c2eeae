"""The pipeline: where every lead stands, what moved, over time, and how long it takes."""

from datetime import date
from typing import Any

from flask_smorest import Blueprint

from api.answers import CreditOut, GroupsOut, MovementsOut, PipelineOut, SeriesOut, TimesOut
from api.endpoint import endpoint, shown
from api.replica import by_replica, reading
from api.reply import Reply
from api.schemas import CreditQuery, GroupsQuery, PipelineQuery, SeriesQuery
from api.windows import as_of, known_at, selection, window
from domain.actor import today_in_china
from service.projections.choosing import Selection

blueprint = Blueprint(
    "pipeline", __name__, url_prefix="/v1/pipeline", description="The pipeline, from the book."
)
_READ = "read the pipeline"
Asked = tuple[Selection, date, date, int | None, str]


def _asked(query: dict[str, Any]) -> Asked:
    """Which leads, from, to, as known at which position, by which days."""
    return (selection(query), *window(query), known_at(query), query["by"])


@endpoint(blueprint, "GET", "", _READ, PipelineOut, query=PipelineQuery())
@by_replica
def pipeline(query: dict[str, Any]) -> Reply:
    """Tips, landed, and each stage by the three counting rules; defaults: this year to today."""
    return shown(*reading().reads.pipeline_json(*_asked(query)))


@endpoint(blueprint, "GET", "/movements", _READ, MovementsOut, query=PipelineQuery())
@by_replica
def movements(query: dict[str, Any]) -> Reply:
    """Per stage: opening + in − out = closing."""
    found = reading().reads.movements(*_asked(query))
    return shown(found, found["position"])


@endpoint(blueprint, "GET", "/series", _READ, SeriesOut, query=SeriesQuery())
@by_replica
def series(query: dict[str, Any]) -> Reply:
    """What stood in each stage at each step's end."""
    chosen, start, end, knowledge, by = _asked(query)
    found = reading().reads.series(chosen, start, end, knowledge, query["step"], by)
    return shown(found, found["position"])


@endpoint(blueprint, "GET", "/times", _READ, TimesOut, query=PipelineQuery())
@by_replica
def times(query: dict[str, Any]) -> Reply:
    """How long leads stay in each stage, and what share goes on."""
    found = reading().reads.times(*_asked(query))
    return shown(found, found["position"])


@endpoint(blueprint, "GET", "/credit", _READ, CreditOut, query=CreditQuery())
@by_replica
def credit(query: dict[str, Any]) -> Reply:
    """Which part of these leads is whose; the parts sum to the leads without duplicates."""
    found = reading().reads.credit(selection(query), as_of(query), known_at(query), query["by"])
    return shown(found, found["position"])


@endpoint(blueprint, "GET", "/groups", _READ, GroupsOut, query=GroupsQuery())
@by_replica
def groups(query: dict[str, Any]) -> Reply:
    """What stands where in each industry or sector, as of a day (today)."""
    day = as_of(query) or today_in_china()
    found = reading().reads.groups(selection(query), day, known_at(query), query["by"])
    return shown(found, found["position"])
