"""``leadledger report …``: what is published, and what is told of a month or week."""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import click
import orjson

from domain.actor import Actor, acting, now
from service.application import Ledger
from service.cli_shared import open_ledger
from service.reports.asked import asked_for
from service.reports.periods import MONTHLY, WEEKLY, period_named
from service.reports.printed import cell
from service.reports.tables import tables
from service.requests import Call

_Command = Callable[..., None]
_DISTRICT = click.option("--district", help="A province, city or district: 2, 4 or 6 digits.")
_KNOWN_AT = click.option(
    "--known-at", help="A log position, or a moment like 2025-12-29T16:00:00Z."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="With all that the API tells.")
_DOCX = click.option(
    "--docx",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also write it into this file, as a document to edit.",
)
_XLSX = click.option(
    "--xlsx",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also write it into this file, as a workbook.",
)


def _formed(command: _Command) -> _Command:
    """The options that all reports share."""
    for option in (_DOCX, _JSON, _KNOWN_AT, _DISTRICT):
        command = option(command)
    return command


@click.group()
def report() -> None:
    """Reports: the year's sentence, and sealing it."""


@report.command("annual")
@click.argument("year", type=int)
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), help="The cut-off.")
@click.option("--seal", is_flag=True, help="Seal it as it is now.")
@_formed
def annual(
    year: int,
    end: datetime | None,
    seal: bool,
    district: str | None,
    known_at: str | None,
    as_json: bool,
    docx: Path | None,
) -> None:
    """The sentence of YEAR, as it would be published now or as it was known then."""
    if seal and known_at:
        raise click.UsageError("A report is sealed as it is now: --seal goes without --known-at.")
    with open_ledger() as ledger:
        asked = asked_for(year, end.date() if end else None, district)
        if seal:
            request = uuid4().hex
            with acting(Actor("command line", now(), request)):
                told = ledger.seal(Call(token="", digest="", key=None, if_match=None), asked).body
        else:
            told = ledger.reports.annual(asked, _position(ledger, known_at))
        _write(ledger, told, docx)
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
        return
    click.echo(told["text"])
    if seal:
        click.echo(f"Sealed as report {told['id']}, SHA-256 {told['digest']}.", err=True)


@report.command("monthly")
@click.argument("month")
@_formed
@_XLSX
def monthly(month: str, **asked: Any) -> None:
    """The tables of MONTH, like 2025-03; by stage, and with --json, --docx or --xlsx by group."""
    _periodic(MONTHLY, month, **asked)


@report.command("weekly")
@click.argument("week")
@_formed
@_XLSX
def weekly(week: str, **asked: Any) -> None:
    """The tables of the ISO week WEEK, like 2025-W12; likewise."""
    _periodic(WEEKLY, week, **asked)


def _periodic(
    kind: str,
    name: str,
    *,
    district: str | None,
    known_at: str | None,
    as_json: bool,
    docx: Path | None,
    xlsx: Path | None,
) -> None:
    with open_ledger() as ledger:
        period = period_named(kind, name)
        told = ledger.reports.periodic(period, district, _position(ledger, known_at))
        _write(ledger, told, docx)
        _write_sheets(ledger, told, xlsx)
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
        return
    table = tables(told)[0]
    click.echo("\t".join(column.heading for column in table.columns))
    for row in table.rows:
        click.echo("\t".join(map(cell, table.columns, row)))


def _position(ledger: Ledger, known_at: str | None) -> int | None:
    return None if known_at is None else ledger.reads.position_named(known_at)


def _write(ledger: Ledger, told: Mapping[str, Any], docx: Path | None) -> None:
    if docx is None:
        return
    # What writes documents takes longer to load than most commands take.
    from service.reports.document import document  # noqa: PLC0415

    _written(docx, document(ledger.reports.printed(told), now()))


def _write_sheets(ledger: Ledger, told: Mapping[str, Any], xlsx: Path | None) -> None:
    if xlsx is None:
        return
    from service.reports.book import workbook  # noqa: PLC0415 - as with documents

    _written(xlsx, workbook(ledger.reports.printed(told), now()))


def _written(file: Path, data: bytes) -> None:
    file.write_bytes(data)
    click.echo(f"Written to {file}.", err=True)
