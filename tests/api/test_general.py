"""What holds for every path: versions, idempotency, positions, cursors, problem documents."""

from io import BytesIO
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.api.office import (
    BODIES,
    NOBODY,
    Body,
    Caller,
    Office,
    a_tip,
    open_office,
    problem_of,
    settings_in,
)

READS = (
    "/v1/members",
    "/v1/leads",
    "/v1/pipeline",
    "/v1/pipeline/movements",
    "/v1/pipeline/series",
    "/v1/pipeline/times",
)


# An empty ledger


@pytest.mark.parametrize("path", [*READS, "/healthz", "/readyz", "/openapi.json"])
def test_a_ledger_without_an_event_answers_every_read(office: Office, path: str) -> None:
    answer = office.officer.get(path)
    assert answer.status_code == 200
    assert answer.headers["Ledger-Position"] == "0"


def test_health_readiness_and_description_need_no_token(office: Office) -> None:
    nobody = office.holding(None)
    assert nobody.ok("/healthz") == {"status": "ok"}
    assert nobody.ready() == {"status": "ready"}
    assert nobody.ok("/openapi.json")["openapi"].startswith("3.1")
    assert nobody.get("/docs/").mimetype == "text/html"
    assert nobody.get("/docs").headers["Location"].endswith("/docs/")


# Versions


def test_the_etag_is_the_version(officer: Caller, member_id: str) -> None:
    answer = officer.post("/v1/leads", a_tip(member_id))
    path = answer.headers["Location"]
    assert answer.headers["ETag"] == '"1"'
    assert officer.get(path).headers["ETag"] == '"1"'
    assert officer.post(f"{path}/screening", BODIES["screening"]).headers["ETag"] == '"2"'
    assert officer.get(path).headers["ETag"] == '"2"'


@pytest.mark.parametrize(
    "known",
    ['"1"', "*", ' "1" ', '"7", "1"', '"1","2"', 'W/"7", "1"', '"x", "1"', 'W/"1"', '"1",'],
)
def test_a_command_is_taken_when_its_version_is_the_present_one(
    officer: Caller, member_id: str, known: str
) -> None:
    path = f"/v1/leads/{officer.tip(member_id)['id']}/screening"
    assert officer.ok(path, BODIES["screening"], If_Match=known)["version"] == 2


@pytest.mark.parametrize(
    "known",
    ['"2"', '"0"', 'W/"2"', '""', '"nonsense"', '"-1"', '"１"', f'"{"9" * 5000}"'],
)
def test_a_command_for_any_other_version_is_stale(office: Office, known: str) -> None:
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    before = office.position
    sent = {"Content-Type": "application/json", "If-Match": known.encode().decode("latin-1")}
    body = orjson.dumps(BODIES["screening"])
    answer = officer.call("POST", f"/v1/leads/{lead['id']}/screening", body, sent)
    assert "1" in problem_of(answer, 412, "stale")["detail"]
    assert office.position == before


@pytest.mark.parametrize(
    "known", ["", " ", ",", "1", "nonsense", '"', '"1', '"1", 1', 'w/"1"', '"1", *', "'1'"]
)
def test_an_if_match_of_another_form_is_refused_and_told_the_form(
    office: Office, known: str
) -> None:
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    before = office.position
    path = f"/v1/leads/{lead['id']}/screening"
    answer = officer.post(path, BODIES["screening"], If_Match=known)
    (reason,) = problem_of(answer, 422, "invalid")["errors"]["If-Match"]
    assert '"4"' in reason
    assert office.position == before


def test_a_stale_command_is_told_what_happened_since(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id)
    path = f"/v1/leads/{lead['id']}"
    for command in ("screening", "negotiation", "follow-ups"):
        officer.command(lead, command)
    history = officer.ok(f"{path}/history")["items"]
    for known, since in (('"1"', history[1:]), ('"3"', history[3:]), ('"2", "3"', history[3:])):
        answer = officer.post(f"{path}/signing-plan", BODIES["signing-plan"], If_Match=known)
        problem = problem_of(answer, 412, "stale")
        assert problem["events"] == since
        assert "4" in problem["detail"]
    assert officer.ok(f"{path}/history")["items"] == history


def test_a_version_is_checked_before_the_stage(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id)
    officer.command(lead, "negotiation")
    answer = officer.post(
        f"/v1/leads/{lead['id']}/negotiation", BODIES["negotiation"], If_Match='"1"'
    )
    problem_of(answer, 412, "stale")


@pytest.mark.parametrize("path", [*READS, "/v1/leads/{lead}", "/v1/leads/{lead}/history"])
def test_what_is_known_already_is_not_sent_again(
    officer: Caller, member_id: str, path: str
) -> None:
    lead = officer.tip(member_id)
    asked = path.format(lead=lead["id"])
    first = officer.get(asked)
    etag = first.headers["ETag"]
    for known in (etag, f'"x", {etag}', "*", f"W/{etag.removeprefix('W/')}"):
        again = officer.get(asked, If_None_Match=known)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
        assert again.headers["Ledger-Position"] == first.headers["Ledger-Position"]
    assert officer.get(asked, If_None_Match='"other"').data == first.data
    officer.command(lead, "negotiation")
    if path not in ("/v1/members", "/v1/pipeline/times"):
        changed = officer.get(asked, If_None_Match=etag)
        assert changed.status_code == 200
        assert changed.headers["ETag"] != etag


def test_answers_of_one_person_are_not_kept_for_another(officer: Caller) -> None:
    assert "private" in officer.get("/v1/leads").headers["Cache-Control"]


# Idempotency


def keyed(caller: Caller, path: str, body: Body, key: str = "k-1") -> Any:
    """The status, body and replay mark of a POST with an idempotency key."""
    answer = caller.post(path, body, Idempotency_Key=key)
    return answer.status_code, answer.data, answer.headers.get("Idempotent-Replay")


def test_the_same_key_is_answered_as_the_first_time_and_records_nothing(office: Office) -> None:
    officer = office.officer
    member: Body = {"number": "1", "name": "王", "district": "320812"}
    first = keyed(officer, "/v1/members", member, "m")
    assert first[0] == 201 and first[2] is None
    tip = a_tip(orjson.loads(first[1])["id"])
    lead = keyed(officer, "/v1/leads", tip, "l")
    path = f"/v1/leads/{orjson.loads(lead[1])['id']}"
    moved = keyed(officer, f"{path}/negotiation", BODIES["negotiation"], "n")
    officer.ok(f"{path}/follow-ups", BODIES["follow-ups"])
    before = office.position
    for asked, body, key, answered in (
        ("/v1/members", member, "m", first),
        ("/v1/leads", tip, "l", lead),
        (f"{path}/negotiation", BODIES["negotiation"], "n", moved),
    ):
        assert keyed(officer, asked, body, key) == (answered[0], answered[1], "true")
    assert office.position == before


def test_a_replay_carries_the_headers_of_the_first_answer(officer: Caller, member_id: str) -> None:
    first = officer.post("/v1/leads", a_tip(member_id), Idempotency_Key="l")
    again = officer.post("/v1/leads", a_tip(member_id), Idempotency_Key="l")
    for name in ("Location", "ETag", "Content-Type"):
        assert again.headers[name] == first.headers[name]


def test_a_refused_request_leaves_its_key_free_and_is_tried_again(
    office: Office, member_id: str
) -> None:
    """Nothing was recorded, so there is no first answer to repeat."""
    officer = office.officer
    lead = officer.tip(member_id)
    signing, talks = (f"/v1/leads/{lead['id']}/{name}" for name in ("signing", "negotiation"))
    before = office.position
    refused = officer.post(signing, BODIES["signing"], Idempotency_Key="r")
    problem_of(refused, 409, "refused")
    assert office.position == before
    officer.ok(talks, BODIES["negotiation"])
    again = officer.post(signing, BODIES["signing"], Idempotency_Key="r")
    assert (again.status_code, again.headers.get("Idempotent-Replay")) == (200, None)
    other = officer.post(signing, {**BODIES["signing"], "note": "x"}, Idempotency_Key="r")
    problem_of(other, 422, "key-reused")
    refused = officer.post(signing, BODIES["signing"], Idempotency_Key="s")
    problem_of(refused, 409, "refused")
    officer.ok("/v1/leads", a_tip(member_id), Idempotency_Key="s")
    described = officer.ok("/openapi.json")["paths"]["/v1/leads"]["post"]["parameters"]
    (header,) = [h for h in described if h.get("name") == "Idempotency-Key"]
    assert "A refused request recorded nothing, and its key neither" in header["description"]


def test_a_replay_is_not_stale_though_the_lead_moved_on(officer: Caller, member_id: str) -> None:
    lead = officer.tip(member_id)
    path = f"/v1/leads/{lead['id']}/negotiation"
    first = officer.post(path, BODIES["negotiation"], Idempotency_Key="n", If_Match='"1"')
    officer.command(lead, "follow-ups")
    again = officer.post(path, BODIES["negotiation"], Idempotency_Key="n", If_Match='"1"')
    assert (again.status_code, again.data) == (200, first.data)


def test_the_order_of_fields_makes_no_other_request(officer: Caller, member_id: str) -> None:
    body = a_tip(member_id)
    first = keyed(officer, "/v1/leads", body)
    again = keyed(officer, "/v1/leads", dict(reversed(body.items())))
    assert again == (201, first[1], "true")


def test_a_key_with_another_request_is_refused(office: Office) -> None:
    officer = office.officer
    body = a_tip(officer.register()["id"])
    first = keyed(officer, "/v1/leads", body)
    lead = f"/v1/leads/{orjson.loads(first[1])['id']}"
    before = office.position
    for path, other in (
        ("/v1/leads", {**body, "title": "另一个"}),
        (f"{lead}/screening", BODIES["screening"]),
    ):
        answer = officer.post(path, other, Idempotency_Key="k-1")
        assert "k-1" in problem_of(answer, 422, "key-reused")["detail"]
    assert office.position == before


def test_keys_of_different_tokens_are_different(office: Office) -> None:
    body = a_tip(office.officer.register()["id"])
    first = keyed(office.officer, "/v1/leads", body)
    second = keyed(office.one("admin"), "/v1/leads", body)
    assert second[0] == 201 and second[2] is None
    assert orjson.loads(second[1])["id"] != orjson.loads(first[1])["id"]


def test_a_refused_request_leaves_its_key_free(office: Office) -> None:
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    path = f"/v1/leads/{lead['id']}/signing"
    before = office.position
    assert keyed(officer, path, BODIES["signing"])[0] == 409
    assert office.position == before
    officer.command(lead, "negotiation")
    assert keyed(officer, path, BODIES["signing"])[0::2] == (200, None)


def test_a_key_of_a_command_that_changed_nothing_is_remembered(
    officer: Caller, member_id: str
) -> None:
    lead = officer.tip(member_id)
    path = f"/v1/leads/{lead['id']}/revision"
    same = {"title": lead["title"], "occurred_on": "2025-04-01"}
    first = keyed(officer, path, same)
    officer.command(lead, "screening")
    assert keyed(officer, path, same) == (200, first[1], "true")


@pytest.mark.parametrize("key", ["!", "~" * 128, 'a"b,c;d'])
def test_a_key_is_any_visible_ascii_of_up_to_128(officer: Caller, member_id: str, key: str) -> None:
    assert keyed(officer, "/v1/leads", a_tip(member_id), key)[0] == 201
    assert keyed(officer, "/v1/leads", a_tip(member_id), key)[2] == "true"


@pytest.mark.parametrize("key", ["", "a" * 129, "a b", "é", "a\tb", "\x7f"])
def test_any_other_key_is_refused(office: Office, key: str) -> None:
    member = office.officer.register()["id"]
    before = office.position
    answer = office.officer.post("/v1/leads", a_tip(member), Idempotency_Key=key)
    problem = problem_of(answer, 422, "invalid")
    assert list(problem["errors"]) == ["Idempotency-Key"]
    assert office.position == before


def test_a_key_is_remembered_after_a_restart(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    office = open_office(settings)
    officer = office.officer
    body = a_tip(officer.register()["id"])
    first = keyed(officer, "/v1/leads", body)
    lead = orjson.loads(first[1])
    officer.command(lead, "negotiation")
    before = office.position
    office.close()

    again = open_office(settings)
    assert officer.token is not None
    same = again.holding(officer.token)
    assert keyed(same, "/v1/leads", body) == (201, first[1], "true")
    assert keyed(same, "/v1/leads", {**body, "title": "另一个"})[0] == 422
    assert same.ok(f"/v1/leads/{lead['id']}")["stage"] == "negotiating"
    assert again.position == before
    again.close()


def test_two_workers_on_the_same_files_see_each_other_at_once(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    one, other = open_office(settings), open_office(settings)
    officer = one.officer
    there = other.holding(officer.token)
    member = officer.register()["id"]
    for number in range(5):
        answer = officer.post("/v1/leads", a_tip(member), Idempotency_Key=f"{number}")
        seen = there.get(answer.headers["Location"])
        assert seen.json == answer.json
        assert int(seen.headers["Ledger-Position"]) >= int(answer.headers["Ledger-Position"])
        assert keyed(there, "/v1/leads", a_tip(member), f"{number}")[1] == answer.data
        moved = there.command(answer.json or {}, "negotiation")
        assert officer.ok(answer.headers["Location"]) == moved
        assert len(officer.ok("/v1/leads")["items"]) == number + 1
    one.close()
    other.close()


# Positions


def test_every_answer_says_the_position_it_reflects(office: Office) -> None:
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    assert office.position == 2
    path = f"/v1/leads/{lead['id']}"
    for answer in (
        officer.get(path),
        officer.get("/v1/nothing"),
        officer.get(f"/v1/leads/{NOBODY}"),
        officer.post(f"{path}/signing", BODIES["signing"]),
        officer.post(f"{path}/signing", []),
        officer.call("PUT", path),
        officer.call("OPTIONS", path),
        officer.get(path, Accept="text/html"),
    ):
        assert answer.headers["Ledger-Position"] == "2", answer.text
    moved = officer.post(f"{path}/negotiation", BODIES["negotiation"])
    assert moved.headers["Ledger-Position"] == f"{office.position}" == "3"


def test_a_page_says_the_position_of_the_log_and_not_of_the_first_page(office: Office) -> None:
    officer = office.officer
    member = officer.register()["id"]
    for _ in range(3):
        officer.tip(member)
    first = officer.ok("/v1/leads?limit=1")
    officer.tip(member)
    later = officer.get(f"/v1/leads?limit=1&cursor={first['next']}")
    assert later.headers["Ledger-Position"] == f"{office.position}"


# Cursors


@pytest.mark.parametrize("path", ["/v1/members", "/v1/leads", "/v1/leads?sort=-amount&q=项目"])
def test_the_link_header_leads_to_the_next_page(officer: Caller, path: str) -> None:
    members = [officer.register(f"{n}")["id"] for n in range(5)]
    leads = [officer.tip(member)["id"] for member in members]
    expected = members if path == "/v1/members" else leads
    seen: list[str] = []
    url = f"{path}{'&' if '?' in path else '?'}limit=2"
    for left in (3, 1, 0):
        answer = officer.get(url)
        page: Body = answer.json or {}
        seen += [item["id"] for item in page["items"]]
        assert len(expected) - len(seen) == left
        if not left:
            assert page["next"] is None and "Link" not in answer.headers
            break
        link = answer.headers["Link"]
        assert link.startswith("<") and link.endswith('>; rel="next"')
        url = link.removeprefix("<").removesuffix('>; rel="next"')
        assert page["next"] in url
    assert sorted(seen) == sorted(expected)


@pytest.mark.parametrize("path", ["/v1/members", "/v1/leads"])
def test_a_page_has_at_most_its_limit(officer: Caller, path: str) -> None:
    for number in range(3):
        officer.tip(officer.register(f"{number}")["id"])
    for limit, shown in (("1", 1), ("2", 2), ("200", 3)):
        assert len(officer.ok(f"{path}?limit={limit}")["items"]) == shown
    for limit in ("0", "201", "-1", "", "1.0", "１", "two", "1e1", "9" * 30):
        problem = problem_of(officer.get(f"{path}?limit={limit}"), 422, "invalid")
        assert list(problem["errors"]) == ["limit"]


# Problem documents


def test_an_unknown_path_is_a_problem_document(office: Office) -> None:
    for caller in (office.officer, office.holding(None)):
        for path in ("/v1", "/v2/leads", "/v1/leads/", "/v1/worklists", "/favicon.ico"):
            for method in ("GET", "POST", "DELETE"):
                problem_of(caller.call(method, path), 404, "not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/leads", {"GET", "POST"}),
        ("DELETE", "/v1/members", {"GET", "POST"}),
        ("PATCH", f"/v1/leads/{NOBODY}", {"GET"}),
        ("GET", f"/v1/leads/{NOBODY}/screening", {"POST"}),
        ("POST", "/v1/pipeline", {"GET"}),
        ("POST", "/readyz", {"GET"}),
        ("TRACE", "/v1/leads", {"GET", "POST"}),
    ],
)
def test_another_method_is_refused_and_told_which_there_are(
    office: Office, method: str, path: str, allowed: set[str]
) -> None:
    answer = office.officer.call(method, path)
    problem_of(answer, 405, "method-not-allowed")
    offered = {name.strip() for name in answer.headers["Allow"].split(",")}
    assert offered - {"HEAD", "OPTIONS"} == allowed


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "application/json;q=0", "text/csv, image/*"]
)
def test_who_takes_no_json_is_told_that_there_is_no_other(office: Office, accept: str) -> None:
    officer = office.officer
    member = officer.register()["id"]
    before = office.position
    problem_of(officer.get("/v1/leads", Accept=accept), 406, "not-acceptable")
    answer = officer.post("/v1/leads", a_tip(member), Accept=accept)
    problem_of(answer, 406, "not-acceptable")
    assert office.position == before


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        "application/*",
        "application/json",
        "text/html, */*;q=0.1",
        "application/json;q=0.5, text/html",
        "application/json; charset=utf-8",
        "application/problem+json, application/json",
    ],
)
def test_who_takes_json_in_whatever_words_gets_it(officer: Caller, accept: str) -> None:
    assert officer.get("/v1/leads", Accept=accept).mimetype == "application/json"


@pytest.mark.parametrize("size", [2**20 + 1, 2**23])
def test_a_body_over_one_mebibyte_is_too_large(office: Office, size: int) -> None:
    before = office.position
    data = b'{"title":"' + b"x" * (size - 12) + b'"}'
    sent = {"Content-Type": "application/json"}
    answer = office.officer.call("POST", "/v1/leads", data, sent)
    problem_of(answer, 413, "too-large")
    assert office.position == before


def in_chunks(office: Office, data: bytes) -> Any:
    """The answer to a tip whose length nobody names, as gunicorn hands it on."""
    return office.officer.app.test_client().post(
        "/v1/leads",
        input_stream=BytesIO(data),
        headers={
            "Authorization": f"Bearer {office.officer.token}",
            "Transfer-Encoding": "chunked",
        },
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True},
    )


@pytest.mark.parametrize("more", [b" ", b"garbage" * 200_000])
def test_a_body_in_chunks_is_too_large_and_never_cut(
    office: Office, member_id: str, more: bytes
) -> None:
    before = office.position
    whole = orjson.dumps(a_tip(member_id)).ljust(2**20)
    problem_of(in_chunks(office, whole + more), 413, "too-large")
    assert office.position == before
    assert in_chunks(office, whole).status_code == 201


def test_a_body_that_ends_before_its_length_is_not_taken_for_whole(
    office: Office, member_id: str
) -> None:
    before = office.position
    body = orjson.dumps(a_tip(member_id))
    answer = office.officer.app.test_client().post(
        "/v1/leads",
        data=body,
        headers={"Authorization": f"Bearer {office.officer.token}"},
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": f"{len(body) + 1}"},
    )
    problem_of(answer, 400, "malformed")
    assert office.position == before


def test_chinese_is_sent_as_it_is_written(officer: Caller, member_id: str) -> None:
    answer = officer.post("/v1/leads", a_tip(member_id))
    assert "12英寸大晶圆项目".encode() in answer.data
    assert "亿元".encode() in officer.get(answer.headers["Location"]).data


def test_head_answers_as_get_does_without_a_body(officer: Caller, member_id: str) -> None:
    path = f"/v1/leads/{officer.tip(member_id)['id']}"
    head, get = officer.call("HEAD", path), officer.get(path)
    assert (head.status_code, head.data) == (200, b"")
    for name in ("ETag", "Content-Type", "Content-Length", "Ledger-Position"):
        assert head.headers[name] == get.headers[name]


def test_every_request_has_a_name_of_its_own(officer: Caller) -> None:
    names = {officer.get("/v1/leads").headers["X-Request-Id"] for _ in range(3)}
    assert len(names) == 3


@pytest.mark.parametrize("path", ["/v1", "/v1/lead", "/v2/leads", "/v1/leads/1/2/3"])
def test_a_path_that_is_none_is_answered_in_our_own_words(office: Office, path: str) -> None:
    problem = problem_of(office.holding(None).get(path), 404, "not-found")
    assert problem["detail"] == "There is no such path; /docs/ shows those that there are."


# The document


def test_the_document_describes_every_route_and_no_other(office: Office) -> None:
    routes = {
        (method, rule.rule.replace("<", "{").replace(">", "}"))
        for rule in office.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        # Pages are no part of it, nor what they load.
        if not rule.endpoint.startswith(("pages.", "assets.", "swagger_ui."))
    }
    assert {(o.method, o.template) for o in office.contract.operations} == routes


def test_the_document_promises_no_answer_that_is_never_given(office: Office) -> None:
    for operation in office.contract.operations:
        described = operation.described["responses"]
        assert "default" not in described, f"{operation.method} {operation.template}"
        for status, said in described.items():
            if status == "304" or int(status) < 300:
                continue
            assert set(said["content"]) == {"application/problem+json"}


def test_the_document_describes_the_headers_that_clients_rely_on(office: Office) -> None:
    for operation in office.contract.operations:
        for status, said in operation.described["responses"].items():
            named = set(said.get("headers", {}))
            where = f"{operation.method} {operation.template} {status}"
            assert "Ledger-Position" in named, where
            assert ("Retry-After" in named) == (status in ("429", "503")), where
            assert status != "201" or "Location" in named, where


def test_every_operation_has_a_name_that_no_other_has(office: Office) -> None:
    names = [o.described.get("operationId") for o in office.contract.operations]
    assert None not in names
    assert len(set(names)) == len(names)
