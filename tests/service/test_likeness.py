"""Which names are one company's, and which titles are near."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from service.likeness import NEAR, keys_of, plain_name, plain_title, reasons, score


def lead(title: str, name: str | None = None, uscc: str | None = None) -> dict[str, Any]:
    """As much of a lead as is compared."""
    return {"title": title, "investor": {"name": name, "uscc": uscc} if name else None}


@pytest.mark.parametrize(
    "name",
    [
        "清陶能源",
        "清陶能源有限公司",
        "清陶能源科技股份有限公司",
        "清陶（昆山）能源发展有限公司",
        "清陶(昆山)能源集团",
        "江苏清陶能源控股集团",
        "江苏省苏州市昆山市清陶能源有限责任公司",
        "淮安市清江浦区清陶能源",
        " 清陶 · 能源 有限公司",
    ],
)
def test_a_company_is_known_without_its_form_its_region_and_brackets(name: str) -> None:
    assert plain_name(name) == "清陶能源"


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("ＡＢＣ有限公司", "abc"),
        ("Siemens Co., Ltd.", "siemens"),
        ("内蒙古伊利实业集团股份有限公司", "伊利"),
        # Nothing would be left of these, or too little to tell them apart.
        ("科技发展有限公司", "科技发展有限公司"),
        ("江苏有限公司", "江苏有限公司"),
        # A district's name without what it is may be a company's.
        ("长安汽车", "长安汽车"),
        ("（）", "()"),
        ("华润超市有限公司", "华润超市"),
    ],
)
def test_what_tells_companies_apart_stays_in_a_name(name: str, plain: str) -> None:
    assert plain_name(name) == plain


@pytest.mark.parametrize(
    ("title", "plain"),
    [
        ("12英寸大晶圆项目", "12英寸大晶圆"),
        ("１２英寸大晶圆 建设项目", "12英寸大晶圆"),
        ("“光伏组件”（一期）项目", "光伏组件一期"),
        ("项目", "项目"),
        ("——（！）", "——(!)"),
    ],
)
def test_a_title_is_compared_without_what_every_title_has(title: str, plain: str) -> None:
    assert plain_title(title) == plain


@pytest.mark.parametrize(
    ("one", "other", "found"),
    [
        (lead("甲乙丙丁"), lead("完全不同的"), {}),
        (lead("12英寸大晶圆项目"), lead("12英寸晶圆项目"), {"title": 0.8 * (1 - 1 / 7)}),
        # One character in five is near, one in four is not.
        (lead("光伏组件"), lead("光伏组件厂"), {"title": 0.8 * 0.8}),
        (lead("光伏组件"), lead("光伏组装"), {}),
        (lead("……"), lead("……", "——"), {"title": 0.8}),
        (lead("甲乙", "清陶能源", "U"), lead("丙丁", "别的名字", "U"), {"uscc": 0.98}),
        (lead("甲乙", "清陶能源"), lead("丙丁", "清陶能源有限公司", "U"), {"investor": 0.85}),
        (
            lead("甲乙", "清陶能源", "U"),
            lead("甲乙", "清陶能源", "U"),
            {"uscc": 0.98, "investor": 0.85, "title": 0.8},
        ),
        (lead("甲乙", "清陶能源", "U"), lead("丙丁"), {}),
    ],
)
def test_each_reason_has_its_weight(
    one: dict[str, Any], other: dict[str, Any], found: dict[str, float]
) -> None:
    assert reasons(one, other) == pytest.approx(found)
    assert reasons(other, one) == pytest.approx(found)


def test_reasons_together_weigh_more_than_each() -> None:
    assert score({}) == 0
    assert score({"investor": 0.85}) == 0.85
    assert score({"investor": 0.85, "title": 0.8}) == 0.97
    assert score({"uscc": 0.98, "investor": 0.85, "title": 0.8}) == 1


@settings(max_examples=500)
@given(
    st.text("智能新能源电池生产基地abc12", min_size=1, max_size=25),
    st.lists(
        st.tuples(st.integers(0, 30), st.sampled_from("换插删"), st.sampled_from("智x基")),
        max_size=5,
    ),
)
def test_titles_that_are_near_always_share_a_key(
    title: str, edits: list[tuple[int, str, str]]
) -> None:
    """So nothing near is missed by looking at those only that share one."""
    other = title
    for where, what, letter in edits:
        at = where % (len(other) + 1)
        other = other[:at] + (letter if what != "删" else "") + other[at + (what != "插") :]
    one, two = plain_title(title), plain_title(other or "x")
    longest = max(len(one), len(two))
    near = Levenshtein.distance(one, two) * NEAR <= longest
    assert near == ("title" in reasons(lead(title), lead(other or "x")))
    if near:
        assert keys_of(title, None) & keys_of(other or "x", None)
