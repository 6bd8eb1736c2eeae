"""The texts of the pages: none is missing in English, none is left over, and all fit."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir

import service  # noqa: F401 - a safe SQLite first
from api.pages import texts
from api.pages.texts import catalogue
from domain.stage import LABELS, OUTCOMES
from service.projections.clocks import RULES as DUE_RULES
from service.reports.annual import RULES
from service.settings import HOME

# What tables of the domain call things, which pages show as well.
SAID_BY_TABLES = (
    *LABELS.values(),
    *(label for label, _ in OUTCOMES.values()),
    *(rule.label for rule in RULES),
    *(rule.label for rule in DUE_RULES),
)
_METHODS = [("pages/**.py", "python"), ("templates/pages/**.html", "jinja2")]
_KEYWORDS = {"_": None, "gettext": None, "told_later": None}
_JINJA = re.compile(r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_PLACES = re.compile(r"%\(\w+\)s")


def spoken() -> Iterator[str]:
    """Every text that a page may show."""
    for found in extract_from_dir(
        str(HOME / "api"),
        method_map=_METHODS,
        options_map={"templates/pages/**.html": {"trimmed": "true", "silent": "false"}},
        keywords=_KEYWORDS,
    ):
        yield str(found[2])
    yield from SAID_BY_TABLES


def english() -> dict[str, str]:
    """The catalogue, by text."""
    return {str(message.id): str(message.string) for message in catalogue("en") if message.id}


def test_every_text_has_its_english() -> None:
    known = english()
    lacking = sorted({text for text in spoken() if not known.get(text)})
    assert lacking == [], "to be added to a file of api/texts/en"


def test_no_translation_is_of_a_text_that_nobody_says() -> None:
    assert sorted(english().keys() - set(spoken())) == []


def test_a_translation_has_the_places_of_its_text() -> None:
    for text, translation in english().items():
        assert sorted(_PLACES.findall(text)) == sorted(_PLACES.findall(translation)), text


def test_no_page_has_chinese_that_is_not_marked_as_a_text() -> None:
    for path in sorted((HOME / "api/templates/pages").rglob("*.html")):
        text = re.sub(
            r"\{#.*?#\}|\{\{.*?\}\}|\{%.*?%\}", "", path.read_text("utf-8"), flags=re.DOTALL
        )
        assert re.findall(r"[^\s<>\"']*[\u4e00-\u9fff]+[^\s<>\"']*", text) == [], path.name


def test_a_text_with_two_translations_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "en").mkdir()
    for name, english_ in (("one", "Leads"), ("two", "Projects")):
        (tmp_path / "en" / f"{name}.po").write_text(f'msgid "项目"\nmsgstr "{english_}"\n', "utf-8")
    monkeypatch.setattr(texts, "FOLDER", tmp_path)
    with pytest.raises(texts.Clash, match="two"):
        catalogue("en")
