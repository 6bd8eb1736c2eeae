"""``If-Ledger-Position``: a read waits until what it reads has come to what the client knows."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Timer

import pytest

from tests.api.office import Office, open_office, problem_of, settings_in


def test_a_position_that_the_log_has_is_reflected(office: Office) -> None:
    officer = office.officer
    officer.register()
    for known in (0, office.position):
        answer = officer.get("/v1/members", If_Ledger_Position=f"{known}")
        assert answer.status_code == 200
        assert int(answer.headers["Ledger-Position"]) == office.position


def test_a_position_that_the_log_never_had_is_refused_at_once(office: Office) -> None:
    office.officer.register()
    asked = office.officer.get("/v1/members", If_Ledger_Position=f"{office.position + 1}")
    told = problem_of(asked, 422, "invalid")
    reason = f"{office.position + 1} is past the last log position, {office.position}."
    assert told["errors"] == {"If-Ledger-Position": [reason]}


@pytest.mark.parametrize("text", ["", "x", "-1", "1.0", "１", "9" * 19])
def test_what_is_no_position_is_refused(office: Office, text: str) -> None:
    told = problem_of(office.officer.get("/v1/members", If_Ledger_Position=text), 422, "invalid")
    assert told["errors"] == {
        "If-Ledger-Position": [f"'{text}' is no log position, as Ledger-Position names it."]
    }


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Office]:
    """An office whose reads come after the log that is written, as a copy of it does."""
    found = open_office(replace(settings_in(tmp_path), position_timeout=0.3))
    found.ledger.reads.follows = True
    yield found
    found.close()


def test_where_a_copy_is_read_it_is_waited_for_and_then_to_be_tried_again(copy: Office) -> None:
    copy.officer.register()
    wanted = copy.position + 1
    answer = copy.officer.get("/v1/members", If_Ledger_Position=f"{wanted}")
    told = problem_of(answer, 503, "not-ready")
    assert f"to log position {wanted - 1}" in told["detail"]
    assert answer.headers["Retry-After"] == "1"


def test_a_read_that_waits_is_answered_when_the_copy_has_come_there(tmp_path: Path) -> None:
    copy = open_office(replace(settings_in(tmp_path), position_timeout=30.0))
    writer = open_office(settings_in(tmp_path))
    copy.ledger.reads.follows = True
    officer = copy.officer
    writing = Timer(0.05, writer.officer.register)
    try:
        writing.start()
        answer = officer.get("/v1/members", If_Ledger_Position=f"{copy.position + 1}")
        assert answer.json and [one["number"] for one in answer.json["items"]] == ["QJP-001"]
        assert int(answer.headers["Ledger-Position"]) == copy.position
    finally:
        writing.join()
        writer.close()
        copy.close()
