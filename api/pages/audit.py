"""审计: the history verified now, its checkpoints, keys and alarms, and who was let in."""

from collections.abc import Mapping
from typing import Any

from flask import Response, stream_with_context

from api.audit import NDJSON, lines_of
from api.endpoint import ledger
from api.pages.look import ROLES, may
from api.pages.look import told_later as _
from api.pages.refusals import or_quoted
from api.pages.session import holder
from api.pages.site import form, page, show
from api.pages.texts import gettext
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
# How an access record's action begins → what it is called; of two that fit, the first.
ACTIONS: Mapping[str, str] = {
    "sign in with a token as": _("用令牌登录"),
    "sign in through the provider as": _("经统一登录进入"),
    "take a provider's token as": _("首次使用统一登录的令牌"),
    "sign out": _("退出登录"),
    "issue a token of role member in the place of its others": _("重做委员的个人链接"),
    "issue a token of role": _("签发令牌"),
    "rotate a token": _("轮换令牌"),
    "revoke a token": _("停用令牌"),
    "read a contact": _("查看联系方式"),
    "erase a person": _("销毁个人信息"),
    "export contacts unmasked": _("导出未隐去的联系方式"),
    "back up the keys of personal data": _("备份个人信息的密钥"),
}
# The code of what was refused → what it is called.
_OUTCOMES: Mapping[str, str] = {
    "unauthenticated": _("未登录"),
    "forbidden": _("没有权限"),
    "not-found": _("不可见"),
    "slow-down": _("过于频繁"),
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
        outcomes=_OUTCOMES,
        called=called,
        checkpoints=office.audit.checkpoints(FOREVER, _MOST_CHECKPOINTS)[0],
        keys=office.audit.public_keys(),
        alarms=office.audit.alarms() if whole else [],
        records=office.access.listed(_MOST_RECORDS)[0] if whole else None,
    )


def called(action: str) -> tuple[str, str]:
    """What an access record's ``action`` is called, and the role that it names; a refused request
    is called by its method and path, as programs are."""
    for begin, label in ACTIONS.items():
        if action.startswith(begin):
            named = action.removeprefix(begin).strip().partition(",")[0]
            return gettext(label), gettext(ROLES[named]) if named in ROLES else ""
    return "", ""


@form("/audit", _WHOLE)
def verify() -> Response:
    """Every event is hashed again, while whoever asked waits."""
    *_, found = asked.verification(ledger())
    return _shown(found)


@page("/audit/progress", _WHOLE)
def progress() -> Response:
    """The same, as lines of JSON that tell how far it is."""
    found = map(_in_words, asked.verification(ledger()))
    return Response(stream_with_context(lines_of(found)), content_type=NDJSON)


def _in_words(told: dict[str, Any]) -> dict[str, Any]:
    """What does not hold, in the page's language."""
    detail = told.get("detail")
    return {**told, "detail": or_quoted(detail).striptags()} if detail else told
