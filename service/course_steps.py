"""The commands that a course (历程) stands for: one for each of its steps after the tip."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from domain.errors import Invalid
from domain.money import parse_money
from domain.sentences import Sentence
from domain.stage import CLOSING_FACTS, STEPS, VERDICTS
from domain.values import district_fault, parse_day
from service import written
from service.course import ENDS, NOTHING, PASSED, TIPPED, Entry, entries_in
from service.rows import WAIVED, Command, step

Facts = dict[str, Any]
# A command, its facts, and those that are waived where they are not there.
Step = tuple[str, Facts, Sequence[str]]


# The columns of days → the words of which the course has one on that day.
_DAYS = {
    "提供日期": (TIPPED,),
    "洽谈日期": ("洽谈",),
    "签约日期": ("签约", "框架协议"),
    "开工日期": ("开工",),
    "终止日期": tuple(ENDS),
}


def read_course(cells: Mapping[str, str]) -> tuple[list[Entry] | None, dict[str, str]]:
    """The row's 历程, None if it has none; and what is wrong with it, by heading."""
    if not cells["历程"]:
        return None, {}
    try:
        course = entries_in(cells["历程"])
        along(course, Command("tip", {}, {}), cells)
        for entry in course:
            parse_day("day", entry.day)
    except ValueError as why:
        return [], {"历程": why.args[0]}
    except Invalid as why:
        return [], {"历程": why.errors["day"][0]}
    told = {(entry.word, entry.day) for entry in course}
    begun = course[:1] and course[0].word == TIPPED
    return course, {
        name: Sentence("历程 has no {words} on {day}.", words="、".join(words), day=cells[name])
        for name, words in _DAYS.items()
        if cells[name] and (begun or name != "提供日期")
        if not told & {(word, cells[name]) for word in words}
    }


def along(
    course: Sequence[Entry], tip: Command, cells: Mapping[str, str]
) -> tuple[Command, list[Command]]:
    """The tip and the steps that a course tells; ValueError for a step that cannot be read."""
    steps = list(course)
    if steps and steps[0].word == TIPPED:
        tip = tip._replace(facts={**tip.facts, "investment": money_of(steps.pop(0).more)})
    commands = []
    for entry in steps:
        method, facts, needed = _step_of(entry, cells)
        told = step(entry.day, facts, needed) if needed else {**facts, "occurred_on": entry.day}
        commands.append(Command(method, told, {"occurred_on": "历程"}))
    return tip, commands


def money_of(text: str) -> dict[str, str] | None:
    """An amount like 30亿元; None for none, ValueError for what is no amount."""
    if text in ("", NOTHING):
        return None
    amount, unit = written.amount(text, "")
    try:
        parse_money("amount", amount, unit)
    except Invalid:
        raise ValueError(Sentence("'{text}' is no amount like 30亿元.", text=text[:40])) from None
    return {"amount": amount, "unit": unit}


def _step_of(entry: Entry, cells: Mapping[str, str]) -> Step:
    """(method, facts, needed facts) of a step; ``cells`` have what the course does not tell."""
    if entry.word == TIPPED:
        raise ValueError(Sentence("{word} can only come first, on 提供日期.", word=TIPPED))
    if entry.word in ENDS:
        return _end(entry)
    return _STEPS[entry.word](entry.more, cells)


def _end(entry: Entry) -> Step:
    outcome, reason = ENDS[entry.word], entry.more or None
    if outcome == "duplicate":
        given = {"verdict": "duplicate", "reason": reason, "duplicate_of": None}
        return "screen", given, VERDICTS["duplicate"]
    return "close", {"outcome": outcome, "reason": reason}, CLOSING_FACTS


def _negotiation(more: str, cells: Mapping[str, str]) -> Step:
    unit = more or cells["责任单位"] or None
    facts = {"responsible_unit": unit, "manager": cells["责任人"] or None}
    return "open_negotiation", facts, STEPS["negotiation"].facts


def _signing(more: str, _cells: Mapping[str, str]) -> Step:
    return "sign", {"investment": money_of(more)}, ("investment",)


def _groundbreaking(_more: str, cells: Mapping[str, str]) -> Step:
    kind, _, reference = cells["开工佐证"].partition(":")
    evidence = [{"kind": kind.strip(), "reference": reference.strip()}] if kind else []
    return "break_ground", {"start": None, "evidence": evidence}, STEPS["groundbreaking"].facts


def _suspension(more: str, _cells: Mapping[str, str]) -> Step:
    review_on, _, reason = more.partition(" ")
    facts = {"review_on": written.day(review_on), "reason": reason.strip() or WAIVED}
    return "suspend", facts, ()


def _recognition(stage: str) -> Callable[[str, Mapping[str, str]], Step]:
    return lambda more, _: ("recognise", {"stage": stage, "authority": more or WAIVED}, ())


def _plan(more: str, _cells: Mapping[str, str]) -> Step:
    return "plan_signing", {"expected_on": None if more == NOTHING else written.day(more)}, ()


def _transfer(more: str, _cells: Mapping[str, str]) -> Step:
    """A transfer that was accepted; when and why it was proposed no course tells."""
    fault = district_fault(more)
    if fault:
        raise ValueError(
            Sentence(
                "{passed} names the district that took the lead over: {fault}",
                passed=PASSED,
                fault=fault,
            )
        )
    return "transfer", {"district": more, "reason": WAIVED}, ()


_STEPS: Mapping[str, Callable[[str, Mapping[str, str]], Step]] = {
    "研判": lambda _more, _: ("screen", {"verdict": "pursue"}, ()),
    "洽谈": _negotiation,
    "拟签约": _plan,
    "框架协议": lambda more, _: ("agree_framework", {"investment": money_of(more)}, ()),
    "签约": _signing,
    "开工": _groundbreaking,
    "签约认定": _recognition("signed"),
    "开工认定": _recognition("groundbroken"),
    "投资": lambda more, _: (
        "revise",
        {"facts": {"investment": money_of(more)}, "reason": WAIVED},
        (),
    ),
    "暂缓": _suspension,
    "恢复": lambda more, _: ("resume", {"reason": more or None}, ()),
    PASSED: _transfer,
    "重开": lambda more, _: ("reopen", {"reason": more or WAIVED}, ()),
}
