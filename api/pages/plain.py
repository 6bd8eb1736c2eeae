"""What is refused, in Chinese: the ledger's own sentences, which are English, told again.

A sentence that stands in no line of the table is shown as it is, and so is every one on pages in
English.
"""

import re
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from api.pages.texts import gettext, language
from api.pages.words import FACTS
from domain.stage import LABELS

_WORDS = {**LABELS, "contract": "投资合同"}
_STAGE, _DAY, _REST = r"(\w+) \(([^)]*)\)", r"(\d{4}-\d\d-\d\d)", "(.+)"

# The ledger's sentence, as a pattern → the same in Chinese; {1} is its first part.
SENTENCES: Mapping[str, str] = {
    r"Missing data for required field\.": "此项必填。",
    r"Field may not be null\.": "此项不能为空。",
    r"It is empty\.": "此项不能为空。",
    r"It is given twice\.": "此项填了两次。",
    r"Unknown field\.": "这里没有这一项。",
    r"Must be one of: .+": "请从所列选项中选择。",
    rf"{_DAY} is in the future; today is {_DAY} in China\.": "{1} 还没有到，今天是 {2}。",
    rf"{_DAY} is before the lead was tipped on {_DAY}\.": "{1} 早于提供信息的日期 {2}。",
    rf"{_DAY} is before the lead became (\w+) on {_DAY}\.": "{1} 早于进入“{2}”阶段的日期 {3}。",
    rf"{_DAY} is before the last plan was made on {_DAY}\.": "{1} 早于上一次签约计划的日期 {2}。",
    rf"{_DAY} is before the plan of {_DAY} itself\.": "{1} 早于作出计划的日期 {2}。",
    rf"{_DAY} is before the follow-up on {_DAY}\.": "{1} 早于跟进日期 {2}。",
    rf"{_DAY} is before the suspension, {_DAY}\.": "{1} 早于暂缓日期 {2}。",
    rf"{_DAY} is before it was last suspended or resumed on {_DAY}\.": (
        "{1} 早于上一次暂缓或恢复的日期 {2}。"
    ),
    rf"{_DAY} is before its last step, which no suspended lead takes, on {_DAY}\.": (
        "{1} 早于最近一次阶段变动的日期 {2}，暂缓的项目不变动阶段。"
    ),
    rf"{_DAY} is before the last transfer was answered, or the lead reopened on {_DAY}\.": (
        "{1} 早于上一次流转答复或重启的日期 {2}。"
    ),
    rf"{_DAY} is before {_DAY}, where no lead can begin\.": "{1} 早于 {2}，不可能有项目。",
    r"'(.*)' is no day of the calendar, like 2025-03-18\.": "“{1}”不是日期，应如 2025-03-18。",
    r"'(.*)' is no decimal number of 0 or more.+": "“{1}”不是数额，应如 30 或 1.6。",
    r"'(.*)' is no amount of 0 or more, .+": "“{1}”不是数额，应如 30、3,000,000,000 或 30亿元。",
    r"'(.*)' is no id \(a UUID in lower case\)\.": "“{1}”不是项目标识，请从项目页的地址中复制。",
    r"'(.*)' is no GB/T 2260 district code of six digits, like 320812\.": (
        "“{1}”不是六位区划代码，应如 320812。"
    ),
    r"(\d+) names a whole province or city, not a district\.": "{1} 是省或市的代码，不是区县的。",
    r"'(.*)' is no district prefix of two, four or six digits, like 3208\.": (
        "“{1}”不是两位、四位或六位区划代码，应如 3208。"
    ),
    r"'(.*)' is no GB/T 4754 code: .+": "“{1}”不是产业代码，应为一个字母加至多四位数字，如 C397。",
    r"It is no telephone number of 6 to 30 digits.+": "不是电话号码。",
    r"'(.*)' is no country code, like CN\.": "“{1}”不是国别代码，应如 CN。",
    r"It is no SHA-256 in 64 lower-case hexadecimal digits\.": (
        "不是 SHA-256 指纹，应为 64 位小写十六进制数字。"
    ),
    r"'(.*)' is no whole number of (\d+) or more\.": "“{1}”不是整数。",
    r"It has (\d+) characters; at most (\d+) are kept\.": "有 {1} 个字，最多 {2} 个。",
    r"A follow-up of form none needs it\.": "选“无进展”须写明理由。",
    r"A follow-up of form (\w+) needs it\.": "请填写跟进结果。",
    r"A follow-up of form none has none\.": "“无进展”没有跟进结果，请写在理由里。",
    r"A follow-up of form (\w+) has none\.": "有结果的跟进不填理由。",
    r"It goes with verdict duplicate, not (\w+)\.": "只有结论为“重复”时才填。",
    r"It goes with outcome lost, not (\w+)\.": "只有结果为“流失”时才填。",
    r"A lead is no duplicate of itself\.": "项目不会与自己重复。",
    r"There is no lead (.+)\.": "没有项目 {1}。",
    r"There is no member (.+)\.": "没有委员 {1}。",
    r"A change of the investment needs its reason\.": "变更投资额须写明理由。",
    r"The lead is in (\d+) already\.": "项目已经在 {1}。",
    r"(.+) is (.+); the shares of a lead sum to 1\.": "{1} 合计为 {2}，份额合计应为 1。",
    r"Give the right facts, or say void: true; one of the two\.": (
        "请更正其中的内容，或勾选“此事从未发生”，二者选一。"
    ),
    r"Only an administrator, or an import of old paper, waives a fact\.": "只有管理员可以豁免。",
    r"(.+) is given, so nothing is waived\.": "{1}已填写，无须豁免。",
    rf"The lead is {_STAGE} since {_DAY}; reopen it first\.": (
        "项目已于 {3} 进入“{2}”，请先重启。"
    ),
    rf"Only a tip is screened; this lead is {_STAGE} since {_DAY}\.": (
        "只有“信息”可以研判；项目已于 {3} 进入“{2}”。"
    ),
    rf"Only a closed lead is reopened; this lead is {_STAGE} since {_DAY}\.": (
        "只有终止的项目可以重启；项目于 {3} 进入“{2}”。"
    ),
    rf"A [a-z -]+ needs a lead that is (\w+); this one is {_STAGE} since {_DAY}\.": (
        "只有“{1}”的项目可以这样做；项目已于 {4} 进入“{3}”。"
    ),
    r"The lead is suspended \((.+)\); resume it first\.": "项目已暂缓（{1}），请先恢复。",
    rf"The lead was suspended from {_DAY} until {_DAY}; no [a-z -]+ is of {_DAY}\.": (
        "项目在 {1} 至 {2} 暂缓，{3} 不能有此事。"
    ),
    r"The lead is not suspended, so there is nothing to resume\.": "项目没有暂缓，无须恢复。",
    r"'\w+' \((.+)\) closes a lead that is .+; this lead is \w+ \((.+)\) since (.+)\.": (
        "处于“{2}”的项目不能以“{1}”终止。"
    ),
    r"(.+) recognised it as (\w+) on (.+) already; if that is wrong, correct it\.": (
        "{1}已于 {3} 认定“{2}”；如有误请更正。"
    ),
    r"Its transfer to (\d+) was proposed on (.+) and is not answered yet; one at a time\.": (
        "已于 {2} 提出流转到 {1}，尚未答复。"
    ),
    r"No transfer of this lead is open; .+": "没有待答复的流转。",
    rf"{_DAY} is before the transfer was proposed on {_DAY}\.": "{1} 早于提出流转的日期 {2}。",
    r"Its transfer is proposed to (\d+), not to (\d+)\.": "拟流转至 {1}，不是 {2}。",
    r"The lead is .+ by now and stays where it is: refuse the transfer\.": (
        "项目现在的阶段不能流转，请退回。"
    ),
    r"The lead was never (\w+) \((.+)\); it is .+": "项目从未进入“{2}”，不能认定。",
    r"The lead is a duplicate of (.+); its members have their shares there.+": (
        "项目已认定与 {1} 重复，份额在那里裁定。"
    ),
    r"Lead (.+) is itself a duplicate of (.+); name that one\.": (
        "{1} 本身与 {2} 重复，请填写后者。"
    ),
    r"Member (.+) is none of this lead's\.": "{1} 不是这个项目的提供委员。",
    r"Member (.+) is named twice\.": "{1} 填了两次。",
    r"Member (.+) of this lead is not named\.": "有委员没有填写份额。",
    r"'(.*)' is no share like 1/3, 0 or 1, .+": "“{1}”不是份额，应如 1/3、0 或 1。",
    r"A tip is counted once, for ever: decline it, or rule it a duplicate\.": (
        "提供信息永久计数，不能作废；请研判为不予跟进或重复。"
    ),
    r"Version (\d+) was voided by version (\d+); void that to have it back\.": (
        "第 {1} 版已被第 {2} 版作废；要恢复请作废第 {2} 版。"
    ),
    r"Version (\d+) voided an event and has no facts; void it instead\.": (
        "第 {1} 版是作废，没有内容可改；可以把它作废。"
    ),
    r"What was recorded later could then not have happened\. Void or correct first, in this "
    r"order: (.+)\.": "这样更正，后来的记录就不成立了；请先依次作废或更正：{1}。",
    r"(.+) is more than any project: over .+": "{1} 超过了任何项目的投资额。",
    r"(.+) is finer than one fen\.": "{1} 精确到了分以下。",
    r"You know version (\d+); the present one is (\d+)\.": (
        "您看到的是第 {1} 版，现在已是第 {2} 版。"
    ),
    r"Member number (.+) is taken in district (\d+)\.": "区划 {2} 已有编号为 {1} 的委员。",
    rf"(.+) \((.+)\) retired on {_DAY} already\.": "{1}（{2}）已于 {3} 届满。",
    rf"{_DAY} is before the last tip of (.+) on {_DAY}\.": (
        "{1} 早于{2}最近一次提供信息的日期 {3}。"
    ),
    r"The ledger has gone on since the file was checked.+": (
        "检查之后台账有了变动，现在入账的结果会与刚才不同，所以没有记录。请重新检查。"
    ),
    r"No row has the headings of a ledger, among them (.+)\.": (
        "没有一行是台账的表头，缺少 {1} 等列。"
    ),
    r"The heading (.+) is missing\.": "缺少“{1}”一列。",
    r"The heading (.+) stands twice\.": "“{1}”一列出现了两次。",
    r"A token of role (\w+) may not .+": "当前身份不能这样做。",
    r"Idempotency-Key .+": "这张表已经用另外的内容提交过，请重新打开。",
    rf"{_REST} needs (.+)\.": "还缺：{2}。",
}
_READY = [(re.compile(pattern), text) for pattern, text in SENTENCES.items()]


def plain(sentence: str) -> str:
    """The sentence in the page's language, as far as the table has it."""
    if language() == "en":
        return sentence
    for pattern, text in _READY:
        found = pattern.fullmatch(sentence)
        if found:
            return text.format(sentence, *map(_word, found.groups()))
    return sentence


def said(sentence: str) -> Markup:
    """The sentence as a page shows it, marked as English where it is."""
    told = plain(sentence)
    if is_plain(sentence):
        return Markup("{0}").format(told)
    return Markup('<span lang="en">{0}</span>').format(told)


def is_plain(sentence: str) -> bool:
    """Whether it is in the page's language."""
    return language() == "en" or plain(sentence) != sentence


def _word(part: str) -> str:
    """A part of a sentence: names of facts and stages as the office calls them."""
    return "、".join(_WORDS.get(one) or FACTS.get(one, one) for one in part.split(", "))


def told_of(refusal: Mapping[str, Any] | None) -> dict[str, Any]:
    """A problem document for a form: ``said``, one sentence, and ``by`` field its sentences."""
    if not refusal:
        return {"said": None, "by": {}}
    errors = {name: [plain(one) for one in why] for name, why in refusal.get("errors", {}).items()}
    for fact in refusal.get("missing", ()):
        errors.setdefault(fact, [gettext("进入下一阶段需要此项。")])
    said = gettext("有内容需要更正，见各项下的说明。") if errors else plain(refusal["detail"])
    return {"said": said, "by": errors}
