"""台账: every lead in a table, chosen and sorted by what stands in the address."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import urlencode

import orjson
from flask import Response
from markupsafe import Markup, escape
from marshmallow import fields
from werkzeug.wsgi import wrap_file

from api.app import request_now
from api.endpoint import ledger
from api.exports import Download
from api.leads import page_of_leads, question_of
from api.pages import figures
from api.pages.look import macro
from api.pages.look import told_later as _
from api.pages.site import form, go_to, ours, page, show
from api.pages.texts import gettext, language
from api.pages.travel import Travel, travel
from api.printed import XLSX
from api.schemas import LeadsQuery, Request
from domain.actor import today_in_china
from domain.stage import LABELS, STAGES
from service.exports.cut import Cut
from service.exports.making import Plan, write_book

_READ = "read leads"
COOKIE = "columns"
_PIECE = 1 << 16
# So many rows of tables are kept, some 10 MB.
_ROWS_KEPT = 8192
# And so many forms of filters, some 3 MB.
_FORMS_KEPT = 256
_KEPT_FOR = 400 * 24 * 3600
Lead = Mapping[str, Any]


class LedgerQuery(LeadsQuery):
    """As the API's, with a moment as a browser gives it as well."""

    known_at = fields.String()  # type: ignore[assignment]


class Column(NamedTuple):
    """``cell`` makes its HTML of a lead; ``sort`` is what the API sorts by, where it does."""

    label: str
    cell: Callable[[Lead], str]
    sort: str | None = None
    number: bool = False


def _text(name: str) -> Callable[[Lead], str]:
    return lambda lead: escape(lead[name] or "")


def _date(name: str) -> Callable[[Lead], str]:
    return lambda lead: figures.day(lead["dates"][name]) if lead["dates"][name] else ""


def _stage(lead: Lead) -> str:
    tag = f'<span class="tag tag-{lead["stage"]}">{escape(gettext(LABELS[lead["stage"]]))}</span>'
    if lead["about_to_sign"]:
        tag += f' <span class="tag tag-late">{escape(gettext("即将签约"))}</span>'
    if lead["suspended"]:
        tag += f' <span class="tag tag-late">{escape(gettext("暂缓"))}</span>'
    return tag


def _members(lead: Lead) -> str:
    return f"{escape(figures.listed(one['name'] for one in lead['members']))}"


def _investor(lead: Lead) -> str:
    return f"{escape(lead['investor']['name'])}" if lead["investor"] else ""


def _expected(lead: Lead) -> str:
    return figures.day(lead["expected_signing_on"]) if lead["expected_signing_on"] else ""


# What a table may show besides the lead's title, in its order.
COLUMNS: Mapping[str, Column] = {
    "stage": Column(_("阶段"), _stage),
    "members": Column(_("提供委员"), _members),
    "investment": Column(
        _("投资额"), lambda lead: figures.stated(lead["investment"]), "amount", number=True
    ),
    "investor": Column(_("投资方"), _investor),
    "industry": Column(_("产业代码"), _text("industry")),
    "district": Column(_("区划代码"), _text("district")),
    "unit": Column(_("责任单位"), _text("responsible_unit")),
    "manager": Column(_("责任人"), _text("manager")),
    "tip": Column(_("提供日期"), _date("tip"), "occurred"),
    "negotiating": Column(_("洽谈日期"), _date("negotiating")),
    "expected": Column(_("预计签约日期"), _expected),
    "signed": Column(_("签约日期"), _date("signed")),
    "groundbroken": Column(_("开工日期"), _date("groundbroken")),
    "activity": Column(
        _("最近动态"), lambda lead: figures.day(lead["last_activity_on"]), "activity"
    ),
}
# Those that need no heading to be understood.
_PLAIN = frozenset({"stage", "members", "investment", "unit"})
DEFAULT = ("stage", "members", "investment", "unit", "tip", "activity")
# What most amounts are asked for, in 元.
AMOUNTS = (10_000_000, 50_000_000, 100_000_000, 500_000_000, 1_000_000_000, 5_000_000_000)
# A filter's name in the address → what it is called, where it stands among others.
FILTERS: Mapping[str, str] = {
    "q": _("名称或投资方"),
    "stage": _("阶段"),
    "about_to_sign": _("即将签约"),
    "suspended": _("暂缓"),
    "sector": _("界别"),
    "member": _("委员"),
    "district": _("区划代码"),
    "industry": _("产业代码"),
    "min_cny": _("投资额不低于"),
    "max_cny": _("投资额不高于"),
    "from": _("提供日期自"),
    "to": _("提供日期至"),
}


_MORE = frozenset(FILTERS) - {"q", "stage", "min_cny", "district"} | {"as_of", "known_at", "sort"}
SORTS: Mapping[str, str] = {
    "-recorded": _("最近登记在前"),
    "-amount": _("投资额大的在前"),
    "amount": _("投资额小的在前"),
    "-occurred": _("最近提供在前"),
    "occurred": _("最早提供在前"),
    "-activity": _("最近动态在前"),
    "activity": _("最久没有动态在前"),
}


def _named(name: str, value: str) -> str:
    """A filter's value as it is read."""
    if name == "stage":
        return f"{gettext(LABELS.get(value, value))}"
    if name in ("min_cny", "max_cny") and value.isdecimal():
        return figures.words_of(value)
    if name in ("about_to_sign", "suspended"):
        return f"{gettext('是') if value == 'true' else gettext('否')}"
    return value


def chosen_columns() -> list[str]:
    """The columns that this browser keeps, in the table's order."""
    kept = request_now().cookies.get(COOKIE, "").split(".")
    return [name for name in COLUMNS if name in kept] or list(DEFAULT)


def _again(refusal: Any, given: Mapping[str, str]) -> Response:
    """The filters as they were filled in, and why they find nothing."""
    return _shown([], None, Travel(None, None, None), given, refusal)


@page("/leads", _READ, query=LedgerQuery(), again=_again)
def ledger_table(query: dict[str, Any]) -> Response:
    """One page of it."""
    when = travel(query)
    if when.position is not None:
        query["known_at"] = f"{when.position}"
    found, cursor = page_of_leads(query)
    given = {name: value for name, value in request_now().args.items() if value}
    return _shown(found.bodies, cursor, when, given)


def _shown(
    bodies: Sequence[bytes],
    cursor: str | None,
    when: Travel,
    given: Mapping[str, str],
    refusal: Any = None,
) -> Response:
    names = chosen_columns()
    asked = {k: v for k, v in given.items() if k not in ("cursor", "limit")}
    return show(
        "ledger.html",
        refusal["status"] if refusal else 200,
        rows=rows_of(bodies, names, when),
        ticks=_ticks(tuple(names), language()),
        heads=_heads(tuple(names), given.get("sort"), tuple(asked.items()), language()),
        given=given,
        filters=[(name, label) for name, label in FILTERS.items() if name in given],
        without=lambda name: _to({k: v for k, v in asked.items() if k != name}),
        first=_to(asked),
        # As the API's own link to the next page: the cursor belongs to these very words.
        next=_to({**request_now().args.to_dict(), "cursor": cursor}) if cursor else None,
        book=f"/leads.xlsx?{urlencode(asked)}",
        when=when,
        refusal=refusal,
        shown=len(bodies),
        filter_form=_filter_form(tuple(asked.items()), when, language()),
        named=_named,
    )


@lru_cache(maxsize=_FORMS_KEPT)
def _ticks(names: tuple[str, ...], _language: str) -> Markup:
    """The boxes by which columns are chosen."""
    return macro("ledger_parts.html", "ticks")(COLUMNS, names)


@lru_cache(maxsize=_FORMS_KEPT)
def _heads(
    names: tuple[str, ...], sort: str | None, words: tuple[tuple[str, str], ...], _language: str
) -> Markup:
    """The table's headings, on a page that these words ask for."""

    def sort_to(key: str) -> str:
        return _to({**dict(words), "sort": _turned(key, sort)})

    columns = [COLUMNS[name] for name in names]
    return macro("ledger_parts.html", "heads")(columns, sort or "recorded", sort_to)


@lru_cache(maxsize=_FORMS_KEPT)
def _filter_form(words: tuple[tuple[str, str], ...], when: Travel, _language: str) -> Markup:
    """The form of the filters. The same words are always shown the same in a language."""
    given = dict(words)
    return macro("ledger_parts.html", "filter_form")(
        given,
        when,
        bool(given.keys() & _MORE),
        [(stage, gettext(LABELS[stage])) for stage in STAGES],
        [(f"{cny}", figures.words_of(cny)) for cny in AMOUNTS],
        [(key, gettext(label)) for key, label in SORTS.items()],
    )


def _to(words: Mapping[str, Any]) -> str:
    return f"/leads?{urlencode(words)}" if words else "/leads"


def _turned(key: str, now: str | None) -> str:
    """The sort that a click on a heading gives: the largest first, then the other way about."""
    return key if now == f"-{key}" else f"-{key}"


def rows_of(bodies: Sequence[bytes], names: Sequence[str], when: Travel) -> Markup:
    """A row for each lead, with these columns. Made here: of a page's time most would go to a
    template's loop."""
    words = f"?{urlencode(when.words)}" if when.words else ""
    seen = (tuple(names), f"{escape(words)}", language(), today_in_china().year)
    return Markup("".join(_row(body, *seen) for body in bodies))  # noqa: S704 - see _row


@lru_cache(maxsize=_ROWS_KEPT)
def _row(
    body: bytes,
    names: tuple[str, ...],
    words: str,
    _language: str,
    _year: int,
) -> str:
    """A lead's row; each cell is escaped where it is made. The same lead is always shown the same
    in a language, in a year."""
    lead = orjson.loads(body)
    told = [f'<tr><th scope="row"><a href="/leads/{lead["id"]}{words}">{escape(lead["title"])}</a>']
    told.append("</th>")
    for name in names:
        column = COLUMNS[name]
        cell = column.cell(lead)
        about = ' class="number"' if column.number else ""
        # On a phone a row has no headings above it.
        if cell and name not in _PLAIN:
            about += f' data-is="{escape(gettext(column.label))}"'
        told.append(f"<td{about}>{cell}</td>")
    return "".join([*told, "</tr>"])


@page("/leads.xlsx", _READ, query=LedgerQuery())
def workbook(query: dict[str, Any]) -> Response:
    """The whole selection as a workbook, in the columns of the nightly exports; a file that is
    gone from the disk before it is sent."""
    when = travel(query)
    query = {**query, "known_at": f"{when.position}"} if when.position else query
    chosen = question_of({k: v for k, v in query.items() if k != "cursor"}).selection
    office = ledger()
    position = office.reads.position() if when.position is None else when.position
    plan = Plan(Cut(when.end, position), None, None, None)
    with TemporaryDirectory() as folder:
        content = Download(write_book(office, plan, Path(folder), [], chosen))
    answer = Response(wrap_file(request_now().environ, content, _PIECE), direct_passthrough=True)
    answer.content_type = XLSX
    name = f"leads-{when.end}-{position}.xlsx"
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    answer.headers["Cache-Control"] = "no-store"
    return answer


class ColumnsIn(Request.from_dict({name: fields.String() for name in COLUMNS})):  # type: ignore[misc]
    """A box for each column, and where to go back to."""

    back = fields.String()


@form("/leads/columns", _READ, fields=ColumnsIn())
def choose_columns(body: dict[str, Any]) -> Response:
    """Keep the columns that somebody ticked, in this browser."""
    response = go_to(ours(body.get("back")))
    names = ".".join(name for name in COLUMNS if name in body)
    response.set_cookie(
        COOKIE, names, max_age=_KEPT_FOR, secure=True, httponly=True, samesite="Lax", path="/"
    )
    return response
