"""How often a command asks a database that may be far away, and that less asking lets nobody in."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.event import listen, remove

from tests.api.office import BODIES, Caller, Office, open_office, settings_in
from tests.databases import put_on_postgresql

FOLLOW_UP = BODIES["follow-ups"]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office on PostgreSQL."""
    put_on_postgresql(tmp_path)
    opened = open_office(settings_in(tmp_path))
    yield opened
    opened.close()


@contextmanager
def questions() -> Iterator[list[None]]:
    """As many as were asked within: each takes a connection from the pool."""
    asked: list[None] = []

    def note(*_: object) -> None:
        asked.append(None)

    listen(sa.pool.Pool, "checkout", note)
    yield asked
    remove(sa.pool.Pool, "checkout", note)


def a_lead_of(caller: Caller) -> str:
    """Tipped just now."""
    found: str = caller.tip(caller.register()["id"])["id"]
    return found


def test_a_command_asks_once_for_all_that_it_goes_by_and_once_to_record(office: Office) -> None:
    path = f"/v1/leads/{a_lead_of(office.officer)}/follow-ups"
    with questions() as asked:
        office.officer.ok(path, FOLLOW_UP)
    assert len(asked) == 2
    for _ in range(2):
        with questions() as asked:
            answer = office.officer.post(path, FOLLOW_UP, Idempotency_Key="k")
    # It came before: what was answered then is read, and what the log has reached.
    assert answer.headers["Idempotent-Replay"] == "true" and len(asked) == 3
    with questions() as asked:
        office.officer.ok(path, FOLLOW_UP, Idempotency_Key="k2")
    assert len(asked) == 2


def test_who_has_not_proven_the_token_has_nothing_read_for_it(office: Office) -> None:
    path = f"/v1/leads/{a_lead_of(office.officer)}/follow-ups"
    token = office.officer.token
    assert token
    stranger = office.holding(token[:-12] + "000000000000")
    assert stranger.post(path, FOLLOW_UP).status_code == 401
    assert office.ledger.tokens.remembered(token)
    assert office.ledger.tokens.remembered(stranger.token or "") is None
    assert office.ledger.tokens.remembered("") is None


def test_a_token_that_was_revoked_elsewhere_is_refused_at_once(
    office: Office, tmp_path: Path
) -> None:
    path = f"/v1/leads/{a_lead_of(office.officer)}/follow-ups"
    office.officer.ok(path, FOLLOW_UP)
    other = open_office(settings_in(tmp_path))
    before = office.position
    (issued,) = other.ledger.tokens.listed()
    other.ledger.tokens.revoke(issued.id)
    other.close()
    assert office.officer.post(path, FOLLOW_UP).status_code == 401
    assert office.position == before
