"""The overview: the sentence with its leads, the stages, the groups, and a past that is kept."""

import json

import pytest

from api.pages.overview import Piece, linked
from api.pages.travel import Travel
from service.cli import load_demo
from tests.api.office import Office, problem_of
from tests.pages.visitor import Visitor

END = "as_of=2025-12-29"
SENTENCE = (
    "政协委员累计提供项目信息11条，全年开工亿元项目1个、签约落地1个，跟踪洽谈6个，"
    "其中投资30亿元的12英寸大晶圆项目即将签约。"
)


@pytest.fixture
def seen(office: Office, visitor: Visitor) -> Visitor:
    """An officer before the 2025 ledger."""
    load_demo(office.ledger)
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    return visitor


def test_the_sentence_is_the_published_one_and_each_number_leads_to_its_leads(
    seen: Visitor,
) -> None:
    page = seen.see(f"/?{END}")
    assert SENTENCE in page.text.replace(" ", "")
    for what, count in (
        ("tips", 11),
        ("groundbroken", 1),
        ("signed", 1),
        ("negotiating", 6),
        ("about_to_sign", 1),
    ):
        assert page.all("a", href=f"/behind/{what}?{END}")
        behind = seen.see(f"/behind/{what}?{END}")
        assert f"{count} 个项目" in behind.text
        assert len(behind.all("th", scope="row")) == count


def test_the_pieces_are_the_sentence_again() -> None:
    claims = {"tips": 12, "groundbroken": 0, "groundbroken_smaller": 12, "signed": 1}
    claims |= {"negotiating": 2, "about_to_sign": 1}
    text = (
        "政协委员累计提供项目信息12条，全年开工亿元以下项目12个、签约落地1个，跟踪洽谈2个，"
        "其中<b>12条</b>即将签约项目即将签约。"
    )
    report = {"text": text, "claims": [{"name": n, "value": v} for n, v in claims.items()]}
    pieces = list(linked(report, Travel(None, None, None)))
    assert "".join(piece.text for piece in pieces) == text
    assert [piece for piece in pieces if piece.address] == [
        Piece("12", "/behind/tips"),
        Piece("12", "/behind/groundbroken_smaller"),
        Piece("1", "/behind/signed"),
        Piece("2", "/behind/negotiating"),
        Piece("<b>12条</b>即将签约项目", "/behind/about_to_sign"),
    ]


def test_a_stage_leads_to_the_leads_that_stand_there(seen: Visitor) -> None:
    for stage, count in (("tip", 3), ("signed", 1), ("closed", 0)):
        assert f"{count} 个项目" in seen.see(f"/behind/{stage}?{END}").text
    seen.see("/behind/nothing", 404)


def test_as_of_a_day_less_has_happened(seen: Visitor) -> None:
    page = seen.see("/?as_of=2025-06-30")
    assert "累计提供项目信息 6 条" in page.text


def test_as_known_before_anything_was_recorded_there_is_nothing(seen: Visitor) -> None:
    for moment in ("0", "2025-12-29T08:00"):
        page = seen.see(f"/?{END}&known_at={moment}")
        assert "政协委员尚未提供项目信息。" in page.text and "没有项目。" in page.text


def test_the_day_and_the_moment_stay_in_every_address(seen: Visitor) -> None:
    page = seen.see(f"/?{END}&known_at=20")
    assert page.all("a", href=f"/behind/negotiating?{END}&known_at=20")
    behind = seen.see(f"/behind/negotiating?{END}&known_at=20")
    assert behind.all("a", href=f"/?{END}&known_at=20")


@pytest.mark.parametrize(
    "query", ["as_of=2999-01-01", "as_of=x", "known_at=x", "known_at=9999999", "who=x", "as_of=1"]
)
def test_what_cannot_be_asked_is_refused_above_the_present(seen: Visitor, query: str) -> None:
    page = seen.see(f"/?{query}", 422)
    assert page.all("div", role="alert") and "年度总览" in page.text


def test_an_empty_field_asks_nothing(seen: Visitor) -> None:
    assert seen.see("/?as_of=&known_at=").text == seen.see("/").text


def test_a_slip_is_shown_with_the_days_that_it_was_planned_for(
    office: Office, visitor: Visitor
) -> None:
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    officer.command(lead, "negotiation")
    officer.command(lead, "signing-plan", expected_on="2025-08-01")
    officer.command(lead, "signing-plan", expected_on="2025-10-01", occurred_on="2025-07-28")
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    page = visitor.see(f"/?{END}")
    assert "已推迟 1 次" in page.text
    assert "预计 2025年10月1日" in page.text and "原定 2025年8月1日" in page.text
    # Before the slip there was none.
    assert "已推迟" not in visitor.see("/?as_of=2025-06-01").text


def test_a_lead_whose_title_would_be_a_tag_is_a_text(office: Office, visitor: Visitor) -> None:
    officer = office.officer
    lead = officer.tip(officer.register()["id"], title="<script>晶圆</script>&项目")
    officer.command(lead, "negotiation")
    officer.command(lead, "signing-plan")
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    page = visitor.see(f"/?{END}")
    assert "<script>晶圆</script>&项目" in page.text
    assert all(attributes.get("src") for tag, attributes in page.tags if tag == "script")


def test_a_district_sees_its_own(office: Office, visitor: Visitor) -> None:
    load_demo(office.ledger)
    visitor.sign_in(office.ledger.tokens.issue("officer", district="440106"))
    page = visitor.see(f"/?{END}")
    assert "政协委员尚未提供项目信息。" in page.text and "大晶圆" not in page.text
    assert "限于区划 440106" in page.text
    assert "0 个项目" in visitor.see(f"/behind/tips?{END}").text


@pytest.mark.parametrize(
    ("role", "status"), [("officer", 200), ("auditor", 200), ("admin", 200), ("member", 403)]
)
def test_roles_see_what_they_may(office: Office, visitor: Visitor, role: str, status: int) -> None:
    member = office.officer.register()["id"] if role == "member" else None
    visitor.sign_in(office.ledger.tokens.issue(role, member_id=member))
    page = visitor.see("/", status)
    links = [one["href"] for one in page.all("a")]
    # No way is offered that ends in a refusal.
    for link in links:
        if link and link.startswith("/") and status == 200:
            visitor.see(link)
    # The checkpoint is an auditor's.
    assert ("检查点" in page.text) == (role in ("auditor", "admin"))


def test_the_groups_of_the_api_are_those_of_the_page(office: Office, seen: Visitor) -> None:
    page = seen.see(f"/?{END}")
    for by in ("industry", "sector"):
        found = office.officer.ok(f"/v1/pipeline/groups?by={by}&{END}")
        assert (found["as_of"], found["by"]) == ("2025-12-29", by)
        for line in found["lines"][:8]:
            assert (line["label"] or "未填写") in page.text


def test_groups_are_asked_for_by_what_there_is(office: Office) -> None:
    problem = problem_of(office.officer.get("/v1/pipeline/groups?by=unit"), 422, "invalid")
    assert "by" in problem["errors"]


def test_a_signing_that_is_overdue_is_said_to_be_as_of_the_day_that_is_looked_at(
    seen: Visitor,
) -> None:
    assert "逾期" not in seen.see(f"/?{END}").text
    assert "预计 2026年1月15日 逾期 16 天" in seen.see("/?as_of=2026-01-31").text.replace(
        "预计 1月15日", "预计 2026年1月15日"
    )
    assert "16 days late" in seen.see("/?as_of=2026-01-31", Accept_Language="en").text


def test_the_pictures_days_are_written_as_the_language_has_them(seen: Visitor) -> None:
    for language, day in (("zh", "1月5日"), ("en", "5 Jan")):
        (chart,) = seen.see(f"/?{END}", Accept_Language=language).all("div", role="img")
        shows = json.loads(chart["data-shows"] or "")
        assert shows["labels"][0] == day and len(shows["labels"]) == len(shows["days"])
