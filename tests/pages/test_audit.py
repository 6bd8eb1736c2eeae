"""The audit page: the history verified, its checkpoints, and who was let in."""

import json
import re

import pytest

from api.pages.audit import called
from domain.actor import now
from domain.sentences import Sentence
from service.personal.erasures import UNMASKED
from service.proof.verifying import Finding
from service.settings import HOME
from tests.api.office import Caller, Office
from tests.pages.visitor import Visitor
from tests.proof.ground import signed
from tests.service.helpers import raw


@pytest.fixture
def auditor(office: Office, visitor: Visitor) -> Visitor:
    """An auditor before a ledger of five leads, all under a checkpoint."""
    member = office.officer.register()["id"]
    for number in range(5):
        office.officer.tip(member, title=f"项目{number}")
    signed(office.ledger)
    visitor.sign_in(office.ledger.tokens.issue("auditor"))
    return visitor


def test_the_last_checkpoints_are_there_with_the_keys(auditor: Visitor, office: Office) -> None:
    page = auditor.see("/audit")
    made, found = office.ledger.audit.checkpoint()
    assert found.root.hex() in page.text
    assert office.ledger.audit.public_keys()[0]["key"] in page.text
    assert made.note.splitlines()[0] in page.text


def test_a_history_that_holds_is_said_to(auditor: Visitor) -> None:
    page = auditor.see("/audit")
    assert len(page.all("form", action="/audit")) == 1
    answer = auditor.send("/audit", on="/audit")
    assert answer.status_code == 200
    assert '<div class="said" data-holds>' in answer.text
    assert '<div class="refusal" data-fails hidden>' in answer.text


def test_how_far_it_is_comes_line_by_line(auditor: Visitor, office: Office) -> None:
    *steps, verdict = map(json.loads, auditor.get("/audit/progress").text.splitlines())
    assert steps[-1]["done"] == steps[-1]["of"] == office.position
    assert verdict["holds"] and verdict["covered"] == verdict["size"]


def test_a_district_sees_no_more_than_it_may(office: Office, visitor: Visitor) -> None:
    visitor.sign_in(office.ledger.tokens.issue("auditor", district="3208"))
    page = visitor.see("/audit")
    assert "现在核对" not in page.text and "访问记录" not in page.text
    assert visitor.get("/audit/progress").status_code == 403


def test_an_officer_does_not_audit(office: Office, visitor: Visitor) -> None:
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    assert not visitor.see("/").all("a", href="/audit")
    visitor.see("/audit", 403)


def test_the_api_verifies_as_the_page_does(office: Office, auditor: Visitor) -> None:
    asker: Caller = office.one("auditor")
    found = asker.ok("/v1/audit/verification")
    assert found["holds"] and found["size"] == office.position
    lines = asker.get("/v1/audit/verification", Accept="application/x-ndjson").text.splitlines()
    assert json.loads(lines[-1]) == found
    kept = asker.ok("/v1/audit/checkpoints?limit=1")
    assert kept["items"][0] == asker.ok("/v1/audit/checkpoint")
    assert kept["next"] is None


def test_checkpoints_come_page_by_page_the_newest_first(office: Office) -> None:
    for number in range(3):
        office.officer.register(f"QJP-{number}")
        signed(office.ledger)
    asker, sizes, path = office.one("auditor"), [], "/v1/audit/checkpoints?limit=2"
    while path:
        answer = asker.get(path)
        sizes += [one["size"] for one in (answer.json or {})["items"]]
        path = answer.headers.get("Link", "").partition("<")[2].partition(">")[0]
    assert sizes == sorted(sizes, reverse=True) and len(sizes) == 3


@pytest.mark.sqlite_alone("the row is changed in the file")
def test_what_does_not_hold_is_named(office: Office, auditor: Visitor) -> None:
    with raw(office.ledger.settings.database) as log:
        log.execute("UPDATE stored_events SET topic = 'lead.suspended' WHERE rowid = 3")
    assert '<div class="refusal" data-fails>' in auditor.send("/audit", on="/audit").text
    found = office.one("auditor").ok("/v1/audit/verification")
    assert found["holds"] is False and "3" in found["detail"]


@pytest.mark.parametrize(
    ("language", "told"),
    [
        ("zh", "前 6 条记录的根散列与守护进程最近一次所见不一致"),
        ("en", "the first 6 events do not have the root of what the keeper saw last"),
    ],
)
def test_an_alarm_is_told_in_the_pages_language(
    office: Office, auditor: Visitor, language: str, told: str
) -> None:
    why = Sentence(
        "the first {size} events do not have the root of {what}.",
        size=6,
        what=Sentence("what the keeper saw last"),
    )
    office.ledger.published.raise_alarm(Finding(2, 6, why).sentence, now())
    page = auditor.see("/audit", Accept_Language=language)
    # At the head of every page, and in the list of alarms.
    assert page.text.count(told) == 2 and not page.all("span", lang="en")
    refused = office.one("admin").post(
        "/v1/members", {"number": "1", "name": "王", "district": "320812"}
    )
    assert "do not have the root of what the keeper saw last" in (refused.json or {})["detail"]


def test_an_alarm_of_before_is_quoted(office: Office, auditor: Visitor) -> None:
    office.ledger.published.raise_alarm("Position 7 does not hold.", now())
    page = auditor.see("/audit")
    assert page.text.count("Position 7 does not hold.") == 2
    assert len(page.all("span", lang="en")) == 2


@pytest.mark.sqlite_alone("the row is changed in the file")
def test_a_script_is_told_in_the_pages_language_too(office: Office, auditor: Visitor) -> None:
    with raw(office.ledger.settings.database) as log:
        log.execute("UPDATE stored_events SET topic = 'lead.suspended' WHERE rowid = 3")
    for language, told in (("zh", "条记录不符"), ("en", "does not hold")):
        lines = auditor.get("/audit/progress", Accept_Language=language).text.splitlines()
        assert told in json.loads(lines[-1])["detail"]


def test_every_action_of_the_access_record_has_a_name() -> None:
    noted = re.compile(r"""\b_?note\(\s*(?:"[a-z-]+",\s*)?f?"((?:[a-z']+ )*[a-z']+)""")
    said = {
        action
        for layer in ("service", "api")
        for path in (HOME / layer).rglob("*.py")
        for action in noted.findall(path.read_text("utf-8"))
    }
    assert {"sign out", "revoke a token", "read a contact", "erase a person"} <= said
    # Whichever way one signed in, it is said by a part of the sentence.
    said |= {f"sign in {how} as" for how in ("with a token", "through the provider")} | {UNMASKED}
    # Kinds of records, and the parts of a sentence.
    said -= {"sign in", "token", "personal"}
    assert {called(f"{action} officer")[0] for action in said}.isdisjoint({""}), said


def test_the_access_record_speaks_the_pages_language(auditor: Visitor) -> None:
    assert "用令牌登录 审计员" in auditor.see("/audit").text
    assert "Signed in with a token Auditor" in auditor.see("/audit", Accept_Language="en").text
