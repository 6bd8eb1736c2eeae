"""How gunicorn serves: the settings' address and processes, and workers that stalled clients
cannot hold up.

gevent workers, because with gunicorn's sync and gthread workers a few clients that stall in
mid-request stop all others. No preloading: each worker opens the ledger's files after the fork.
"""

import os
import resource
import signal
import sys
from typing import Any

from service.figures import FIGURES, PARTS
from service.journal import gunicorns
from service.serving import end_with_starter
from service.settings import Settings

_settings = Settings.from_environment()


def _files_for(wanted: int) -> int:
    """How many files each process may have open: as many as are wanted, if that can be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed


bind = f"{_settings.bind}:{_settings.port}"
workers = _settings.workers
# Who else says that a request came by HTTPS, or below another path, is not believed.
forwarded_allow_ips = ",".join(map(str, _settings.trusted_proxies))
worker_class = "service.worker.Worker"
# Each connection is an open file, and the ledger has some of its own: a worker without any left
# could not write any more.
_MOST, _ALSO_OPEN = 4000, 256
worker_connections = max(64, min(_MOST, _files_for(_MOST + _ALSO_OPEN) - _ALSO_OPEN))
preload_app = False
timeout = 60
graceful_timeout = 20
keepalive = 5
accesslog = None
errorlog = "-"
loglevel = "warning"
logconfig_dict = gunicorns(_settings)


def pre_fork(server: Any, worker: Any) -> None:
    """Give a worker a part of the figures' memory that no living one counts in."""
    taken = {other.figures for other in server.WORKERS.values()}
    worker.figures = next(part for part in range(PARTS) if part not in taken)


def post_fork(_server: Any, worker: Any) -> None:
    """Count there. And until the worker has handlers of its own a signal ends it: those that it has
    from the master only note it down, for nobody, and the master would wait for it in vain."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    FIGURES.take(worker.figures)


def on_starting(_server: Any) -> None:
    """Go when ``leadledger serve`` does."""
    end_with_starter()


def post_worker_init(worker: Any) -> None:
    """Tell the worker how long a client may take."""
    worker.patience = _settings.patience


def when_ready(_server: Any) -> None:
    """Say what the start had to say (see ``leadledger serve``), now that requests are answered."""
    pipe = os.environ.pop("LEADLEDGER_GREETING", None)
    if pipe is not None:
        with os.fdopen(int(pipe)) as greeting:
            sys.stdout.write(greeting.read())
            sys.stdout.flush()
