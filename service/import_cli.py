"""``leadledger import``: a paper ledger, taken in whole or not at all."""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import orjson

from domain.actor import Actor, acting, now
from domain.errors import LedgerError
from domain.sentences import packed
from domain.values import district_prefix_fault
from service.alike import Alike
from service.application import Ledger
from service.cli_shared import open_ledger, progress_bar
from service.imports import BadImport, Imported, import_paper
from service.scope import ALL, Scope
from service.sheets import BadSheet, source_of

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OUT = click.Path(dir_okay=False, path_type=Path)
# After how many lines it is written down how many are done.
_TOLD_EVERY = 200


def _prefix(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    fault = district_prefix_fault(text) if text is not None else None
    if fault:
        raise click.BadParameter(fault)
    return text


@click.command("import")
@click.argument("file", type=_FILE)
@click.option("--dry-run", is_flag=True, help="Check everything, record nothing.")
@click.option("--marked", type=_OUT, help="Where to write a copy with what is wrong, if anything.")
@click.option("--json", "as_json", is_flag=True, help="What was done, or is wrong, as JSON.")
@click.option(
    "--district",
    callback=_prefix,
    help="A prefix: refuse whatever a token limited to it may not touch.",
)
@click.option("--progress", type=_OUT, hidden=True)
@click.option("--expected", hidden=True)
@click.option("--actor", hidden=True)
@click.option("--request", hidden=True)
def import_(
    file: Path,
    dry_run: bool,
    marked: Path | None,
    as_json: bool,
    district: str | None,
    progress: Path | None,
    expected: str | None,
    actor: str | None,
    request: str | None,
) -> None:
    """Import a paper ledger, an Excel workbook or CSV, whole or not at all."""
    with open_ledger(making=True) as ledger:
        try:
            scope = Scope(district)
            done = take_in(
                ledger,
                file,
                scope,
                dry_run=dry_run,
                actor=actor,
                request=request,
                tell=_teller(progress) if progress else None,
                expected=orjson.loads(expected) if expected else None,
            )
        except BadImport as why:
            if marked:
                _mark(file, why, marked)
            if not as_json:
                raise
            _end({"bad": [[*map(packed, cell)] for cell in why.cells]})
        except LedgerError as why:
            if not as_json:
                raise
            _end({"refused": packed(why.sentence)})
    if as_json:
        click.echo(orjson.dumps({**vars(done), "extra": sorted(done.extra)}))
        return
    _say(done, dry_run=dry_run)


def _say(done: Imported, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    click.echo(
        f"{done.leads} leads and {done.members} members {would}recorded in {done.events} events; "
        f"{done.unchanged} rows were there already."
    )
    if done.changed:
        click.echo(f"{done.changed} rows {'would change' if dry_run else 'changed'} their leads.")
    if done.extra:
        click.echo(f"Columns left out: {', '.join(sorted(done.extra))}.", err=True)
    _say_similar(done.similar)


def _say_similar(found: Alike) -> None:
    if found.alike:
        likely = f"{found.alike} of the {found.compared} new leads that were compared"
        click.echo(f"{likely} may be the same as another. The likeliest of them:")
    for lead in found.leads:
        others = "; ".join(_other(other) for other in lead["possible_duplicates"])
        click.echo(f"{lead['row']} {lead['title']}: {others}")


def _other(other: dict[str, Any]) -> str:
    where = other.get("row", other["id"])
    return f"{other['score']:.2f} {other['title']} ({', '.join(other['reasons'])}; {where})"


def take_in(
    ledger: Ledger,
    file: Path,
    scope: Scope = ALL,
    *,
    dry_run: bool = False,
    actor: str | None = None,
    request: str | None = None,
    tell: Callable[[int], object] | None = None,
    expected: Mapping[str, int] | None = None,
) -> Imported:
    """Import ``file``, with a progress bar, for ``actor`` or in the file's own name; nothing
    outside of ``scope``. ``tell`` is told the progress as well, and ``expected`` is as for
    ``import_paper``."""
    length = _rows_in(file)
    who = Actor(actor or f"import of {file.name}", now(), request or uuid4().hex, may_waive=True)
    with acting(who), progress_bar(length, file.name) as bar:

        def progress(lines: int) -> None:
            bar.update(lines)
            if tell:
                tell(lines)

        done = import_paper(
            ledger, file, dry_run=dry_run, progress=progress, scope=scope, expected=expected
        )
        bar.update(length)
        return done


def _teller(path: Path) -> Callable[[int], None]:
    """What writes down how many lines are done, every so many of them."""
    done = 0

    def tell(lines: int) -> None:
        nonlocal done
        done += lines
        if done % _TOLD_EVERY == 0:
            path.write_text(f"{done}", encoding="ascii")

    return tell


def _rows_in(file: Path) -> int:
    """About how many rows there are to come: a workbook tells only when it is read."""
    with file.open("rb") as lines:
        if lines.read(4).startswith(b"PK"):
            return max(1, file.stat().st_size // 100)
        return 1 + sum(1 for _ in lines)


def _mark(file: Path, why: BadImport, marked: Path) -> None:
    # Loaded where something is marked, which is seldom.
    from service.workbooks import mark  # noqa: PLC0415

    try:
        mark(source_of(file), why.cells, marked)
    except BadSheet as unreadable:
        click.echo(f"There is no marked copy: {unreadable}", err=True)


def _end(told: dict[str, object]) -> None:
    click.echo(orjson.dumps(told))
    sys.exit(1)
