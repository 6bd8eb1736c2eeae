"""The pages: what people look at, on the same service methods as the API.

A page is one module here, one template, its texts (api/texts) and its tests; README, "The pages",
says how one is added.
"""

from flask import Flask

from api.pages import (
    assets,
    audit,
    board,
    doing,
    errors,
    exports,
    imports,
    lead,
    ledger,
    members,
    overview,
    preferences,
    signin,
    site,
    tip,
    tokens,
    worklist,
)
from api.pages.look import set_up, templates_of
from api.pages.refusals import FILTERS
from api.pages.words import addressed, event_name, name_of, value_of, who

# Importing one declares its routes.
PAGES = (
    overview,
    ledger,
    board,
    lead,
    doing,
    worklist,
    members,
    tip,
    imports,
    exports,
    audit,
    tokens,
    signin,
    preferences,
)


def register_pages(app: Flask) -> None:
    """Serve them, and what they load."""
    set_up(app)
    for templates in templates_of(app).values():
        templates.filters.update({**FILTERS, "fact_name": name_of})
        templates.globals.update(
            value_of=value_of, event_name=event_name, who_is=who, addressed=addressed
        )
    app.register_blueprint(site.blueprint)
    app.register_blueprint(assets.blueprint)
    errors.register(app)
