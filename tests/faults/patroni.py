"""A primary and a synchronous standby that Patroni runs, with etcd, each as Debian packages it.

Patroni finds out by itself that the primary is gone and promotes the standby; a node that comes
back becomes the standby.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests import postgres as servers
from tests.faults.pairs import DURABLE, Pair, kill
from tests.faults.serving import PATIENCE, free_port, until

# The leader's lease, how often each looks, and how long it tries again: all in seconds.
LEASE, LOOKS, TRIES = 8, 1, 3
# To make the nodes takes longer than anything later.
MAKING = 3 * PATIENCE
MISSING = "Patroni is not here: apt-get install patroni etcd-server postgresql (Debian 12 or newer)"


def debians_programs() -> Path:
    """The folder of the newest PostgreSQL that Debian installed; skips without it, or a manager."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=_version)
    if not found or shutil.which("patroni") is None or shutil.which("etcd") is None:
        pytest.skip(MISSING)
    return found[-1].parent


def _version(initdb: Path) -> int:
    return int(initdb.parts[-3])


def _started(folder: Path, *command: str) -> "Popen[bytes]":
    """A process of the servers' user; what it says is in a file of the folder."""
    plain = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    said = folder / f"{Path(command[0]).name}.log"
    with said.open("ab") as log:
        return Popen(
            command,
            user=servers.user(),
            cwd="/",
            env=plain,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _ended(process: "Popen[bytes]") -> None:
    """End it: by asking, or else by force."""
    process.terminate()
    with suppress(TimeoutExpired):
        process.wait(PATIENCE)
    process.kill()
    process.wait()


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    """A folder of the servers' user."""
    folder = Path(tempfile.mkdtemp(prefix=f"ledger-{name}-"))
    if owner := servers.user():
        shutil.chown(folder, owner)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _etcd() -> Iterator[int]:
    """Where Patroni keeps who leads: the port of an etcd of one node."""
    client, peer = free_port(), free_port()
    with _folder("etcd") as folder:
        at, beside = f"http://127.0.0.1:{client}", f"http://127.0.0.1:{peer}"
        options = [f"--data-dir={folder / 'data'}", f"--listen-client-urls={at}"]
        options += [f"--advertise-client-urls={at}", f"--listen-peer-urls={beside}"]
        options += [f"--initial-advertise-peer-urls={beside}"]
        options += [f"--initial-cluster=default={beside}"]
        process = _started(folder, "etcd", *options)
        try:
            until(lambda: _answer(f"{at}/health"), "etcd to answer")
            yield client
        finally:
            _ended(process)


def _answer(url: str) -> Any:
    """The JSON that is there; None while nothing is."""
    try:
        with urlopen(url, timeout=5) as reply:
            return json.load(reply)
    except (URLError, OSError):
        return None


@dataclass
class Node:
    """A server, and the Patroni that runs it."""

    name: str
    server: servers.Server
    rest: int
    etcd: int
    process: "Popen[bytes] | None" = field(default=None)

    @property
    def configuration(self) -> dict[str, Any]:
        """What Patroni is told, as it stands in a file that is YAML and JSON."""
        rest = f"127.0.0.1:{self.rest}"
        usual = {**servers.USUAL, **DURABLE, "unix_socket_directories": f"{self.server.folder}"}
        return {
            "scope": "office",
            "name": self.name,
            "restapi": {"listen": rest, "connect_address": rest},
            "etcd3": {"host": f"127.0.0.1:{self.etcd}"},
            "bootstrap": {
                "dcs": {
                    "ttl": LEASE,
                    "loop_wait": LOOKS,
                    "retry_timeout": TRIES,
                    "synchronous_mode": True,
                    "postgresql": {"use_pg_rewind": True},
                },
                "initdb": ["no-sync", "no-locale", "data-checksums", {"encoding": "UTF8"}],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.server.port}",
                "connect_address": f"127.0.0.1:{self.server.port}",
                "data_dir": f"{self.server.data}",
                "bin_dir": f"{self.server.programs}",
                "pgpass": f"{self.server.folder / 'pgpass'}",
                "pg_hba": ["local all all trust"]
                + [f"host {what} all 127.0.0.1/32 trust" for what in ("all", "replication")],
                "authentication": {
                    who: {"username": "ledger"} for who in ("superuser", "replication", "rewind")
                },
                "parameters": usual,
            },
        }

    def start(self) -> None:
        """Start Patroni, which makes the server, or starts it, as what it is to be now."""
        file = self.server.folder / "patroni.json"
        file.write_text(json.dumps(self.configuration))
        file.chmod(0o644)
        self.process = _started(self.server.folder, "patroni", f"{file}")

    def lose(self) -> None:
        """Kill the manager and the server at once, as with their machine."""
        assert self.process
        self.process.kill()
        kill(self.server)
        self.process.wait()
        self.process = None

    def end(self) -> None:
        """End both, if they run."""
        if self.process:
            _ended(self.process)

    @property
    def members(self) -> dict[str, tuple[str, str]]:
        """What is known of each node: its role and its state."""
        told = _answer(f"http://127.0.0.1:{self.rest}/cluster") or {"members": []}
        return {one["name"]: (one["role"], one["state"]) for one in told["members"]}


@dataclass
class Managed:
    """Patroni promotes."""

    both: Sequence[Node]
    losses = 2

    @property
    def nodes(self) -> Sequence[servers.Server]:
        return [node.server for node in self.both]

    def complete(self) -> None:
        for node in self.both:
            if node.process is None:
                node.start()
        until(self._whole, "Patroni to have a leader and a synchronous standby", MAKING)

    def _whole(self) -> bool:
        told = [sorted(role for role, _ in node.members.values()) for node in self.both]
        return told == [["leader", "sync_standby"]] * 2

    def leader(self) -> Node | None:
        """The node that takes writes, by what each says of itself; None while there is none."""
        roles = [(node, node.members.get(node.name)) for node in self.both if node.process]
        return next((node for node, said in roles if said == ("leader", "running")), None)

    def lose_primary(self) -> None:
        leader = self.leader()
        assert leader, "nobody leads"
        leader.lose()


@contextmanager
def managed(database: str) -> Iterator[Pair]:
    """A pair with that database, run by Patroni; the test is skipped where that is not here."""
    programs = debians_programs()
    with _etcd() as etcd, ExitStack() as stack:
        nodes = []
        for name in ("one", "two"):
            folder = stack.enter_context(_folder(f"patroni-{name}"))
            node = Node(name, servers.Server(folder, programs, free_port()), free_port(), etcd)
            stack.callback(node.end)
            nodes.append(node)
        pair = Managed(nodes)
        # The first to come becomes the leader.
        nodes[0].start()
        until(pair.leader, "Patroni to make a leader", MAKING)
        nodes[0].server.make_database(database)
        pair.complete()
        yield pair
