"""``leadledger worklist``: what is due, for a terminal or a machine."""

from datetime import datetime

import click
import orjson

from domain.actor import today_in_china
from service.cli_shared import open_ledger
from service.projections.choosing import Selection
from service.projections.clocks import RULES
from service.worklist import Place

_AT_ONCE = 200


@click.command()
@click.option("--rule", type=click.Choice([rule.name for rule in RULES]))
@click.option("--district", help="A province, city or district: 2, 4 or 6 digits.")
@click.option("--due-by", type=click.DateTime(["%Y-%m-%d"]), help="Up to this day; today.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def worklist(
    rule: str | None, district: str | None, due_by: datetime | None, as_json: bool
) -> None:
    """What is due and overdue, the oldest first."""
    day = due_by.date() if due_by else today_in_china()
    place: Place | None = None
    with open_ledger() as ledger:
        while True:
            page = ledger.worklist.page(
                Selection(district=district), day, rule=rule, after=place, limit=_AT_ONCE
            )
            for item in page.items:
                line = orjson.dumps(item).decode() if as_json else _line(item)
                click.echo(line)
            if page.warning and place is None:
                click.echo(page.warning, err=True)
            place = page.last
            if place is None:
                break


def _line(item: dict[str, str]) -> str:
    return f"{item['due_on']}  {item['label']}  {item['sentence']}"
