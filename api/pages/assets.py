"""What pages load: files of ours, under addresses that change with what is in them.

So a browser may keep them for ever, and never shows an old one beside a new page.
"""

import gzip
from collections.abc import Mapping
from functools import cached_property, lru_cache
from hashlib import sha256
from mimetypes import guess_type
from pathlib import Path

from flask import Blueprint, Request
from werkzeug.http import parse_accept_header

from api.app import request_now
from api.reply import Reply
from domain.errors import NotFound

FOLDER = Path(__file__).parents[1] / "static"
# Smaller ones gain nothing.
_WORTH_IT = 1024
_FOR_EVER = ("Cache-Control", "public, max-age=31536000, immutable")

blueprint = Blueprint("assets", __name__, url_prefix="/static")


class Asset:
    """A file as it is served."""

    def __init__(self, path: Path) -> None:
        self.name = path.relative_to(FOLDER).as_posix()
        self.data = path.read_bytes()
        self.digest = sha256(self.data).hexdigest()[:16]
        kind = guess_type(self.name)[0] or "application/octet-stream"
        self.kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind

    @cached_property
    def packed(self) -> bytes | None:
        """The same with gzip, once for all; None where that makes it no smaller."""
        if len(self.data) < _WORTH_IT:
            return None
        packed = gzip.compress(self.data, 9, mtime=0)
        return packed if len(packed) < len(self.data) else None


def _served() -> Mapping[str, Asset]:
    files = (path for path in FOLDER.rglob("*") if path.suffix in (".css", ".js", ".svg"))
    return {asset.name: asset for asset in map(Asset, files)}


ASSETS = _served()


def address(name: str) -> str:
    """Where a page loads the file of that name from; KeyError when there is none."""
    return f"/static/{ASSETS[name].digest}/{name}"


def takes_gzip(request: Request) -> bool:
    """Whether whoever asks can unpack what is packed with gzip."""
    return _has_gzip(request.headers.get("Accept-Encoding", ""))


@lru_cache(maxsize=256)
def _has_gzip(accepted: str) -> bool:
    return parse_accept_header(accepted).quality("gzip") > 0


@blueprint.route("/<digest>/<path:name>")
def asset(digest: str, name: str) -> Reply:
    """The file, if it is the one that the address was made for."""
    found = ASSETS.get(name)
    if found is None or found.digest != digest:
        raise NotFound("There is no such file; the page that named it is an old one.")
    headers = [_FOR_EVER, ("Vary", "Accept-Encoding")]
    data = found.data
    if found.packed and takes_gzip(request_now()):
        data = found.packed
        headers.append(("Content-Encoding", "gzip"))
    return Reply(data, 200, *headers, kind=found.kind)
