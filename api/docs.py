"""The page that shows the API's document, and its policy: nothing runs there but what is ours."""

import re
from base64 import b64encode
from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any

from flask import Flask
from flask_swagger_ui import get_swaggerui_blueprint

from api.app import request_now
from api.stamps import allow

_SCRIPT = re.compile("<script>(.*?)</script>", re.DOTALL)


def register_docs(app: Flask) -> None:
    """Serve it at /docs/."""
    blueprint = get_swaggerui_blueprint("/docs", "/openapi.json")
    app.register_blueprint(blueprint)
    name = f"{blueprint.name}.show"
    app.view_functions[name] = _guarded(app.view_functions[name])


def _guarded(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def shown(**path: Any) -> Any:
        page = view(**path)
        if isinstance(page, str):
            # Its one script names the address that was asked for, so its hash is made each time.
            allow(_policy(_SCRIPT.findall(page)), request_now().environ)
        return page

    return shown


def _policy(scripts: list[str]) -> str:
    hashes = (b64encode(sha256(script.encode()).digest()).decode() for script in scripts)
    allowed = " ".join(f"'sha256-{each}'" for each in hashes)
    return (
        f"default-src 'none'; script-src 'self' {allowed}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
