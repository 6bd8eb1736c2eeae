"""A line of the log for each request, where that is asked for: its route, and what was answered.

Nothing that the client put into path, query or body is in it; a token is told by its id.
"""

import logging
from typing import Any

from api.counting import ELSEWHERE, OUTCOME, RULE

HOLDER = "leadledger.holder"
TRACE = "leadledger.trace"
log = logging.getLogger("leadledger.requests")


def note_request(
    environ: dict[str, Any], request: str, status: str, seconds: float, position: int | None
) -> None:
    """Log a request, named as its problem documents name it, that was answered."""
    method, rule = environ["REQUEST_METHOD"], environ.get(RULE, ELSEWHERE)
    route = rule.replace("<", "{").replace(">", "}")
    known = method if method in ("GET", "HEAD", "POST", "OPTIONS") else ELSEWHERE
    told = {
        "request": request,
        "method": known,
        "route": route,
        "status": int(status[:3]),
        "ms": round(seconds * 1e3, 3),
        "position": position,
        "problem": environ.get(OUTCOME) if status[0] >= "4" else None,
        "token": environ.get(HOLDER),
        "trace": environ.get(TRACE),
    }
    fields = {name: value for name, value in told.items() if value is not None}
    log.info("%s %s", known, route, extra={"fields": fields})
