"""What all pages have around them: the way about, who is signed in, language and colours."""

import secrets
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Flask
from jinja2 import Template
from markupsafe import Markup

from api.app import application_context, request_now
from api.auth import MAY
from api.pages import figures
from api.pages.assets import address
from api.pages.session import CSRF_FIELD, csrf_token, holder
from api.pages.templating import Known, Templates
from api.pages.texts import LANGUAGES, html_language, language, said_in, set_up_texts
from domain.stage import LABELS
from service.tokens import Holder


def told_later(text: str) -> str:
    """``text``, which is translated where it is shown."""
    return text


_ = told_later


class Entry(NamedTuple):
    """A page that is always a click away: its path, its name, and what of `api.auth.MAY` it is."""

    path: str
    label: str
    action: str


# In the order in which they stand at the top. A role sees those that it may open.
NAV = (
    Entry("/", _("总览"), "read the pipeline"),
    Entry("/leads", _("台账"), "read leads"),
    Entry("/board", _("看板"), "read the pipeline"),
    Entry("/worklist", _("待办"), "read the worklist"),
    Entry("/members", _("委员"), "read members"),
    Entry("/tip", _("提供信息"), "tip"),
    Entry("/import", _("导入"), "import"),
    Entry("/exports", _("导出"), "read reports"),
    Entry("/audit", _("审计"), "audit"),
    Entry("/tokens", _("令牌"), "handle tokens"),
)
ROLES: Mapping[str, str] = {
    "member": _("委员"),
    "officer": _("经办人"),
    "auditor": _("审计员"),
    "admin": _("管理员"),
}
# What a browser is told → what it is called. The first goes by the system.
THEMES: Mapping[str, str] = {"auto": _("跟随系统"), "light": _("浅色"), "dark": _("深色")}
THEME_COOKIE = "theme"


def may(who: Holder | None, action: str) -> bool:
    """Whether they may: what is not allowed is not offered either."""
    if who is None:
        return False
    rule = MAY[action]
    return who.role in rule.roles and not (rule.whole and who.district is not None)


def ways(who: Holder | None) -> list[Entry]:
    """The pages that they may open."""
    return [entry for entry in NAV if may(who, entry.action)]


def theme() -> str:
    """The colours chosen in this browser."""
    chosen = request_now().cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else "auto"


def frame() -> dict[str, Any]:
    """What every template is given."""
    request, who = request_now(), holder()
    open_to = tuple(ways(who))
    return {
        "who": who,
        "ways": open_to,
        "path": request.path,
        "ways_shown": _ways_shown(open_to, _at(open_to, request.path), language()),
        "choices": _choices(theme(), language()),
        "here": request.full_path.rstrip("?") if request.method == "GET" else request.path,
        "theme": theme(),
        "alarm": application_context().g.get("alarm"),
        "may": lambda action: may(who, action),
    }


def _at(entries: tuple[Entry, ...], path: str) -> str | None:
    """The path of the one of these pages that ``path`` is, or is below."""
    below = (one.path for one in entries if path == one.path or path.startswith(f"{one.path}/"))
    return next(below, None)


@lru_cache(maxsize=256)
def _ways_shown(entries: tuple[Entry, ...], at: str | None, _language: str) -> Markup:
    """The pages that one may open, on the one of that path."""
    return macro("parts.html", "ways_shown")(entries, at)


@lru_cache(maxsize=16)
def _choices(theme: str, _language: str) -> Markup:
    """What languages and colours there are to choose from."""
    return macro("parts.html", "choices")(theme)


def amounts(stages: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, float]]:
    """What a bar of these stages is made of: each with its amount in 元. (A picture need not be
    exact.)"""
    return [(stage, float(figure["cny"])) for stage, figure in stages.items()]


def words(query: Mapping[str, Any]) -> str:
    """The words of an address, without those that are not asked."""
    return urlencode({name: value for name, value in query.items() if value not in (None, "")})


def templates_of(app: Flask) -> Mapping[str, Templates]:
    """What pages are made by, in each language."""
    found: Mapping[str, Templates] = app.extensions["page-templates"]
    return found


def template_named(name: str) -> Template:
    """A template of templates/pages, in the request's language."""
    return templates_of(application_context().app)[language()].get_template(f"pages/{name}")


def macro(template: str, name: str) -> Callable[..., Markup]:
    """A macro of such a template: what makes a part of a page that is kept for the next one."""
    found: Callable[..., Markup] = getattr(template_named(template).module, name)
    return found


def set_up(app: Flask) -> None:
    """Let templates show what pages show."""
    set_up_texts(app)
    app.extensions["page-templates"] = {name: _templates(app, name) for name in LANGUAGES}


def _templates(app: Flask, language: str) -> Templates:
    texts = said_in(language)
    constants = {
        "language": language,
        "html_language": html_language(language),
        "csrf_field": CSRF_FIELD,
    }
    found = Templates(app, Known(texts, constants, {"asset": address}))
    found.filters.update(
        {**figures.FILTERS, "address": words, "tojson": app.jinja_env.filters["tojson"]}
    )
    found.globals.update(
        csrf_token=csrf_token,
        new_key=lambda: secrets.token_hex(16),
        languages=LANGUAGES,
        themes=THEMES,
        roles=ROLES,
        stage_label=LABELS.__getitem__,
        amounts=amounts,
        told=texts,
    )
    return found
