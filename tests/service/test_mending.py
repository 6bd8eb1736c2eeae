"""A damaged file of what the log alone makes: replaced, said so, and filled by the log again."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import PersistenceError

from service.projections.store import Damaged
from service.proof.verdict import judge
from tests.api.office import Office, open_office
from tests.api.test_unavailable import unavailable
from tests.proof.ground import present, signed
from tests.service.helpers import a_lead, contents, journeys, ledger_in, settings_in

pytestmark = pytest.mark.sqlite_alone(
    "damaged files; test_postgres_projections.py has a schema that is gone"
)

PAGE = 4096


def spoil(file: Path, start: int = 0) -> None:
    """Overwrite ten pages of a file from ``start`` on: from 0 it is no database any more."""
    with file.open("r+b") as opened:
        opened.seek(start)
        opened.write(b"\xff" * 10 * PAGE)


def refusals(act: Callable[[], Any]) -> list[str]:
    """Act once; why that cannot be done just now, if it cannot."""
    try:
        act()
    except Damaged as why:
        return [str(why)]
    return []


def read_all(ledger: Any) -> Any:
    """Every row of the projections, once they reflect the log."""
    ledger.reads.position()
    return contents(ledger)


@pytest.mark.parametrize("start", [0, PAGE, 2 * PAGE])
def test_damaged_projections_are_replaced_and_hold_all_again(
    tmp_path: Path, start: int, caplog: pytest.LogCaptureFixture
) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        before = read_all(ledger)
    file = ledger.settings.projections
    spoil(file, start)
    with ledger_in(tmp_path) as ledger:
        for said in refusals(partial(read_all, ledger)):
            assert f"{file} is damaged" in said
            assert "'leadledger projections rebuild'" in said
    assert f"{file} was damaged." in caplog.text
    with ledger_in(tmp_path) as ledger:
        assert read_all(ledger) == before


def test_whoever_had_the_damaged_file_open_goes_over_to_the_new_one(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        before = read_all(ledger)
    spoil(ledger.settings.projections, 2 * PAGE)
    with ledger_in(tmp_path) as one, ledger_in(tmp_path) as other:
        refused = [said for each in (one, other) for said in refusals(partial(read_all, each))]
        assert 1 <= len(refused) <= 2
        assert read_all(one) == read_all(other) == before
        a_lead(one)
        assert read_all(one) == read_all(other) != before
        assert list(tmp_path.glob("*.projections.*[0-9]")) == [
            tmp_path / "ledger.sqlite.projections.1"
        ]


def test_a_worker_says_what_is_damaged_and_what_mends_it_and_is_ready_again(
    tmp_path: Path,
) -> None:
    office = open_office(settings_in(tmp_path))
    officer = office.officer
    lead = officer.tip(officer.register()["id"])
    book = officer.ok("/v1/pipeline?to=2025-12-29")
    office.close()
    spoil(office.ledger.settings.projections, 2 * PAGE)
    again = open_office(settings_in(tmp_path))
    details = told(again, "/v1/pipeline?to=2025-12-29", "/readyz", "/v1/leads")
    assert len(details) == 1
    assert "ledger.sqlite.projections is damaged" in details[0]
    assert "'leadledger projections rebuild'" in details[0]
    officer = again.holding(officer.token)
    assert officer.ready() == {"status": "ready"}
    assert officer.ok("/v1/pipeline?to=2025-12-29") == book
    assert officer.ok("/v1/leads")["items"] == [lead]
    again.close()


def told(office: Office, *paths: str) -> list[str]:
    """What each of these says that cannot be answered."""
    answers = [office.officer.get(path) for path in paths]
    return [unavailable(answer) for answer in answers if answer.status_code != 200]


@pytest.mark.parametrize("start", [0, PAGE])
def test_a_damaged_tree_is_replaced_and_the_keeper_goes_on_signing(
    tmp_path: Path, start: int, caplog: pytest.LogCaptureFixture
) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        signed(ledger)
        size = present(ledger).checkpoint.size
        a_lead(ledger)
    spoil(ledger.settings.tree, start)
    with ledger_in(tmp_path) as ledger:
        for said in refusals(partial(signed, ledger)):
            assert f"{ledger.settings.tree} is damaged" in said
            signed(ledger)
        assert f"{ledger.settings.tree} was damaged." in caplog.text
        assert present(ledger).checkpoint.size == size + 2
        assert ledger.published.standing() == []
        verdict = judge(ledger, None, lambda _events: None)
        assert verdict.covered == verdict.size == size + 2


def test_a_damaged_log_is_named_and_left_as_it_is(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        a_lead(ledger)
    spoil(ledger.settings.database)
    damaged = ledger.settings.database.read_bytes()
    with pytest.raises(PersistenceError, match=r"ledger\.sqlite is damaged"), ledger_in(tmp_path):
        pass
    assert ledger.settings.database.read_bytes() == damaged
