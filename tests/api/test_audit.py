"""What auditors are answered: the log whole and in pages, proofs, and the alarm on every worker."""

import json
import tracemalloc
from pathlib import Path

import pytest

from domain.actor import now
from service.application import Ledger
from service.audit import manifest_of
from tests.api.office import Caller, Office, open_office, problem_of, settings_in
from tests.proof.ground import signed
from tests.service.helpers import ledger_in, register, sqlite_log, stored_leads

NDJSON = "application/x-ndjson"
EVENTS = 100_000


@pytest.fixture
def auditor(office: Office, officer: Caller, member_id: str) -> Caller:
    """An auditor of a ledger of one member and five leads."""
    for number in range(5):
        officer.tip(member_id, title=f"项目{number}")
    return office.one("auditor")


def walked(auditor: Caller, path: str) -> list[dict[str, object]]:
    """Every item of a list, page by page, by its Link headers."""
    items: list[dict[str, object]] = []
    while path:
        answer = auditor.get(path)
        assert answer.status_code == 200, answer.text
        items += (answer.json or {})["items"]
        link = answer.headers.get("Link", "")
        assert bool(link) == bool((answer.json or {})["next"])
        path = link.partition("<")[2].partition(">")[0]
    return items


@pytest.mark.parametrize("limit", [1, 2, 5, 6, 200])
def test_pages_of_any_size_are_the_whole_log_in_order(auditor: Caller, limit: int) -> None:
    items = walked(auditor, f"/v1/audit/events?limit={limit}")
    assert [item["position"] for item in items] == [1, 2, 3, 4, 5, 6]
    assert items[0]["topic"] == "member.registered"
    assert json.loads(str(items[1]["state"]))["title"] == "项目0"


def test_the_log_after_a_position_begins_there(auditor: Caller) -> None:
    items = walked(auditor, "/v1/audit/events?after=4&limit=1")
    assert [item["position"] for item in items] == [5, 6]


def test_the_stream_has_what_the_pages_have(auditor: Caller) -> None:
    answer = auditor.get("/v1/audit/events?after=2", Accept=NDJSON)
    assert answer.mimetype == NDJSON and answer.headers["Ledger-Position"] == "6"
    lines = [json.loads(line) for line in answer.data.splitlines()]
    assert lines == walked(auditor, "/v1/audit/events?after=2")


@pytest.mark.sqlite_alone("a row of the file")
def test_a_state_that_is_no_text_is_shown_as_it_is(office: Office, auditor: Caller) -> None:
    with sqlite_log(office.ledger).writing() as log:
        log.execute("UPDATE stored_events SET state = x'ff00' WHERE rowid = 6")
    (item,) = office.ledger.audit.events(5, 1)[0]
    assert (item["state"], item["state_base64"], item["recorded_at"]) == ("", "/wA=", None)


@pytest.mark.sqlite_alone("rows are put into the file")
def test_a_hundred_thousand_events_stream_in_the_memory_of_a_thousand(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        some = stored_leads(ledger, member, 500, 1)
        ledger.record_all(some)
        few = peak_of_stream(ledger)
        copy = (
            "INSERT INTO stored_events SELECT lower(hex(randomblob(16))), 1, topic, state "
            "FROM stored_events LIMIT ?"
        )
        with sqlite_log(ledger).writing() as log:
            while (
                there := log.execute("SELECT count(*) FROM stored_events").fetchone()[0]
            ) < EVENTS:
                log.execute(copy, (EVENTS - there,))
        many = peak_of_stream(ledger)
        assert many < few * 1.5 + 100_000, (few, many)


def peak_of_stream(ledger: Ledger) -> int:
    """The most bytes that Python held while the whole log was streamed."""
    events = 0
    tracemalloc.start()
    try:
        for chunk in ledger.audit.stream(0, 2**62):
            events += chunk.count(b"\n")
        assert events == ledger.recorder.max_notification_id()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_checkpoint_is_answered_as_a_note_and_as_json(office: Office, auditor: Caller) -> None:
    problem_of(auditor.get("/v1/audit/checkpoint"), 404, "not-found")
    signed(office.ledger)
    told = auditor.ok("/v1/audit/checkpoint")
    note = auditor.get("/v1/audit/checkpoint", Accept="text/plain")
    assert note.text == told["checkpoint"] and note.mimetype == "text/plain"
    assert (told["size"], told["origin"]) == (6, note.text.partition("\n")[0])
    (key,) = auditor.ok("/v1/audit/keys")["items"]
    assert key["origin"] == told["origin"] and key["algorithm"] == "ed25519"


def test_an_exports_manifest_says_which_checkpoint_was_made_at_it(
    office: Office, auditor: Caller
) -> None:
    signed(office.ledger)
    made, _ = office.ledger.audit.checkpoint()
    told = auditor.ok("/v1/audit/checkpoint")
    assert manifest_of(made) == {
        "checkpoint": told["checkpoint"],
        "size": 6,
        "made_at": told["made_at"],
        "hash": "sha256",
    }


def test_a_proof_of_more_than_the_checkpoint_covers_is_refused(
    office: Office, auditor: Caller
) -> None:
    signed(office.ledger)
    assert auditor.ok("/v1/audit/consistency?from=6")["path"] == []
    problem = problem_of(auditor.get("/v1/audit/consistency?from=7"), 422, "invalid")
    assert list(problem["errors"]) == ["from"]


def test_a_tree_that_is_not_the_signed_one_proves_nothing(office: Office, auditor: Caller) -> None:
    signed(office.ledger)
    with office.ledger.audit._tree._store.writing() as connection:
        tiles = office.ledger.audit._tree._store.tables.tables["tiles"]
        connection.execute(tiles.update().values(hashes=bytes(192)))
    problem_of(auditor.get("/v1/audit/consistency?from=3"), 503, "not-ready")


def test_there_is_no_proof_of_what_is_no_lead(
    office: Office, auditor: Caller, member_id: str
) -> None:
    signed(office.ledger)
    for lead in (member_id, "00000000-0000-4000-8000-000000000000", "x"):
        problem_of(auditor.get(f"/v1/audit/leads/{lead}/proof"), 404, "not-found")


def test_an_alarm_raised_by_another_process_stops_writing_at_once_and_marks_reads(
    tmp_path: Path,
) -> None:
    settings = settings_in(tmp_path)
    one, other = open_office(settings), open_office(settings)
    assert one.officer.get("/v1/leads").headers.get("Ledger-Warning") is None
    member = one.officer.register()["id"]
    other.ledger.published.raise_alarm("Position 7 does not hold.", now())
    refused = problem_of(
        one.officer.post("/v1/members", {"number": "N2", "name": "王", "district": "320812"}),
        503,
        "not-ready",
    )
    assert "Position 7 does not hold." in refused["detail"]
    read = one.officer.get(f"/v1/members/{member}")
    assert read.status_code == 200
    assert read.headers["Ledger-Warning"] == "Position 7 does not hold."
    assert one.holding(None).get("/readyz").status_code == 503
    other.ledger.published.rule("查过了", "管理员", now())
    assert one.officer.get("/v1/leads").headers.get("Ledger-Warning") is None
    assert one.officer.register("N2")
    assert one.holding(None).get("/readyz").status_code == 200
    one.close()
    other.close()


def test_the_verifier_is_answered_without_a_token(office: Office) -> None:
    answer = office.holding(None).get("/v1/audit/verifier")
    assert answer.status_code == 200 and answer.text.startswith("#!/usr/bin/env python3")
