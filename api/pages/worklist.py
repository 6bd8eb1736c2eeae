"""待办: what is due and overdue, the oldest first, with the step that each thing waits for."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Response
from marshmallow import fields

from api.endpoint import ledger
from api.pages.commands import form_named
from api.pages.look import told_later as _
from api.pages.look import words
from api.pages.site import page, show
from api.schemas import WorklistQuery
from api.windows import selection
from api.worklist import day_of, place_of
from domain.errors import Invalid
from service.projections.clocks import RULES
from service.worklist import Place

_PAGE = 100


class Answer(NamedTuple):
    """What ends the waiting: what it is called, and the command of the lead's page that does it."""

    label: str
    command: str


# rule of the worklist → its answer.
ANSWERS: Mapping[str, Answer] = {
    "answer": Answer(_("登记答复"), "follow-up"),
    "screen": Answer(_("研判"), "screening"),
    "tell": Answer(_("登记反馈"), "notice"),
    "follow_up": Answer(_("登记跟进"), "follow-up"),
    "silent": Answer(_("登记跟进"), "follow-up"),
    "slipped": Answer(_("签约或改期"), "signing-plan"),
    "start": Answer(_("登记开工"), "groundbreaking"),
    "transfer": Answer(_("答复流转"), "transfer-acceptance"),
    "review": Answer(_("恢复"), "resumption"),
    "credit": Answer(_("裁定份额"), "credit"),
}


class WorklistPageQuery(WorklistQuery):
    """Which of it, from which place on; ``done`` and ``lead`` name the command that leads here."""

    after = fields.String()
    done = fields.String()
    lead = fields.String()


def _again(refusal: Any, given: Mapping[str, Any]) -> Response:
    return _shown({}, refusal, given)


@page("/worklist", "read the worklist", query=WorklistPageQuery(), again=_again)
def worklist(query: dict[str, Any]) -> Response:
    """What is due by a day, of leads as they stand now."""
    return _shown(query)


def _shown(
    query: Mapping[str, Any], refusal: Any = None, given: Mapping[str, Any] | None = None
) -> Response:
    day = day_of(query)
    rule, after = query.get("rule"), _place(query.get("after"))
    done = form_named(query["done"]) if "done" in query else None
    found = ledger().worklist.page(selection(query), day, rule=rule, after=after, limit=_PAGE)
    kept = ("rule", "due_by", "district", "sector", "industry", "member", "min_cny")
    base = {name: query[name] for name in kept if name in query}
    return show(
        "worklist.html",
        refusal["status"] if refusal else 200,
        refusal=refusal,
        given=given or query,
        base=base,
        back=f"/worklist?{words(base)}".rstrip("?"),
        done=done,
        done_lead=query.get("lead"),
        day=day,
        rule=rule,
        rules=[one for one in RULES if found.by_rule.get(one.name)],
        by_rule=found.by_rule,
        whole=sum(found.by_rule.values()),
        items=found.items,
        answers=ANSWERS,
        next=".".join(map(str, found.last)) if found.last else None,
        after=after,
        warning=found.warning,
    )


def _place(text: str | None) -> Place | None:
    """The place that an address names; Invalid."""
    if text is None:
        return None
    try:
        day, rule, number = text.split(".")
        return place_of(day, int(rule), int(number))
    except ValueError:
        raise Invalid.of("after", "'{text}' is no place in this list.", text=text[:40]) from None
