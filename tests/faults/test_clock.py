"""The machine's clock is set back and forward an hour under load (libfaketime, where installed)."""

from pathlib import Path

import pytest

from tests.faults.load import Writer, check_told, writing
from tests.faults.serving import Client, serving, until
from tests.service.helpers import ledger_in

pytestmark = pytest.mark.fault

WRITERS = 4
# On Debian: apt-get install faketime. The first for processes with threads.
LIBRARIES = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


@pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")
@pytest.mark.parametrize("hour", ["-1h", "+1h"])
def test_a_clock_that_is_set_loses_nothing_and_confuses_no_order(tmp_path: Path, hour: str) -> None:
    clock = tmp_path / "clock"
    clock.write_text("+0")
    settings = {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        # As when an administrator sets it: what only counts goes on.
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with serving(tmp_path / "ledger", LEDGER_WORKERS="2", **settings) as server:
        with server.client() as client:
            member = client.member()
        writers = [Writer(server, server.token, member, f"w{n}") for n in range(WRITERS)]
        with writing(writers), server.client() as client:
            for set_to in (hour, "+0", hour):
                clock.write_text(set_to)
                told = [len(writer.acknowledged) for writer in writers]
                until(
                    lambda told=told: all(  # type: ignore[misc]
                        len(writer.acknowledged) > before + 3
                        for writer, before in zip(writers, told, strict=True)
                    ),
                    "every writer to be answered with the clock set",
                )
                check_reads(client, writers[0].lead)
        assert sum(writer.refused for writer in writers) == 0
        assert [writer.unsure for writer in writers] == [None] * WRITERS
        with server.client() as client:
            assert client.get("/readyz").status == 200
            check_positions(client)
        assert "Traceback" not in server.complained
    with ledger_in(tmp_path / "ledger") as ledger:
        check_told(ledger, writers)


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
