"""Below the routes: what Flask would do at every request, and what goes out."""

import pytest
from flask import Flask, g, has_app_context, has_request_context
from werkzeug.exceptions import HTTPException

from api.app import LedgerApp
from tests.api.office import NOBODY, Caller


def test_no_hook_is_registered_for_none_would_be_called(app: Flask) -> None:
    hooks = (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
        app.url_value_preprocessors,
    )
    assert [name for hook in hooks for name in hook.values() if name] == []
    assert app.teardown_appcontext_funcs == []


def test_a_head_request_is_given_the_headers_of_the_answer_and_no_body(
    officer: Caller,
) -> None:
    asked = officer.get("/v1/members")
    token = {"Authorization": f"Bearer {officer.token}"}
    headed = officer.app.test_client().head("/v1/members", headers=token)
    assert headed.status_code == 200 and headed.data == b""
    assert headed.headers["Content-Length"] == str(len(asked.data)) != "0"
    assert headed.headers["ETag"] == asked.headers["ETag"]


def test_a_request_leaves_no_context_behind_and_shares_none(officer: Caller) -> None:
    left = has_request_context(), has_app_context()
    with officer.app.app_context():
        g.holder = "somebody else"
        for path, status in (("/v1/members", 200), ("/v1/nothing", 404), ("/v1/leads/x", 404)):
            assert officer.get(path).status_code == status
            assert g.holder == "somebody else"
    assert (has_request_context(), has_app_context()) == left


def test_a_path_with_a_slash_too_many_is_sent_on_to_where_it_meant(officer: Caller) -> None:
    sent = officer.app.test_client().get("/v1//members")
    assert sent.status_code == 308
    assert sent.headers["Location"] == "http://localhost/v1/members"


def test_every_route_is_found_as_by_werkzeug(app: Flask) -> None:
    assert isinstance(app, LedgerApp)
    routes = app.url_map.bind("localhost")
    short = 0
    for rule in app.url_map.iter_rules():
        path = "/".join(NOBODY if part[:1] == "<" else part for part in rule.rule.split("/"))
        for method in (rule.methods or set()) - {"OPTIONS"}:
            found = app.found(method, path)
            if "<path:" in rule.rule:
                # What varies may have slashes of its own: werkzeug finds it.
                assert found is None
            else:
                assert found == routes.match(path, method, return_rule=True), (method, path)
                short += 1
    assert short > 20


@pytest.mark.parametrize(
    "path",
    [
        "/v1/",
        "/v1/leads/",
        "/v1/leads//history",
        "/v1/nothing",
        f"/v1/leads/{NOBODY}/",
        f"/v1/leads/{NOBODY}/nothing",
        f"/v1/leads/{NOBODY}/history/more",
        f"/v1/members/{NOBODY}/history",
        "/v1/pipeline/nothing",
        "/v1/*/*",
        "/leads/",
        "/leads//do/revision",
        f"/leads/{NOBODY}/do",
        f"/leads/{NOBODY}/do/revision/",
        f"/leads/{NOBODY}/nothing/revision",
        "/nothing",
        "",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "BREW"])
def test_a_path_that_is_found_nowhere_is_left_to_werkzeug(
    app: Flask, method: str, path: str
) -> None:
    assert isinstance(app, LedgerApp)
    found = app.found(method, path)
    try:
        assert app.url_map.bind("localhost").match(path, method, return_rule=True) == found
    except HTTPException:
        assert found is None


def test_options_tell_the_methods_of_a_path(officer: Caller) -> None:
    answer = officer.app.test_client().options("/v1/leads")
    assert answer.status_code == 200
    assert set(answer.allow) == {"GET", "HEAD", "OPTIONS", "POST"}
