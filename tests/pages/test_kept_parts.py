"""Parts of pages are kept for the next one: never for somebody, or in words, they are not for."""

import gzip

import pytest
from flask import Flask
from jinja2 import UndefinedError

from api.pages.look import template_named, templates_of
from tests.api.office import Office
from tests.pages.visitor import Visitor


@pytest.fixture
def lead(office: Office) -> str:
    """A tip; its id."""
    member = office.officer.register()
    return f"{office.officer.tip(member['id'], title='A&B <项目>')['id']}"


def seen_by(office: Office, role: str, path: str, language: str = "zh") -> str:
    """What is on a page for somebody new of that role."""
    visitor = Visitor(office.app)
    visitor.sign_in(office.ledger.tokens.issue(role, "某人"))
    return f"{visitor.client.get(path, headers={'Accept-Language': language}).text}"


def test_a_card_is_another_one_to_who_may_not_move_it(office: Office, lead: str) -> None:
    for _ in range(2):
        assert f"/leads/{lead}/do/negotiation" in seen_by(office, "officer", "/board")
        assert f"/leads/{lead}/do/" not in seen_by(office, "auditor", "/board")


@pytest.mark.parametrize("path", ["/board", "/leads", "/leads?stage=tip", "/"])
def test_what_is_kept_is_kept_in_its_language(office: Office, lead: str, path: str) -> None:
    for _ in range(2):
        chinese, english = (seen_by(office, "officer", path, told) for told in ("zh", "en"))
        assert 'lang="zh-CN"' in chinese
        assert "台账" in chinese
        assert 'lang="en"' in english
        assert "Ledger" in english


def test_a_form_keeps_what_was_there_for_this_lead_alone(office: Office, lead: str) -> None:
    other = office.officer.tip(office.officer.register(number="QJP-002")["id"], title="另一个")
    for _ in range(2):
        assert "A&amp;B &lt;项目&gt;" in seen_by(office, "officer", f"/leads/{lead}/do/revision")
        assert "另一个" in seen_by(office, "officer", f"/leads/{other['id']}/do/revision")


def test_filters_and_headings_are_those_of_the_address(office: Office, lead: str) -> None:
    seen_by(office, "officer", "/leads?stage=tip&sort=-amount")
    plain = seen_by(office, "officer", "/leads")
    assert '<option value="tip" selected>' not in plain
    assert 'aria-sort="descending"' not in plain
    chosen = seen_by(office, "officer", "/leads?stage=tip&sort=-amount")
    assert '<option value="tip" selected>' in chosen
    assert 'aria-sort="descending"' in chosen


def test_what_is_typed_and_told_is_escaped_in_a_text(app: Flask) -> None:
    with app.test_request_context("/", headers={"Accept-Language": "en"}):
        template = templates_of(app)["en"].from_string(
            "{{ _('限于区划 %(district)s', district=x) }}"
        )
        assert template.render(x="<b>") == "Limited to district &lt;b&gt;"
        with pytest.raises(UndefinedError):
            templates_of(app)["en"].from_string("{{ nothing }}").render()


def test_a_text_stands_in_the_compiled_page(app: Flask) -> None:
    for language, said in (("zh", "退出登录"), ("en", "Sign out")):
        with app.test_request_context("/", headers={"Accept-Language": language}):
            root = template_named("base.html").root_render_func
            assert any(said in f"{constant}" for constant in root.__code__.co_consts)


def test_a_page_is_packed_for_who_can_unpack_it(office: Office, lead: str) -> None:
    visitor = Visitor(office.app)
    visitor.sign_in(office.ledger.tokens.issue("officer", "某人"))
    packed = visitor.client.get("/board", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert lead in gzip.decompress(packed.data).decode()
    assert "Content-Encoding" not in visitor.client.get("/board").headers
