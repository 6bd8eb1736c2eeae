"""The log on stderr: as text, or a line of JSON for each entry, scrubbed in either form."""

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from service.access.scrub import scrubbed
from service.settings import LOGS, Settings

# What LEDGER_LOG may say: text; JSON lines; these, and one for each request.
TEXT, JSON, REQUESTS = LOGS
# Fields that whoever logs gives as `extra={"fields": {…}}`.
_FIELDS = "fields"


class JsonLines(logging.Formatter):
    """An entry as an object in one line: `time`, `level`, `logger`, `message`, more fields if it
    has any, `exception` if it tells of one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, Any] = {
            "time": moment[:23] + "Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": scrubbed(record.getMessage()),
            **getattr(record, _FIELDS, {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            told["exception"] = scrubbed(record.exc_text or self.formatException(record.exc_info))
        return orjson.dumps(told, default=str).decode()


def configure(settings: Settings) -> None:
    """Log as the settings say, in this process from now on."""
    if settings.log == TEXT:
        return
    log = logging.getLogger("leadledger")
    if not any(isinstance(handler.formatter, JsonLines) for handler in log.handlers):
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(JsonLines())
        log.addHandler(handler)
        log.propagate = False
    log.setLevel(logging.INFO)


def teller(settings: Settings, logger: str) -> Callable[[str], None]:
    """What tells one thing on stderr, for the processes beside the workers."""
    if settings.log == TEXT:
        return lambda text: print(text, file=sys.stderr, flush=True)  # noqa: T201
    configure(settings)
    return logging.getLogger(f"leadledger.{logger}").warning


def gunicorns(settings: Settings) -> dict[str, Any]:
    """Gunicorn's own `logconfig_dict`; empty where it logs as it always does."""
    if settings.log == TEXT:
        return {}
    return {
        "formatters": {"json": {"()": JsonLines}},
        "handlers": {
            "json": {
                "class": "logging.StreamHandler",
                "formatter": "json",
                "stream": "ext://sys.stderr",
            }
        },
        "loggers": {
            "gunicorn.error": {"level": "WARNING", "handlers": ["json"], "propagate": False}
        },
        "root": {"level": "WARNING", "handlers": ["json"]},
    }
