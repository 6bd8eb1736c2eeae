"""The pages of members: who tipped, who did not, registering, retiring, and personal links."""

import re

import pytest

from domain.actor import today_in_china
from tests.api.office import DISTRICT, Office
from tests.pages.visitor import Seen, Visitor


@pytest.fixture
def officer(office: Office, visitor: Visitor) -> Visitor:
    """A browser in which an officer is signed in."""
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    return visitor


def test_the_list_tells_who_has_not_tipped_this_year(office: Office, officer: Visitor) -> None:
    year = today_in_china().year
    for number, day in (("1", f"{year}-01-05"), ("2", "2020-03-18"), ("3", None)):
        of = office.officer.register(number, name=f"委员{number}", occurred_on="2019-01-01")["id"]
        if day:
            office.officer.tip(of, occurred_on=day)
    assert "委员1" in officer.see("/members").text
    page = officer.see("/members?tipped=false").text
    assert "委员1" not in page and "委员2" in page and "委员3" in page
    page = officer.see("/members?tipped=true").text
    assert "委员1" in page and "委员2" not in page
    assert "委员1" in officer.see("/members?tipped=false&year=2020").text


def test_a_member_is_registered_on_the_page(office: Office, officer: Visitor) -> None:
    facts = {"number": "QJP-009", "name": "张委员", "district": DISTRICT}
    answer = officer.send("/members", on="/members", occurred_on="2025-01-02", **facts)
    (member,) = office.officer.ok("/v1/members")["items"]
    assert answer.headers["Location"] == f"/members/{member['id']}?registered=1"
    assert (member["name"], member["registered_on"]) == ("张委员", "2025-01-02")
    assert "已登记" in officer.see(answer.headers["Location"]).text


def test_a_number_that_is_taken_is_refused_and_what_was_typed_stays(
    office: Office, officer: Visitor
) -> None:
    office.officer.register("QJP-009")
    facts = {"number": "QJP-009", "name": "张委员", "district": DISTRICT}
    answer = officer.send("/members", on="/members", occurred_on="2025-01-02", **facts)
    assert answer.status_code == 409 and 'role="alert"' in answer.text
    assert Seen(answer.text).all("input", name="name")[0]["value"] == "张委员"


def test_a_member_retires_on_the_page_unless_it_changed_meanwhile(
    office: Office, officer: Visitor
) -> None:
    member = office.officer.register("1")["id"]
    path, day = f"/members/{member}", f"{today_in_china()}"
    stale = officer.send(f"{path}/retirement", on=path, occurred_on=day, _version="7")
    assert stale.status_code == 412
    answer = officer.send(f"{path}/retirement", on=path, occurred_on=day, _version="1")
    assert answer.headers["Location"] == f"{path}?retired=1"
    assert office.officer.ok(f"/v1/members/{member}")["retired_on"] == day
    assert not Seen(officer.get(path).text).all("form", action=f"{path}/retirement")


def test_a_personal_link_is_told_once_with_its_code(office: Office, officer: Visitor) -> None:
    member = office.officer.register("1", name="王委员")["id"]
    path = f"/members/{member}"
    key = {"_key": "one-key"}
    answer = officer.send(f"{path}/link", on=path, days="30", **key)
    page = Seen(answer.text)
    (address,) = [one["value"] for one in page.all("input", id="address")]
    assert re.fullmatch(r"http://localhost/tip#ll_[\w-]+", str(address))
    (picture,) = [one["href"] for one in page.all("a", download="1.png")]
    assert str(picture).startswith("data:image/png;base64,")
    assert page.all("svg", **{"class": "qr"})
    token = str(address).partition("#")[2]
    assert office.holding(token).get(f"/v1/members/{member}").status_code == 200
    again = officer.send(f"{path}/link", on=path, days="30", **key)
    assert again.status_code == 409 and "ll_" not in Seen(again.text).text.replace(token[3:15], "")
    assert "现有链接制作于" in officer.see(path).text


def test_a_new_link_ends_the_one_before(office: Office) -> None:
    officer = office.officer
    member = officer.register("1")["id"]
    first, second = (officer.ok(f"/v1/members/{member}/link", {})["token"] for _ in range(2))
    assert office.holding(first).get(f"/v1/members/{member}").status_code == 401
    assert office.holding(second).get(f"/v1/members/{member}").status_code == 200


def test_a_link_touches_no_tokens_of_others(office: Office) -> None:
    officer = office.officer
    one, other = officer.register("1")["id"], officer.register("2")["id"]
    kept = officer.ok(f"/v1/members/{other}/link", {"days": 1})
    officer.ok(f"/v1/members/{one}/link", {})
    assert kept["expires_at"] is not None and kept["role"] == "member"
    assert office.holding(kept["token"]).get(f"/v1/members/{other}").status_code == 200
    assert officer.get("/v1/members").status_code == 200


@pytest.mark.parametrize("role", ["auditor", "member"])
def test_who_may_not_write_is_offered_nothing(office: Office, visitor: Visitor, role: str) -> None:
    member = office.officer.register("1")["id"]
    token = office.ledger.tokens.issue(role, None, member if role == "member" else None)
    visitor.sign_in(token)
    page = Seen(visitor.get(f"/members/{member}").text)
    sent = {one["action"] for one in page.all("form")}
    assert sent == {"/preferences", "/signout"}
    assert visitor.get("/members").status_code == (200 if role == "auditor" else 403)


def test_the_api_lists_a_years_tips(office: Office) -> None:
    officer = office.officer
    member = officer.register("1")["id"]
    officer.tip(member, occurred_on="2025-03-18")
    (one,) = officer.ok("/v1/members?year=2025")["items"]
    assert (one["tips"], one["tips_in_year"]) == (1, 1)
    assert officer.ok("/v1/members?year=2024&tipped=true")["items"] == []
    assert officer.get("/v1/members?tipped=true").status_code == 422


def test_who_was_no_member_in_a_year_is_not_missed_in_it(office: Office) -> None:
    officer = office.officer
    officer.register("1", occurred_on="2025-06-01")
    left = officer.register("2", occurred_on="2020-01-01")["id"]
    officer.ok(f"/v1/members/{left}/retirement", {"occurred_on": "2024-06-30"})
    named = {
        year: [
            one["number"] for one in officer.ok(f"/v1/members?year={year}&tipped=false")["items"]
        ]
        for year in (2023, 2024, 2025)
    }
    assert named == {2023: ["2"], 2024: ["2"], 2025: ["1"]}


def test_a_filter_that_is_wrong_is_said_of_the_filter(office: Office, visitor: Visitor) -> None:
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    page = visitor.see("/members?district=99", 422)
    assert "区划代码 ：“99”不是两位、四位或六位区划代码" in page.text
    assert not page.all("details", open="")


@pytest.mark.parametrize(("name", "said"), [("张三", "张三委员"), ("张委员", "张委员")])
def test_nobody_is_called_a_member_twice(
    office: Office, officer: Visitor, name: str, said: str
) -> None:
    member = office.officer.register("QJP-009", name=name)["id"]
    page = officer.send(f"/members/{member}/link", on=f"/members/{member}", days="30").text
    assert f"{said}的个人链接" in page and "委员委员" not in page
