"""What ``leadledger serve`` runs: gunicorn and the keeper, neither of which outlives the other.

A keeper that ended is started again. When gunicorn ends everything does. Both ask the kernel to
end them with this process, however it ends (Linux only; elsewhere only an orderly end is whole).
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import FrameType

from service.journal import teller
from service.settings import HOME, PLACE, Settings

# Who started it, for a process that is not to outlive that one.
STARTER = "LEADLEDGER_STARTER"
_PR_SET_PDEATHSIG = 1
_PATIENCE = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


def end_with_starter() -> None:
    """Have the kernel send SIGTERM when the process that started this one ends."""
    starter = os.environ.get(STARTER)
    if starter is None or sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != int(starter):
        # It ended before the kernel was asked.
        os.kill(os.getpid(), signal.SIGTERM)


class Serving:
    """Gunicorn and a keeper as children of this process."""

    def __init__(self, settings: Settings, greeting: str) -> None:
        # Where a child works on the same files, whatever folder it is started in.
        same = replace(settings, database=settings.database.resolve()).environment()
        where = {name: same[name] for name in PLACE if name in same}
        self._environment = {**os.environ, **where, STARTER: str(os.getpid())}
        self._greeting = greeting
        self._keeps = settings.keeps
        self._tell = teller(settings, "serve")
        self._web: subprocess.Popen[bytes] | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._keeper_began = 0.0
        self._pause = _FIRST_PAUSE
        self._asked_to_stop = False

    def run(self) -> int:
        """Serve until told to stop; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
            signal.signal(number, self._stop)
        # Gunicorn's own: to replace its workers, to have one more of them, and one fewer.
        for number in (signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU):
            signal.signal(number, self._pass_on)
        signal.signal(signal.SIGALRM, self._start_keeper)
        if self._keeps:
            self._start_keeper()
        web = self._start_web()
        while (status := web.poll()) is None:
            self._await_an_end()
        self._end_keeper()
        return 128 - status if status < 0 else status

    def _start_web(self) -> "subprocess.Popen[bytes]":
        # The greeting goes through a pipe, so that gunicorn gives it when it is ready and the
        # token stands in no process list, environment or file.
        ready, write = os.pipe()
        os.write(write, self._greeting.encode())
        os.close(write)
        config = str(Path(__file__).parent / "gunicorn_conf.py")
        self._web = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "--config", config, "wsgi:app"],
            env={**self._environment, "LEADLEDGER_GREETING": str(ready)},
            cwd=HOME,
            pass_fds=[ready],
        )
        os.close(ready)
        if self._asked_to_stop:
            self._web.terminate()
        return self._web

    def _start_keeper(self, *_: object) -> None:
        if self._asked_to_stop:
            return
        self._keeper_began = time.monotonic()
        program = "from service.cli import main; main()"
        self._keeper = subprocess.Popen(
            [sys.executable, "-c", program, "keeper"], env=self._environment
        )

    def _await_an_end(self) -> None:
        """Return when a child has ended; a keeper that did is started again in a while."""
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if ended and ended.si_pid not in (
            child.pid for child in (self._web, self._keeper) if child
        ):
            # A grandchild whose own parent is gone: in a container they come to us.
            os.waitpid(ended.si_pid, 0)
        if self._keeper and self._keeper.poll() is not None and not self._asked_to_stop:
            self._tell(f"The keeper ended with status {self._keeper.returncode}.")
            lived = time.monotonic() - self._keeper_began
            short = lived < _LONGEST_PAUSE
            signal.setitimer(signal.ITIMER_REAL, self._pause)
            self._pause = min(2 * self._pause, _LONGEST_PAUSE) if short else _FIRST_PAUSE
            self._keeper = None

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        self._asked_to_stop = True
        self._pass_on(number, None)
        if self._keeper:
            self._keeper.terminate()

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        if self._web:
            self._web.send_signal(number)

    def _end_keeper(self) -> None:
        self._asked_to_stop = True
        if self._keeper is None:
            return
        self._keeper.terminate()
        try:
            self._keeper.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._keeper.kill()
            self._keeper.wait()
