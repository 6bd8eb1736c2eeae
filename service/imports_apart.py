"""An import in a process of its own, so that no web worker waits for it or keeps its memory."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from domain.actor import current_actor
from domain.errors import NotReady, Refused
from domain.sentences import unpacked
from service.imports import BadImport
from service.scope import Scope
from service.settings import Settings
from service.sheets import BadCell

_MAIN = "from service.cli import main; main()"


def import_apart(
    settings: Settings,
    path: Path,
    scope: Scope,
    *,
    dry_run: bool,
    marked: Path | None,
    progress: Path | None = None,
    expected: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """As ``import_paper`` for whoever is acting within ``scope``; what was done, by name.

    BadImport (then ``marked`` is the marked copy), Refused, NotReady. ``progress``: the file in
    which it tells how many rows are done.
    """
    actor = current_actor()
    words = ["import", str(path), "--json", "--actor", actor.name, "--request", actor.request]
    words += ["--dry-run"] if dry_run else []
    words += ["--marked", str(marked)] if marked else []
    words += ["--progress", str(progress)] if progress else []
    words += ["--expected", orjson.dumps(expected).decode()] if expected is not None else []
    words += ["--district", scope.district] if scope.district else []
    done = subprocess.run(
        [sys.executable, "-c", _MAIN, *words],
        env={**os.environ, **settings.environment()},
        capture_output=True,
        check=False,
    )
    try:
        told: dict[str, Any] = orjson.loads(done.stdout)
    except orjson.JSONDecodeError:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise NotReady("The import ended early and recorded nothing: {said}", said=said) from None
    if "bad" in told:
        raise BadImport(BadCell(*map(unpacked, cell)) for cell in told["bad"])
    if "refused" in told:
        raise Refused(unpacked(told["refused"]))
    return told
