"""``leadledger access …``: who was refused, who changed tokens, who read personal data."""

from datetime import datetime
from typing import Any

import click
import orjson

from service.access.heads import seen_by_the_keeper
from service.access.record import KINDS
from service.access.verifying import read_head, verify
from service.access.when import since, upto
from service.cli_shared import open_ledger

_DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def access() -> None:
    """The record of refusals, sign-ins, token changes and reads of personal data."""


@access.command("list")
@click.option("--kind", type=click.Choice(list(KINDS)), help="Only these.")
@click.option("--holder", metavar="ID", help="Only of the token with this id.")
@click.option("--from", "start", type=_DAY, help="From this day on, in China.")
@click.option("--to", "end", type=_DAY, help="Up to this day, itself among them.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, help="So many at most.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_(
    kind: str | None,
    holder: str | None,
    start: datetime | None,
    end: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """The records, the newest first."""
    first = since(start.date()) if start else None
    last = upto(end.date()) if end else None
    with open_ledger(projections=False) as ledger:
        found, _ = ledger.access.listed(limit, None, kind, first, last, holder)
    for row in found:
        click.echo(orjson.dumps(row) if as_json else "\t".join(_shown(row)))


@access.command("verify")
@click.option("--kept", multiple=True, metavar="HEAD", help="A head that was printed before.")
def verify_(kept: tuple[str, ...]) -> None:
    """Whether every record is as it was written, by its own digests and by the heads of it that the
    log has; prints the head, to be kept elsewhere."""
    with open_ledger(projections=False) as ledger:
        heads = [*map(read_head, (*kept, *ledger.accesses_noted()))]
        try:
            seen = seen_by_the_keeper(ledger.settings)
        except PermissionError:
            click.echo("The keeper's folder is another user's: its own head is not looked at.")
        else:
            heads += [seen] if seen else []
        head = verify(ledger.access, heads)
    click.echo(f"Holds: {head.id if head else 0} records.")
    if head:
        click.echo(f"Head {head}")


def _shown(row: dict[str, Any]) -> list[str]:
    who = " ".join(filter(None, (row["name"], row["holder"] and f"({row['holder']})")))
    times = f"{row['count']} times until {row['until']}" if row["count"] else ""
    told = [row["kind"], row["outcome"], row["action"], who or "nobody known", row["origin"] or ""]
    return [row["at"], *told, *filter(None, (row["subject"], times, row["reason"]))]
