"""The languages of the pages: Chinese, in which the templates are written, and English.

A text stands in its template, or in ``gettext``, in Chinese. Its English is in api/texts/en, one
file for each page. They are read as they are: nothing is compiled beforehand.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask
from flask_babel import Babel, Domain, get_locale
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from api.app import application_context, request_now

FOLDER = Path(__file__).parents[1] / "texts"
# Language → what it is called in itself, the one that is spoken by default first.
LANGUAGES: Mapping[str, str] = {"zh": "中文", "en": "English"}
_HTML = {"zh": "zh-CN", "en": "en"}
COOKIE = "language"


class Clash(ValueError):
    """A text has two translations."""


def catalogue(language: str) -> Catalog:
    """Every text of a language, of all its files; Clash."""
    whole = Catalog(locale=language)
    for path in sorted((FOLDER / language).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=language, abort_invalid=True):
                if not message.id:
                    continue
                known = whole.get(message.id, message.context)
                if known is not None and known.string != message.string:
                    raise Clash(f"{path.name} translates {message.id!r} another way.")
                whole[message.id] = message
    return whole


@cache
def _translations(language: str) -> NullTranslations:
    if not (FOLDER / language).is_dir():
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalogue(language))
    compiled.seek(0)
    return Translations(compiled)


class _Texts(Domain):
    """Flask-Babel's source of texts."""

    def get_translations(self) -> NullTranslations:
        """Those of the request's language."""
        return _translations(language())


def language() -> str:
    """The request's language: as chosen here, else as the browser asks, else Chinese."""
    try:
        about = application_context().g
    except LookupError:
        return f"{get_locale() or 'zh'}"
    # Asked for some hundred times a page, and costly: the library looks through its own each time.
    found: str | None = about.get("language")
    if found is None:
        found = about.language = f"{get_locale() or 'zh'}"
    return found


def gettext(text: str) -> str:
    """A text in the request's language. (As the library's, which looks for its own each time.)"""
    found: str = _translations(language()).ugettext(text)
    return found


def said_in(language: str) -> Callable[[str], str]:
    """What says a text in that language."""
    found: Callable[[str], str] = _translations(language).ugettext
    return found


def html_language(language: str) -> str:
    """A language as HTML names it."""
    return _HTML[language]


def _wanted() -> str:
    request = request_now()
    chosen = request.cookies.get(COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    return _liked(request.headers.get("Accept-Language", ""))


@lru_cache(maxsize=256)
def _liked(accepted: str) -> str:
    """Of our languages the one that a header likes best."""
    wanted = parse_accept_header(accepted, LanguageAccept)
    return wanted.best_match(LANGUAGES, "zh") or "zh"


def set_up_texts(app: Flask) -> None:
    """Let Flask-Babel take texts from here."""
    babel = Babel(app, default_locale="zh", locale_selector=_wanted)
    babel.domain_instance = _Texts()
