"""``leadledger report …``: what is published."""

from datetime import datetime
from uuid import uuid4

import click
import orjson

from domain.actor import Actor, acting, now
from service.cli_shared import open_ledger
from service.reports.asked import asked_for
from service.requests import Call


@click.group()
def report() -> None:
    """Reports: the year's sentence, and sealing it."""


@report.command("annual")
@click.argument("year", type=int)
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), help="The cut-off.")
@click.option("--district", help="A province, city or district: 2, 4 or 6 digits.")
@click.option("--known-at", help="A log position, or a moment like 2025-12-29T16:00:00Z.")
@click.option("--json", "as_json", is_flag=True, help="With each number and the leads behind it.")
@click.option("--seal", is_flag=True, help="Seal it as it is now.")
def annual(
    year: int,
    end: datetime | None,
    district: str | None,
    known_at: str | None,
    as_json: bool,
    seal: bool,
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
            position = None if known_at is None else ledger.reads.position_named(known_at)
            told = ledger.reports.annual(asked, position)
    if as_json:
        click.echo(orjson.dumps(told, option=orjson.OPT_INDENT_2))
        return
    click.echo(told["text"])
    if seal:
        click.echo(f"Sealed as report {told['id']}, SHA-256 {told['digest']}.", err=True)
