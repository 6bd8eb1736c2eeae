"""A primary with a synchronous standby: the primary is killed under load, the standby promoted, and
the service comes back by itself, with everything that it acknowledged, once."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

import pytest

from tests.faults.load import Writer, begin, check_told, go_on, writing
from tests.faults.pairs import Pair, address_of, by_hand
from tests.faults.patroni import managed
from tests.faults.serving import place, serving, until
from tests.service.helpers import ledger_at, settings_in

pytestmark = pytest.mark.fault

WRITERS = 4


def lose_primary(pair: Pair, writers: list[Writer]) -> float:
    """Kill it between writes of everybody; seconds until each was acknowledged ten times more."""
    pair.complete()
    go_on(writers, 10)
    began = time.monotonic()
    pair.lose_primary()
    go_on(writers, 10)
    return time.monotonic() - began


@pytest.mark.parametrize("kind", [by_hand, managed], ids=["by the test", "by Patroni"])
def test_a_primary_that_is_killed_loses_nothing_and_the_service_goes_on(
    tmp_path: Path, kind: Callable[[str], AbstractContextManager[Pair]]
) -> None:
    with kind("office") as pair:
        office = address_of(pair, "office")
        with serving(tmp_path, LEDGER_WORKERS="2", **place(tmp_path, office)) as server:
            writers = begin(server, WRITERS)
            with writing(writers):
                took = [lose_primary(pair, writers) for _ in range(pair.losses)]
            with server.client() as client:
                until(lambda: client.get("/readyz").status == 200, "the ledger to be ready")
                window = "from=2025-01-01&to=2025-12-31"
                assert client.get(f"/v1/pipeline?{window}").body["balanced"]
            assert "Traceback" not in server.complained
        with ledger_at(replace(settings_in(tmp_path), postgres=office)) as ledger:
            events = check_told(ledger, writers)
    longest = max(writer.longest for writer in writers)
    refused = sum(writer.refused for writer in writers)
    each = ", ".join(f"{seconds:.1f}" for seconds in took)
    print(  # noqa: T201
        f"{events} events; the longest pause {longest:.1f} s; {refused} refusals; from the kill to "
        f"ten more writes of each {each} s"
    )
