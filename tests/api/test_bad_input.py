"""Everything that people and programs send by mistake: refused by name, and nothing recorded."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from api.loading import MOST_TOLD
from tests.api.office import BODIES, MONEY, NOBODY, Office, a_tip, open_office, settings_in

TODAY_AND_LATER = "2999-12-31"
JSON = {"Content-Type": "application/json"}
TRUE_USCC = "91110000600037341L"


class Ground(NamedTuple):
    """An office with a member and a lead in each stage that a command needs."""

    office: Office
    member: str
    tip: str
    negotiating: str
    signed: str


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The ledger that all of this is sent to; nothing here may change it."""
    office = open_office(settings_in(Path(tmp_path_factory.mktemp("bad"))))
    officer = office.officer
    member = officer.register()["id"]
    tip, negotiating, signed = (officer.tip(member) for _ in range(3))
    for lead in (negotiating, signed):
        officer.command(lead, "negotiation")
    officer.command(signed, "signing")
    yield Ground(office, member, tip["id"], negotiating["id"], signed["id"])
    office.close()


def refused(ground: Ground, path: str, data: bytes, headers: dict[str, str] = JSON) -> Any:
    """The status and problem of a POST that must not be recorded."""
    position = ground.office.position
    answer = ground.office.officer.call("POST", path, data, headers)
    assert answer.status_code >= 400, answer.text
    assert ground.office.position == position, "it was recorded"
    return answer.status_code, answer.json


# A tip with one thing wrong: the field's value, and the field that the answer names.


class _StandsFor:
    """A placeholder whose name is the same in every process, as the tests' names must be."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


MEMBER = _StandsFor("the member that is there")
LEFT_OUT = _StandsFor("left out")
WRONG_IN_A_TIP: list[tuple[str, Any, str | None]] = [
    ("title", LEFT_OUT, "title"),
    ("title", None, "title"),
    ("title", "", "title"),
    ("title", "   ", "title"),
    ("title", "\u3000", "title"),
    ("title", 12, "title"),
    ("title", ["a"], "title"),
    ("title", {"a": 1}, "title"),
    ("title", True, "title"),
    ("title", "长" * 201, "title"),
    ("title", "长" * 10_000, "title"),
    ("title", "a\x00b", "title"),
    ("title", "a\nb", "title"),
    ("title", "a\x1b[31mb", "title"),
    ("title", "a\x7fb", "title"),
    ("title", "a\x85b", "title"),
    ("title", "a\ud800b", "title"),
    ("title", "\udc00", "title"),
    ("title", "a\u202eb", "title"),
    ("title", "a\u2066b", "title"),
    ("title", "\u200fb", "title"),
    ("title", "a\ufeffb", "title"),
    ("title", "a\u2028b", "title"),
    ("title", "a\uffffb", "title"),
    ("summary", "长" * 4001, "summary"),
    ("summary", "a\x00b", "summary"),
    ("summary", "a\u202eb", "summary"),
    ("summary", "", "summary"),
    ("note", "长" * 2001, "note"),
    ("note", "a\ud800b", "note"),
    ("members", LEFT_OUT, "members"),
    ("members", None, "members"),
    ("members", [], "members"),
    ("members", NOBODY, "members"),
    ("members", [NOBODY], "members"),
    ("members", [MEMBER, NOBODY], "members"),
    ("members", [MEMBER, MEMBER], "members"),
    ("members", [NOBODY] * 21, "members"),
    ("members", [None], "members.0"),
    ("members", ["x"], "members.0"),
    ("members", [MEMBER, "\ud800"], "members.1"),
    ("members", [MEMBER, 7], "members.1"),
    ("members", [{"id": NOBODY}], "members.0"),
    ("members", ["00000000-0000-4000-8000-00000000000０"], "members.0"),
    ("district", LEFT_OUT, "district"),
    ("district", None, "district"),
    ("district", "", "district"),
    ("district", 320812, "district"),
    ("district", "32081", "district"),
    ("district", "3208120", "district"),
    ("district", "320800", "district"),
    ("district", "320000", "district"),
    ("district", "990812", "district"),
    ("district", "020812", "district"),
    ("district", "３２０８１２", "district"),
    ("district", "320812\n", "district"),
    ("district", " 320812", "district"),
    ("district", "32081x", "district"),
    ("district", "\ud800", "district"),
    ("district", "清江浦区", "district"),
    ("occurred_on", LEFT_OUT, "occurred_on"),
    ("occurred_on", None, "occurred_on"),
    ("occurred_on", "", "occurred_on"),
    ("occurred_on", 20250318, "occurred_on"),
    ("occurred_on", "2025-02-30", "occurred_on"),
    ("occurred_on", "2025-02-29", "occurred_on"),
    ("occurred_on", "2025-13-01", "occurred_on"),
    ("occurred_on", "2025-00-10", "occurred_on"),
    ("occurred_on", "0000-00-00", "occurred_on"),
    ("occurred_on", TODAY_AND_LATER, "occurred_on"),
    ("occurred_on", "9999-12-31", "occurred_on"),
    ("occurred_on", "1977-12-31", "occurred_on"),
    ("occurred_on", "2025-3-18", "occurred_on"),
    ("occurred_on", "20250318", "occurred_on"),
    ("occurred_on", "2025-W12-2", "occurred_on"),
    ("occurred_on", "2025/03/18", "occurred_on"),
    ("occurred_on", "2025-03-18T00:00:00Z", "occurred_on"),
    ("occurred_on", "２０２５-０３-１８", "occurred_on"),
    ("occurred_on", "2025-03-18\n", "occurred_on"),
    ("occurred_on", "2025-03-1\ud800", "occurred_on"),
    ("occurred_on", "-025-03-18", "occurred_on"),
    ("industry", "Z397", "industry"),
    ("industry", "c397", "industry"),
    ("industry", "C39700", "industry"),
    ("industry", "C３９７", "industry"),
    ("industry", "", "industry"),
    ("industry", "C\ud800", "industry"),
    ("investor", "晶圆公司", "investor"),
    ("investor", [], "investor"),
    ("investor", {}, "investor.name"),
    ("investor", {"name": None}, "investor.name"),
    ("investor", {"name": "a\u202eb"}, "investor.name"),
    ("investor", {"name": "长" * 201}, "investor.name"),
    ("investor", {"name": "a", "uscc": "91110000600037341M"}, "investor.uscc"),
    ("investor", {"name": "a", "uscc": TRUE_USCC.lower()}, "investor.uscc"),
    ("investor", {"name": "a", "uscc": TRUE_USCC[:-1]}, "investor.uscc"),
    ("investor", {"name": "a", "uscc": f" {TRUE_USCC}"}, "investor.uscc"),
    ("investor", {"name": "a", "uscc": "９１１１００００６０００３７３４１Ｌ"}, "investor.uscc"),
    ("investor", {"name": "a", "uscc": "\ud800" * 18}, "investor.uscc"),
    ("investor", {"name": "a", "uscc": 911100006000373419}, "investor.uscc"),
    ("investor", {"name": "a", "country": "China"}, "investor.country"),
    ("investor", {"name": "a", "country": "cn"}, "investor.country"),
    ("investor", {"name": "a", "country": "\ud800N"}, "investor.country"),
    ("investor", {"name": "a", "vip": True}, "investor.vip"),
    ("investment", 30, "investment"),
    ("investment", "30亿元", "investment"),
    ("investment", {"amount": "30"}, "investment.unit"),
    ("investment", {"unit": "亿元"}, "investment.amount"),
    ("investment", {**MONEY, "amount": 30}, "investment.amount"),
    ("investment", {**MONEY, "amount": 3.5}, "investment.amount"),
    ("investment", {**MONEY, "amount": None}, "investment.amount"),
    ("investment", {**MONEY, "amount": ""}, "investment.amount"),
    ("investment", {**MONEY, "amount": "-1"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "-0"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "+1"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "NaN"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "Infinity"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "1e3"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "1,000"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "1_000"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "007"}, "investment.amount"),
    ("investment", {**MONEY, "amount": ".5"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "5."}, "investment.amount"),
    ("investment", {**MONEY, "amount": " 5"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "5\n"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "１２"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "三十"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "\ud800"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "10001"}, "investment.amount"),
    ("investment", {**MONEY, "amount": "9" * 16}, "investment.amount"),
    ("investment", {**MONEY, "amount": "9" * 100_000}, "investment.amount"),
    ("investment", {**MONEY, "amount": "0.12345678901"}, "investment.amount"),
    ("investment", {"amount": "1.23456789012345678", "unit": "元"}, "investment.amount"),
    ("investment", {"amount": "0.001", "unit": "元"}, "investment.amount"),
    ("investment", {"amount": "10001", "unit": "亿美元"}, "investment.amount"),
    ("investment", {**MONEY, "unit": "亿"}, "investment.unit"),
    ("investment", {**MONEY, "unit": "CNY"}, "investment.unit"),
    ("investment", {**MONEY, "unit": None}, "investment.unit"),
    ("investment", {**MONEY, "unit": "\ud800"}, "investment.unit"),
    ("investment", {**MONEY, "cny": "3000000000"}, "investment.cny"),
    ("contact", {"name": "a\x00"}, "contact.name"),
    ("contact", {"phone": "no phone"}, "contact.phone"),
    ("contact", {"phone": "１３９００００００００"}, "contact.phone"),
    ("contact", {"phone": "1" * 40}, "contact.phone"),
    ("contact", {"email": "a@b"}, "contact.email"),
    ("contact", [1], "contact"),
    ("stage", "signed", "stage"),
    ("version", 1, "version"),
    ("id", NOBODY, "id"),
    ("", 1, ""),
    ("my_schema", 1, "my_schema"),
    ("字段", 1, "字段"),
    ("\ud800", 1, None),
    ("__proto__", {}, "__proto__"),
    ("x" * 200, 1, "x" * 200),
]


def _name(value: object) -> str:
    return "-" if value is LEFT_OUT else ascii(value)[:40]


@pytest.mark.parametrize(("field", "value", "named"), WRONG_IN_A_TIP, ids=_name)
def test_a_tip_with_one_thing_wrong_is_refused_by_its_name(
    ground: Ground, field: str, value: Any, named: str | None
) -> None:
    if isinstance(value, list):
        value = [ground.member if part is MEMBER else part for part in value]
    body = a_tip(ground.member, **{field: value})
    if value is LEFT_OUT:
        del body[field]
    # json, unlike orjson, can write a lone surrogate (as an escape).
    status, problem = refused(ground, "/v1/leads", json.dumps(body).encode())
    assert status == 422
    if named is None:
        assert len(problem["errors"]) == 1
    else:
        assert list(problem["errors"]) == [named]
    assert all(reason.strip() for reason in next(iter(problem["errors"].values())))
    assert len(problem["detail"]) < 2_000, "the answer repeats what was sent"


def test_everything_that_is_wrong_is_named_at_once(ground: Ground) -> None:
    body = {"title": "", "members": ["x"], "district": "1", "occurred_on": "never", "extra": 1}
    status, problem = refused(ground, "/v1/leads", orjson.dumps(body))
    assert status == 422
    assert set(problem["errors"]) == {"title", "members.0", "district", "occurred_on", "extra"}


# command, what is wrong with its body, the field that the answer names
WRONG_IN_A_COMMAND: list[tuple[str, dict[str, Any], str]] = [
    ("screening", {"verdict": "maybe"}, "verdict"),
    ("screening", {"verdict": None}, "verdict"),
    ("screening", {"verdict": "\ud800"}, "verdict"),
    ("screening", {"duplicate_of": "x"}, "duplicate_of"),
    ("screening", {"duplicate_of": NOBODY}, "duplicate_of"),
    ("screening", {"occurred_on": "2025-03-17"}, "occurred_on"),
    ("screening", {"occurred_on": TODAY_AND_LATER}, "occurred_on"),
    ("screening", {"reason": "a\u202eb"}, "reason"),
    ("negotiation", {"responsible_unit": "长" * 101}, "responsible_unit"),
    ("negotiation", {"manager": "a\nb"}, "manager"),
    ("negotiation", {"waivers": [{"fact": "contract"}]}, "waivers.0.reason"),
    ("negotiation", {"waivers": [{"fact": "x", "reason": "y"}]}, "waivers.0.fact"),
    ("negotiation", {"waivers": "all"}, "waivers"),
    ("negotiation", {"waivers": [1]}, "waivers.0"),
    ("negotiation", {"occurred_on": "2025-02-30"}, "occurred_on"),
    ("follow-ups", {"form": "telepathy"}, "form"),
    ("follow-ups", {"form": "none"}, "reason"),
    ("follow-ups", {"result": None}, "result"),
    ("follow-ups", {"reason": "没去"}, "reason"),
    ("follow-ups", {"next_on": "2025-04-09"}, "next_on"),
    ("follow-ups", {"next_on": "2025-04-31"}, "next_on"),
    ("follow-ups", {"occurred_on": "2025-03-17"}, "occurred_on"),
    ("signing-plan", {"expected_on": "soon"}, "expected_on"),
    ("signing-plan", {"expected_on": "2025-04-30"}, "expected_on"),
    ("signing-plan", {"occurred_on": "2025-04-01"}, "occurred_on"),
    ("signing", {"agreement": "handshake"}, "agreement"),
    ("signing", {"investment": {"amount": "-1", "unit": "元"}}, "investment.amount"),
    ("signing", {"investment": {"amount": "NaN", "unit": "元"}}, "investment.amount"),
    ("signing", {"document_sha256": "AB" * 32}, "document_sha256"),
    ("signing", {"document_sha256": "ab" * 31}, "document_sha256"),
    ("signing", {"number": "a\x00b"}, "number"),
    ("signing", {"occurred_on": "2025-04-01"}, "occurred_on"),
    ("groundbreaking", {"start": "levelling"}, "start"),
    ("groundbreaking", {"evidence": [{"kind": "rumour", "reference": "x"}]}, "evidence.0.kind"),
    ("groundbreaking", {"evidence": [{"kind": "photo"}]}, "evidence.0.reference"),
    ("groundbreaking", {"evidence": [{"kind": "photo", "reference": "x"}] * 51}, "evidence"),
    ("groundbreaking", {"evidence": {"kind": "photo", "reference": "x"}}, "evidence"),
    ("groundbreaking", {"occurred_on": "2025-05-31"}, "occurred_on"),
    ("suspension", {"reason": None}, "reason"),
    ("suspension", {"reason": ""}, "reason"),
    ("suspension", {"review_on": "2025-04-19"}, "review_on"),
    ("suspension", {"review_on": None}, "review_on"),
    ("closure", {"outcome": "duplicate"}, "outcome"),
    ("closure", {"outcome": "transferred"}, "outcome"),
    ("closure", {"outcome": "declined", "lost_to": "320803"}, "lost_to"),
    ("closure", {"reason": None}, "reason"),
    ("closure", {"reason": "\u2067"}, "reason"),
    ("reopening", {"reason": 1}, "reason"),
    ("resumption", {"occurred_on": None}, "occurred_on"),
    ("revision", {"title": None}, "title"),
    ("revision", {"title": "长" * 10_000}, "title"),
    ("revision", {"members": []}, "members"),
    ("revision", {"district": "320803"}, "district"),
    ("revision", {"occurred_on": "2025-03-17"}, "occurred_on"),
    ("revision", {"investment": {"amount": "1", "unit": "元"}}, "reason"),
]


@pytest.mark.parametrize(("command", "wrong", "named"), WRONG_IN_A_COMMAND, ids=_name)
def test_a_command_with_one_thing_wrong_is_refused_by_its_name(
    ground: Ground, command: str, wrong: dict[str, Any], named: str
) -> None:
    stages = {
        "follow-ups": ground.negotiating,
        "signing-plan": ground.negotiating,
        "signing": ground.negotiating,
        "groundbreaking": ground.signed,
    }
    path = f"/v1/leads/{stages.get(command, ground.tip)}/{command}"
    data = json.dumps({**BODIES[command], **wrong}).encode()
    status, problem = refused(ground, path, data)
    assert (status, list(problem["errors"])) == (422, [named])


@pytest.mark.parametrize("command", BODIES)
def test_no_command_takes_a_field_that_it_does_not_know(ground: Ground, command: str) -> None:
    data = orjson.dumps({**BODIES[command], "titel": "x"})
    status, problem = refused(ground, f"/v1/leads/{ground.tip}/{command}", data)
    assert (status, list(problem["errors"])) == (422, ["titel"])


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"number": ""}, "number"),
        ({"number": None}, "number"),
        ({"number": 7}, "number"),
        ({"number": "x" * 41}, "number"),
        ({"number": "a\u200eb"}, "number"),
        ({"name": " "}, "name"),
        ({"name": "a\x00"}, "name"),
        ({"sector": "a\nb"}, "sector"),
        ({"sector": ""}, "sector"),
        ({"district": "32"}, "district"),
        ({"district": "３２０８１２"}, "district"),
        ({"occurred_on": TODAY_AND_LATER}, "occurred_on"),
        ({"occurred_on": "2025-02-30"}, "occurred_on"),
        ({"id": NOBODY}, "id"),
    ],
    ids=_name,
)
def test_a_member_with_one_thing_wrong_is_refused_by_its_name(
    ground: Ground, wrong: dict[str, Any], named: str
) -> None:
    body = {"number": "QJP-900", "name": "王", "sector": "科技", "district": "320812", **wrong}
    status, problem = refused(ground, "/v1/members", json.dumps(body).encode())
    assert (status, list(problem["errors"])) == (422, [named])


def _with(name: str, literal: str) -> Callable[[str], bytes]:
    """A tip whose field holds a JSON literal that no library would write."""

    def made(member: str) -> bytes:
        body = json.dumps({**a_tip(member), name: "@"})
        return body.replace('"@"', literal).encode()

    return made


def _raw(data: bytes) -> Callable[[str], bytes]:
    return lambda _member: data


# What is no JSON, or JSON that two readers could take two ways: body, status.
UNREADABLE: dict[str, tuple[Callable[[str], bytes], int]] = {
    "an empty body": (_raw(b""), 400),
    "spaces": (_raw(b"  \n"), 400),
    "no JSON": (_raw(b"title=x"), 400),
    "half of it": (_raw(b'{"title": "x"'), 400),
    "more after it": (_raw(b"{} {}"), 400),
    "a trailing comma": (_raw(b'{"title": "x",}'), 400),
    "single quotes": (_raw(b"{'title': 'x'}"), 400),
    "a comment": (_raw(b'{"title": "x" /* y */}'), 400),
    "a byte order mark": (_raw(b"\xef\xbb\xbf{}"), 400),
    "UTF-16": (_raw("{}".encode("utf-16")), 400),
    "GB18030": (_raw('{"title": "项目"}'.encode("gb18030")), 400),
    "a broken UTF-8 sequence": (_raw(b'{"title": "\xe9\xa1"}'), 400),
    "an overlong UTF-8 sequence": (_raw(b'{"title": "\xc0\xaf"}'), 400),
    "a surrogate in UTF-8": (_raw(b'{"title": "\xed\xa0\x80"}'), 400),
    "a raw control character": (_raw(b'{"title": "a\x00b"}'), 400),
    "NaN": (_with("investment", '{"amount": NaN, "unit": "\u5143"}'), 400),
    "Infinity": (_with("investment", '{"amount": -Infinity, "unit": "\u5143"}'), 400),
    "a number that overflows": (_with("title", "1e999"), 422),
    "a huge whole number": (_with("title", "9" * 5_000), 400),
    "a huge whole number within reach": (_with("title", "9" * 4_000), 422),
    "a huge fraction": (_with("title", "0." + "9" * 100_000), 422),
    "a key twice": (_with("note", 'null, "title": "again"'), 400),
    "a key twice further down": (_with("investor", '{"name": "a", "name": "b"}'), 400),
    "a key twice by an escape": (_with("note", r'null, "titl\u0065": "again"'), 400),
    "one key of 90,000 twice": (
        _raw(b"{%b}" % b",".join(b'"%x":1' % (n % 89_999) for n in range(90_000))),
        400,
    ),
    "lists 100,000 deep": (_raw(b"[" * 100_000 + b"]" * 100_000), 400),
    "lists 100,000 deep, never closed": (_raw(b"[" * 100_000), 400),
    "objects 100,000 deep": (_raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000), 400),
    "a field 100,000 deep": (_with("title", "[" * 100_000 + "]" * 100_000), 400),
    "a list": (_raw(b"[]"), 422),
    "a list of tips": (_raw(b'[{"title": "x"}]'), 422),
    "a text": (_raw(b'"title"'), 422),
    "a number": (_raw(b"1"), 422),
    "true": (_raw(b"true"), 422),
    "null": (_raw(b"null"), 422),
    "an empty object": (_raw(b"{}"), 422),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_cannot_be_read_in_one_way_only_is_refused(ground: Ground, what: str) -> None:
    body, expected = UNREADABLE[what]
    status, problem = refused(ground, "/v1/leads", body(ground.member))
    assert status == expected, problem
    if status == 422:
        wanted = {"body"} if what in ("a list", "a list of tips", "a text", "a number") else None
        assert problem["errors"]
        assert wanted is None or set(problem["errors"]) == wanted


@pytest.mark.parametrize("deep", [1, 8, 15])
def test_brackets_within_a_text_are_no_nesting(ground: Ground, deep: int) -> None:
    office = ground.office
    body = a_tip(ground.member, title="[{" * 90, note='\\"[[[' * deep, summary="[" * 3_000)
    assert office.officer.post("/v1/leads", body).status_code == 201


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/jsonp",
        "application/json, text/plain",
        "nonsense",
    ],
)
def test_a_body_of_another_kind_is_refused(ground: Ground, kind: str | None) -> None:
    headers = {} if kind is None else {"Content-Type": kind}
    status, _ = refused(ground, "/v1/leads", orjson.dumps(a_tip(ground.member)), headers)
    assert status == 415


def test_a_body_in_another_coding_is_refused(ground: Ground) -> None:
    data = orjson.dumps(a_tip(ground.member))
    for headers in (
        {"Content-Type": "application/json; charset=gbk"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ):
        status, _ = refused(ground, "/v1/leads", data, headers)
        assert status == 415


def test_of_a_list_that_is_too_long_nothing_is_looked_at(ground: Ground) -> None:
    body = a_tip(ground.member, members=["x"] * 100_000)
    status, problem = refused(ground, "/v1/leads", orjson.dumps(body))
    assert (status, list(problem["errors"])) == (422, ["members"])


def test_of_very_many_faults_the_first_are_told(ground: Ground) -> None:
    body = a_tip(ground.member) | {f"field{n}": n for n in range(50_000)}
    status, problem = refused(ground, "/v1/leads", orjson.dumps(body))
    assert status == 422
    assert len(problem["errors"]) == MOST_TOLD + 1
    assert problem["errors"]["body"] == [f"{50_000 - MOST_TOLD} more are wrong."]


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "APPLICATION/JSON", "application/json;charset=UTF8"]
)
def test_json_in_other_words_is_taken(ground: Ground, kind: str) -> None:
    answer = ground.office.officer.call(
        "POST", "/v1/leads", orjson.dumps(a_tip(ground.member)), {"Content-Type": kind}
    )
    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("stage=lost", "stage"),
        ("stage=", "stage"),
        ("district=3", "district"),
        ("district=３２", "district"),
        ("member=x", "member"),
        ("sector=%00", "sector"),
        ("industry=%ff", "industry"),
        ("min_cny=-1", "min_cny"),
        ("max_cny=NaN", "max_cny"),
        ("max_cny=1e3", "max_cny"),
        ("about_to_sign=yes", "about_to_sign"),
        ("suspended=1", "suspended"),
        ("suspended=TRUE", "suspended"),
        ("from=2025-02-30", "from"),
        ("to=today", "to"),
        ("q=", "q"),
        ("q=%e2%80%ae", "q"),
        ("q=" + "x" * 101, "q"),
        ("sort=title", "sort"),
        ("sort=--amount", "sort"),
        ("limit=50&limit=51", "limit"),
        ("tip_from=2025-01-01", "tip_from"),
        ("cursor=x", "cursor"),
        ("cursor=%ff", "cursor"),
        ("cursor=", "cursor"),
        ("page=2", "page"),
        ("my_schema=2", "my_schema"),
    ],
)
def test_a_wrong_question_about_leads_names_its_parameter(
    ground: Ground, query: str, named: str
) -> None:
    answer = ground.office.officer.get(f"/v1/leads?{query}")
    assert answer.status_code == 422, answer.text
    assert list((answer.json or {})["errors"]) == [named]


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("/v1/members", "district=x", "district"),
        ("/v1/members", "sector=", "sector"),
        ("/v1/members", "stage=tip", "stage"),
        ("/v1/members/{member}", "version=1", "version"),
        ("/v1/leads/{lead}", "version=0", "version"),
        ("/v1/leads/{lead}", "version=-1", "version"),
        ("/v1/leads/{lead}", "version=１", "version"),
        ("/v1/leads/{lead}", "version=99999999999999999999", "version"),
        ("/v1/leads/{lead}", "known_at=x", "known_at"),
        ("/v1/leads/{lead}", "known_at=2025-01-01", "known_at"),
        ("/v1/leads/{lead}", "known_at=", "known_at"),
        ("/v1/leads/{lead}/history", "after=1", "after"),
    ],
)
def test_a_wrong_question_about_one_thing_names_its_parameter(
    ground: Ground, path: str, query: str, named: str
) -> None:
    asked = path.format(member=ground.member, lead=ground.tip)
    answer = ground.office.officer.get(f"{asked}?{query}")
    assert answer.status_code == 422, answer.text
    assert list((answer.json or {})["errors"]) == [named]


def test_a_command_takes_no_query(ground: Ground) -> None:
    path = f"/v1/leads/{ground.tip}/screening?dry_run=true"
    status, problem = refused(ground, path, orjson.dumps(BODIES["screening"]))
    assert (status, list(problem["errors"])) == (422, ["dry_run"])


@pytest.mark.parametrize(
    ("path", "least"),
    [
        ("/v1/leads/{lead}?version=-1", 1),
        ("/v1/audit/events?after=-1", 0),
        ("/v1/leads?limit=x", 1),
    ],
)
def test_a_number_that_is_none_is_told_what_is_allowed(
    ground: Ground, path: str, least: int
) -> None:
    answer = ground.office.one("auditor").get(path.format(lead=ground.tip))
    ((reason,),) = (answer.json or {})["errors"].values()
    assert reason.endswith(f"is no whole number of {least} or more.")
