"""审计: the history verified now, its checkpoints, keys and alarms, and who was let in."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from api.audit import NDJSON, lines_of
from api.endpoint import ledger
from api.pages.look import may
from api.pages.look import told_later as _
from api.pages.session import holder
from api.pages.site import form, page, show
from service.projections.store import FOREVER
from service.proof import asked

_WHOLE = "read the log"
# kind of access record → what it is called
_KINDS: Mapping[str, str] = {
    "refusal": _("拒绝"),
    "sign-in": _("登录"),
    "token": _("令牌"),
    "personal-data": _("个人信息"),
}
# So many checkpoints are shown, and so many access records.
_MOST_CHECKPOINTS, _MOST_RECORDS = 10, 20


@page("/audit", "audit")
def audit() -> Response:
    """What an auditor looks at first."""
    return _shown()


def _shown(verdict: Any = None) -> Response:
    office, whole = ledger(), may(holder(), _WHOLE)
    return show(
        "audit.html",
        verdict=verdict,
        kinds=_KINDS,
        checkpoints=office.audit.checkpoints(FOREVER, _MOST_CHECKPOINTS)[0],
        keys=office.audit.public_keys(),
        alarms=office.audit.alarms() if whole else [],
        records=office.access.listed(_MOST_RECORDS)[0] if whole else None,
    )


@form("/audit", _WHOLE)
def verify() -> Response:
    """Every event is hashed again, while whoever asked waits."""
    *_, found = asked.verification(ledger())
    return _shown(found)


@page("/audit/progress", _WHOLE)
def progress() -> Response:
    """The same, as lines of JSON that tell how far it is."""
    return Response(lines_of(asked.verification(ledger())), content_type=NDJSON)
