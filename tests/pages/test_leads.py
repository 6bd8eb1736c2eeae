"""The ledger, a lead and the board, without a browser's scripts."""

import re
from io import BytesIO
from typing import Any
from urllib.parse import parse_qs, urlsplit

import openpyxl
import pytest

from api.pages import people
from tests.api.office import Office
from tests.pages.visitor import Seen, Visitor


@pytest.fixture
def member(office: Office) -> Any:
    """A member of the office."""
    return office.officer.register()


@pytest.fixture
def lead(office: Office, member: Any) -> Any:
    """A tip of theirs."""
    contact = {"name": "李先生", "phone": "13800000001"}
    return office.officer.tip(member["id"], contact=contact)


@pytest.fixture
def clerk(office: Office, visitor: Visitor) -> Visitor:
    """An officer before a browser."""
    visitor.sign_in(office.ledger.tokens.issue("officer", "赵科长"))
    return visitor


def fill(visitor: Visitor, lead: Any, name: str, words: str = "", **values: str) -> Any:
    """Open the form of that name, fill it in, and send it."""
    path = f"/leads/{lead['id']}/do/{name}"
    sent = held(visitor.see(path + words))
    sent |= {key.replace("__", "."): value for key, value in values.items()}
    return visitor.client.post(path, data=sent)


def held(page: Seen) -> dict[str, str]:
    """What the fields of a command's form hold."""
    found, select = {}, ""
    for tag, about in page.tags:
        if tag == "input" and about.get("type") != "checkbox":
            found[f"{about['name']}"] = about.get("value") or ""
        elif tag == "select":
            select = f"{about['name']}"
        elif tag == "option" and (select not in found or "selected" in about):
            found[select] = about["value"] or ""
    # One that goes back somewhere, or a list to choose from, is of another form.
    return {name: value for name, value in found.items() if name not in ("back", "")}


def links(page: Seen, begin: str) -> list[str]:
    """Where the page's links of that beginning lead."""
    return [one["href"] or "" for one in page.all("a") if (one["href"] or "").startswith(begin)]


# The ledger


def test_the_ledger_lists_what_the_api_lists(office: Office, clerk: Visitor, member: Any) -> None:
    for number, amount in enumerate(("3", "1", "2")):
        money = {"amount": amount, "unit": "亿元"}
        office.officer.tip(member["id"], title=f"项目{number}", investment=money)
    for words in ("", "?sort=-amount", "?min_cny=200000000&sort=amount", "?q=项目1"):
        told = office.officer.ok(f"/v1/leads{words}")["items"]
        page = clerk.see(f"/leads{words}")
        assert links(page, "/leads/") == [f"/leads/{one['id']}" for one in told], words


def test_pages_follow_each_other_without_a_gap(office: Office, clerk: Visitor, member: Any) -> None:
    for number in range(5):
        office.officer.tip(member["id"], title=f"项目{number}")
    path, seen = "/leads?limit=2&stage=tip&q=", []
    while True:
        page = clerk.see(path)
        seen += [title for title in page.words if re.fullmatch(r"项目\d", title)]
        following = page.all("a", rel="next")
        if not following:
            break
        path = following[0]["href"] or ""
    assert seen == [f"项目{number}" for number in range(5)]


def test_a_filter_that_is_wrong_is_said_beside_what_was_typed(clerk: Visitor) -> None:
    page = clerk.see("/leads?district=32081&q=晶圆", status=422)
    assert page.all("input", name="q")[0]["value"] == "晶圆"
    assert page.all("input", name="district")[0]["value"] == "32081"
    assert page.all("div", role="alert")


def test_a_filter_is_taken_away_by_its_mark(clerk: Visitor, lead: Any) -> None:
    page = clerk.see("/leads?stage=tip&sort=-amount")
    assert lead["id"] in f"{page.tags}"
    assert "/leads?sort=-amount" in links(page, "/leads?")


def test_columns_are_chosen_and_kept(clerk: Visitor, lead: Any) -> None:
    answer = clerk.send("/leads/columns", on="/leads", industry="yes", back="/leads?stage=tip")
    assert answer.headers["Location"] == "/leads?stage=tip"
    heads = re.findall('<th scope="col"[^>]*>(.+?)</th>', clerk.get("/leads").text)
    assert heads == ["项目名称", "产业代码"] and lead


def test_what_is_listed_was_so_on_the_day_that_is_asked(office: Office, clerk: Visitor) -> None:
    member = office.officer.register("QJP-002")
    lead = office.officer.tip(member["id"])
    office.officer.command(lead, "negotiation")
    then = clerk.see("/leads?as_of=2025-03-31&stage=tip")
    (link,) = links(then, f"/leads/{lead['id']}")
    assert parse_qs(urlsplit(link).query) == {"as_of": ["2025-03-31"]}
    assert "这是过去的样子" in clerk.see(link).text
    assert links(clerk.see("/leads?stage=tip"), f"/leads/{lead['id']}") == []


def test_a_selection_is_taken_away_as_a_workbook(
    office: Office, clerk: Visitor, member: Any
) -> None:
    kept = [office.officer.tip(member["id"], title=f"=项目{n}") for n in range(3)]
    office.officer.command(kept[1], "negotiation")
    for words, wanted in (
        ("?stage=tip", [kept[0], kept[2]]),
        ("", kept),
        ("?as_of=2025-03-31&stage=tip", kept),
        ("?q=没有", []),
    ):
        answer = clerk.get(f"/leads.xlsx{words}")
        assert answer.status_code == 200
        book = openpyxl.load_workbook(BytesIO(answer.data))
        cells = [value for row in book["台账"].iter_rows(values_only=True) for value in row]
        told = [value for value in cells if value in [one["id"] for one in kept]]
        assert told == [one["id"] for one in wanted], words


def test_a_workbook_holds_no_contact_in_plain(clerk: Visitor, lead: Any) -> None:
    book = openpyxl.load_workbook(BytesIO(clerk.get("/leads.xlsx").data))
    text = f"{list(book['台账'].iter_rows(values_only=True))}"
    assert lead["id"] in text and "13800000001" not in text


def test_who_is_limited_to_a_district_sees_no_other(
    office: Office, visitor: Visitor, lead: Any
) -> None:
    visitor.sign_in(office.ledger.tokens.issue("officer", "邻区", district="320871"))
    assert links(visitor.see("/leads"), "/leads/") == []
    assert links(visitor.see("/board"), "/leads/") == []
    for path in ("", "/do/negotiation", "/proof"):
        assert visitor.get(f"/leads/{lead['id']}{path}").status_code in (403, 404)
    book = openpyxl.load_workbook(BytesIO(visitor.get("/leads.xlsx").data))
    assert lead["id"] not in f"{list(book['台账'].iter_rows(values_only=True))}"


# A lead


def test_a_command_is_carried_out_and_said(office: Office, clerk: Visitor, lead: Any) -> None:
    answer = fill(clerk, lead, "negotiation", occurred_on="2025-04-02", responsible_unit="商务局")
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/leads/{lead['id']}?done=negotiation"
    assert "已记录：开始洽谈。" in clerk.see(answer.headers["Location"]).text
    now = office.officer.ok(f"/v1/leads/{lead['id']}")
    assert (now["stage"], now["responsible_unit"]) == ("negotiating", "商务局")


def test_a_fact_that_lacks_is_said_beside_its_field_and_nothing_is_lost(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    answer = fill(clerk, lead, "negotiation", occurred_on="2025-04-02", manager="钱七")
    assert answer.status_code == 409
    page = Seen(answer.text)
    (field,) = page.all("input", name="responsible_unit")
    assert field["aria-invalid"] == "true"
    assert page.all("p", id=field["aria-describedby"] or "")
    assert page.all("input", name="manager")[0]["value"] == "钱七"
    assert office.officer.ok(f"/v1/leads/{lead['id']}")["version"] == 1


def test_what_is_sent_twice_is_recorded_once(office: Office, clerk: Visitor, lead: Any) -> None:
    path = f"/leads/{lead['id']}/do/negotiation"
    page = clerk.see(path)
    sent = held(page)
    sent |= {"occurred_on": "2025-04-02", "responsible_unit": "商务局"}
    places = [clerk.client.post(path, data=sent).headers["Location"] for _ in range(2)]
    assert places[0] == places[1]
    assert office.officer.ok(f"/v1/leads/{lead['id']}")["version"] == 2


def test_who_comes_second_is_told_what_the_first_did_and_keeps_what_was_typed(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    path = f"/leads/{lead['id']}/do/revision"
    page = clerk.see(path)
    sent = held(page)
    office.officer.command(lead, "revision", title="别人改的名称", occurred_on="2025-04-01")
    sent |= {"occurred_on": "2025-04-02", "investor.name": "某公司"}
    answer = clerk.client.post(path, data=sent)
    assert answer.status_code == 412
    told = Seen(answer.text)
    assert "变更项目信息" in told.text and "officer" in told.text
    values = {one["name"]: one.get("value") for one in told.all("input")}
    assert values["investor.name"] == "某公司"
    # What the second did not touch is as the first left it, and is not taken back.
    assert (values["title"], values["_version"]) == ("别人改的名称", "2")
    again = held(told)
    assert clerk.client.post(path, data=again).status_code == 303
    now = office.officer.ok(f"/v1/leads/{lead['id']}")
    assert (now["title"], now["investor"]["name"]) == ("别人改的名称", "某公司")


def test_a_revision_says_what_changed_and_no_more(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    assert fill(clerk, lead, "revision", title="新名称", summary="").status_code == 303
    *_, last = office.officer.ok(f"/v1/leads/{lead['id']}/history")["items"]
    assert last["facts"]["facts"] == {"title": "新名称"}


def test_evidence_is_told_row_by_row(office: Office, clerk: Visitor, lead: Any) -> None:
    for command in ("negotiation", "signing"):
        office.officer.command(lead, command)
    page = fill(
        clerk,
        lead,
        "groundbreaking",
        occurred_on="2025-09-01",
        start="construction",
        evidence__0__reference="施-1",
        evidence__2__kind="photo",
        evidence__2__reference="照片",
    )
    assert page.status_code == 422
    assert Seen(page.text).all("select", name="evidence.0.kind")[0]["aria-invalid"] == "true"
    done = fill(
        clerk,
        lead,
        "groundbreaking",
        occurred_on="2025-09-01",
        start="construction",
        evidence__0__kind="permit",
        evidence__0__reference="施-1",
        evidence__2__kind="photo",
        evidence__2__reference="照片",
    )
    assert done.status_code == 303
    text = clerk.see(f"/leads/{lead['id']}").text
    assert "施工许可证 施-1" in text and "现场照片 照片" in text


def test_an_administrator_waives_a_fact_with_a_reason(
    office: Office, visitor: Visitor, lead: Any
) -> None:
    visitor.sign_in(office.ledger.tokens.issue("admin", "管理"))
    waived = {"waivers.0.reason": "旧账如此"}
    answer = fill(visitor, lead, "negotiation", occurred_on="2025-04-02", **waived)
    assert answer.status_code == 303
    assert "旧账如此" in visitor.see(f"/leads/{lead['id']}").text


def test_a_row_says_of_each_day_which_it_is_where_a_phone_has_no_headings(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    page = clerk.see("/leads")
    told = [one["data-is"] for one in page.all("td") if "data-is" in one]
    assert told == ["提供日期", "最近动态"]


def test_an_industry_is_told_by_name_too(office: Office, clerk: Visitor, member: Any) -> None:
    chips = office.officer.tip(member["id"], industry="C397")
    assert "C397 计算机、通信和其他电子设备制造业" in clerk.see(f"/leads/{chips['id']}").text


def test_a_correction_strikes_through_what_was_and_says_why(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    office.officer.command(lead, "negotiation")
    right = {"facts.responsible_unit": "招商局", "reason": "单位写错"}
    assert fill(clerk, lead, "correction", "?version=2", **right).status_code == 303
    page = clerk.get(f"/leads/{lead['id']}").text
    assert "<s>商务局</s> 招商局" in page and "第 3 版更正。理由：单位写错" in page
    void = {"void": "true", "reason": "没有此事"}
    assert fill(clerk, lead, "correction", "?version=2", **void).status_code == 303
    page = clerk.get(f"/leads/{lead['id']}").text
    assert "<s>开始洽谈</s>" in page and "第 4 版更正：此事从未发生。理由：没有此事" in page
    assert office.officer.ok(f"/v1/leads/{lead['id']}")["stage"] == "tip"


def test_a_tip_is_corrected_down_to_whom_to_call_and_never_voided(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    right = {"facts.contact.phone": "13900000002", "reason": "电话写错"}
    assert fill(clerk, lead, "correction", "?version=1", **right).status_code == 303
    now = office.officer.ok(f"/v1/leads/{lead['id']}")
    assert (now["contact"]["phone"], now["title"]) == ("139****0002", lead["title"])
    void = {"void": "true", "reason": "没有此事"}
    refused = fill(clerk, lead, "correction", "?version=1", **void)
    assert refused.status_code == 409 and "提供信息永久计数，不能作废" in refused.text


def test_a_correction_says_what_it_puts_right_and_offers_no_voiding_of_a_tip(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    office.officer.command(lead, "negotiation")
    tip, talks = (
        clerk.see(f"/leads/{lead['id']}/do/correction?version={number}") for number in (1, 2)
    )
    assert "更正：提供信息" in tip.text and not tip.all("input", name="void")
    assert "更正：开始洽谈" in talks.text and len(talks.all("input", name="void")) == 1
    # What it says of itself is not called as what it puts right.
    assert talks.text.count("更正日期") == talks.text.count("发生日期 必填") + 1 == 1


def test_of_few_members_a_correction_lists_all_who_may_have_tipped_and_who_did(
    office: Office, clerk: Visitor, member: Any, lead: Any
) -> None:
    other = office.officer.register("QJP-002")
    office.officer.ok(f"/v1/members/{member['id']}/retirement", {"occurred_on": "2025-12-31"})
    form = clerk.see(f"/leads/{lead['id']}/do/correction?version=1")
    chosen = form.all("option", value=member["id"])
    assert len(chosen) == 3 and "selected" in chosen[0]
    assert len(form.all("option", value=other["id"])) == 3


def test_of_many_members_a_correction_finds_one_as_one_types(
    office: Office, clerk: Visitor, member: Any, lead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(people, "_LISTED", 1)
    other = office.officer.register("QJP-002")
    path = f"/leads/{lead['id']}/do/correction"
    form = clerk.see(f"{path}?version=1")
    assert held(form)["facts.members.0"] == "王委员（QJP-001）" and not form.all(
        "select", list="people"
    )
    typed = clerk.see(f"{path}?version=1&facts.members.1=-002")
    suggested = [one["value"] for one in typed.all("option") if "（" in (one["value"] or "")]
    assert suggested == ["王委员（QJP-002）"]
    # Left as it was, nobody is changed; the name alone is two members'.
    wrong = {"facts.members.1": "王委员", "reason": "漏了一位"}
    refused = fill(clerk, lead, "correction", "?version=1", **wrong)
    assert refused.status_code == 422 and "有不止一位委员叫" in refused.text
    assert held(Seen(refused.text))["facts.members.1"] == "王委员"
    right = {"facts.members.1": "QJP-002", "reason": "漏了一位"}
    assert fill(clerk, lead, "correction", "?version=1", **right).status_code == 303
    now = office.officer.ok(f"/v1/leads/{lead['id']}")
    assert [one["id"] for one in now["members"]] == [member["id"], other["id"]]


def test_a_member_who_retired_since_may_stay_named(
    office: Office, clerk: Visitor, member: Any, lead: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in ("QJP-002", "QJP-003"):
        office.officer.register(number)
    monkeypatch.setattr(people, "_LISTED", 1)
    office.officer.ok(f"/v1/members/{member['id']}/retirement", {"occurred_on": "2025-12-31"})
    right = {"facts.title": "另一个名称", "reason": "写错"}
    assert fill(clerk, lead, "correction", "?version=1", **right).status_code == 303
    now = office.officer.ok(f"/v1/leads/{lead['id']}")
    assert ([one["id"] for one in now["members"]], now["title"]) == ([member["id"]], "另一个名称")


def test_a_duplicate_is_ruled_from_the_similar_lead_and_by_its_address(
    office: Office, clerk: Visitor, member: Any, lead: Any
) -> None:
    other = office.officer.tip(member["id"])
    page = clerk.see(f"/leads/{other['id']}")
    (link,) = [one for one in links(page, "/leads/") if "verdict=duplicate" in one]
    form = clerk.see(link)
    assert form.all("input", name="duplicate_of")[0]["value"] == lead["id"]
    pasted = f"http://localhost/leads/{lead['id']}?version=1"
    values = {"verdict": "duplicate", "reason": "同一家", "duplicate_of": pasted}
    assert fill(clerk, other, "screening", **values).status_code == 303
    assert office.officer.ok(f"/v1/leads/{other['id']}")["duplicate_of"] == lead["id"]
    assert f"/leads/{lead['id']}" in links(clerk.see(f"/leads/{other['id']}"), "/leads/")


def test_credit_is_ruled_member_by_member(office: Office, clerk: Visitor, member: Any) -> None:
    second = office.officer.register("QJP-002", name="李委员")
    lead = office.officer.tip(member["id"], members=[member["id"], second["id"]])
    assert fill(clerk, lead, "credit", reason="首报", **{"shares.0.share": "1"}).status_code == 422
    shares = {"shares.0.share": "2/3", "shares.1.share": "1/3"}
    assert fill(clerk, lead, "credit", reason="首报", **shares).status_code == 303
    assert "王委员 份额 2/3 李委员 份额 1/3" in clerk.see(f"/leads/{lead['id']}").text


def test_a_signing_plan_is_withdrawn_by_an_empty_day(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    for command in ("negotiation", "signing-plan"):
        office.officer.command(lead, command)
    assert fill(clerk, lead, "signing-plan", expected_on="").status_code == 303
    assert not office.officer.ok(f"/v1/leads/{lead['id']}")["about_to_sign"]


def test_a_transfer_is_answered_by_the_other_side(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    fill(clerk, lead, "transfer", district="320871", reason="用地在对方")
    there = Visitor(office.app)
    there.sign_in(office.ledger.tokens.issue("officer", "对方", district="320871"))
    page = there.see(f"/leads/{lead['id']}")
    doings = {one.rpartition("/")[2] for one in links(page, "/leads/") if "/do/" in one}
    assert {one for one in doings if "?" not in one} == {"transfer-acceptance", "transfer-refusal"}
    assert fill(there, lead, "transfer-acceptance").status_code == 303
    assert "320812 → 320871" in there.see(f"/leads/{lead['id']}").text


def test_a_contact_is_masked_until_somebody_says_why(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    page = clerk.see(f"/leads/{lead['id']}").text
    assert "李** 138****0001" in page and "13800000001" not in page
    path = f"/leads/{lead['id']}/contact"
    assert clerk.send(path, on=f"/leads/{lead['id']}").status_code == 422
    shown = clerk.send(path, on=f"/leads/{lead['id']}", reason="约见面")
    assert "李先生 13800000001" in Seen(shown.text).text
    office.ledger.access.flush()
    (noted,), _ = office.ledger.access.listed(1)
    assert (noted["kind"], noted["reason"]) == ("personal-data", "约见面")


def test_who_only_reads_is_offered_nothing(office: Office, visitor: Visitor, lead: Any) -> None:
    visitor.sign_in(office.ledger.tokens.issue("auditor"))
    page = visitor.see(f"/leads/{lead['id']}")
    assert [one for one in links(page, "/leads/") if "/do/" in one] == []
    assert page.all("form", action=f"/leads/{lead['id']}/contact") == []
    assert visitor.get(f"/leads/{lead['id']}/do/negotiation").status_code == 403


def test_a_version_is_shown_as_it_was_and_offers_nothing(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    office.officer.command(lead, "negotiation")
    page = clerk.see(f"/leads/{lead['id']}?version=1")
    assert "第 1 版，共 2 版" in page.text and "商务局" not in page.text
    assert [one for one in links(page, "/leads/") if "/do/" in one] == []
    versions = [f"/leads/{lead['id']}?version={n}" for n in (1, 2)]
    assert [one for one in links(page, "/leads/") if "version=" in one] == versions


def test_the_proof_is_given_to_who_may_audit(office: Office, visitor: Visitor, lead: Any) -> None:
    visitor.sign_in(office.ledger.tokens.issue("auditor"))
    api = office.one("auditor").get(f"/v1/audit/leads/{lead['id']}/proof")
    assert visitor.get(f"/leads/{lead['id']}/proof").status_code == api.status_code


# The board


def test_the_board_counts_as_the_pipeline_does(office: Office, clerk: Visitor, member: Any) -> None:
    leads = [office.officer.tip(member["id"], title=f"项目{n}") for n in range(23)]
    office.officer.command(leads[0], "negotiation")
    page = clerk.see("/board")
    assert "信息 22 660亿元" in page.text and "在谈 1 30亿元" in page.text
    (more,) = [one for one in links(page, "/board?") if "cursor" in one]
    rest = clerk.see(more)
    shown = [one for p in (page, rest) for one in links(p, "/leads/") if "/do/" not in one]
    assert sorted(shown) == sorted(f"/leads/{one['id']}" for one in leads)


def test_a_card_moves_by_the_form_of_its_next_step(
    office: Office, clerk: Visitor, lead: Any
) -> None:
    (link,) = [one for one in links(clerk.see("/board"), "/leads/") if "negotiation" in one]
    assert link == f"/leads/{lead['id']}/do/negotiation?back=/board"
    facts = {"occurred_on": "2025-04-02", "responsible_unit": "商务局"}
    answer = fill(clerk, lead, "negotiation", "?back=/board", **facts)
    assert answer.headers["Location"] == f"/board?done=negotiation&lead={lead['id']}"
    assert "在谈 1" in clerk.see(answer.headers["Location"]).text
