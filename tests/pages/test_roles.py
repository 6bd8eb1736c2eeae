"""Who may see and send what: every page and form, for every role, held against the one table."""

import re

import pytest

from api.auth import MAY
from api.pages.site import ACTIONS
from service.tokens import ROLES
from tests.api.office import NOBODY, Office
from tests.pages.visitor import Visitor

# What somebody who is not signed in may see and send.
ANYBODYS = {
    ("GET", "/signin"),
    ("POST", "/signin"),
    ("GET", "/signin/provider"),
    ("GET", "/signin/back"),
    ("POST", "/signout"),
    ("POST", "/preferences"),
}


def allowed(role: str, district: str | None, action: str) -> bool:
    """What the table says."""
    rule = MAY[action]
    return role in rule.roles and not (rule.whole and district)


def test_every_route_of_the_pages_has_an_action_of_the_table(office: Office) -> None:
    routes = {
        (method, rule.rule)
        for rule in office.app.url_map.iter_rules()
        if rule.endpoint.startswith("pages.")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes == set(ACTIONS)
    for route, action in ACTIONS.items():
        assert (action is None) == (route in ANYBODYS), route
        assert action is None or action in MAY


@pytest.mark.parametrize("district", [None, "320812"])
@pytest.mark.parametrize("role", ROLES)
def test_a_role_is_let_in_where_the_table_says_so(
    office: Office, visitor: Visitor, role: str, district: str | None
) -> None:
    if role == "member" and district:
        return
    member = office.officer.register()["id"] if role == "member" else None
    token = office.ledger.tokens.issue(role, member_id=member, district=district)
    visitor.sign_in(token)
    for (method, rule), action in ACTIONS.items():
        if action is None:
            continue
        path = re.sub("<[^>]+>", NOBODY, rule)
        if method == "GET":
            answer = visitor.get(path)
        else:
            # Where fields are asked for nothing is done.
            answer = visitor.send(path, on="/nothing", nobody_asks_for="x")
        may = answer.status_code != 403
        # Of a file nobody reads to its end.
        answer.close()
        assert may == allowed(role, district, action), (method, rule, answer.status_code)


def test_nobody_unknown_sees_or_sends_anything_else(visitor: Visitor) -> None:
    for (method, rule), action in ACTIONS.items():
        path = re.sub("<[^>]+>", NOBODY, rule)
        answer = visitor.client.open(path, method=method)
        if action is not None:
            assert answer.status_code == (303 if method == "GET" else 401), (method, rule)
