"""Gunicorn reloads and scales under load, and no request fails."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.load import begin, check_told, writing
from tests.faults.serving import Server, serving, until
from tests.service.helpers import ledger_in

pytestmark = [pytest.mark.fault, pytest.mark.both_databases]

WRITERS = 4


def reload(server: Server) -> None:
    """Every worker is replaced."""
    before = set(server.workers())
    server.process.send_signal(signal.SIGHUP)
    until(lambda: not before & set(server.workers()), "the workers before to be gone")
    server.booted(2)


def scale(server: Server) -> None:
    """Two workers more, and one fewer than at first, and as before."""
    for number, count in ((signal.SIGTTIN, 3), (signal.SIGTTIN, 4), (signal.SIGTTOU, 3)):
        server.process.send_signal(number)
        server.booted(count)
    for number, count in ((signal.SIGTTOU, 2), (signal.SIGTTOU, 1), (signal.SIGTTIN, 2)):
        server.process.send_signal(number)
        server.booted(count)


@pytest.mark.parametrize("what", [reload, scale])
@pytest.mark.parametrize("fresh", [True, False], ids=["a connection each", "kept connections"])
def test_no_request_fails_while_workers_come_and_go(
    tmp_path: Path, what: Callable[[Server], None], fresh: bool
) -> None:
    with serving(tmp_path, LEDGER_WORKERS="2") as server:
        writers = begin(server, WRITERS, fresh=fresh)
        with writing(writers):
            for _ in range(3):
                what(server)
        assert [writer.broke for writer in writers] == [""] * WRITERS, "a request failed"
        assert sum(writer.refused for writer in writers) == 0
    with ledger_in(tmp_path) as ledger:
        check_told(ledger, writers)
    longest = max(writer.longest for writer in writers)
    print(f"{len(writers)} writers; the longest pause {longest:.1f} s")  # noqa: T201
