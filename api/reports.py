"""Reports: the year's sentence, sealing it, and what became of sealed ones."""

import re
from datetime import date
from typing import Any

import orjson
from flask_smorest import Blueprint

from api.auth import scope
from api.cursors import page_of, read_cursor, write_cursor
from api.endpoint import answered, call, endpoint, ledger, shown
from api.printed import ALSO, ALSO_SHEETS, given
from api.replica import by_replica, reading
from api.reply import Reply
from api.report_answers import (
    AnnualOut,
    DriftOut,
    PeriodicOut,
    ReportsOut,
    SealedOut,
    SealedReportOut,
)
from api.report_schemas import AnnualQuery, PeriodQuery, ReportsQuery, SealIn, SealQuery
from api.schemas import id_of
from api.windows import known_at, report_of
from domain.errors import NotFound
from service.projections.store import FOREVER
from service.reports.asked import Asked, asked_for
from service.reports.periods import MONTHLY, WEEKLY, period_named

blueprint = Blueprint(
    "reports", __name__, url_prefix="/v1/reports", description="Reports: what is published."
)
_READ, _SEAL = "read reports", "seal reports"
_YEAR = re.compile("[0-9]{4}", re.ASCII)


def _asked(year: str, query: dict[str, Any]) -> Asked:
    if not _YEAR.fullmatch(year):
        raise NotFound(
            "There is no annual report of '{year}'; name a year like 2025.", year=year[:40]
        )
    end = date.fromisoformat(query["end"]) if "end" in query else None
    return asked_for(int(year), end, report_of(query))


@endpoint(
    blueprint,
    "GET",
    "/annual/<year>",
    _READ,
    AnnualOut,
    query=AnnualQuery(),
    refusals=(404,),
    also=ALSO,
)
@by_replica
def annual(year: str, query: dict[str, Any]) -> Reply:
    """The year's sentence, each number with the leads behind it, as it would be published now.

    Also as a page to print and as a document to edit, as ``Accept`` asks.
    """
    found = annual_of(year, query)
    return given(found, found["position"])


def annual_of(year: str, query: dict[str, Any]) -> dict[str, Any]:
    """The year's report as the query asks for it; NotFound, Invalid."""
    return reading().reports.annual(_asked(year, query), known_at(query), scope())


@endpoint(
    blueprint,
    "POST",
    "/annual/<year>",
    _SEAL,
    SealedOut,
    body=SealIn(),
    bodiless=True,
    query=SealQuery(),
    status=201,
    refusals=(404, 409),
)
def seal(year: str, query: dict[str, Any], body: dict[str, Any]) -> Reply:
    """Seal it as it is now: from then on it never changes, and another one may follow it."""
    asked = _asked(year, query)
    answer = ledger().seal(call([query, body]), asked, body["note"])
    return answered(answer, "/v1/reports")


@endpoint(
    blueprint,
    "GET",
    "/monthly/<month>",
    _READ,
    PeriodicOut,
    query=PeriodQuery(),
    refusals=(404,),
    also=ALSO_SHEETS,
)
@by_replica
def monthly(month: str, query: dict[str, Any]) -> Reply:
    """A month (2025-03) by stage, sector, responsible unit and amount, beside the month before and
    the same one of the year before. Also as a page, a document, or a workbook, as ``Accept`` asks.
    """
    return _periodic(MONTHLY, month, query)


@endpoint(
    blueprint,
    "GET",
    "/weekly/<week>",
    _READ,
    PeriodicOut,
    query=PeriodQuery(),
    refusals=(404,),
    also=ALSO_SHEETS,
)
@by_replica
def weekly(week: str, query: dict[str, Any]) -> Reply:
    """The same of an ISO week (2025-W12), beside the week before and that of the year before."""
    return _periodic(WEEKLY, week, query)


def _periodic(kind: str, name: str, query: dict[str, Any]) -> Reply:
    found = periodic_of(kind, name, query)
    return given(found, found["position"])


def periodic_of(kind: str, name: str, query: dict[str, Any]) -> dict[str, Any]:
    """A month's or a week's report as the query asks for it; NotFound."""
    period = period_named(kind, name)
    return reading().reports.periodic(period, report_of(query), known_at(query), scope())


@endpoint(blueprint, "GET", "", _READ, ReportsOut, query=ReportsQuery())
@by_replica
def reports(query: dict[str, Any]) -> Reply:
    """The sealed reports, the last one first."""
    before = (read_cursor(query, (int,)) or [FOREVER])[0]
    found, more = reading().reports.all(
        before, query["limit"], query.get("year"), query.get("district"), scope()
    )
    cursor = write_cursor(more) if more else None
    return page_of(orjson.dumps(found), cursor, reading().reads.seen_position)


@endpoint(blueprint, "GET", "/<report_id>", _READ, SealedReportOut, refusals=(404,), also=ALSO)
@by_replica
def report(report_id: str) -> Reply:
    """A sealed report as it was published; ``verified``: the log still tells the same."""
    found = reading().reports.sealed(id_of(report_id, "report"), scope())
    return given(found, reading().reads.seen_position)


@endpoint(blueprint, "GET", "/<report_id>/drift", _READ, DriftOut, refusals=(404,))
@by_replica
def drift(report_id: str) -> Reply:
    """What its numbers would be now, and the events that made each difference."""
    found = reading().reports.drift(id_of(report_id, "report"), scope())
    return shown(found, found["position"])
