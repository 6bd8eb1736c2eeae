"""A keeper that finishes nothing: seen in readiness and in the metrics, with what keeps it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from domain.actor import now
from service.proof.keeper import Keeper, Stop
from service.proof.rounds import last_round, note_begin, note_finished, note_unfinished
from tests.api.office import Office, open_office, settings_in
from tests.service.helpers import ledger_in

LONG_AGO = now() - timedelta(hours=2)
READY = {"status": "ready"}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """An office without a keeper."""
    found = open_office(settings_in(tmp_path))
    yield found
    found.close()


def age(office: Office) -> float | None:
    """What the metrics say of the last round; None when nothing."""
    lines = office.officer.get("/metrics").text.splitlines()
    found = [line.split()[1] for line in lines if line.startswith("leadledger_keeper_round_age")]
    return float(found[0]) if found else None


def test_a_keeper_that_has_finished_nothing_for_long_is_told_of(office: Office) -> None:
    settings = office.ledger.settings
    assert (office.officer.ready(), age(office)) == (READY, None)
    note_begin(settings, LONG_AGO)
    told = office.officer.ok("/readyz")
    assert told["status"] == "ready"
    assert "is it running?" in told["detail"]
    note_unfinished(settings, "No space left on device.")
    assert "No space left on device." in office.officer.ok("/readyz")["detail"]
    since = (now() - LONG_AGO).total_seconds()
    assert age(office) == pytest.approx(since, abs=60)
    # Another keeper, which is no better.
    note_begin(settings, now())
    assert "No space left on device." in office.officer.ok("/readyz")["detail"]
    note_finished(settings, now())
    assert office.officer.ready() == READY
    assert (age(office) or 0) < 100


@pytest.mark.parametrize(("hours", "late"), [(1.6, False), (1.7, True)])
def test_it_is_given_ten_of_its_intervals(office: Office, hours: float, late: bool) -> None:
    assert office.ledger.settings.checkpoint_every == 600
    note_finished(office.ledger.settings, now() - timedelta(hours=hours))
    assert ("detail" in office.officer.ok("/readyz")) is late


def test_a_keeper_notes_what_keeps_it_from_its_round(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        ledger.settings.keeper.write_text("in the way")
        stop = Stop()
        keeper = Keeper(ledger, stop)
        note_begin(ledger.settings, LONG_AGO)
        assert keeper._round(now()) < 60
        before = last_round(ledger.settings)
        assert before is not None and "keeper" in (before.why or "")
        ledger.settings.keeper.unlink()
        keeper._round(now())
        after = last_round(ledger.settings)
        assert after is not None and after.why is None and after.at > before.at
