"""The machine's clock is set back and forward an hour under load (see `clock.c`)."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest

from tests.faults.between import compiled
from tests.faults.load import begin, check_told, go_on, writing
from tests.faults.serving import Client, serving
from tests.service.helpers import ledger_in

pytestmark = [pytest.mark.fault, pytest.mark.both_databases]

WRITERS = 4
HOUR = 3600


@pytest.mark.parametrize("seconds", [-HOUR, HOUR], ids=["back", "forward"])
def test_a_clock_that_is_set_loses_nothing_and_confuses_no_order(
    tmp_path: Path, seconds: int
) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    settings = {"LD_PRELOAD": str(compiled("clock", tmp_path)), "FAULT_CLOCK": str(clock)}
    with serving(tmp_path / "ledger", LEDGER_WORKERS="2", **settings) as server:
        writers = begin(server, WRITERS)
        with writing(writers), server.client() as client:
            for set_to in (seconds, 0, seconds):
                clock.write_text(f"{set_to}")
                go_on(writers)
                check_reads(client, writers[0].lead)
        assert sum(writer.refused for writer in writers) == 0
        assert [writer.unsure for writer in writers] == [None] * WRITERS
        with server.client() as client:
            assert client.get("/readyz").status == 200
            check_positions(client)
        assert "Traceback" not in server.complained
    with ledger_in(tmp_path / "ledger") as ledger:
        check_told(ledger, writers)
        moments = [step["recorded_at"] for step in ledger.reads.history(UUID(writers[0].lead))]
        apart = datetime.fromisoformat(max(moments)) - datetime.fromisoformat(min(moments))
        # All of it took minutes.
        assert apart.total_seconds() > HOUR - 600, "the clock was not set"


def check_reads(client: Client, lead: str) -> None:
    """They answer, and the token is still good."""
    for path in (f"/v1/leads/{lead}", "/v1/pipeline", "/v1/worklist", "/readyz", "/metrics"):
        assert client.get(path).status == 200, path


def check_positions(client: Client) -> None:
    """What was known at a position is what is told of it, whatever the clock said."""
    last = client.get("/v1/leads").position
    tips = [
        client.get(f"/v1/pipeline?from=2025-01-01&to=2025-12-31&known_at={at}").body["tips"]
        for at in range(1, last + 1, max(1, last // 50))
    ]
    assert tips == sorted(tips)
