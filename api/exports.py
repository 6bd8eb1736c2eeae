"""The exports that stand on the shelf: which there are, and their files."""

from collections.abc import Mapping
from datetime import date
from io import FileIO
from itertools import islice
from pathlib import PurePath
from typing import Any

import orjson
from flask import Response, g, request
from flask_smorest import Blueprint
from werkzeug.exceptions import RequestedRangeNotSatisfiable
from werkzeug.wsgi import wrap_file

from api.cursors import page_of, read_cursor, write_cursor
from api.endpoint import endpoint, ledger, shown
from api.export_answers import ExportsOut, ManifestOut
from api.reply import Reply
from api.schemas import Paged
from api.stamps import reflects
from domain.errors import NotFound
from service.exports.shelf import Shelf

blueprint = Blueprint("exports", __name__, url_prefix="/v1/exports", description="Paper out.")
_READ = "read exports"
_PIECE = 1 << 16
_BYTES: Mapping[str, Any] = {"schema": {}}
_TEXT: Mapping[str, Any] = {"schema": {"type": "string"}}
# The end of a file's name → its content type. What a browser would run is not shown but kept.
KINDS = {
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
    ".py": "text/x-python; charset=utf-8",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def shelf() -> Shelf:
    return Shelf(ledger().settings.exports)


def day_named(text: str) -> date:
    """The date that a path names; NotFound for anything else."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or f"{day}" != text:
        raise NotFound("There is no export of '{text}'; a date is like 2025-12-29.", text=text[:40])
    return day


@endpoint(blueprint, "GET", "", _READ, ExportsOut, query=Paged())
def exports(query: dict[str, Any]) -> Reply:
    """Every export's manifest, the newest first."""
    there, before = shelf(), (read_cursor(query, (str,)) or [f"{date.max}"])[0]
    days = (day for day in there.days() if f"{day}" < before)
    some = list(islice(days, query["limit"] + 1))
    found = [there.manifest(day) for day in some[: query["limit"]]]
    cursor = write_cursor(found[-1]["date"]) if len(some) > len(found) else None
    return page_of(orjson.dumps(found), cursor, g.position, by_body=True)


@endpoint(blueprint, "GET", "/<day>", _READ, ManifestOut, refusals=(404,))
def manifest(day: str) -> Reply:
    """An export's manifest."""
    return shown(shelf().manifest(day_named(day)), g.position)


@endpoint(
    blueprint,
    "GET",
    "/<day>/<name>",
    _READ,
    ManifestOut,
    refusals=(404, 416),
    also={
        kind.partition(";")[0]: _TEXT if kind.startswith("text/") else _BYTES
        for kind in KINDS.values()
        if kind != "application/json"
    },
    ranges=True,
)
def file(day: str, name: str) -> Response:
    """A file of an export, or the ranges of it that are asked for, to be saved under a name."""
    return given_file(day, name)


def given_file(day: str, name: str) -> Response:
    """The same, for whoever was let in."""
    path, digest = shelf().file(day_named(day), name)
    environ = request.environ
    reflects(g.position, environ)
    content = Download(path)
    size = path.stat().st_size
    answer = Response(wrap_file(environ, content, _PIECE), direct_passthrough=True)
    answer.content_type = KINDS[PurePath(name).suffix]
    answer.content_length = size
    answer.headers["Content-Disposition"] = f"attachment; filename=leadledger-{day}-{name}"
    answer.headers["Cache-Control"] = "private, no-cache"
    answer.set_etag(digest)
    try:
        answer.make_conditional(environ, accept_ranges=True, complete_length=size)
    except RequestedRangeNotSatisfiable:
        content.close()
        raise
    if answer.status_code == 304 or request.method == "HEAD":
        # Nobody reads it to its end.
        content.close()
    return answer


class Download(FileIO):
    """A file that is closed once it was read to its end."""

    def read(self, size: int | None = -1, /) -> bytes:
        """The next piece."""
        piece = super().read(size)
        if not piece:
            self.close()
        return piece
