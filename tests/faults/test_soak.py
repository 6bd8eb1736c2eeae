"""Fifty commands a second, and as many reads, for as long as SOAK_SECONDS says; memory stays flat.

The first third is for whatever is kept once; SQLite's page caches, which grow with the files up to
their limit, are limited so far that they are full by then. Printed is by how much each process of
the service grows in an hour, by the rest (least squares), and how long answers took.
"""

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from random import Random
from statistics import linear_regression, quantiles

import pytest

from tests.faults.serving import Server, children_of, serving
from tests.service.helpers import check_projections, ledger_in

pytestmark = pytest.mark.fault

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))
RATE, CALLERS, SEED = 50, 10, 20261128
READS = ("/v1/leads/{lead}", "/v1/pipeline", "/v1/leads?limit=20")
# In MB an hour, of all processes together. In less than half an hour what is kept of answers is
# still filling, each kind of which has a limit.
MOST, LEAST_SECONDS = 30.0, 1800.0
# In MiB, of each connection.
CACHE = 2


def memory(server: Server) -> dict[str, float]:
    """What each of the service's processes has that is in no file, in MB: what they share counts
    once."""
    workers = {f"worker {n}": pid for n, pid in enumerate(sorted(server.workers()), 1)}
    named = {"serve": server.process.pid, "gunicorn": server.web(), "keeper": server.keeper()}
    found = {name: private(pid) for name, pid in {**named, **workers}.items()}
    # Whatever they start for a while.
    known = {*named.values(), *workers.values()}
    others = [pid for one in known for pid in children_of(one) if pid not in known]
    return {**found, "others": sum(map(private, others))}


def private(pid: int) -> float:
    """What one process has that is in no file, in MB; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss_Anon:")) / 1024


def slopes(sizes: Sequence[tuple[float, Mapping[str, float]]]) -> dict[str, float]:
    """By how much each grows in an hour, in MB, and all together (``all``); of sizes at seconds."""
    at = [second for second, _ in sizes]
    series = {name: [size[name] for _, size in sizes] for name in sizes[0][1]}
    series["all"] = [sum(size.values()) for _, size in sizes]
    return {name: linear_regression(at, each).slope * 3600 for name, each in series.items()}


def title(luck: Random) -> str:
    """No two are alike: whoever tips is told what a tip may be the same as."""
    return "".join(chr(ord("一") + luck.randrange(20_000)) for _ in range(8))


def test_memory_stays_flat_under_steady_load(tmp_path: Path) -> None:
    numbers, luck = count(), Random(SEED)
    took: list[float] = []
    sizes: list[tuple[float, dict[str, float]]] = []
    with serving(tmp_path, LEDGER_WORKERS="2", LEDGER_CACHE=f"{CACHE}") as server:
        with server.client() as client:
            member = client.member()
            leads = [client.tip(member, f"项目{n}").body["id"] for n in range(50)]
        began = time.monotonic()

        def call(caller: int) -> None:
            with server.client() as client:
                for nth in count():
                    due = began + (nth * CALLERS + caller) / RATE
                    # On a machine that cannot do so much it is less, and not for longer.
                    if max(due, time.monotonic()) > began + SECONDS:
                        return
                    time.sleep(max(0.0, due - time.monotonic()))
                    number, asked = next(numbers), time.monotonic()
                    lead = luck.choice(leads)
                    if number % 10 == 0:
                        reply = client.tip(member, title(luck))
                    else:
                        reply = client.follow(lead, f"第{number}次")
                    took.append(time.monotonic() - asked)
                    assert reply.status in (200, 201), reply.body
                    if number % 10 == 0:
                        # So each gets about as many events as a lead has in its life.
                        leads.append(reply.body["id"])
                    read = READS[number % 3].format(lead=lead)
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
        slope = slopes(rest)
        grown = ", ".join(f"{name} {by:+.1f}" for name, by in slope.items())
        p50, p99 = quantiles(took, n=100)[49], quantiles(took, n=100)[98]
        print(  # noqa: T201
            f"{elapsed:.0f} s, {len(took) / elapsed:.1f} commands/s: memory "
            f"{sum(rest[0][1].values()):.0f} to {sum(rest[-1][1].values()):.0f} MB, in an hour "
            f"{grown} MB; a command took {p50 * 1e3:.1f} ms, the slowest hundredth over "
            f"{p99 * 1e3:.1f} ms"
        )
        assert elapsed < LEAST_SECONDS or slope["all"] < MOST, sizes
        with server.client() as client:
            assert client.get("/readyz").status == 200
    with ledger_in(tmp_path) as ledger:
        check_projections(ledger)
