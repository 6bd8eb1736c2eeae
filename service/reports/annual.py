"""The annual sentence: its claims, each a number with the leads behind it, and its wording.

As published for 2025: 政协委员累计提供项目信息11条，全年开工亿元项目1个、签约落地1个，
跟踪洽谈6个，其中投资30亿元的12英寸大晶圆项目即将签约。
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from domain.money import UNITS, fen_of
from domain.stage import GROUNDBROKEN, NEGOTIATING, SIGNED, TIP
from service.projections.fates import Fate, FateSums, Kind

# What makes an 亿元项目: planned investment of a hundred million 元 or more, in fen.
HUNDRED_MILLION = 100_000_000 * 100
# In which an amount is written, in fen; what is too small for them is in 元.
_LARGE = tuple((name, Decimal(UNITS[name] or 1)) for name in ("亿元", "万元"))


def _stayed(stage: str, fate: Fate) -> bool:
    """Whether the lead came to the stage within the window and still stands there."""
    return fate.stage == stage and stage in fate.entered


class Rule(NamedTuple):
    """One claim: its name and label, what it counts in words, which fates it counts, whether it
    sums their amounts, and its clause (``{value}`` is the number)."""

    name: str
    label: str
    counts: str
    meaning: str
    holds: Callable[[Fate], bool]
    money: bool
    clause: str


RULES = (
    Rule(
        "tips",
        "提供项目信息",
        "tips entered from 1 January to the cut-off, whatever became of them",
        "1月1日至截止日新提供的项目信息，不论后来结果如何",
        lambda fate: TIP in fate.entered,
        False,
        "政协委员累计提供项目信息{value}条",
    ),
    Rule(
        "groundbroken",
        "开工亿元项目",
        "leads of 100,000,000 元 or more that broke ground in that time and still count as such",
        "期内开工、截止日仍算开工、投资1亿元以上的项目",
        lambda fate: _stayed(GROUNDBROKEN, fate) and fate.fen >= HUNDRED_MILLION,
        True,
        "开工亿元项目{value}个",
    ),
    Rule(
        "groundbroken_smaller",
        "开工亿元以下项目",
        "those of less, or without an amount in 元",
        "期内开工、截止日仍算开工、投资不足1亿元或未填人民币金额的项目",
        lambda fate: _stayed(GROUNDBROKEN, fate) and fate.fen < HUNDRED_MILLION,
        True,
        "开工亿元以下项目{value}个",
    ),
    Rule(
        "signed",
        "签约落地",
        "leads signed in that time that stand in signed at the cut-off",
        "期内签约、截止日处于签约阶段的项目",
        lambda fate: _stayed(SIGNED, fate),
        True,
        "签约落地{value}个",
    ),
    Rule(
        "negotiating",
        "跟踪洽谈",
        "leads standing in negotiating at the cut-off, those about to sign among them",
        "截止日在谈的项目，含即将签约的",
        lambda fate: fate.stage == NEGOTIATING,
        True,
        "跟踪洽谈{value}个",
    ),
    Rule(
        "about_to_sign",
        "即将签约",
        "of these the leads about to sign; the sentence names the largest",
        "在谈项目中即将签约的；正文写投资最大的一个",
        lambda fate: fate.about_to_sign,
        True,
        "其中{largest}即将签约",
    ),
)
# How clauses are joined: those of one group by 、 after what the group begins with.
GROUPS = (
    ("tips",),
    ("groundbroken", "groundbroken_smaller", "signed"),
    ("negotiating",),
    ("about_to_sign",),
)
NOTHING = "政协委员尚未提供项目信息。"


@dataclass(frozen=True)
class Claim:
    """A number of the report, ``fen`` where amounts are summed, and the leads behind it, by their
    numbers in the order of their tips."""

    rule: Rule
    fates: Sequence[Fate]

    @property
    def value(self) -> int:
        """How many."""
        return len(self.fates)

    @property
    def fen(self) -> int | None:
        """Their amounts' sum; None where none is counted."""
        return sum(fate.fen for fate in self.fates) if self.rule.money else None

    @property
    def largest(self) -> Fate | None:
        """The lead of the largest amount; of equals the one that was tipped first."""
        return max(self.fates, key=lambda fate: (fate.fen, -fate.number), default=None)


@dataclass(frozen=True)
class Tally:
    """A claim without the leads behind it, which are all of some ``kinds``. ``signing``: those
    about to sign, by their numbers, with their amounts in fen."""

    rule: Rule
    kinds: Sequence[Kind]
    value: int
    fen: int | None
    signing: Mapping[int, int]

    @property
    def largest(self) -> int | None:
        """The number of the lead of the largest amount; of equals the one tipped first."""
        return max(self.signing, key=lambda number: (self.signing[number], -number), default=None)


def tallies_of(sums: FateSums) -> list[Tally]:
    """All claims, from what `fate_sums` says of amounts as large as HUNDRED_MILLION."""
    signing = {number: fen for number, (_, fen) in sums.items() if isinstance(number, int)}
    kinds = {kind: sum_ for kind, sum_ in sums.items() if isinstance(kind, Kind)}
    return [_tally(rule, kinds, signing) for rule in RULES]


def _tally(rule: Rule, sums: Mapping[Kind, tuple[int, int]], signing: Mapping[int, int]) -> Tally:
    kinds = [kind for kind in sums if rule.holds(_one_of(kind))]
    fen = sum(sums[kind][1] for kind in kinds) if rule.money else None
    return Tally(rule, kinds, sum(sums[kind][0] for kind in kinds), fen, signing)


def _one_of(kind: Kind) -> Fate:
    """A fate of that kind."""
    fen = HUNDRED_MILLION if kind.large else 0
    return Fate(0, kind.stage, kind.about_to_sign, fen, kind.entered)


def claims_of(fates: Iterable[Fate]) -> list[Claim]:
    """All claims, those of nothing included."""
    told = list(fates)
    return [Claim(rule, [fate for fate in told if rule.holds(fate)]) for rule in RULES]


def sentence(claims: Sequence[Claim | Tally], end: date, largest: Mapping[str, Any] | None) -> str:
    """The sentence; a clause whose number is zero is left out.

    ``largest`` is the lead about to sign that is named, as the API shows it.
    """
    clauses = {
        claim.rule.name: claim.rule.clause.format(value=claim.value, largest=named(largest))
        for claim in claims
        if claim.value
    }
    groups = [[clauses[name] for name in group if name in clauses] for group in GROUPS]
    groups[1] = [f"{_period(end)}{'、'.join(groups[1])}"] if groups[1] else []
    said = [clause for group in groups for clause in group]
    return f"{'，'.join(said)}。" if said else NOTHING


def _period(end: date) -> str:
    """全年 once the cut-off is in December; before, up to which day it is."""
    return "全年" if end.month == 12 else f"截至{end.month}月{end.day}日"


def named(lead: Mapping[str, Any] | None) -> str:
    """A lead as the sentence names it: 投资30亿元的12英寸大晶圆项目."""
    if lead is None:
        return ""
    title = lead["title"] if lead["title"].endswith("项目") else f"{lead['title']}项目"
    money = lead["investment"]
    return f"投资{amount_words(money['amount'], money['unit'])}的{title}" if money else title


def in_largest(amount: Decimal, units: Sequence[tuple[str, Decimal]]) -> tuple[Decimal, str] | None:
    """An amount in the first of these units that is not more than it and leaves at most four
    decimals; None in none of them."""
    for name, unit in units:
        value = amount / unit
        if value >= 1 and value == round(value, 4):
            return value, name
    return None


def amount_words(amount: str, unit: str) -> str:
    """An amount as people write it: in the largest of 亿元, 万元 and 元 that leaves at most four
    decimals; a foreign one as it was stated."""
    fen = fen_of(amount, unit)
    if fen is None:
        return f"{_plain(Decimal(amount))}{unit}"
    found = in_largest(Decimal(fen), _LARGE)
    if found:
        return f"{_plain(found[0])}{found[1]}"
    return f"{_plain(Decimal(fen) / 100)}元"


def _plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
