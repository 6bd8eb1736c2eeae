"""The whole service is killed at random instants under load, as often as FAULT_ROUNDS says.

After each start it has what it acknowledged, once; no command is there by half; and the
projections are what the log makes them.
"""

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from service.postgres import Postgres
from tests.faults.load import Writer, begin, check_told, writing
from tests.faults.serving import place, serving
from tests.postgres import database_of
from tests.service.helpers import ledger_at, settings_in

pytestmark = pytest.mark.fault

ROUNDS = int(os.environ.get("FAULT_ROUNDS", "200"))
SEED = int(os.environ.get("FAULT_SEED", "20261127"))
WRITERS = 4
# So many rounds on one ledger, which grows.
OF_ONE = 20


def rounds_on_one(
    folder: Path, luck: random.Random, rounds: int, postgres: Postgres | None = None
) -> tuple[int, int]:
    """Kill it so often; how many writes were acknowledged and how many were under way."""
    token, writers, unsure = "", list[Writer](), 0
    for _ in range(rounds):
        with serving(folder, LEDGER_WORKERS="2", **place(folder, postgres)) as server:
            token = token or server.token
            writers = writers or begin(server, WRITERS, token)
            for writer in writers:
                writer.server = server
            with writing(writers):
                time.sleep(luck.uniform(0, 0.5))
                os.killpg(server.process.pid, signal.SIGKILL)
        unsure += sum(writer.unsure is not None for writer in writers)
        with ledger_at(replace(settings_in(folder), postgres=postgres)) as ledger:
            check_told(ledger, writers)
    return sum(len(writer.acknowledged) for writer in writers), unsure


def killed(folder: Path, rounds: int, database: Callable[[Path], Postgres | None]) -> None:
    """Kill it so often, on a new ledger now and then, each in a database of its own."""
    luck, acknowledged, unsure = random.Random(SEED), 0, 0
    for begun in range(0, rounds, OF_ONE):
        some, place = min(OF_ONE, rounds - begun), folder / f"from-{begun}"
        done, open_ = rounds_on_one(place, luck, some, database(place))
        acknowledged, unsure = acknowledged + done, unsure + open_
        print(  # noqa: T201
            f"{begun + some} kills: {acknowledged} writes acknowledged and there, once; "
            f"{unsure} were under way",
            flush=True,
        )
    assert unsure > 0, "nothing was under way at any kill"


def test_a_service_killed_at_any_instant_keeps_its_word(tmp_path: Path) -> None:
    killed(tmp_path, ROUNDS, lambda _place: None)


def test_a_service_on_postgresql_killed_at_any_instant_keeps_its_word(tmp_path: Path) -> None:
    killed(tmp_path, max(1, ROUNDS // 4), database_of)
