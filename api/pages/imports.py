"""导入: a workbook or CSV is checked, what it would do is shown, and exactly that is recorded."""

import re
from contextlib import closing, suppress
from pathlib import Path, PurePosixPath
from typing import Any
from uuid import UUID, uuid4

import orjson
from flask import Response
from marshmallow import fields

from api.app import application_context, request_now
from api.auth import scope
from api.endpoint import ledger
from api.imports import MOST_BYTES, marked_file, template_file
from api.pages.look import told_later as _
from api.pages.refusals import in_words
from api.pages.site import KEY_FIELD, form, go_to, page, show
from api.pages.texts import gettext
from api.schemas import Request
from domain.errors import Invalid, NotFound, Refused
from domain.sentences import packed, unpacked
from service.imports import COUNTS, BadImport
from service.imports_apart import import_apart
from service.marked import Marked
from service.marking import mark_apart
from service.sheets import BadCell
from service.uploads import Uploads, sum_of

_MAY = "import"
# How many wrong cells are shown; the marked copy has all.
_MOST_CELLS = 200
_ID = re.compile("[0-9a-f]{32}")
# What is at fault where it is no single column → what that is called.
_PARTS = {"row": _("整行"), "headings": _("表头"), "file": _("文件")}


class ConfirmForm(Request):
    """The sum of the file that was looked at."""

    sum = fields.String(required=True)


def _uploads() -> Uploads:
    return Uploads(ledger().settings.uploads)


def _mine() -> str:
    """The token whose uploads these are."""
    found: str = application_context().g.holder.id
    return found


def _id(text: str) -> str:
    """The id of an upload, which is a part of a file's name; NotFound for any other text."""
    if not _ID.fullmatch(text):
        raise NotFound("There is no upload {text}.", text=text[:40])
    return text


def _again(refusal: Any, **_: Any) -> Response:
    return show("import.html", refusal["status"], refusal=refusal)


@page("/import", _MAY)
def import_form() -> Response:
    """Where a file is put."""
    return show("import.html", refusal=None)


@form("/import", _MAY, again=_again, most_bytes=MOST_BYTES)
def check_import() -> Response:
    """Keep the file and check it; nothing is recorded. Sent twice it is checked once."""
    with closing(request_now()) as request:
        key = request.form.get(KEY_FIELD, "")
        name = key if _ID.fullmatch(key) else uuid4().hex
        if _uploads().found(name, _mine()) is None:
            sent = request.files.get("file")
            if sent is None or not sent.filename:
                raise Invalid.of("file", "It is missing: choose a workbook or CSV.")
            sent.save(_uploads().place(name, _mine()))
            _checked(name, PurePosixPath(sent.filename.replace("\\", "/")).name[:200])
    return go_to(f"/import/{name}")


def _checked(name: str, called: str) -> None:
    """Find out what the file would do, or what is wrong with it, and keep that."""
    uploads, mine = _uploads(), _mine()
    path = uploads.file(name, mine)
    told = {"called": called, "sum": sum_of(path), "bytes": path.stat().st_size}
    copy = Marked(ledger().settings.marked).place(name, mine)
    found = _tried(path, name, copy, dry_run=True)
    if "cells" in found:
        # What is bad is sent anew.
        uploads.drop(name, mine)
    uploads.tell(name, mine, {**told, **found})


def _tried(
    path: Path, name: str, copy: Path | None, *, dry_run: bool, expected: Any = None
) -> dict[str, Any]:
    """What an import does, or would do, or the cells that keep it from that."""
    try:
        done = import_apart(
            ledger().settings,
            path,
            scope(),
            dry_run=dry_run,
            marked=None,
            progress=_uploads().progress(name, _mine()),
            expected=expected,
        )
    except BadImport as why:
        if copy is not None:
            mark_apart(path, map(_told, why.cells), copy)
        return {
            "cells": [[*map(packed, cell)] for cell in why.cells[:_MOST_CELLS]],
            "bad": len(why.cells),
            "rows": len({(cell.sheet, cell.line) for cell in why.cells}),
            "marked": copy is not None and copy.exists(),
        }
    return {"done": done, "recorded": not dry_run}


def _told(cell: BadCell) -> BadCell:
    """A cell with its reason in the page's language."""
    return cell._replace(column=_called(cell.column), reason=in_words(cell.reason).striptags())


def _called(column: str) -> str:
    """A heading, or what else of a file is at fault."""
    return gettext(_PARTS[column]) if column in _PARTS else column


def _result_again(upload_id: str, refusal: Any, **_: Any) -> Response:
    return _result(upload_id, refusal)


@page("/import/<upload_id>", _MAY)
def import_result(upload_id: str) -> Response:
    """What was found, or was recorded."""
    return _result(upload_id)


def _result(upload_id: str, refusal: Any = None) -> Response:
    told = _uploads().found(_id(upload_id), _mine())
    if told is None and refusal is None:
        raise NotFound("There is no such upload, or not any more: send the file again.")
    upload = told or {}
    return show(
        "import_result.html",
        refusal["status"] if refusal else 200,
        upload={**upload, "cells": [[*map(unpacked, cell)] for cell in upload.get("cells", ())]},
        id=upload_id,
        refusal=refusal,
        called=_called,
        most=_MOST_CELLS,
    )


@form("/import/<upload_id>/recording", _MAY, fields=ConfirmForm(), again=_result_again)
def record_import(upload_id: str, body: dict[str, Any]) -> Response:
    """Record the file as a whole, if it would do exactly what was shown; or nothing of it."""
    uploads, mine = _uploads(), _mine()
    told = uploads.found(_id(upload_id), mine)
    if told is None or "done" not in told:
        raise NotFound("There is nothing to be recorded, or not any more: send the file again.")
    if not told["recorded"]:
        path = uploads.file(upload_id, mine)
        if not told["sum"] == body["sum"] == sum_of(path):
            raise Refused("The file is not the one that was checked; nothing was recorded.")
        expected = {count: told["done"][count] for count in COUNTS}
        found = _tried(path, upload_id, None, dry_run=False, expected=expected)
        uploads.drop(upload_id, mine)
        kept = {name: told[name] for name in ("called", "sum", "bytes")}
        uploads.tell(upload_id, mine, {**kept, **found})
    return go_to(f"/import/{upload_id}")


@form("/import/<upload_id>/check", _MAY, again=_result_again)
def check_import_again(upload_id: str) -> Response:
    """What the file would do now."""
    told = _uploads().found(_id(upload_id), _mine())
    if told is None:
        raise NotFound("There is no such upload, or not any more: send the file again.")
    _checked(upload_id, told["called"])
    return go_to(f"/import/{upload_id}")


@form("/import/<upload_id>/removal", _MAY)
def drop_import(upload_id: str) -> Response:
    """The file is not to be recorded, nor kept."""
    _uploads().drop(_id(upload_id), _mine())
    return go_to("/import")


@page("/import/<upload_id>/progress", _MAY)
def import_progress(upload_id: str) -> Response:
    """How many rows were read so far, for a script."""
    rows = 0
    with suppress(FileNotFoundError, ValueError):
        rows = int(_uploads().progress(_id(upload_id), _mine()).read_text("ascii"))
    return Response(
        orjson.dumps({"rows": rows}),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


@page("/import/template.xlsx", _MAY)
def import_template() -> Response:
    """A workbook to fill in."""
    return template_file()


@page("/import/<upload_id>/marked.xlsx", _MAY)
def marked_copy(upload_id: str) -> Response:
    """The refused file with the reasons beside its rows."""
    return marked_file(f"{UUID(_id(upload_id))}")
