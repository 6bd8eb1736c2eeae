"""看板: the stages side by side, and leads that go from one to the next."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import orjson
from flask import Response
from markupsafe import Markup
from marshmallow import fields

from api.auth import scope
from api.checks import OneOf
from api.endpoint import ledger
from api.leads import page_of_leads
from api.pages.commands import Form, form_named, offered
from api.pages.look import macro
from api.pages.session import holder
from api.pages.site import page, show
from api.pages.texts import language
from api.schemas import Request
from api.windows import selection
from domain.actor import today_in_china
from domain.errors import Invalid
from domain.stage import CLOSED, STAGES, STEPS

_READ = "read the pipeline"
# So many cards of a column at once, the last tips first: any other order looks at all leads.
_CARDS = 20
# So many are kept as they are shown, some 4 MB.
_CARDS_KEPT = 2048
# What is no step of the stage table → where a card is dropped for it.
_TO = {"closure": CLOSED, "reopening": "reopened"}
_MOVES = [form_named(name) for name in (*STEPS, *_TO)]


class BoardQuery(Request):
    """Where one column goes on; ``done`` and ``lead`` name the command that leads here."""

    stage = fields.String(validate=OneOf(STAGES))
    cursor = fields.String()
    done = fields.String()
    lead = fields.String()


@page("/board", _READ, query=BoardQuery())
def board(query: dict[str, Any]) -> Response:
    """All columns, or a later page of one."""
    going_on = query.get("stage")
    if "cursor" in query and going_on is None:
        raise Invalid.of("stage", "A cursor belongs to one column; name its stage.")
    today = today_in_china()
    book = ledger().reads.pipeline(selection({}), today.replace(month=1, day=1), today, None)
    standing = {stage["stage"]: stage["standing"] for stage in book["stages"]}
    columns = [
        _column(stage, standing[stage], query.get("cursor") if stage == going_on else None)
        for stage in STAGES
        if going_on in (None, stage)
    ]
    done = form_named(query["done"]) if "done" in query else None
    return show(
        "board.html",
        columns=columns,
        done=done,
        done_lead=query.get("lead"),
        one=going_on,
    )


def _column(stage: str, standing: Mapping[str, Any], cursor: str | None) -> dict[str, Any]:
    asked: dict[str, Any] = {"stage": stage, "sort": "-recorded", "limit": _CARDS}
    if cursor is not None:
        asked["cursor"] = cursor
    found, after = page_of_leads(asked, of=f"board {stage} {scope()}")
    who = holder()
    seen = (who and who.role, who and who.district, language(), today_in_china().year)
    cards = [_card(body, *seen) for body in found.bodies]
    return {"stage": stage, "standing": standing, "cards": cards, "next": after}


@lru_cache(maxsize=_CARDS_KEPT)
def _card(
    body: bytes, _role: str | None, _district: str | None, _language: str, _year: int
) -> Markup:
    """A lead, with the forms that move it: on to the next stage, and to its end. The same lead is
    always shown the same to a role of a district, in a language, in a year."""
    lead = orjson.loads(body)
    moves = list(_moves(lead))
    return macro("card.html", "card")(lead, moves, {target: form.name for target, form in moves})


def _moves(lead: Mapping[str, Any]) -> Iterator[tuple[str, Form]]:
    """Whither it may be moved, each with the form that asks for what that needs."""
    for form in offered(lead, holder(), _MOVES):
        step = STEPS.get(form.name)
        yield step.target if step else _TO[form.name], form
