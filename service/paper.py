"""The paper ledger's headings, and what its rows say: which commands, with which facts.

What the paper lacks of a step's required facts is waived, never invented.
"""

import re
from collections.abc import Callable, Mapping

from domain.errors import Invalid
from domain.money import UNITS, parse_money
from domain.sentences import Sentence
from domain.stage import CLOSING_FACTS, EVIDENCE_KINDS, OUTCOMES, STEPS, VERDICTS
from domain.values import NOTE, district_fault, industry_fault, parse_day, text_fault
from service import written
from service.columns import (
    AMOUNT,
    CODE,
    COLUMNS,
    DAY,
    DAYS_IN_ORDER,
    EVIDENCE,
    EXPECTED_DAY,
    HEADINGS,
    MEMBERS,
    REQUIRED,
    TEXT,
    UNIT,
    UNIT_OF,
    WORD,
)
from service.course_steps import along, read_course
from service.rows import BadRow, Command, Paper, step
from service.uscc import uscc_fault

AGREEMENTS = {
    "合同": "contract",
    "投资合同": "contract",
    "框架": "framework",
    "框架协议": "framework",
}
# 流转 is the other district's to accept, so it is no outcome that one office's paper can give.
OUTCOME_WORDS = {label: name for name, (label, _) in OUTCOMES.items() if name != "transferred"}
LENGTHS = {
    "编号": 40,
    "项目名称": 200,
    "委员界别": 100,
    "投资方": 200,
    "责任单位": 100,
    "责任人": 100,
    "终止原因": NOTE,
    "备注": NOTE,
}
# Each fact of a tip → the heading it stands under.
_TIP_COLUMNS = {
    "title": "项目名称",
    "members": "提供委员",
    "occurred_on": "提供日期",
    "investor": "投资方",
    "industry": "产业代码",
    "investment": "计划投资",
    "note": "备注",
}
_NUMBER = re.compile(r"\d+(\.\d+)?", re.ASCII)
_SEPARATORS = re.compile("[;；,，、]")
EVIDENCE_WORDS = {
    "许可": "permit",
    "许可证": "permit",
    "施工许可": "permit",
    "备案": "filing",
    "合同": "contract",
    "照片": "photo",
    "验收": "acceptance",
}


def as_meant(cells: Mapping[str, str]) -> dict[str, str]:
    """The cells in the ledger's own words: days in ISO form, amounts apart from their units, codes
    and words without what full-width writing and spaces add."""
    meant = {column.heading: _MEANT[column.kind](cells[column.heading]) for column in COLUMNS}
    for amount, unit in UNIT_OF.items():
        if meant[amount]:
            meant[amount], meant[unit] = written.amount(meant[amount], meant[unit])
    return meant


def member_of(named: str, district: str) -> tuple[str, str]:
    """A member's number and district: of the lead's, unless it says QJP-001@320871."""
    number, _, other = named.rpartition("@")
    return (number, other) if number and not district_fault(other) else (named, district)


def _members(text: str) -> str:
    return ";".join(part for part in map(written.code, _SEPARATORS.split(text)) if part)


def _evidence(text: str) -> str:
    kind, _, reference = text.replace("：", ":", 1).partition(":")
    kind = written.folded(kind)
    return f"{EVIDENCE_WORDS.get(kind, kind)}:{reference.strip()}" if reference else text


_MEANT: Mapping[str, Callable[[str], str]] = {
    CODE: written.code,
    DAY: written.day,
    WORD: written.folded,
    UNIT: written.folded,
    MEMBERS: _members,
    EVIDENCE: _evidence,
    AMOUNT: str,
    TEXT: str,
}


def read_row(cells: Mapping[str, str]) -> Paper:
    """The row's meaning, of cells ``as_meant``; BadRow names every bad cell of it."""
    bad: dict[str, str] = {
        name: Sentence("It is empty, and every row needs it.")
        for name in REQUIRED
        if not cells[name]
    }
    for name, longest in LENGTHS.items():
        lines = longest == NOTE
        fault = text_fault(cells[name], longest, lines=lines) if cells[name] else None
        if fault:
            bad[name] = fault
    bad |= _faults(cells)
    bad.update(_money_faults(cells, "计划投资", "单位"))
    bad.update(_money_faults(cells, "协议投资", "协议单位"))
    members = [m.strip() for m in _SEPARATORS.split(cells["提供委员"]) if m.strip()]
    for member in members:
        fault = text_fault(member_of(member, "")[0], 40)
        if fault:
            bad["提供委员"] = Sentence("{member}: {fault}", member=member[:40], fault=fault)
    course, faults = read_course(cells)
    bad.update({**_days_out_of_order(cells), **_order_faults(cells)} if course is None else faults)
    bad |= {
        name: Sentence("The cell shows the error {error}.", error=fault)
        for name, text in cells.items()
        if (fault := written.error_in(text))
    }
    if bad:
        raise BadRow(bad)
    told = (cells["编号"], cells["区划代码"], members, cells["委员界别"] or None)
    if course is not None:
        return Paper(*told, *along(course, _tip(cells), cells), course)
    steps = [*_negotiation(cells), *_signing(cells), *_groundbreaking(cells), *_end(cells)]
    return Paper(*told, _tip(cells), steps)


def _faults(cells: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each filled cell, looked at by itself."""
    checks: tuple[tuple[str, Callable[[str], str | None]], ...] = (
        ("区划代码", district_fault),
        ("统一社会信用代码", uscc_fault),
        ("产业代码", industry_fault),
        *((name, _day_fault) for name in HEADINGS if name.endswith("日期")),
        ("协议类型", _one_of(AGREEMENTS)),
        ("终止结果", _one_of(OUTCOME_WORDS)),
        ("开工佐证", _evidence_fault),
    )
    return {name: fault for name, check in checks if cells[name] and (fault := check(cells[name]))}


def _tip(cells: Mapping[str, str]) -> Command:
    investor = None
    if cells["投资方"]:
        code = cells["统一社会信用代码"] or None
        investor = {"name": cells["投资方"], "uscc": code, "country": None}
    facts = {
        "title": cells["项目名称"],
        "summary": None,
        "district": cells["区划代码"],
        "occurred_on": cells["提供日期"],
        "investor": investor,
        "industry": cells["产业代码"] or None,
        "investment": _money(cells, "计划投资", "单位"),
        "contact": None,
        "note": cells["备注"] or None,
    }
    return Command("tip", facts, _TIP_COLUMNS)


def _negotiation(cells: Mapping[str, str]) -> list[Command]:
    if not cells["洽谈日期"]:
        return []
    facts = {"responsible_unit": cells["责任单位"] or None, "manager": cells["责任人"] or None}
    opened = step(cells["洽谈日期"], facts, STEPS["negotiation"].facts)
    columns = {"occurred_on": "洽谈日期", "responsible_unit": "责任单位", "manager": "责任人"}
    commands = [Command("open_negotiation", opened, columns)]
    if cells["拟签约日期"]:
        # The paper does not say when the plan was made: as early as talks can have made one.
        plan = {"expected_on": cells["拟签约日期"], "occurred_on": cells["洽谈日期"]}
        commands.append(
            Command("plan_signing", plan, {"expected_on": "拟签约日期", "occurred_on": "洽谈日期"})
        )
    return commands


def _signing(cells: Mapping[str, str]) -> list[Command]:
    if not cells["签约日期"]:
        return []
    investment = _money(cells, "协议投资", "协议单位")
    columns = {"occurred_on": "签约日期", "investment": "协议投资"}
    if AGREEMENTS[cells["协议类型"]] == "framework":
        facts = {"investment": investment, "occurred_on": cells["签约日期"]}
        return [Command("agree_framework", facts, columns)]
    needed = [fact for fact in STEPS["signing"].facts if fact != "contract"]
    signed = step(cells["签约日期"], {"investment": investment}, needed)
    return [Command("sign", signed, columns)]


def _groundbreaking(cells: Mapping[str, str]) -> list[Command]:
    if not cells["开工日期"]:
        return []
    evidence = []
    if cells["开工佐证"]:
        kind, _, reference = cells["开工佐证"].partition(":")
        evidence = [{"kind": kind.strip(), "reference": reference.strip()}]
    given = {"start": None, "evidence": evidence}
    facts = step(cells["开工日期"], given, STEPS["groundbreaking"].facts)
    columns = {"occurred_on": "开工日期", "evidence": "开工佐证"}
    return [Command("break_ground", facts, columns)]


def _end(cells: Mapping[str, str]) -> list[Command]:
    if not cells["终止日期"]:
        return []
    outcome = OUTCOME_WORDS[cells["终止结果"]]
    reason = {"reason": cells["终止原因"] or None}
    columns = {"occurred_on": "终止日期", "outcome": "终止结果", "reason": "终止原因"}
    if outcome == "duplicate":
        given = {**reason, "duplicate_of": None}
        facts = step(cells["终止日期"], given, VERDICTS["duplicate"])
        return [Command("screen", {**facts, "verdict": "duplicate"}, columns)]
    facts = step(cells["终止日期"], reason, CLOSING_FACTS)
    return [Command("close", {**facts, "outcome": outcome}, columns)]


def _order_faults(cells: Mapping[str, str]) -> dict[str, str]:
    """What a filled cell needs beside it."""
    needs = (
        ("拟签约日期", "洽谈日期"),
        ("签约日期", "洽谈日期"),
        ("签约日期", "协议类型"),
        ("开工日期", "签约日期"),
        ("终止日期", "终止结果"),
        ("终止结果", "终止日期"),
        ("终止原因", "终止日期"),
        ("协议类型", "签约日期"),
        ("协议投资", "签约日期"),
        ("开工佐证", "开工日期"),
        ("责任单位", "洽谈日期"),
        ("责任人", "洽谈日期"),
        ("统一社会信用代码", "投资方"),
    )
    return {
        name: Sentence("It is given without {other}.", other=other)
        for name, other in needs
        if cells[name] and not cells[other]
    }


def _days_out_of_order(cells: Mapping[str, str]) -> dict[str, str]:
    """Of the days that can be read, each that is before the one it follows: what the commands
    would refuse, one after the other, said of all of them and by the paper's headings."""
    told = {name: cells[name] for name in DAYS_IN_ORDER if cells[name]}
    days = {name: day for name, day in told.items() if not _day_fault(day)}
    faults: dict[str, str] = {}
    since = ""
    for name, day in days.items():
        # A plan expects a day after the talks began.
        first = "洽谈日期" if name == EXPECTED_DAY else since
        if day < days.get(first, ""):
            faults[name] = Sentence(
                "{day} is before {first}, {other}.", day=day, first=first, other=days[first]
            )
        elif name != EXPECTED_DAY and not (name == "签约日期" and _only_agreed(cells)):
            since = name
    return faults


def _only_agreed(cells: Mapping[str, str]) -> bool:
    return AGREEMENTS.get(cells["协议类型"]) == "framework"


def _money(cells: Mapping[str, str], amount: str, unit: str) -> dict[str, str] | None:
    return {"amount": cells[amount], "unit": cells[unit]} if cells[amount] else None


def _money_faults(cells: Mapping[str, str], amount: str, unit: str) -> dict[str, str]:
    if not cells[amount]:
        return (
            {unit: Sentence("It is given without {amount}.", amount=amount)} if cells[unit] else {}
        )
    if not _NUMBER.fullmatch(cells[amount]):
        _, within = written.amount(cells[amount], "")
        if within and cells[unit]:
            return {
                amount: Sentence(
                    "'{amount}' says {within}, and {unit} {other}.",
                    amount=cells[amount][:40],
                    within=within,
                    unit=unit,
                    other=cells[unit],
                )
            }
        return {
            amount: Sentence(
                "'{amount}' is no amount of 0 or more, like 30, 3,000,000,000 or 30亿元.",
                amount=cells[amount][:40],
            )
        }
    if not cells[unit]:
        return {
            unit: Sentence(
                "It is empty; one of {units} belongs to {amount}.",
                units="、".join(UNITS),
                amount=amount,
            )
        }
    try:
        parse_money("money", cells[amount], cells[unit])
    except Invalid as why:
        field, reasons = next(iter(why.errors.items()))
        return {unit if field.endswith("unit") else amount: reasons[0]}
    return {}


def _day_fault(text: str) -> str | None:
    try:
        parse_day("day", text)
    except Invalid as why:
        return why.errors["day"][0]
    return None


def _one_of(words: Mapping[str, str]) -> Callable[[str], str | None]:
    return lambda text: (
        None
        if text in words
        else Sentence("'{text}' is none of {words}.", text=text[:40], words="、".join(words))
    )


def _evidence_fault(text: str) -> str | None:
    kind, _, reference = text.partition(":")
    if kind.strip() in EVIDENCE_KINDS and reference.strip():
        return text_fault(reference.strip(), 200)
    return Sentence(
        "'{text}' is not kind:reference with a kind of {kinds}.",
        text=text[:40],
        kinds=EVIDENCE_KINDS,
    )
