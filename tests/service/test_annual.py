"""The wording of the annual sentence."""

from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from domain.actor import acting
from service.imports import import_paper
from service.projections.fates import Fate
from service.reports.annual import NOTHING, amount_words, claims_of, named, sentence
from service.reports.asked import asked_for
from service.scope import Scope
from tests.service.helpers import ledger_in, register, somebody, tip

LEDGER_2025 = Path(__file__).parents[2] / "service" / "data" / "ledger-2025.csv"
PUBLISHED = (
    "政协委员累计提供项目信息11条，全年开工亿元项目1个、签约落地1个，跟踪洽谈6个，"
    "其中投资30亿元的12英寸大晶圆项目即将签约。"
)
LARGE, SMALL = 10**10, 10**10 - 1
LEAD: dict[str, Any] = {"title": "大晶圆", "investment": {"amount": "30", "unit": "亿元"}}


def fate(stage: str, fen: int = LARGE, *, planned: bool = False, came: str = "") -> Fate:
    """A lead's fate."""
    return Fate(1, stage, planned, fen, frozenset(came.split()))


# Of each clause a lead that it counts, and nothing else does but negotiating.
ONE_OF_EACH = {
    "项目信息1条": fate("closed", came="tip"),
    "开工亿元项目1个": fate("groundbroken", LARGE, came="groundbroken"),
    "开工亿元以下项目1个": fate("groundbroken", SMALL, came="groundbroken"),
    "签约落地1个": fate("signed", came="signed"),
    "跟踪洽谈": fate("negotiating"),
    "即将签约": fate("negotiating", planned=True),
}


def test_the_year_2025_reads_as_it_was_published(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        with acting(somebody(may_waive=True)):
            import_paper(ledger, LEDGER_2025)
        told = ledger.reports.annual(asked_for(2025, date(2025, 12, 29), None))
    assert told["text"] == PUBLISHED
    assert [(claim["name"], claim["value"], len(claim["leads"])) for claim in told["claims"]] == [
        ("tips", 11, 11),
        ("groundbroken", 1, 1),
        ("groundbroken_smaller", 0, 0),
        ("signed", 1, 1),
        ("negotiating", 6, 6),
        ("about_to_sign", 1, 1),
    ]


@pytest.mark.parametrize("present", list(product((True, False), repeat=len(ONE_OF_EACH))))
def test_a_clause_without_a_number_is_left_out_and_the_rest_reads_on(
    present: tuple[bool, ...],
) -> None:
    wanted = [words for words, there in zip(ONE_OF_EACH, present, strict=True) if there]
    told = [ONE_OF_EACH[words] for words in wanted]
    text = sentence(claims_of(told), date(2025, 12, 31), LEAD)
    if not told:
        assert text == NOTHING
        return
    # Who is about to sign is in talks as well.
    words = {*wanted, *(["跟踪洽谈"] if "即将签约" in wanted else [])}
    assert {clause for clause in ONE_OF_EACH if clause in text} == words
    assert text.endswith("。") and text.count("。") == 1
    assert not any(twice in text for twice in ("，，", "、、", "，、", "、，", "，。", "、。"))
    assert text[0] not in "，、"
    assert text.count("全年") == any(clause in text for clause in ("开工", "签约落地"))


def test_a_claim_counts_what_came_in_the_year_and_stayed() -> None:
    left = [fate("closed", came="signed"), fate("signed"), fate("signed", came="groundbroken")]
    assert [claim.value for claim in claims_of(left)] == [0, 0, 0, 0, 0, 0]


def test_the_largest_that_is_about_to_sign_is_named_and_of_equals_the_first() -> None:
    told = [Fate(n, "negotiating", True, fen, frozenset()) for n, fen in ((1, 5), (2, 9), (3, 9))]
    largest = claims_of(told)[-1].largest
    assert largest is not None and largest.number == 2


@pytest.mark.parametrize(
    ("title", "investment", "words"),
    [
        ("12英寸大晶圆项目", ("30", "亿元"), "投资30亿元的12英寸大晶圆项目"),
        ("光伏组件", ("1.60", "亿元"), "投资1.6亿元的光伏组件项目"),
        ("冷链", ("8000", "万元"), "投资8000万元的冷链项目"),
        ("冷链", ("12000", "万元"), "投资1.2亿元的冷链项目"),
        ("冷链", ("1200", "万美元"), "投资1200万美元的冷链项目"),
        ("冷链", None, "冷链项目"),
    ],
)
def test_a_lead_is_named_with_its_amount(
    title: str, investment: tuple[str, str] | None, words: str
) -> None:
    money = dict(zip(("amount", "unit"), investment, strict=True)) if investment else None
    assert named({"title": title, "investment": money}) == words


@pytest.mark.parametrize(
    ("amount", "unit", "words"),
    [
        ("100000000", "元", "1亿元"),
        ("123456789", "元", "12345.6789万元"),
        ("123456", "元", "12.3456万元"),
        ("9999", "元", "9999元"),
        ("1234567.89", "元", "1234567.89元"),
        ("0", "元", "0元"),
        ("0.5", "亿元", "5000万元"),
        ("100", "亿元", "100亿元"),
        ("2.50", "亿美元", "2.5亿美元"),
    ],
)
def test_an_amount_is_written_in_the_largest_unit_that_suits(
    amount: str, unit: str, words: str
) -> None:
    assert amount_words(amount, unit) == words


def test_before_december_the_sentence_says_up_to_when() -> None:
    text = sentence(claims_of([ONE_OF_EACH["签约落地1个"]]), date(2025, 6, 30), None)
    assert text == "截至6月30日签约落地1个。"


def test_a_year_that_is_asked_for_again_is_told_anew_only_when_the_log_went_on(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger, acting(somebody()):
        member = register(ledger).subject
        tip(ledger, member)
        asked = asked_for(2025, date(2025, 12, 29), None)
        first = ledger.reports.annual(asked)
        assert ledger.reports.annual(asked)["claims"] is first["claims"]
        known = first["position"]
        tip(ledger, member)
        assert ledger.reports.annual(asked)["claims"][0]["value"] == 2
        assert ledger.reports.annual(asked, known)["claims"][0]["value"] == 1
        other = ledger.reports.annual(asked, None, Scope(district="440106"))
        assert other["claims"][0]["value"] == 0
