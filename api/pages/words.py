"""What facts, events and values are called, in the office's words: the one table of it."""

import re
from collections.abc import Mapping
from typing import Any

from api.pages.figures import day_words
from api.pages.look import told_later as _
from api.pages.texts import gettext, language
from domain.stage import LABELS, OUTCOMES
from service.reports.annual import amount_words

# A fact, by the name of its field → what it is called.
FACTS: Mapping[str, str] = {
    "occurred_on": _("发生日期"),
    "note": _("备注"),
    "title": _("项目名称"),
    "summary": _("项目简介"),
    "members": _("提供委员"),
    "district": _("区划代码"),
    "investor": _("投资方"),
    "investor.name": _("投资方名称"),
    "investor.uscc": _("统一社会信用代码"),
    "investor.country": _("投资方国别"),
    "industry": _("产业代码"),
    "investment": _("投资额"),
    "investment.amount": _("数额"),
    "investment.unit": _("单位"),
    "contact": _("联系人"),
    "contact.name": _("联系人姓名"),
    "contact.phone": _("联系电话"),
    "verdict": _("研判结论"),
    "reason": _("理由"),
    "duplicate_of": _("与哪个项目重复"),
    "responsible_unit": _("责任单位"),
    "manager": _("责任人"),
    "form": _("跟进方式"),
    "result": _("跟进结果"),
    "next_on": _("下次跟进日期"),
    "expected_on": _("预计签约日期"),
    "agreement": _("协议类型"),
    "contract": _("投资合同"),
    "number": _("合同编号"),
    "document_sha256": _("文件指纹（SHA-256）"),
    "start": _("开工方式"),
    "evidence": _("开工佐证"),
    "evidence.kind": _("佐证类别"),
    "evidence.reference": _("文号或说明"),
    "stage": _("认定阶段"),
    "authority": _("认定单位"),
    "review_on": _("复查日期"),
    "outcome": _("终止结果"),
    "lost_to": _("流向何处"),
    "shares": _("首报功劳份额"),
    "shares.share": _("份额"),
    "waivers": _("豁免"),
    "waived": _("豁免"),
    "void": _("此事从未发生"),
    "version": _("版本"),
}
# fact → value → what it is called
VALUES: Mapping[str, Mapping[str, str]] = {
    "verdict": {"pursue": _("予以跟进"), "decline": _("不予跟进"), "duplicate": _("重复")},
    "form": {
        "visit": _("走访"),
        "call": _("电话"),
        "meeting": _("会谈"),
        "site": _("现场考察"),
        "none": _("无进展"),
    },
    "agreement": {"contract": _("投资合同"), "framework": _("框架协议")},
    "start": {
        "construction": _("主体施工"),
        "equipment": _("设备进场"),
        "opening": _("开业"),
    },
    "evidence.kind": {
        "permit": _("施工许可证"),
        "filing": _("备案"),
        "contract": _("施工合同"),
        "photo": _("现场照片"),
        "acceptance": _("验收单"),
    },
    "stage": LABELS,
    "outcome": {name: label for name, (label, _stages) in OUTCOMES.items()},
}
# An event's name → what happened.
EVENTS: Mapping[str, str] = {
    "tipped": _("提供信息"),
    "screened": _("研判"),
    "negotiation_opened": _("开始洽谈"),
    "followed_up": _("跟进记录"),
    "members_told": _("告知委员"),
    "members_joined": _("重复项目的委员并入"),
    "members_left": _("重复项目的委员撤出"),
    "signing_planned": _("即将签约"),
    "framework_agreed": _("签订框架协议"),
    "signed": _("签约"),
    "groundbroken": _("开工"),
    "recognised": _("上级认定"),
    "suspended": _("暂缓"),
    "resumed": _("恢复"),
    "closed": _("终止"),
    "reopened": _("重启"),
    "transfer_proposed": _("提出流转"),
    "transferred": _("接收流转"),
    "transfer_refused": _("退回流转"),
    "revised": _("变更项目信息"),
    "corrected": _("更正"),
    "credit_ruled": _("裁定首报功劳"),
}
# Why two leads may be the same.
ALIKE: Mapping[str, str] = {
    "uscc": _("信用代码相同"),
    "investor": _("投资方相近"),
    "title": _("名称相近"),
}
# What the ledger calls who acts where nobody has a name, and from where → what that is called.
_NAMES = [
    (re.compile(said), told)
    for said, told in (
        (r"import of (?P<file>.+)", _("导入 %(file)s")),
        (r"user (?P<number>\d+) at the command line", _("命令行的 %(number)s 号用户")),
        (r"(?P<user>\S+) at the command line", _("命令行用户 %(user)s")),
        ("command line", _("命令行")),
        ("the keeper", _("守护进程")),
        ("first administrator", _("首位管理员")),
        ("this machine", _("本机")),
    )
]
_DAYS = frozenset({"occurred_on", "next_on", "expected_on", "review_on", "reported_on"})


def name_of(fact: str) -> str:
    """What a fact is called."""
    return gettext(FACTS[fact]) if fact in FACTS else fact


def event_name(event: str) -> str:
    """What an event is called."""
    return gettext(EVENTS.get(event, event))


def value_of(fact: str, value: Any) -> str:
    """A fact in words; a dash for none."""
    if value is None or value == []:
        return "—"
    if isinstance(value, list):
        return "；".join(value_of(fact, one) for one in value)
    if isinstance(value, Mapping):
        return _parts(fact, value)
    if fact in _DAYS:
        return day_words(value)
    words = VALUES.get(fact, {})
    return gettext(words[value]) if value in words else f"{value}"


def _parts(fact: str, value: Mapping[str, Any]) -> str:
    """A fact that has several parts, in one line."""
    if "amount" in value:
        return amount_words(value["amount"], value["unit"])
    if fact == "waived":
        return f"{name_of(value['fact'])}：{value['why']}"
    told = [
        value_of(f"{fact}.{part}", inner)
        for part, inner in value.items()
        if inner is not None and part not in ("subject", "member", "cny")
    ]
    return " ".join(told)


def addressed(name: str) -> str:
    """A member as one is spoken to."""
    return name if name.endswith("委员") or language() == "en" else f"{name}委员"


def who(actor: str) -> str:
    """A recorded actor's name, without the id of the token; in the page's language where the
    ledger itself gave the name."""
    name = actor.rpartition(" (")[0] or actor
    for said, told in _NAMES:
        found = said.fullmatch(name)
        if found:
            return gettext(told) % found.groupdict()
    return name
