"""提供信息: a tip in under a minute, on a phone too, and what became of those before it."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from flask import Response
from marshmallow import pre_load

from api.app import request_now
from api.auth import scope
from api.endpoint import ledger
from api.pages.look import told_later as _
from api.pages.nested import nested
from api.pages.people import People, people, those
from api.pages.session import holder
from api.pages.site import asked, form, go_to, page, show
from api.schemas import Id, LeadIn, Request, Text
from api.windows import lead_seen, selection
from domain.actor import today_in_china
from domain.errors import Forbidden, NotFound
from domain.money import UNITS
from service.projections.lead_list import Question

_TIP = "tip"
_MOST = 50
# How many of the office's tips may be reported by together; the first is the first report.
_TOGETHER = 3
_BY = "members"
# What a closed lead's outcome means to who tipped it.
SAID_OF: Mapping[str, str] = {
    "tip": _("已收到，待研判"),
    "pursued": _("已采纳，准备洽谈"),
    "negotiating": _("跟踪洽谈中"),
    "signed": _("已签约"),
    "groundbroken": _("已开工"),
    "declined": _("不予跟进"),
    "duplicate": _("与已有项目重复，仍计入提供"),
    "lost": _("未能落地"),
    "withdrawn": _("已撤回"),
    "rescinded": _("已解约"),
    "transferred": _("已流转到其他区划"),
}


class TipQuery(Request):
    """Which tip was recorded just now; or what was typed so far of who reports it."""

    recorded = Id()
    first = Text(200, data_key=f"{_BY}.0")
    second = Text(200, data_key=f"{_BY}.1")
    third = Text(200, data_key=f"{_BY}.2")


class TipForm(LeadIn):
    """A tip as it is typed: parts of a thing under names with dots."""

    @pre_load
    def _as_sent(self, data: dict[str, str], **_more: Any) -> dict[str, Any]:
        return with_defaults(nested(data))


def with_defaults(body: dict[str, Any]) -> dict[str, Any]:
    """What a tip's form leaves out: a unit without an amount says nothing; who tips for himself is
    its member, and a lead is in the first member's district unless it is said to be elsewhere."""
    if not body.get("investment", {}).get("amount"):
        body.pop("investment", None)
    own = scope().member
    typed = {f"{_BY}.{at}": words for at, words in body.get(_BY, {}).items()}
    body["members"] = [own] if own else list(dict.fromkeys(those(typed)))
    if "district" not in body and body["members"]:
        try:
            first = ledger().reads.member(UUID(body["members"][0]), scope())
        except (ValueError, NotFound):
            return body
        body["district"] = first["district"]
    return body


@page("/tip", _TIP, query=TipQuery())
def tip_form(query: dict[str, Any]) -> Response:
    """The form; and one's own tips."""
    recorded = _recorded(query["recorded"]) if "recorded" in query else None
    typed = next((query[name] for name in ("first", "second", "third") if name in query), "")
    return _shown(recorded=recorded, typed=typed)


def _again(refusal: Any, given: Mapping[str, Any]) -> Response:
    """What was typed, and why it was not taken."""
    return _shown(refusal, given, refusal["status"])


@form("/tip", _TIP, fields=TipForm(), again=_again)
def tip(body: dict[str, Any]) -> Response:
    """Record it; whoever tips for a member only is told of no others."""
    office, call = ledger(), asked(body)
    answer = (office.tip if scope().member else office.enter)(call, body)
    return _sent_on(f"/tip?recorded={answer.subject}")


def _sent_on(path: str) -> Response:
    """To that page; a script that sent the form is told where that is."""
    answer = go_to(path)
    if request_now().headers.get("HX-Request"):
        answer.status_code = 204
        answer.headers["HX-Redirect"] = answer.headers.pop("Location")
    return answer


def _shown(
    refusal: Any = None,
    given: Mapping[str, Any] | None = None,
    status: int = 200,
    recorded: Any = None,
    typed: str = "",
) -> Response:
    who, own = holder(), scope().member
    if who is None:
        raise Forbidden("Nobody is signed in.")
    me = ledger().reads.member(UUID(own), scope()) if own else None
    them = People(False, []) if own else people(typed)
    return show(
        "tip.html",
        status,
        refusal=refusal,
        given=given or {},
        recorded=recorded,
        me=me,
        many=them.many,
        people=them.them,
        together=_TOGETHER,
        mine=_mine() if own else [],
        said_of=said_of,
        today=f"{today_in_china()}",
        units=list(UNITS),
        draft=f"{own or who.id}",
        home=_home(me),
    )


def _home(me: Mapping[str, Any] | None) -> str:
    """The district that a lead is in unless somebody says otherwise; '' where that is not known."""
    if me is not None:
        return f"{me['district']}"
    limit = scope().district or ""
    return limit if len(limit) == 6 else ""


def _mine() -> list[dict[str, Any]]:
    """One's own tips, the last first."""
    question = Question(selection=selection({}), descending=True, limit=_MOST)
    return [orjson.loads(body) for body in ledger().reads.leads(question).bodies]


def _recorded(lead_id: str) -> dict[str, Any] | None:
    """The lead that was recorded just now, with those like it unless a member asks."""
    wanted = lead_seen(lead_id)
    office = ledger().reads if scope().member else ledger().similar.within(scope())
    found: dict[str, Any] = orjson.loads(office.lead(wanted, ledger().reads.position()).body)
    return found


def said_of(lead: Mapping[str, Any]) -> str:
    """What became of a tip, in a few words."""
    if lead["outcome"]:
        return SAID_OF[lead["outcome"]]
    if lead["stage"] == "tip" and lead["screened"]:
        return SAID_OF["pursued"]
    return SAID_OF[lead["stage"]]
