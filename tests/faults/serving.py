"""A real server in processes of its own, and clients that speak to it over real sockets."""

import http.client
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any

from service.postgres import Postgres
from tests.databases import address_of

HOME = Path(__file__).parents[2]
COMMAND = (sys.executable, "-c", "from service.cli import main; main()")
# How many seconds anything may take before a test gives up; none comes near it, unless much else
# keeps the machine busy.
PATIENCE = float(os.environ.get("TEST_PATIENCE", "60"))
# For so many seconds a connection is used again; the service keeps it for five.
KEPT = 3.0
DISTRICT = "320812"


def until(true: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """Poll until ``true`` gives something, and give it; ``what`` is said when it never does."""
    deadline = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < deadline, f"waited {patience} s for {what}"
        time.sleep(0.01)
    return found


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(folder: Path, home: Path = HOME, **settings: str) -> dict[str, str]:
    """The environment of a ledger in ``folder``, free of whatever is set around the tests."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LEDGER_", "PORT"))}
    return {**kept, "PYTHONPATH": str(home), **address_of(folder), **settings}


def place(folder: Path, postgres: Postgres | None) -> dict[str, str]:
    """The settings of a ledger on PostgreSQL, whose other files are in ``folder``; none without."""
    if postgres is None:
        return {}
    return {"LEDGER_DATABASE": postgres.whole_url, "LEDGER_FILES": f"{folder / 'ledger.sqlite'}"}


def children_of(pid: int) -> list[int]:
    """The processes that a process started; none of one that is gone."""
    try:
        return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def listener(port: int) -> str:
    """The socket that connections to a port of this machine come in by, as a process names it;
    none while nobody listens."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, here, _, state, *_, inode = line.split()[:10]
        if here == f"0100007F:{port:04X}" and state == "0A":
            return f"socket:[{inode}]"
    return ""


def watched(pid: int) -> set[str]:
    """The files for which a process's event loops wait just now; nothing of one that is gone."""
    with suppress(OSError):
        files = {file.name: os.readlink(file) for file in Path(f"/proc/{pid}/fd").iterdir()}
        loops = [name for name, file in files.items() if file == "anon_inode:[eventpoll]"]
        told = "".join(Path(f"/proc/{pid}/fdinfo/{name}").read_text() for name in loops)
        names = [line.split()[1] for line in told.splitlines() if line.startswith("tfd:")]
        return {files[name] for name in names if name in files}
    return set()


@dataclass(frozen=True)
class Reply:
    """An answer: its body, a text or as JSON, and its headers by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def position(self) -> int:
        """The log position that it reflects."""
        return int(self.headers["ledger-position"])


class Client:
    """One caller on one kept connection, opened again when it breaks."""

    def __init__(self, port: int, token: str, timeout: float = PATIENCE) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
        self._token = token
        self._used = 0.0

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """One request, ``If_Match=…`` being that header; whatever breaks is raised as OSError."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent["Authorization"] = f"Bearer {self._token}"
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        if time.monotonic() - self._used > KEPT:
            # It may be closed by the other end this very moment.
            self._connection.close()
        self._used = time.monotonic()
        try:
            self._connection.request(method, path, data, sent)
            answer = self._connection.getresponse()
            text = answer.read()
        except (http.client.HTTPException, OSError) as why:
            self._connection.close()
            raise ConnectionError(str(why)) from why
        told = {name.lower(): value for name, value in answer.getheaders()}
        if told.get("content-type", "").startswith("text/"):
            return Reply(answer.status, told, text.decode())
        return Reply(answer.status, told, json.loads(text) if text else None)

    def text(self, path: str) -> str:
        """What GET ``path`` answers, which is a text."""
        reply = self.get(path)
        assert reply.status == 200 and isinstance(reply.body, str), reply
        return reply.body

    def get(self, path: str, **headers: str) -> Reply:
        """GET ``path``."""
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> Reply:
        """POST ``body`` to ``path``."""
        return self.ask("POST", path, body, **headers)

    def member(self, number: str = "QJP-001") -> str:
        """The id of a new member."""
        facts = {"number": number, "name": "王委员", "district": DISTRICT}
        reply = self.post("/v1/members", facts)
        assert reply.status == 201, reply.body
        found: str = reply.body["id"]
        return found

    def tip(self, member: str, title: str = "示例项目", **headers: str) -> Reply:
        """The answer to a tip of that member."""
        facts = {"title": title, "members": [member], "district": DISTRICT}
        return self.post("/v1/leads", {**facts, "occurred_on": "2025-03-18"}, **headers)

    def follow(self, lead: str, result: str, **headers: str) -> Reply:
        """The answer to a follow-up, which any open lead takes any number of."""
        facts = {"form": "visit", "result": result, "occurred_on": "2025-04-01"}
        return self.post(f"/v1/leads/{lead}/follow-ups", facts, **headers)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Server:
    """``leadledger serve`` in a process group of its own."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        port: int | None = None,
        home: Path = HOME,
        cwd: Path | None = None,
        wait: bool = True,
        **settings: str,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.folder = folder
        self._said, self._complained = folder / "stdout", folder / "stderr"
        with self._said.open("wb") as out, self._complained.open("wb") as err:
            self.process = Popen(
                [*COMMAND, "serve", *arguments],
                env=environment(folder, home, **{"PORT": str(self.port), **settings}),
                cwd=cwd or folder,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        if wait:
            self._wait()

    def _wait(self) -> None:
        """Return when it has greeted; one that never does is ended, as nobody else could."""
        try:
            until(lambda: "curl " in self.said or self.process.poll() is not None, "the greeting")
            assert self.process.poll() is None, self.complained
        except AssertionError:
            self.end()
            raise

    @property
    def said(self) -> str:
        """What it printed so far."""
        return self._said.read_text("utf-8")

    @property
    def complained(self) -> str:
        """What it printed to stderr so far."""
        return self._complained.read_text("utf-8")

    @property
    def token(self) -> str:
        """The first administrator's token; fails when none was printed."""
        (token,) = [line for line in self.said.splitlines() if line.startswith("ll_")]
        return token

    def client(self, token: str | None = None, timeout: float = PATIENCE) -> Client:
        """A caller, by default the first administrator."""
        return Client(self.port, token or self.token, timeout)

    def web(self) -> int:
        """Gunicorn's first process; 0 while there is none."""
        # It may have given itself a title, so any part of its words will do.
        return self._child("gunicorn")

    def keeper(self) -> int:
        """The keeper; 0 while there is none."""
        return self._child("\0keeper\0")

    def _child(self, word: str) -> int:
        for pid in children_of(self.process.pid):
            with suppress(OSError):
                if word in Path(f"/proc/{pid}/cmdline").read_text():
                    return pid
        return 0

    def workers(self) -> list[int]:
        """The processes that answer requests."""
        web = self.web()
        return children_of(web) if web else []

    def booted(self, count: int) -> list[int]:
        """The workers, once so many of them take connections."""

        def found() -> list[int]:
            door = listener(self.port)
            workers = [pid for pid in self.workers() if door in watched(pid)]
            return workers if len(workers) == count else []

        workers: list[int] = until(found, f"{count} workers that take connections")
        return workers

    def alive(self) -> bool:
        """Whether any process that it started is left."""
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to stop; its exit status."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Make an end of it, and of everything that it started."""
        with suppress(ProcessLookupError, TimeoutExpired):
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait(20)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)


@contextmanager
def serving(folder: Path, *arguments: str, **how: Any) -> Iterator[Server]:
    """A server that answers; ended, whatever happens."""
    server = Server(folder, *arguments, **how)
    try:
        yield server
    finally:
        server.end()
