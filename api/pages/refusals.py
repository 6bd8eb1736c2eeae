"""What is refused, in the page's language: the ledger's sentences, each made anew of its pattern.

The Chinese of a pattern is in api/texts/zh. What has none, because nobody foresaw it, is quoted in
English within a sentence that says so.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from eventsourcing.persistence import PersistenceError
from markupsafe import Markup, escape

from api.pages.look import ROLES
from api.pages.look import told_later as _
from api.pages.texts import catalogue, gettext, language
from api.pages.words import EVENTS, FACTS, VALUES
from domain.errors import Invalid, LedgerError
from domain.sentences import PLACE, Named, Sentence
from domain.stage import STEPS
from service.access.scrub import without_secrets
from service.log import UnreadableEvent

# The name of a place → what its words are called.
WORDS: Mapping[str, Mapping[str, str]] = {
    "facts": FACTS,
    "fact": FACTS,
    "missing": FACTS,
    "stage": VALUES["stage"],
    "stages": VALUES["stage"],
    "form": VALUES["form"],
    "verdict": VALUES["verdict"],
    "outcome": VALUES["outcome"],
    "event": EVENTS,
    "role": ROLES,
    "roles": ROLES,
    "step": {name: step.label for name, step in STEPS.items()},
    "count": {
        "leads": "新项目",
        "members": "新委员",
        "unchanged": "无变化的行",
        "events": "新记录",
        "changed": "有变化的项目",
    },
}
# Places of what others say, a driver or the system: in English, and quoted so.
_OTHERS = frozenset({"why", "said", "cause", "detail", "strerror"})
# Fields of addresses and of forms that are no facts.
FIELDS: Mapping[str, str] = {
    "as_of": _("截止日"),
    "known_at": _("当时已知"),
    "from": _("起始日"),
    "to": _("截止日"),
    "year": _("年度"),
    "period": _("期次"),
    "file": _("文件"),
    "member": _("委员"),
    "role": _("身份"),
    "name": _("名称"),
    "days": _("有效天数"),
    "sector": _("界别"),
    "min_cny": _("投资额下限"),
    "max_cny": _("投资额上限"),
    "cursor": _("翻页地址"),
    "after": _("翻页地址"),
    "limit": _("每页条数"),
    "sort": _("排序"),
    "token": _("访问令牌"),
    "due_by": _("到期日"),
    "columns": _("列"),
    "language": _("语言"),
    "theme": _("外观"),
}


@cache
def chinese() -> Mapping[str, str]:
    """Pattern → the same in Chinese."""
    return {f"{text.id}": f"{text.string}" for text in catalogue("zh") if text.id}


def in_words(sentence: str) -> Markup:
    """A sentence in the page's language; what is quoted in another is marked so."""
    pattern, places = sentence, {}
    if isinstance(sentence, Sentence):
        pattern, places = sentence.pattern, dict(sentence.places)
    told = pattern if language() == "en" else _in_chinese(pattern)
    if told is None:
        english = Markup('<span lang="en">{0}</span>').format(without_secrets(sentence))
        return escape(gettext("台账没有照办，原因只有英文：")) + english
    return _filled(told, {name: _value(name, value) for name, value in places.items()})


def or_quoted(said: str) -> Markup:
    """A sentence in the page's language; what is told by no pattern as it is, which is English."""
    if isinstance(said, Sentence):
        return in_words(said)
    return Markup('<span lang="en">{0}</span>').format(without_secrets(said))


def _in_chinese(pattern: str) -> str | None:
    """A pattern in Chinese. Several sentences together have nothing of their own to be told."""
    if PLACE.sub("", pattern).strip():
        return chinese().get(pattern)
    return chinese().get(pattern, pattern.replace(" ", ""))


def _filled(pattern: str, words: Mapping[str, Markup]) -> Markup:
    """The pattern with its places filled."""
    parts: list[str] = PLACE.split(pattern)
    made = [
        words.get(part, escape(f"{{{part}}}")) if at % 2 else escape(part)
        for at, part in enumerate(parts)
    ]
    return Markup("").join(made)


def _value(name: str, value: Any) -> Markup:
    """What stands in a place."""
    english = language() == "en"
    if isinstance(value, list):
        return escape(", " if english else "、").join(_value(name, one) for one in value)
    if isinstance(value, Sentence):
        return in_words(value)
    if isinstance(value, Named):
        return escape(value.name if english else value.label)
    text, known = without_secrets(f"{value}"), WORDS.get(name, {})
    if name in _OTHERS and not english:
        return Markup('<span lang="en">{0}</span>').format(text)
    if text in known and (known is FACTS or not english):
        return escape(gettext(known[text]))
    return escape(text.replace("_", " ") if known else text)


def refusal_of(error: Exception, problem: Mapping[str, Any]) -> dict[str, Any]:
    """A ``problem`` document as a page shows it: ``detail`` is a sentence in its language, or None
    where what the status means says all; so is each of the ``errors``."""
    detail = None
    if isinstance(error, LedgerError):
        detail = in_words(error.sentence)
    elif isinstance(error, PersistenceError | UnreadableEvent):
        detail = in_words(problem["detail"])
    if not isinstance(error, Invalid):
        return {**problem, "detail": detail}
    errors = {
        without_secrets(name): [in_words(one) for one in why] for name, why in error.errors.items()
    }
    return {**problem, "detail": None, "errors": errors}


def told_of(refusal: Mapping[str, Any] | None) -> dict[str, Any]:
    """A refusal for a form: ``said``, one sentence, and ``by`` field its sentences."""
    if not refusal:
        return {"said": None, "by": {}}
    errors = dict(refusal.get("errors", {}))
    for fact in refusal.get("missing", ()):
        errors.setdefault(fact, [gettext("进入下一阶段需要此项。")])
    said = gettext("有内容需要更正，见各项下的说明。") if errors else refusal["detail"]
    return {"said": said, "by": errors}


def field_name(name: str) -> Markup:
    """What a field is called; one that has no name here, as programs call it."""
    fact = name.removeprefix("facts.")
    if fact in FACTS or name in FIELDS:
        return escape(gettext(FACTS.get(fact) or FIELDS[name]))
    return Markup("<code>{0}</code>").format(name)


FILTERS: Mapping[str, Callable[[str], Markup]] = {
    "in_words": in_words,
    "or_quoted": or_quoted,
    "field_name": field_name,
}
