"""The worklist's page: what is due, by rule, by day, in pieces."""

import pytest

from tests.api.office import Office
from tests.pages.visitor import Visitor


@pytest.fixture
def officer(office: Office, visitor: Visitor) -> Visitor:
    """A browser in which an officer is signed in."""
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    return visitor


def test_what_is_due_is_told_with_its_rule_and_counted(office: Office, officer: Visitor) -> None:
    member = office.officer.register()["id"]
    office.officer.tip(member, title="等答复的")
    page = officer.see("/worklist")
    assert "等答复的" in page.text and "逾期" in page.text
    assert "全部 2 答复 1 研判 1" in page.text
    page = officer.see("/worklist?rule=screen")
    assert "答复 1" in page.text
    assert page.text.count("等答复的") < officer.see("/worklist").text.count("等答复的")


def test_nothing_due_is_said(office: Office, officer: Visitor) -> None:
    assert "没有到期的事" in officer.see("/worklist").text


@pytest.mark.parametrize(
    "asked",
    [
        *("rule=x", "due_by=2999-01-01", "district=1"),
        *(
            f"after={place}"
            for place in ("x", "2025-02-30.1.1", "2025-02-03.1.-1", f"2025-02-03.1.{2**70}")
        ),
    ],
)
def test_what_cannot_be_asked_is_said_above_the_list(officer: Visitor, asked: str) -> None:
    page = officer.see(f"/worklist?{asked}", 422)
    assert any(one.get("role") == "alert" for one in page.all("div"))


def test_a_long_list_goes_on_behind_its_last_item(office: Office, officer: Visitor) -> None:
    member = office.officer.register()["id"]
    for number in range(60):
        office.officer.tip(member, title=f"项目{number:02}号")
    seen: list[str] = []
    path: str | None = "/worklist"
    while path:
        page = officer.see(path)
        seen += [word for word in page.words if word.startswith("项目") and word.endswith("号")]
        path = next((one["href"] for one in page.all("a", rel="next")), None)
    # Each is to be answered and to be screened.
    assert sorted(seen) == sorted(f"项目{number:02}号" for number in range(60) for _ in range(2))


@pytest.mark.parametrize("place", ["0001-01-01.0.1", "9999-12-31.99.1", "2025-01-01.1.1"])
def test_a_list_may_be_asked_for_from_any_place_on(officer: Visitor, place: str) -> None:
    assert "没有到期的事" in officer.see(f"/worklist?after={place}").text


def test_it_is_the_districts_own(office: Office, visitor: Visitor) -> None:
    member = office.officer.register()["id"]
    office.officer.tip(member, title="这里的")
    visitor.sign_in(office.ledger.tokens.issue("officer", district="440106"))
    assert "这里的" not in visitor.see("/worklist").text


def test_who_does_what_is_due_comes_back_to_the_list_as_it_was_chosen(
    office: Office, officer: Visitor
) -> None:
    lead = office.officer.tip(office.officer.register()["id"])["id"]
    page = officer.see("/worklist?rule=screen")
    (link,) = [one["href"] for one in page.all("a") if "/do/screening" in (one["href"] or "")]
    form = officer.see(f"{link}")
    back = form.all("input", name="_back")[0]["value"]
    assert back == "/worklist?rule=screen"
    facts = {"occurred_on": "2025-03-19", "verdict": "pursue", "_back": back}
    answer = officer.send(f"/leads/{lead}/do/screening", on=f"{link}", **facts)
    page = officer.see(answer.headers["Location"])
    assert "已记录：研判。" in page.text and page.all("a", href=f"/leads/{lead}")
