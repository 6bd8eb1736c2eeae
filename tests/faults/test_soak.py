"""Fifty commands a second, and as many reads, for as long as SOAK_SECONDS says; memory stays flat.

The first third is for whatever is kept once. Printed is by how much the service's processes grow
in an hour, by the rest (least squares), and how long answers took.
"""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from statistics import linear_regression, quantiles

import pytest

from tests.faults.serving import Server, children_of, serving
from tests.service.helpers import check_projections, ledger_in

pytestmark = pytest.mark.fault

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
RATE, CALLERS = 50, 10
READS = ("/v1/leads/{lead}", "/v1/pipeline", "/v1/leads?limit=20")
# In MB an hour, of all processes together. For half an hour SQLite's page caches and what is kept
# of answers may still be filling, each of which has a limit.
MOST, LEAST_SECONDS = 60.0, 1800.0


def memory(server: Server) -> float:
    """What the service's processes have that is in no file, in MB: what they share counts once."""
    found, pids = 0, [server.process.pid]
    while pids:
        pid = pids.pop()
        pids += children_of(pid)
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        found += sum(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:"))
    return found / 1024


def test_memory_stays_flat_under_steady_load(tmp_path: Path) -> None:
    began, numbers = time.monotonic(), count()
    took: list[float] = []
    sizes: list[tuple[float, float]] = []
    with serving(tmp_path, LEDGER_WORKERS="2") as server:
        with server.client() as client:
            member = client.member()
            leads = [client.tip(member, f"项目{n}").body["id"] for n in range(50)]

        def call(caller: int) -> None:
            with server.client() as client:
                for nth in count():
                    due = began + (nth * CALLERS + caller) / RATE
                    # On a machine that cannot do so much it is less, and not for longer.
                    if max(due, time.monotonic()) > began + SECONDS:
                        return
                    time.sleep(max(0.0, due - time.monotonic()))
                    number, asked = next(numbers), time.monotonic()
                    if number % 10 == 0:
                        reply = client.tip(member, f"新项目{number}")
                    else:
                        reply = client.follow(leads[number % len(leads)], f"第{number}次")
                    took.append(time.monotonic() - asked)
                    assert reply.status in (200, 201), reply.body
                    read = READS[number % 3].format(lead=leads[number % 50])
                    assert client.get(read).status == 200

        with ThreadPoolExecutor(CALLERS) as pool:
            calling = [pool.submit(call, caller) for caller in range(CALLERS)]
            while not all(one.done() for one in calling):
                sizes.append((time.monotonic() - began, memory(server)))
                time.sleep(min(5.0, SECONDS / 20))
            for one in calling:
                one.result()
        elapsed = time.monotonic() - began
        rest = [(at, size) for at, size in sizes if at > elapsed / 3]
        slope = linear_regression(*zip(*rest, strict=True)).slope * 3600
        p50, p99 = quantiles(took, n=100)[49], quantiles(took, n=100)[98]
        print(  # noqa: T201
            f"{elapsed:.0f} s, {len(took) / elapsed:.1f} commands/s: memory {rest[0][1]:.0f} to "
            f"{rest[-1][1]:.0f} MB, {slope:+.1f} MB an hour; a command took {p50 * 1e3:.1f} ms, "
            f"the slowest hundredth over {p99 * 1e3:.1f} ms"
        )
        assert elapsed < LEAST_SECONDS or slope < MOST, sizes
        with server.client() as client:
            assert client.get("/readyz").status == 200
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)
