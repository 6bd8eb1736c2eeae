"""What all pages have around them: the way about, who is signed in, language and colours."""

import secrets
from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple
from urllib.parse import urlencode

from flask import Flask
from jinja2 import Environment, StrictUndefined

from api.app import application_context, request_now
from api.auth import MAY
from api.pages import figures
from api.pages.assets import address
from api.pages.session import CSRF_FIELD, csrf_token, holder
from api.pages.texts import LANGUAGES, html_language, language, said, set_up_texts
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
    return {
        "who": who,
        "ways": ways(who),
        "path": request.path,
        "here": request.full_path.rstrip("?") if request.method == "GET" else request.path,
        "language": language(),
        "html_language": html_language(),
        "theme": theme(),
        "alarm": application_context().g.get("alarm"),
        "may": lambda action: may(who, action),
    }


def amounts(stages: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, float]]:
    """What a bar of these stages is made of: each with its amount in 元. (A picture need not be
    exact.)"""
    return [(stage, float(figure["cny"])) for stage, figure in stages.items()]


def words(query: Mapping[str, Any]) -> str:
    """The words of an address, without those that are not asked."""
    return urlencode({name: value for name, value in query.items() if value not in (None, "")})


def templates_of(app: Flask) -> Environment:
    """What pages are made by."""
    found: Environment = app.extensions["page-templates"]
    return found


def set_up(app: Flask) -> None:
    """Let templates show what pages show."""
    set_up_texts(app)

    @cache
    def has_page(rule: str) -> bool:
        """Whether there is a page under that rule, like /leads/<lead_id>."""
        return any(known.rule == rule for known in app.url_map.iter_rules())

    # Of Flask's own, which others use: stricter, and with blocks that leave no lines.
    templates = app.jinja_env.overlay(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, auto_reload=False
    )
    app.extensions["page-templates"] = templates
    templates.install_gettext_callables(  # type: ignore[attr-defined]
        gettext=said, ngettext=lambda one, _many, _n: said(one), newstyle=True
    )
    templates.filters.update(figures.FILTERS)
    templates.filters["address"] = words
    templates.globals.update(
        asset=address,
        csrf_token=csrf_token,
        csrf_field=CSRF_FIELD,
        new_key=lambda: secrets.token_hex(16),
        languages=LANGUAGES,
        themes=THEMES,
        roles=ROLES,
        stage_label=LABELS.__getitem__,
        amounts=amounts,
        has_page=has_page,
        told=said,
    )
