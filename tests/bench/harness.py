"""Servers to measure, bursts of load on them, and figures: ratios of what one run measured."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from http.client import HTTPConnection
from pathlib import Path
from socket import socket
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
RESULTS = Path(__file__).parent / "RESULTS.md"
CORES = sorted(os.sched_getaffinity(0))
# The servers share one core and the clients have another, so that neither takes from the other.
SERVER_CORE, CLIENT_CORE = (CORES[1], CORES[0]) if len(CORES) > 1 else (None, None)
CONNECTIONS = 16
PATIENCE = 60.0


class Limit(NamedTuple):
    """Figures are good ``at_least`` or ``at_most`` so much; both None: only reported."""

    at_least: float | None = None
    at_most: float | None = None

    def __str__(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else "–"

    def allows(self, value: float) -> bool:
        """Whether ``value`` is within it."""
        least, most = self.at_least, self.at_most
        return (least is None or value >= least) and (most is None or value <= most)


REPORTED = Limit()
HEAD = f"""\
On {len(CORES)} cores. Each figure is the median of rounds in which both sides were measured in \
turn, with the lowest and the highest round beside it.

| figure | median | rounds | limit | | measured |
|---|---|---|---|---|---|"""


@dataclass(frozen=True)
class Figure:
    """What one round after the other gave, and its limit; ``detail`` says what was measured."""

    name: str
    rounds: Sequence[float]
    limit: Limit
    detail: str = ""
    unit: str = ""

    @property
    def value(self) -> float:
        """The median round."""
        return statistics.median(self.rounds)

    def __str__(self) -> str:
        spread = f" ({min(self.rounds):.2f}–{max(self.rounds):.2f})" if self.rounds[1:] else ""
        return (
            f"{self.name}: {self.value:.2f}{self.unit}{spread}, limit {self.limit}. {self.detail}"
        )


class Report:
    """The run's figures; each is printed as it comes."""

    def __init__(self) -> None:
        self.figures: list[Figure] = []

    def add(
        self,
        name: str,
        rounds: Sequence[float],
        limit: Limit = REPORTED,
        detail: str = "",
        unit: str = "",
    ) -> Figure:
        """Note a figure and print it."""
        figure = Figure(name, rounds, limit, detail, unit)
        self.figures.append(figure)
        print(f"\n  {figure}", flush=True)
        return figure

    def markdown(self, before: str = "") -> str:
        """All figures as a table; those of the table ``before`` that were not measured now stay."""
        measured = measured_now()
        rows = {line.split(" | ")[0]: line for line in before.splitlines() if line[:2] == "| "}
        for name in [name for name in rows if name in ("| figure", "|---")]:
            del rows[name]
        for figure in self.figures:
            spread = f"{min(figure.rounds):.2f}–{max(figure.rounds):.2f}"
            mark = "" if figure.limit.allows(figure.value) else " **missed**"
            rows[f"| {figure.name}"] = (
                f"| {figure.name} | {figure.value:.2f}{figure.unit}{mark} | {spread} "
                f"| {figure.limit} | {figure.detail} | {measured} |"
            )
        return "\n".join([HEAD, *rows.values()]) + "\n"


def measured_now() -> str:
    """On which day, and at which commit."""
    commit = subprocess.run(  # noqa: PLW1510
        ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    return f"{date.today()} {commit}"  # noqa: DTZ011


def check(*figures: Figure) -> None:
    """Fail, naming each, when figures are outside their limits."""
    missed = [str(figure) for figure in figures if not figure.limit.allows(figure.value)]
    assert not missed, "\n".join(missed)


class Burst(NamedTuple):
    """What a load generator saw: requests answered per second, and the client's own busy share."""

    rate: float
    busy: float
    latency: Mapping[str, float]
    cpu: float  # the server's CPU seconds per request


@dataclass(frozen=True)
class Server:
    """A gunicorn that runs; ``pid`` is its master's."""

    port: int
    pid: int

    def load(
        self,
        requests: Sequence[tuple[str, str]],
        *,
        seconds: float = 1.0,
        connections: int = CONNECTIONS,
        skip: int = 0,
    ) -> Burst:
        """One burst of ``requests``, (kind, HTTP text) pairs; every answer must be a success."""
        plan = {
            "port": self.port,
            "connections": connections,
            "seconds": seconds,
            "skip": skip,
            "core": CLIENT_CORE,
            "requests": requests,
        }
        before = self._cpu()
        done = subprocess.run(  # noqa: PLW1510
            [sys.executable, "-S", "-E", str(Path(__file__).parent / "load.py")],
            input=json.dumps(plan),
            capture_output=True,
            text=True,
            timeout=PATIENCE + seconds,
        )
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert set(found["statuses"]) <= {"200", "201"}, found["statuses"]
        answers = sum(found["statuses"].values())
        cpu = (self._cpu() - before) / answers
        return Burst(answers / found["seconds"], found["busy"], found["latency"], cpu)

    def ask(
        self,
        method: str,
        path: str,
        token: str = "",
        body: Any = None,
        patience: float = PATIENCE,
    ) -> Any:
        """One request, outside of any measurement; its JSON."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=patience)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        try:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            text = answer.read()
            assert answer.status < 300, (answer.status, text)
            return json.loads(text)
        finally:
            connection.close()

    def _cpu(self) -> float:
        """CPU seconds that master and workers have used, as exactly as the kernel counts them."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        threads = (Path(f"/proc/{pid}/task").iterdir() for pid in (f"{self.pid}", *children))
        each = [(thread / "schedstat").read_text() for of_one in threads for thread in of_one]
        return sum(int(told.split()[0]) for told in each) / 1e9


@contextmanager
def serving(app: str, environment: Mapping[str, str], probe: str) -> Iterator[Server]:
    """``app`` under gunicorn with the service's own configuration; it answers GET ``probe``."""
    port = _free_port()
    gunicorn = [sys.executable, "-m", "gunicorn", "--config", "service/gunicorn_conf.py", app]
    if SERVER_CORE is not None and shutil.which("taskset"):
        gunicorn = ["taskset", "-c", str(SERVER_CORE), *gunicorn]
    process = subprocess.Popen(
        gunicorn, cwd=ROOT, env=child_environment(PORT=str(port), **environment)
    )
    try:
        server = Server(port, process.pid)
        _await(process, port, probe)
        yield server
    finally:
        process.terminate()
        process.wait(PATIENCE)


def child_environment(**more: str) -> dict[str, str]:
    """Our environment for a child process of the project, with nothing of the ledger's but more."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LEDGER_") and k != "PORT"}
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def _free_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _await(process: "subprocess.Popen[bytes]", port: int, probe: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        assert process.poll() is None, "gunicorn ended"
        connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            connection.request("GET", probe)
            assert connection.getresponse().status == 200
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, "gunicorn does not answer"
            time.sleep(0.05)
        finally:
            connection.close()


def http(method: str, path: str, token: str = "", body: Any = None) -> str:
    """A request as it goes over the wire."""
    data = json.dumps(body, ensure_ascii=False) if body is not None else ""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    if data:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data.encode())}"]
    return "\r\n".join([*lines, "", data])


def in_turn(
    first: Callable[[int], Burst], second: Callable[[int], Burst], rounds: int
) -> list[tuple[Burst, Burst]]:
    """First and second, again and again, after one turn that warms both up and is forgotten.

    Every other round begins with the second, so that a drift favours neither.
    """
    found = []
    for number in range(rounds + 1):
        if number % 2:
            a, b = first(number), second(number)
        else:
            b, a = second(number), first(number)
        found.append((a, b))
    return found[1:]


def work(
    what: str, *arguments: str, database: Path | Mapping[str, str], module: str = "work"
) -> dict[str, Any]:
    """Run a job of ``tests/bench/work.py`` in a process of its own; what it found. ``database``: a
    file, or the settings of a ledger elsewhere."""
    where = {"LEDGER_DATABASE": f"sqlite:///{database}"} if isinstance(database, Path) else database
    done = subprocess.run(  # noqa: PLW1510
        [sys.executable, "-m", f"tests.bench.{module}", what, *arguments],
        cwd=ROOT,
        env=child_environment(**where),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found
