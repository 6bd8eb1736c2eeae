"""What is refused, as a page: the sentence of the problem document, and what can be done."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

import orjson
from eventsourcing.persistence import PersistenceError
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from api.app import request_now
from api.errors import HANDLERS
from api.pages.look import templates_of
from api.pages.look import told_later as _
from api.pages.refusals import refusal_of
from api.pages.session import drop, maybe_signed_in
from api.pages.site import blueprint, go_to, show
from domain.errors import LedgerError
from service.access.callers import Unauthenticated

# status → what it is called, and what that means for who sees it
WORDS: Mapping[int, tuple[str, str]] = {
    400: (_("请求无法读取"), _("浏览器发来的内容不完整，请返回重试。")),
    401: (_("请先登录"), _("登录已经结束，内容没有保存。登录后返回原页，填写过的内容还在。")),
    403: (_("没有权限"), _("当前身份不能这样做。")),
    404: (_("没有找到"), _("没有这个页面或项目，也可能不在您的区划之内。")),
    405: (_("方式不对"), _("这个地址不接受这样的请求。")),
    408: (_("发送过慢"), _("内容没有发完就中断了，请重试。")),
    409: (_("不能这样做"), _("项目所处的阶段或规则不允许。")),
    412: (_("已被他人修改"), _("在您查看之后，有人改动过这条记录。")),
    413: (_("内容过大"), _("发送的内容超过了上限。")),
    422: (_("填写有误"), _("有一项内容不对，请检查后重试。")),
    429: (_("过于频繁"), _("尝试次数过多，请稍后再试。")),
    500: (_("系统故障"), _("台账自身出了问题，已记入日志。")),
    503: (_("暂时不可用"), _("台账暂时不能使用，请稍后再试。")),
}
_KEPT = ("Retry-After", "Allow")
_UNKNOWN = (_("请求未完成"), _("请返回重试。"))


def _as_page(handler: Callable[[Any], Response]) -> Callable[[Any], Response]:
    """What ``handler`` answers with a problem document, as a page."""

    def shown(error: Exception) -> Response:
        told = handler(error)
        title, meaning = WORDS.get(told.status_code, _UNKNOWN)
        problem = refusal_of(error, orjson.loads(told.data))
        page = show("error.html", told.status_code, title=title, meaning=meaning, problem=problem)
        page.headers.extend((k, v) for k, v in told.headers if k in _KEPT)
        return page

    return shown


def _sign_in_first(error: Unauthenticated) -> Response:
    """To the sign-in page, and from there back; a form that was sent is told so, and is not."""
    request = request_now()
    if request.headers.get("HX-Request"):
        back = urlsplit(request.headers.get("HX-Current-URL", "/")).path
        answer = Response(status=401, headers={"HX-Redirect": f"/signin?next={quote(back)}"})
    elif request.method == "GET":
        path = request.full_path.rstrip("?")
        answer = go_to("/signin" if path == "/" else f"/signin?next={quote(path)}")
    else:
        answer = _as_page(HANDLERS[LedgerError])(error)
    drop(answer)
    return answer


def _no_such_path(error: HTTPException) -> Response:
    """A page for who sits before a browser; a problem document for all others."""
    handler, request = HANDLERS[HTTPException], request_now()
    if "text/html" not in request.headers.get("Accept", "") or _is_api(request.path):
        return handler(error)
    # No page asked who it is. Its forms are of their session all the same.
    with suppress(LedgerError, PersistenceError):
        maybe_signed_in()
    return _as_page(handler)(error)


def _is_api(path: str) -> bool:
    return path.startswith("/v1")


for _kind, _handler in HANDLERS.items():
    blueprint.register_error_handler(_kind, _as_page(_handler))
blueprint.register_error_handler(Unauthenticated, _sign_in_first)


def register(app: Flask) -> None:
    """Answer with a page where no path leads, as well."""
    app.register_error_handler(404, _no_such_path)
    for templates in templates_of(app).values():
        templates.globals["refusal_title"] = lambda status: WORDS.get(status, _UNKNOWN)[0]
