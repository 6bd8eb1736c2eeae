"""Exports over HTTP: which there are, and their files, whole or in part, and nothing else."""

from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from domain.actor import now, today_in_china
from service.exports.cut import cut_off
from service.exports.failing import note_failure, note_success
from tests.api.office import Caller, Office, problem_of
from tests.exports.shelf import bytes_of, exported, manifest
from tests.service.helpers import journeys

DAY = timedelta(days=1)
KINDS = {
    "leads.csv": "text/csv; charset=utf-8",
    "events.jsonl": "application/x-ndjson",
    "leads.parquet": "application/vnd.apache.parquet",
    "leads.xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "manifest.json": "application/json",
    "verify_ledger.py": "text/x-python; charset=utf-8",
}


@pytest.fixture
def auditor(office: Office) -> Caller:
    """An auditor of an office with an export of yesterday and one of today."""
    journeys(office.ledger)
    exported(office.ledger, today_in_china() - DAY, position=20)
    exported(office.ledger)
    return office.one("auditor")


@pytest.fixture
def folder(office: Office, auditor: Caller) -> Path:
    """Today's export."""
    return office.ledger.settings.exports / f"{today_in_china()}"


def test_exports_are_listed_the_newest_first_and_in_pages(auditor: Caller) -> None:
    both = auditor.ok("/v1/exports")
    assert [one["date"] for one in both["items"]] == [
        f"{today_in_china()}",
        f"{today_in_china() - DAY}",
    ]
    assert both["next"] is None
    first = auditor.get("/v1/exports?limit=1")
    assert first.json is not None and [e["date"] for e in first.json["items"]] == [
        f"{today_in_china()}"
    ]
    assert 'rel="next"' in first.headers["Link"]
    second = auditor.ok(f"/v1/exports?limit=1&cursor={first.json['next']}")
    assert [e["date"] for e in second["items"]] == [f"{today_in_china() - DAY}"]
    assert second["next"] is None


def test_an_office_without_exports_has_an_empty_list(office: Office) -> None:
    assert office.officer.ok("/v1/exports") == {"items": [], "next": None}


def test_an_export_is_its_manifest(auditor: Caller, folder: Path) -> None:
    told = auditor.get(f"/v1/exports/{today_in_china()}")
    assert told.json == manifest(folder)
    again = auditor.get(f"/v1/exports/{today_in_china()}", If_None_Match=told.headers["ETag"])
    assert again.status_code == 304


def test_every_file_comes_as_it_is_under_a_name_to_save_it_by(
    auditor: Caller, folder: Path
) -> None:
    for path in folder.iterdir():
        answer = auditor.get(f"/v1/exports/{today_in_china()}/{path.name}")
        assert answer.status_code == 200
        assert answer.data == path.read_bytes()
        assert answer.headers["Content-Type"] == KINDS.get(path.name, answer.content_type)
        name = f"attachment; filename=leadledger-{today_in_china()}-{path.name}"
        assert answer.headers["Content-Disposition"] == name
        assert answer.headers["ETag"] == f'"{sha256(answer.data).hexdigest()}"'
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_who_has_a_file_is_not_sent_it_again(auditor: Caller) -> None:
    path = f"/v1/exports/{today_in_china()}/leads.parquet"
    tag = auditor.get(path).headers["ETag"]
    again = auditor.get(path, If_None_Match=tag)
    assert (again.status_code, again.data) == (304, b"")
    assert auditor.get(path, If_None_Match='"another"').status_code == 200


def test_a_download_that_broke_off_goes_on(auditor: Caller, folder: Path) -> None:
    path, whole = f"/v1/exports/{today_in_china()}/leads.csv", (folder / "leads.csv").read_bytes()
    tag = auditor.get(path).headers["ETag"]
    rest = auditor.get(path, Range="bytes=100-", If_Range=tag)
    assert rest.status_code == 206
    assert rest.data == whole[100:]
    assert rest.headers["Content-Range"] == f"bytes 100-{len(whole) - 1}/{len(whole)}"
    changed = auditor.get(path, Range="bytes=100-", If_Range='"another"')
    assert (changed.status_code, changed.data) == (200, whole)
    beyond = auditor.get(path, Range=f"bytes={len(whole)}-")
    problem_of(beyond, 416, "range-not-satisfiable")
    assert beyond.headers["Content-Range"] == f"bytes */{len(whole)}"


@pytest.mark.parametrize(
    "name",
    [
        "..%2f..%2fledger.sqlite",
        "..%2F.lock",
        "%2e%2e/ledger.sqlite",
        "../../ledger.sqlite",
        ".lock",
        ".failed.json",
        "leads.csv/",
        "leads.csv%00.py",
        "nothing.csv",
        "LEADS.CSV",
        "/etc/passwd",
    ],
)
def test_no_path_leads_out_of_an_export(auditor: Caller, folder: Path, name: str) -> None:
    answer = auditor.get(f"/v1/exports/{today_in_china()}/{name}")
    assert answer.status_code in (404, 308)


@pytest.mark.parametrize(
    "day", ["2025-02-30", "20251231", "today", "..", "2000-01-01", "2025-W01-1", "２０２５-01-01"]
)
def test_what_is_no_date_or_has_no_export_is_not_found(auditor: Caller, day: str) -> None:
    problem_of(auditor.get(f"/v1/exports/{day}"), 404, "not-found")
    assert auditor.get(f"/v1/exports/{day}/leads.csv").status_code == 404


def test_an_unfinished_folder_is_no_export(office: Office, auditor: Caller) -> None:
    (office.ledger.settings.exports / f".{today_in_china() + DAY}.{'0' * 32}").mkdir()
    assert len(auditor.ok("/v1/exports")["items"]) == 2


def test_a_failure_is_seen_in_readiness_and_in_the_metrics(office: Office) -> None:
    shelf = office.ledger.settings.exports
    shelf.mkdir()
    caller = office.officer
    assert caller.ready() == {"status": "ready"}
    note_failure(shelf, now(), "No space left on device.")
    told = caller.ok("/readyz")
    assert told["status"] == "ready"
    assert "No space left on device" in told["detail"]
    assert "leadledger_export_failing 1" in caller.get("/metrics").text
    note_success(shelf)
    assert caller.ready() == {"status": "ready"}
    assert "leadledger_export_failing 0" in caller.get("/metrics").text


def test_metrics_tell_how_far_the_exports_are(auditor: Caller, office: Office) -> None:
    told = dict(
        line.split(" ") for line in auditor.get("/metrics").text.splitlines() if line[0] != "#"
    )
    at = office.ledger.settings.export_at
    assert at is not None
    until = cut_off(today_in_china(), at).timestamp()
    assert float(told["leadledger_export_newest_cut_off_seconds"]) == until
    assert int(told["leadledger_log_position"]) == office.position
    assert told["leadledger_alarms_standing"] == "0"


def test_files_of_an_export_are_what_its_manifest_says(auditor: Caller, folder: Path) -> None:
    digests = bytes_of(folder)
    for one in auditor.ok(f"/v1/exports/{today_in_china()}")["files"]:
        assert digests[one["name"]] == one["sha256"]
