"""When the ledger cannot be written or read: 503, a word when to try again, and nothing lost."""

import fcntl
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.office import BODIES, Caller, Office, a_tip, open_office, problem_of, settings_in
from tests.service.helpers import raw, sqlite_log

# How long a request waits for its turn; short, since these tests wait it out.
PATIENCE = 0.05


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Office]:
    """An office whose requests hardly wait for their turn to write."""
    office = open_office(settings_in(tmp_path, PATIENCE))
    yield office
    office.close()


def unavailable(answer: Any) -> str:
    """Why it cannot be answered now; fails unless it is a 503 that says when to try again."""
    problem = problem_of(answer, 503, "not-ready")
    assert 1 <= int(answer.headers["Retry-After"]) <= 600
    return str(problem["detail"])


def writes(caller: Caller, member: str, lead: str) -> list[Any]:
    """One answer of each kind of command."""
    body = {"number": f"N{os.urandom(4).hex()}", "name": "王", "district": "320812"}
    return [
        caller.post("/v1/members", body),
        caller.post("/v1/leads", a_tip(member)),
        caller.post(f"/v1/leads/{lead}/follow-ups", BODIES["follow-ups"]),
        caller.post("/v1/leads", a_tip(member), Idempotency_Key=os.urandom(4).hex()),
    ]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Within, somebody else holds the file's only right to write."""
    other = raw(path)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


@contextmanager
def flocked(path: Path) -> Iterator[None]:
    """Within, another process's turn to write does not end."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(handle)


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
@pytest.mark.parametrize("how", [locked, flocked])
def test_a_locked_ledger_is_read_but_not_written(hasty: Office, how: Any) -> None:
    officer, database = hasty.officer, hasty.ledger.settings.database
    member = officer.register()["id"]
    lead = officer.tip(member)
    before = hasty.position
    with how(database if how is locked else database.with_name(database.name + ".lock")):
        for answer in writes(officer, member, lead["id"]):
            unavailable(answer)
        unavailable(officer.get("/readyz"))
        assert officer.ok("/healthz") == {"status": "ok"}
        assert officer.ok(f"/v1/leads/{lead['id']}") == lead
        assert officer.ok("/v1/leads")["items"] == [lead]
        assert officer.ok("/v1/pipeline?to=2025-12-29")["tips"] == 1
    assert hasty.position == before
    assert officer.ready() == {"status": "ready"}
    assert {a.status_code for a in writes(officer, member, lead["id"])} == {200, 201}


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_a_key_refused_by_a_lock_is_free_afterwards(hasty: Office) -> None:
    officer, database = hasty.officer, hasty.ledger.settings.database
    body = a_tip(officer.register()["id"])
    with locked(database):
        unavailable(officer.post("/v1/leads", body, Idempotency_Key="k"))
    answer = officer.post("/v1/leads", body, Idempotency_Key="k")
    assert answer.status_code == 201
    assert "Idempotent-Replay" not in answer.headers


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_projections_that_cannot_follow_are_not_served_stale(hasty: Office) -> None:
    officer, settings = hasty.officer, hasty.ledger.settings
    member = officer.register()["id"]
    lead = officer.tip(member)
    officer.ok("/v1/leads")
    with locked(settings.projections):
        assert officer.ok("/v1/leads")["items"] == [lead]
        moved = officer.command(lead, "negotiation")
        for path in ("/v1/leads", f"/v1/leads/{lead['id']}", "/v1/pipeline", "/readyz"):
            unavailable(officer.get(path))
    assert officer.ok("/v1/leads")["items"] == [moved]
    assert officer.ready() == {"status": "ready"}


def writer_of(office: Office) -> Any:
    """The recorder's connection for writing, opened if it was not."""
    recorder = sqlite_log(office.ledger)
    with recorder.writing() as connection:
        return connection


@contextmanager
def no_room(office: Office) -> Iterator[None]:
    """Within, the ledger's file cannot grow by one page."""
    writer = writer_of(office)
    pages = writer.execute("PRAGMA page_count").fetchone()[0]
    writer.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        writer.execute("PRAGMA max_page_count = 1073741823")


@contextmanager
def no_growth(_office: Office) -> Iterator[None]:
    """Within, the kernel lets no file of this process grow, as on a disk without room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill(caller: Caller, member: str) -> list[Any]:
    """Tips, each near the size of a page, until one is refused; the answers."""
    answers = []
    for number in range(100):
        answers.append(
            caller.post("/v1/leads", a_tip(member, summary="满" * 3_900, title=f"{number}"))
        )
        if answers[-1].status_code != 201:
            return answers
    raise AssertionError("a hundred tips fitted in")


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
@pytest.mark.parametrize("full", [no_room, no_growth])
def test_a_full_disk_loses_nothing_that_was_answered(hasty: Office, full: Any) -> None:
    officer = hasty.officer
    member = officer.register()["id"]
    lead = officer.tip(member)
    officer.ok("/v1/leads")
    with full(hasty):
        *taken, refused = fill(officer, member)
        unavailable(refused)
        position = hasty.position
        unavailable(officer.post("/v1/leads", a_tip(member, summary="满" * 3_900)))
        unavailable(
            officer.post("/v1/leads", a_tip(member, summary="满" * 3_900), Idempotency_Key="k")
        )
        assert hasty.position == position
    answered = [lead, *(answer.json for answer in taken)]
    assert officer.ok("/v1/leads?limit=200")["items"] == answered
    again = officer.post("/v1/leads", a_tip(member, summary="满" * 3_900), Idempotency_Key="k")
    assert again.status_code == 201
    assert "Idempotent-Replay" not in again.headers
    assert officer.command(lead, "negotiation")["stage"] == "negotiating"
    assert officer.ready() == {"status": "ready"}


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
@pytest.mark.parametrize("full", [no_room, no_growth])
def test_readiness_says_that_the_disk_is_full(hasty: Office, full: Any) -> None:
    officer = hasty.officer
    member = officer.register()["id"]
    assert officer.ready() == {"status": "ready"}
    with full(hasty):
        fill(officer, member)
        unavailable(officer.get("/readyz"))
        assert officer.ok("/healthz") == {"status": "ok"}
    assert officer.ready() == {"status": "ready"}


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_a_restart_after_a_full_disk_finds_all_that_was_answered(tmp_path: Path) -> None:
    office = open_office(settings_in(tmp_path, PATIENCE))
    officer = office.officer
    member = officer.register()["id"]
    with no_room(office):
        *taken, refused = fill(officer, member)
        unavailable(refused)
    office.close()
    again = open_office(settings_in(tmp_path, PATIENCE))
    officer = again.holding(officer.token)
    listed = officer.ok("/v1/leads?limit=200")["items"]
    assert listed == [answer.json for answer in taken]
    again.close()


INSERT = (
    "INSERT INTO stored_events (originator_id, originator_version, topic, state) "
    "VALUES (?, ?, ?, ?)"
)
UNREADABLE = {
    "an unknown topic": ("lead.teleported", b"{}"),
    "a damaged state": ("lead.followed_up", b'{"form": '),
    "a state without its moment": ("lead.followed_up", b"{}"),
    "an event of a later version": (
        "lead.followed_up",
        b'{"timestamp": "2025-01-01T00:00:00Z", "class_version": 99}',
    ),
    "a follow-up without its day": (
        "lead.followed_up",
        b'{"timestamp": "2025-01-01T00:00:00Z", "actor": "x", "request": "y"}',
    ),
}


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
@pytest.mark.parametrize("what", UNREADABLE)
def test_an_unreadable_event_stops_the_reads_and_is_named(hasty: Office, what: str) -> None:
    officer, database = hasty.officer, hasty.ledger.settings.database
    member = officer.register()["id"]
    lead = officer.tip(member)
    topic, state = UNREADABLE[what]
    other = raw(database)
    other.execute(INSERT, (lead["id"].replace("-", ""), 2, topic, state))
    position = hasty.position
    try:
        for path in ("/v1/leads", f"/v1/leads/{lead['id']}", "/v1/pipeline", "/readyz"):
            detail = unavailable(officer.get(path))
            assert f"position {position}" in detail, detail
            assert lead["id"] in detail and topic in detail
        detail = unavailable(officer.post(f"/v1/leads/{lead['id']}/screening", BODIES["screening"]))
        assert topic in detail
        assert hasty.position == position
        assert officer.ok("/healthz") == {"status": "ok"}
    finally:
        other.execute("DELETE FROM stored_events WHERE topic = ? AND state = ?", (topic, state))
        other.close()
    assert officer.ready() == {"status": "ready"}
    assert officer.ok(f"/v1/leads/{lead['id']}") == lead


@pytest.mark.sqlite_alone("its file's locks, commits and disk; test_log_lost.py has PostgreSQL's")
def test_what_the_projections_lost_is_made_again_from_the_log(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    office = open_office(settings)
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    lead = officer.command(lead, "negotiation")
    office.close()
    for file in tmp_path.glob("*.projections*"):
        file.unlink()
    again = open_office(settings)
    assert again.holding(officer.token).ok("/v1/leads")["items"] == [lead]
    again.close()
