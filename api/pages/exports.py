"""导出: the exports that stand on the shelf, with their files; and the reports to take away."""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, NamedTuple

from flask import Response, g
from marshmallow import fields

from api.checks import OneOf
from api.endpoint import ledger
from api.exports import day_named, given_file, shelf
from api.pages.look import may
from api.pages.look import told_later as _
from api.pages.session import holder
from api.pages.site import page, show
from api.printed import DOCX, HTML, XLSX, given
from api.reports import annual_of, periodic_of
from api.schemas import Day, Request
from domain.actor import now, today_in_china
from domain.errors import LedgerError, NotFound
from service.exports.failing import what_is_wrong

_EXPORTS, _REPORTS = "read exports", "read reports"
_PAGE = 31


class Kind(NamedTuple):
    """A kind of report: what it is called, the field that names its period, and the forms it is
    given away in."""

    label: str
    field: str
    forms: tuple[str, ...]


# form of a report → its content type, and what it is called.
FORMS: Mapping[str, tuple[str, str]] = {
    "print": (HTML, _("打印页")),
    "document": (DOCX, _("文档")),
    "workbook": (XLSX, _("工作簿")),
}
KINDS: Mapping[str, Kind] = {
    "annual": Kind(_("年报"), _("年度"), ("print", "document")),
    "monthly": Kind(_("月报"), _("月份"), ("print", "document", "workbook")),
    "weekly": Kind(_("周报"), _("周次"), ("print", "document", "workbook")),
}


class ExportsQuery(Request):
    """From which day on, backwards."""

    before = Day()


class ReportPageQuery(Request):
    """Of which period, in which form; a year's up to which day."""

    period = fields.String(required=True)
    form = fields.String(load_default="print", validate=OneOf(list(FORMS)))
    end = Day(data_key="to")


class CheckQuery(Request):
    """Whether every file is to be read and compared with its sum."""

    check = fields.String()


def _again(refusal: Any, given: Mapping[str, Any], kind: str | None = None) -> Response:
    return _shown({}, refusal, given, kind)


@page("/exports", _REPORTS, query=ExportsQuery(), again=_again)
def exports(query: dict[str, Any]) -> Response:
    """The nights that are there, for whoever may have them, and the reports."""
    return _shown(query)


def _shown(
    query: Mapping[str, Any],
    refusal: Any = None,
    given: Mapping[str, Any] | None = None,
    refused: str | None = None,
) -> Response:
    whole = may(holder(), _EXPORTS)
    before = query.get("before", f"{date.max}")
    days = [day for day in shelf().days() if f"{day}" < before] if whole else []
    return show(
        "exports.html",
        refusal["status"] if refusal else 200,
        refusal=refusal,
        refused_at=refused,
        given=given or {},
        nights=[_night(day) for day in days[:_PAGE]],
        next=days[_PAGE - 1] if len(days) > _PAGE else None,
        before=query.get("before"),
        whole=whole,
        wrong=what_is_wrong(ledger().settings, ledger().reads, now()) if whole else None,
        position=ledger().reads.seen_position,
        kinds=KINDS,
        forms=FORMS,
        periods=_periods(),
    )


def _periods() -> dict[str, str]:
    """The last periods that are over; of years the present one."""
    today = today_in_china()
    month = today.replace(day=1) - timedelta(days=1)
    year, week, _day_of = (today - timedelta(days=7)).isocalendar()
    return {"annual": f"{today.year}", "monthly": f"{month:%Y-%m}", "weekly": f"{year}-W{week:02}"}


def _night(day: date) -> dict[str, Any]:
    """An export: what it says of itself, and what is otherwise."""
    try:
        told = shelf().manifest(day)
        faults = shelf().faults(day, sizes_only=True)
    except (LedgerError, ValueError, KeyError) as why:
        return {
            "date": f"{day}",
            "files": [],
            "faults": [why.sentence if isinstance(why, LedgerError) else f"{why}"],
            "whole": False,
        }
    size = sum(file["bytes"] for file in told["files"])
    return {**told, "faults": faults, "size": size, "whole": True}


@page("/exports/<day>", _EXPORTS, query=CheckQuery())
def night(day: str, query: dict[str, Any]) -> Response:
    """An export's files with sizes and sums; each is read and compared where that is asked."""
    named = day_named(day)
    told = shelf().manifest(named)
    checked = "check" in query
    return show(
        "export.html",
        night=told,
        checked=checked,
        faults=shelf().faults(named, sizes_only=not checked),
        position=ledger().reads.seen_position,
    )


@page("/exports/<day>/<name>", _EXPORTS)
def export_file(day: str, name: str) -> Response:
    """One of its files."""
    return given_file(day, name)


@page("/reports/<kind>", _REPORTS, query=ReportPageQuery(), again=_again)
def report(kind: str, query: dict[str, Any]) -> Any:
    """A report as a page to print, a document or a workbook."""
    if kind not in KINDS or query["form"] not in KINDS[kind].forms:
        raise NotFound(
            "There is no {form} of a report called '{kind}'.", form=query["form"], kind=kind[:40]
        )
    g.kind = FORMS[query["form"]][0]
    if kind == "annual":
        asked = {"end": query["end"]} if "end" in query else {}
        found = annual_of(query["period"], asked)
    else:
        found = periodic_of(kind, query["period"], {})
    return given(found, found["position"])
