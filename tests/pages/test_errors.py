"""What is refused is a page for people and a problem document for programs."""

import pytest

from tests.api.office import Office
from tests.pages.visitor import Visitor


def test_a_path_that_is_none_is_a_page_before_a_browser(visitor: Visitor) -> None:
    page = visitor.see("/nothing", 404)
    assert "没有找到" in page.text


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing"])
def test_a_path_that_is_none_is_a_problem_document_before_a_program(
    visitor: Visitor, path: str
) -> None:
    answer = visitor.client.get(path)
    assert answer.content_type == "application/problem+json"


def test_below_the_api_every_refusal_is_a_problem_document(visitor: Visitor) -> None:
    assert visitor.get("/v1/nothing").content_type == "application/problem+json"


def test_a_method_that_a_page_does_not_take_is_said_on_a_page(visitor: Visitor) -> None:
    assert visitor.client.post("/behind/tips").status_code == 405


def test_a_session_of_the_pages_opens_nothing_of_the_api(office: Office, visitor: Visitor) -> None:
    visitor.sign_in(office.ledger.tokens.issue("admin"))
    assert visitor.client.get("/v1/leads").status_code == 401


def test_a_form_that_is_sent_when_the_sign_in_has_ended_says_so(
    office: Office, visitor: Visitor
) -> None:
    token = office.ledger.tokens.issue("admin")
    visitor.sign_in(token)
    mark = visitor.csrf("/")
    visitor.client.delete_cookie("__Host-session")
    answer = visitor.client.post("/signout", data={"_csrf": mark})
    # Its mark is of a session that this browser does not have any more.
    assert answer.status_code == 403


def test_a_part_of_a_page_is_sent_to_the_sign_in_when_that_has_ended(visitor: Visitor) -> None:
    where = "http://localhost/behind/tips?x=1"
    answer = visitor.client.get("/", headers={"HX-Request": "true", "HX-Current-URL": where})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/signin?next=/behind/tips"


def test_a_fault_tells_no_more_than_its_number(
    office: Office, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.sign_in(office.ledger.tokens.issue("admin"))

    def fails(*_: object) -> None:
        raise RuntimeError("secret words")

    monkeypatch.setattr(office.ledger.reads, "pipeline", fails)
    page = visitor.see("/", 500)
    assert "系统故障" in page.text and "secret words" not in page.text


@pytest.mark.parametrize(
    ("asked", "language"),
    [("en-GB,en;q=0.9", "en"), ("zh-TW", "zh-CN"), ("fr,de", "zh-CN"), ("", "zh-CN")],
)
def test_the_language_is_the_browsers_and_else_chinese(
    visitor: Visitor, asked: str, language: str
) -> None:
    page = visitor.see("/signin", Accept_Language=asked)
    assert page.all("html")[0]["lang"] == language


def test_the_language_chosen_here_comes_first(visitor: Visitor) -> None:
    answer = visitor.send("/preferences", language="en", theme="dark", back="/signin?next=/x")
    assert answer.headers["Location"] == "/signin?next=/x"
    page = visitor.see("/signin", Accept_Language="zh-CN")
    assert page.all("html")[0] == {"lang": "en", "data-theme": "dark"}
    assert visitor.send("/preferences", language="xx").status_code == 422


def test_a_page_that_is_none_knows_who_is_signed_in(office: Office, visitor: Visitor) -> None:
    visitor.sign_in(office.ledger.tokens.issue("admin", "王主任"))
    assert "王主任" in visitor.see("/nothing", 404).text
    assert visitor.send("/preferences", on="/nothing", language="en").status_code == 303
