"""The whole service is killed at random instants under load, as often as FAULT_ROUNDS says.

After each start it has what it acknowledged, once; no command is there by half; and the
projections are what the log makes them.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults.load import Writer, check_told, writing
from tests.faults.serving import serving
from tests.service.helpers import ledger_in

pytestmark = pytest.mark.fault

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "200"))
WRITERS = 4
# So many rounds on one ledger, which grows.
OF_ONE = 20


def rounds_on_one(folder: Path, luck: random.Random, rounds: int) -> tuple[int, int]:
    """Kill it so often; how many writes were acknowledged and how many were under way."""
    token, member, writers, unsure = "", "", list[Writer](), 0
    for _ in range(rounds):
        with serving(folder, LEDGER_WORKERS="2") as server:
            token = token or server.token
            if not member:
                with server.client(token) as client:
                    member = client.member()
                writers = [Writer(server, token, member, f"w{n}") for n in range(WRITERS)]
            for writer in writers:
                writer.server = server
            with writing(writers):
                time.sleep(luck.uniform(0, 0.5))
                os.killpg(server.process.pid, signal.SIGKILL)
        unsure += sum(writer.unsure is not None for writer in writers)
        with ledger_in(folder) as ledger:
            check_told(ledger, writers)
    return sum(len(writer.acknowledged) for writer in writers), unsure


def test_a_service_killed_at_any_instant_keeps_its_word(tmp_path: Path) -> None:
    luck, acknowledged, unsure = random.Random(20261127), 0, 0
    for begun in range(0, ROUNDS, OF_ONE):
        rounds = min(OF_ONE, ROUNDS - begun)
        done, open_ = rounds_on_one(tmp_path / f"from-{begun}", luck, rounds)
        acknowledged, unsure = acknowledged + done, unsure + open_
        print(  # noqa: T201
            f"{begun + rounds} kills: {acknowledged} writes acknowledged and there, once; "
            f"{unsure} were under way"
        )
    assert unsure > 0, "nothing was under way at any kill"
