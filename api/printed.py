"""Reports as people take them away: a page to print, a document to edit, a workbook, or JSON.

The page holds no script and loads nothing; its policy allows its own style and nothing else.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import blake2b, sha256
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from flask import g
from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from api.app import request_now
from api.endpoint import shown
from api.replica import reading
from api.reply import Header, Reply
from api.stamps import allow
from domain.actor import now
from service.reports.book import workbook
from service.reports.printed import Printed, cell, is_number

HTML = "text/html"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_FOLDER = Path(__file__).parent / "templates"

# It is ours and holds no < or &: it goes into the page as it is, or its hash would not be true.
_CSS = Markup((_FOLDER / "report.css").read_text(encoding="utf-8"))  # noqa: S704
_STYLE = b64encode(sha256(_CSS.encode()).digest()).decode()
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_FOLDER), autoescape=True, trim_blocks=True, auto_reload=False
    )
    made.filters["cell"], made.tests["number"] = cell, is_number
    return made


_PAGE = _environment().get_template("report.html")


def page(report: Printed) -> bytes:
    """The page, UTF-8."""
    return _PAGE.render(report=report, css=_CSS).encode()


class Form(NamedTuple):
    """How a report is given away: its bytes, their type, and the headers that go with them."""

    written: Callable[[Printed], bytes]
    content_type: str
    headers: Callable[[Printed], list[Header]]


def _document(report: Printed) -> bytes:
    # Loaded by who asks for one: no start of a worker is to wait for it.
    from service.reports.document import document  # noqa: PLC0415

    return document(report, now())


def _attached(ending: str) -> Callable[[Printed], list[Header]]:
    """The headers of a file to keep."""
    return lambda report: [
        ("Content-Disposition", f'attachment; filename="{report.name}.{ending}"'),
    ]


FORMS: Mapping[str, Form] = {
    HTML: Form(
        page,
        f"{HTML}; charset=utf-8",
        lambda _report: [],
    ),
    DOCX: Form(_document, DOCX, _attached("docx")),
    XLSX: Form(lambda report: workbook(report, now()), XLSX, _attached("xlsx")),
}
# For the description of a route.
ALSO: Mapping[str, Any] = {
    HTML: {"schema": {"type": "string", "description": "A page to print."}},
    DOCX: {"schema": {"type": "string", "format": "binary"}},
}
# Of a report that is tables.
ALSO_SHEETS: Mapping[str, Any] = {
    **ALSO,
    XLSX: {"schema": {"type": "string", "format": "binary"}},
}


def given(report: Mapping[str, Any], position: int) -> Reply:
    """The report in the form that the request accepts."""
    data = orjson.dumps(report)
    form = FORMS.get(g.kind)
    if form is None:
        reply = shown(data, position)
    else:
        if g.kind == HTML:
            allow(_POLICY, request_now().environ)
        printed = reading().reports.printed(report)
        tag = blake2b(data + g.kind.encode(), digest_size=12).hexdigest()
        reply = shown(form.written(printed), position, tag=tag, kind=form.content_type)
        reply.headers += form.headers(printed)
    reply.headers.append(("Vary", "Accept"))
    return reply
