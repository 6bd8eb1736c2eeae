"""Tipping on a page: what the contract requires and no more, once, by whom it may be."""

import re
from typing import Any

import pytest

from domain.actor import today_in_china
from tests.api.office import Office
from tests.pages.visitor import Seen, Visitor


@pytest.fixture
def member(office: Office) -> str:
    """A member's id."""
    found: str = office.officer.register("QJP-001", name="王委员")["id"]
    return found


@pytest.fixture
def token(office: Office, member: str) -> str:
    """The token in the member's link."""
    found: str = office.officer.ok(f"/v1/members/{member}/link", {})["token"]
    return found


def leads(office: Office) -> list[Any]:
    """All of them."""
    found: list[Any] = office.officer.ok("/v1/leads")["items"]
    return found


def typed(visitor: Visitor, **values: str) -> Any:
    """What the form sends with only these filled in, by names with __ for a dot."""
    page = Seen(visitor.get("/tip").text)
    there = {str(one["name"]): one.get("value") or "" for one in page.all("input") if one["name"]}
    there = {name: value for name, value in there.items() if name not in ("token", "next", "back")}
    given = {name.replace("__", "."): value for name, value in values.items()}
    return {**there, "investment.unit": "亿元", **given}


def test_a_member_tips_with_a_title_alone(office: Office, visitor: Visitor, token: str) -> None:
    visitor.sign_in(token)
    answer = visitor.client.post("/tip", data=typed(visitor, title="12英寸大晶圆项目"))
    assert answer.status_code == 303
    (lead,) = leads(office)
    assert answer.headers["Location"] == f"/tip?recorded={lead['id']}"
    assert (lead["title"], lead["district"], lead["investment"]) == (
        "12英寸大晶圆项目",
        "320812",
        None,
    )
    assert lead["dates"]["tip"] == f"{today_in_china()}"
    page = visitor.see(answer.headers["Location"])
    assert "已记录：《12英寸大晶圆项目》" in page.text and "已收到，待研判" in page.text


def test_all_that_is_typed_is_recorded(office: Office, visitor: Visitor, token: str) -> None:
    visitor.sign_in(token)
    facts = {
        "title": "冷链",
        "investor__name": "某公司",
        "investment__amount": "1.5",
        "summary": "两行\n文字",
        "contact__name": "李先生",
        "contact__phone": "13800000001",
        "occurred_on": "2025-03-18",
    }
    visitor.client.post("/tip", data=typed(visitor, **facts))
    (lead,) = leads(office)
    assert lead["investor"]["name"] == "某公司"
    assert lead["investment"] == {"amount": "1.5", "unit": "亿元", "cny": "150000000"}
    assert lead["contact"]["phone"].endswith("01") and "*" in lead["contact"]["phone"]
    assert (lead["summary"], lead["dates"]["tip"]) == ("两行\n文字", "2025-03-18")


def test_what_is_refused_is_said_beside_its_field_and_nothing_typed_is_lost(
    office: Office, visitor: Visitor, token: str
) -> None:
    visitor.sign_in(token)
    bad = typed(visitor, title="冷链", investment__amount="三十", occurred_on="2025-02-30")
    answer = visitor.client.post("/tip", data={**bad, "contact.name": "李先生"})
    assert answer.status_code == 422
    page = Seen(answer.text)
    wrong = {one["name"] for one in page.all("input") if one.get("aria-invalid")}
    assert wrong == {"investment.amount", "occurred_on"}
    kept = {one["name"]: one.get("value") for one in page.all("input")}
    assert (kept["title"], kept["investment.amount"]) == ("冷链", "三十")
    assert kept["contact.name"] == "李先生"
    assert leads(office) == []


def test_sent_twice_it_is_recorded_once(office: Office, visitor: Visitor, token: str) -> None:
    visitor.sign_in(token)
    form = typed(visitor, title="冷链")
    places = {visitor.client.post("/tip", data=form).headers["Location"] for _ in range(2)}
    assert len(places) == 1
    assert len(leads(office)) == 1


def test_a_draft_that_was_recorded_and_then_changed_says_so_and_has_a_new_key(
    office: Office, visitor: Visitor, token: str
) -> None:
    visitor.sign_in(token)
    form = typed(visitor, title="冷链")
    visitor.client.post("/tip", data=form)
    answer = visitor.client.post("/tip", data={**form, "title": "冷链二期"})
    assert answer.status_code == 422 and "此前已经送达并记录" in answer.text
    assert len(leads(office)) == 1
    key = str(Seen(answer.text).all("input", name="_key")[0]["value"])
    visitor.client.post("/tip", data={**form, "title": "冷链二期", "_key": key})
    assert [lead["title"] for lead in leads(office)] == ["冷链", "冷链二期"]


def test_a_script_is_told_where_the_page_is(visitor: Visitor, token: str) -> None:
    visitor.sign_in(token)
    form = typed(visitor, title="冷链")
    answer = visitor.client.post("/tip", data=form, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert re.fullmatch(r"/tip\?recorded=[0-9a-f-]{36}", answer.headers["HX-Redirect"])


def test_a_member_tips_for_nobody_else(office: Office, visitor: Visitor, token: str) -> None:
    other = office.officer.register("QJP-002")["id"]
    visitor.sign_in(token)
    visitor.client.post("/tip", data={**typed(visitor, title="冷链"), "members.0": other})
    (lead,) = leads(office)
    assert [one["name"] for one in lead["members"]] == ["王委员"]


def test_a_member_sees_what_became_of_its_own_tips_only(
    office: Office, visitor: Visitor, member: str, token: str
) -> None:
    other = office.officer.register("QJP-002")["id"]
    office.officer.tip(other, title="别人的项目")
    mine = office.officer.tip(member, title="我的项目")
    office.officer.command(mine, "negotiation")
    visitor.sign_in(token)
    page = visitor.see("/tip")
    assert "我的项目" in page.text and "跟踪洽谈中" in page.text
    assert "别人的项目" not in page.text
    declined = office.officer.tip(member, title="没有下文的")
    office.officer.command(declined, "screening", verdict="decline", reason="条件不符")
    assert "不予跟进" in visitor.see("/tip").text


def test_an_officer_tips_for_members_and_is_shown_what_is_alike(
    office: Office, visitor: Visitor, member: str
) -> None:
    second = office.officer.register("QJP-002")["id"]
    office.officer.tip(member, title="12英寸大晶圆项目")
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    form = typed(visitor, title="12英寸大晶圆项目")
    form |= {"members.0": second, "members.1": member}
    answer = visitor.client.post("/tip", data=form)
    lead = leads(office)[-1]
    assert [one["id"] for one in lead["members"]] == [second, member]
    assert lead["district"] == "320812"
    assert "可能与这些项目相同" in visitor.see(answer.headers["Location"]).text


def test_an_officer_must_name_a_member(office: Office, visitor: Visitor) -> None:
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    answer = visitor.client.post("/tip", data=typed(visitor, title="冷链"))
    assert answer.status_code == 422
    assert leads(office) == []


def test_an_auditor_has_no_such_page(office: Office, visitor: Visitor) -> None:
    visitor.sign_in(office.ledger.tokens.issue("auditor"))
    visitor.see("/tip", 403)
    assert not Seen(visitor.get("/").text).all("a", href="/tip")


def test_a_pasted_link_signs_in_as_its_token_does(visitor: Visitor, token: str) -> None:
    answer = visitor.sign_in(f"https://ledger.example/tip#{token}", next="/tip")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/tip")


def test_who_comes_to_the_form_without_a_sign_in_is_asked_for_the_link(visitor: Visitor) -> None:
    assert visitor.get("/tip").headers["Location"] == "/signin?next=/tip"
    assert "个人链接" in visitor.see("/signin?next=/tip").text


def test_of_many_members_those_are_suggested_whose_name_or_number_was_typed(
    office: Office, visitor: Visitor
) -> None:
    members = [office.officer.register(f"QJP-{n:03}")["id"] for n in range(301)]
    namesakes = office.officer.register("QJP-400", name="李委员")["id"]
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    assert not visitor.see("/tip").all("select", name="members.0")
    page = visitor.see("/tip?members.1=P-30")
    suggested = [one["value"] for one in page.all("option") if one.get("value")]
    assert suggested == ["王委员（QJP-300）"]
    for typed_in, meant in (
        ("王委员（QJP-007）", members[7]),
        ("QJP-300", members[300]),
        ("李委员", namesakes),
        (members[1], members[1]),
    ):
        visitor.client.post("/tip", data={**typed(visitor, title="冷链"), "members.0": typed_in})
        assert [one["id"] for one in leads(office)[-1]["members"]] == [meant]
    for typed_in, why in (
        ("王委员", "有不止一位委员叫“王委员”，请写编号。"),
        ("QJP-999", "没有姓名或编号为“QJP-999”的委员。"),
    ):
        form = {**typed(visitor, title="冷链"), "members.0": typed_in}
        answer = visitor.client.post("/tip", data=form)
        assert answer.status_code == 422 and why in answer.text
        assert Seen(answer.text).all("input", name="members.0")[0]["value"] == typed_in
    assert len(leads(office)) == 4
