"""Imports: a paper ledger uploaded, what is wrong with it, and a template to fill in."""

import tempfile
from contextlib import closing
from pathlib import Path
from urllib.parse import quote
from uuid import UUID

from flask import Response
from flask_smorest import Blueprint
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import UnsupportedMediaType

from api.answers import ImportedOut
from api.app import application_context, request_now
from api.auth import scope
from api.endpoint import endpoint, ledger, shown
from api.printed import XLSX
from api.reply import Reply
from api.schemas import id_of
from domain.actor import current_actor
from domain.errors import Invalid
from service.imports import BadImport
from service.imports_apart import import_apart
from service.marked import Marked
from service.workbooks import template as make_template

blueprint = Blueprint("imports", __name__, url_prefix="/v1/imports", description="Imports.")
MOST_BYTES = 32 * 1024 * 1024
_UPLOAD = {
    "multipart/form-data": {
        "schema": {
            "type": "object",
            "properties": {
                "file": {"type": "string", "format": "binary"},
                "dry_run": {"type": "string", "enum": ["true", "false"]},
            },
            "required": ["file"],
            "additionalProperties": False,
        }
    }
}
_WORKBOOK = {XLSX: {"schema": {"type": "string", "format": "binary"}}}
_WORDS = {"true": True, "false": False, "": False}


@endpoint(blueprint, "POST", "", "import", ImportedOut, form=_UPLOAD, refusals=(409,))
def take_in() -> Reply:
    """A workbook or CSV, whole or not at all. Refused, it names each bad cell in ``errors``, and
    ``marked`` is where the marked copy is for a day. Importing a file again changes nothing; a row
    that changed becomes the events that explain the difference."""
    with closing(request_now()):
        return _taken_in(*_upload())


def _taken_in(upload: FileStorage, dry_run: bool) -> Reply:
    copy = _marked().place(current_actor().request, application_context().g.holder.id)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "upload"
        upload.save(path)
        try:
            done = import_apart(ledger().settings, path, scope(), dry_run=dry_run, marked=copy)
        except BadImport as why:
            if copy.exists():
                name = UUID(copy.name.partition(".")[0])
                why.marked = f"/v1/imports/{name}/marked.xlsx"
            raise
    return shown({**done, "dry_run": dry_run}, ledger().reads.position())


def _upload() -> tuple[FileStorage, bool]:
    """The file that was sent, and whether it is to be checked only."""
    request = request_now()
    request.max_content_length = MOST_BYTES
    if request.mimetype != "multipart/form-data":
        said = request.mimetype or "nothing"
        raise UnsupportedMediaType(f"Send multipart/form-data with the file; this says {said}.")
    # A part may come without a name.
    named = {name or "(no name)" for name in (*request.form, *request.files)}
    if unknown := named - {"file", "dry_run"}:
        raise Invalid({name[:40]: ["Unknown field."] for name in sorted(unknown)})
    for name in named:
        if len(request.form.getlist(name)) + len(request.files.getlist(name)) > 1:
            raise Invalid({name: ["It is given twice."]})
    upload, dry_run = request.files.get("file"), request.form.get("dry_run", "")
    if upload is None:
        raise Invalid({"file": ["It is missing: send a file under this name."]})
    if dry_run not in _WORDS:
        raise Invalid({"dry_run": [f"'{dry_run[:20]}' is neither true nor false."]})
    return upload, _WORDS[dry_run]


@endpoint(blueprint, "GET", "/template.xlsx", "import", ImportedOut, content=_WORKBOOK)
def template() -> Response:
    """A workbook to fill in, with drop-downs, an example row, and what belongs where."""
    return template_file()


def template_file() -> Response:
    """The same, for whoever was let in."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "template.xlsx"
        make_template(path)
        return _workbook(path.read_bytes(), "台账模板.xlsx")


@endpoint(
    blueprint,
    "GET",
    "/<import_id>/marked.xlsx",
    "import",
    ImportedOut,
    content=_WORKBOOK,
    refusals=(404,),
)
def marked(import_id: str) -> Response:
    """The copy of a refused file with the reasons beside its rows; for who sent it."""
    return marked_file(import_id)


def marked_file(import_id: str) -> Response:
    """The same, for whoever was let in."""
    wanted = id_of(import_id, "import")
    copy = _marked().find(wanted.hex, application_context().g.holder.id)
    return _workbook(copy.read_bytes(), "台账问题.xlsx")


def _marked() -> Marked:
    return Marked(ledger().settings.marked)


def _workbook(data: bytes, name: str) -> Response:
    found = Response(data, content_type=XLSX)
    found.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return found
