"""委员: who tips and who has not yet this year; each with tips, credit and personal link."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import orjson
from flask import Response
from marshmallow import fields

from api.auth import scope
from api.endpoint import ledger
from api.members import new_link
from api.pages.look import told_later as _
from api.pages.personal_link import PersonalLink
from api.pages.site import asked, form, go_to, page, show
from api.pages.tip import said_of
from api.schemas import Command, DistrictPrefix, MemberIn, Request, Text, Whole, YesNo, id_of
from api.windows import selection
from domain.actor import now, today_in_china
from service.log import moment_text
from service.projections.lead_list import Question
from service.reads import Tipping

_PAGE, _MOST_TIPS = 100, 200
# How long a personal link is good (days; '' until another takes its place) → what that is called.
LASTING: Mapping[str, str] = {"365": _("一年"), "90": _("三个月"), "30": _("一个月"), "": _("长期")}
# Who is listed → what that is called.
WHO: Mapping[str, str] = {"": _("全部"), "false": _("本年尚未提供"), "true": _("本年已提供")}


class MembersPageQuery(Request):
    """Which members, of which year (this one), from which on."""

    district = DistrictPrefix()
    sector = Text(100)
    year = Whole(1949, 9999)
    tipped = YesNo()
    after = Whole(0, 10**9)


class LinkForm(Request):
    """How long the link is good."""

    days = fields.String(load_default="")


def _again(refusal: Any, given: Mapping[str, Any] | None = None) -> Response:
    """The list, with what was typed of a new member, and why that is not taken."""
    return _listed({"limit": _PAGE}, refusal=refusal, given=given, status=refusal["status"])


def _asked_again(refusal: Any, **_: Any) -> Response:
    """The list of all, and why it is not the one that was asked for."""
    return _again(refusal)


@page("/members", "read members", query=MembersPageQuery(), again=_asked_again)
def members(query: dict[str, Any]) -> Response:
    """Those that one sees, in the order they were registered."""
    return _listed({**query, "limit": _PAGE})


@form("/members", "write members", fields=MemberIn(), again=_again)
def register(body: dict[str, Any]) -> Response:
    """A new member."""
    facts = {**body, "occurred_on": body["occurred_on"] or f"{today_in_china()}"}
    answer = ledger().register_member(asked(body), facts)
    return go_to(f"/members/{answer.subject}?registered=1")


def _listed(
    query: Mapping[str, Any],
    refusal: Any = None,
    given: Mapping[str, Any] | None = None,
    status: int = 200,
) -> Response:
    year = query.get("year", today_in_china().year)
    chosen = {name: query[name] for name in ("district", "sector") if name in query}
    after = query.get("after", 0)
    found, more = ledger().reads.members(
        after,
        query["limit"],
        chosen.get("district"),
        chosen.get("sector"),
        scope(),
        Tipping(year, query.get("tipped")),
    )
    return show(
        "members.html",
        status,
        refusal=refusal,
        given=given or {},
        year=year,
        this_year=today_in_china().year,
        tipped={None: "", True: "true", False: "false"}[query.get("tipped")],
        chosen=chosen,
        people=found,
        next=more,
        after=after,
        who_else=WHO,
        today=f"{today_in_china()}",
        home=_home(),
    )


def _home() -> str:
    limit = scope().district or ""
    return limit if len(limit) == 6 else ""


class MemberQuery(Request):
    """Whether the member was registered, or retired, just now."""

    registered = fields.String()
    retired = fields.String()


@page("/members/<member_id>", "read a member", query=MemberQuery())
def member(member_id: str, query: dict[str, Any]) -> Response:
    """A member, and what became of the tips."""
    said = None
    if "registered" in query:
        said = _("已登记。接下来可以制作个人链接，交给委员本人。")
    elif "retired" in query:
        said = _("已登记届满，此后不再提供信息。")
    return _one(member_id, said=said)


def _one(
    member_id: str,
    refusal: Any = None,
    given: Mapping[str, Any] | None = None,
    of: str = "",
    **more: Any,
) -> Response:
    wanted = id_of(member_id, "member")
    found = ledger().reads.member(wanted, scope())
    return show(
        "member.html",
        refusal["status"] if refusal else 200,
        member=found,
        tips=_tips(wanted),
        most=_MOST_TIPS,
        version=ledger().reads.member_seen(wanted, scope()),
        linked=_linked(found["id"]),
        refusal=refusal,
        refused_at=of,
        given=given or {},
        said_of=said_of,
        lasting=LASTING,
        today=f"{today_in_china()}",
        **{"said": None, "link": None, **more},
    )


def _tips(member_id: UUID) -> list[dict[str, Any]]:
    question = Question(
        selection=selection({"member": f"{member_id}"}),
        sort="occurred",
        descending=True,
        limit=_MOST_TIPS,
    )
    return [orjson.loads(body) for body in ledger().reads.leads(question).bodies]


def _linked(member_id: str) -> Mapping[str, Any] | None:
    """The member's last link, and whether it is still good."""
    last = ledger().tokens.linked(member_id)
    if last is None:
        return None
    present = moment_text(now())
    ends = [end for end in (last.expires_at, last.revoked_at) if end is not None]
    return {**last._asdict(), "good": all(end > present for end in ends)}


def _retire_again(member_id: str, refusal: Any, given: Mapping[str, Any]) -> Response:
    return _one(member_id, refusal, given, "retire")


@form("/members/<member_id>/retirement", "write members", fields=Command(), again=_retire_again)
def retire(member_id: str, body: dict[str, Any]) -> Response:
    """The member's term ended."""
    ledger().retire_member(id_of(member_id, "member"), asked(body), body)
    return go_to(f"/members/{member_id}?retired=1")


def _link_again(member_id: str, refusal: Any, given: Mapping[str, Any]) -> Response:
    return _one(member_id, refusal, given, "link")


@form("/members/<member_id>/link", "hand out personal links", fields=LinkForm(), again=_link_again)
def link(member_id: str, body: dict[str, Any]) -> Response:
    """A new personal link, told on the page that answers and nowhere else."""
    days = int(body["days"]) if body["days"] in LASTING and body["days"] else None
    token = new_link(member_id, asked(body), days)
    return _one(member_id, link=PersonalLink(token))
