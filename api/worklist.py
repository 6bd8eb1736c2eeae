"""The worklist: what is due and overdue."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson
from flask_smorest import Blueprint

from api.answers import WorklistOut
from api.cursors import page_of, read_cursor, write_cursor
from api.endpoint import endpoint
from api.replica import by_replica, reading
from api.reply import Reply
from api.schemas import WorklistQuery
from api.windows import selection
from domain.actor import today_in_china
from domain.errors import Invalid
from service.projections.clocks import RULES
from service.projections.store import FOREVER
from service.worklist import Place

blueprint = Blueprint("worklist", __name__, url_prefix="/v1", description="What is due.")


@endpoint(blueprint, "GET", "/worklist", "read the worklist", WorklistOut, query=WorklistQuery())
@by_replica
def worklist(query: dict[str, Any]) -> Reply:
    """What is due by a day (today), the oldest first; leads as they stand now."""
    day = day_of(query)
    found = reading().worklist.page(
        selection(query),
        day,
        rule=query.get("rule"),
        after=_place(query),
        limit=query["limit"],
    )
    cursor = write_cursor(*found.last) if found.last else None
    rules = {rule.name: found.by_rule.get(rule.name, 0) for rule in RULES}
    about = {"due_by": f"{day}", "warning": found.warning, "by_rule": rules}
    return page_of(orjson.dumps(found.items), cursor, found.position, about)


def _place(query: Mapping[str, Any]) -> Place | None:
    """The place that the cursor names; Invalid."""
    parts = read_cursor(query, (str, int, int))
    if parts is None:
        return None
    try:
        return place_of(*parts)
    except ValueError:
        raise Invalid.of("cursor", "It is none that this ledger gave.") from None


def place_of(day: str, rule: int, number: int) -> Place:
    """A place in the list; ValueError where it can be none."""
    if not 0 <= number <= FOREVER:
        raise ValueError
    return Place(f"{date.fromisoformat(day)}", rule, number)


def day_of(query: Mapping[str, Any]) -> date:
    """By which day things are due: today, unless the query names one; Invalid."""
    day = date.fromisoformat(query["due_by"]) if "due_by" in query else today_in_china()
    if day.year > today_in_china().year + 1:
        raise Invalid.of("due_by", "{day} is more than a year ahead.", day=day)
    return day
