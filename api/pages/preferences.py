"""Language and colours: kept in the browser, for whoever sits there."""

from typing import Any

from flask import Response
from marshmallow import fields

from api.checks import OneOf
from api.pages.look import THEME_COOKIE, THEMES
from api.pages.site import form, go_to, ours
from api.pages.texts import COOKIE, LANGUAGES
from api.schemas import Request

_YEAR = 365 * 24 * 3600
_COOKIES = {"language": COOKIE, "theme": THEME_COOKIE}


class PreferencesForm(Request):
    """What is chosen, and where to go back to."""

    language = fields.String(validate=OneOf(list(LANGUAGES)))
    theme = fields.String(validate=OneOf(list(THEMES)))
    back = fields.String()


@form("/preferences", None, fields=PreferencesForm())
def preferences(body: dict[str, Any]) -> Response:
    """Keep what was chosen."""
    answer = go_to(ours(body.pop("back", None)))
    for name, value in body.items():
        answer.set_cookie(
            _COOKIES[name], value, max_age=_YEAR, secure=True, httponly=True, samesite="Lax"
        )
    return answer
