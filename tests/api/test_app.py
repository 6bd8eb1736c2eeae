"""Below the routes: what Flask would do at every request, and what goes out."""

from flask import Flask

from tests.api.office import Caller


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


def test_a_path_with_a_slash_too_many_is_sent_on_to_where_it_meant(officer: Caller) -> None:
    sent = officer.app.test_client().get("/v1//members")
    assert sent.status_code == 308
    assert sent.headers["Location"] == "http://localhost/v1/members"
