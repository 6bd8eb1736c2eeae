"""What makes two leads alike: names as they are compared, the keys they are found by, the score.

A company is known by its name without legal form, region and what is in brackets; a title without
the words that every title has. Titles are near when at most one character in five differs.
"""

import re
import unicodedata
from collections.abc import Mapping
from functools import cache, lru_cache
from itertools import pairwise
from typing import Any
from zlib import crc32

from rapidfuzz.distance import Levenshtein
from stdnum import numdb

Lead = Mapping[str, Any]

# What says nothing of which company it is, wherever it stands; of two the longer one first.
FORMS = (
    "股份有限公司",
    "有限责任公司",
    "有限公司",
    "股份公司",
    "集团公司",
    "分公司",
    "总公司",
    "公司",
    "集团",
    "股份",
    "控股",
    "实业",
    "科技",
    "技术",
    "发展",
    "投资",
    "coltd",
    "ltd",
    "inc",
)
# What says nothing of which project it is.
FILLERS = ("建设项目", "投资项目", "总部项目", "项目")
# Pairs of characters that many titles have: two leads are looked for by other ones first.
COMMON = frozenset(
    "科技 技术 智能 能制 制造 新能 能源 产业 业园 园区 基地 生产 产基 设备 装备 材料 新材 电子 "
    "汽车 零部 部件 加工 食品 机械 医药 生物 物流 数据 中心 研发 总部 年产 一期 二期 万吨".split()
)
# Titles are near when at most one character in so many differs.
NEAR = 5
# reason → how far it alone makes two leads one; of a near title, times how near.
WEIGHTS: Mapping[str, float] = {"uscc": 0.98, "investor": 0.85, "title": 0.8}

_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|〔[^〔〕]*〕")
_APART = re.compile(r"[\W_]+")
_FORMS = re.compile("|".join(FORMS))
_FILLERS = re.compile("|".join(FILLERS))
# A name of a region: what it is called, and what it is.
_NAME = re.compile("[一-龥]+")
_LEVEL = re.compile("(特别行政区|[^ ]{1,3}族自治[州区]|自治[州区]|地区|盟|省|市)$")


def keys_of(title: str | None, investor: Mapping[str, Any] | None) -> set[int]:
    """What a lead of that title and investor is found by. Two leads that are alike share one.

    (Of a text that differs from another in k characters, at most 2k pairs of neighbours are not
    the other's. So of the 2k + 1 that come first in any fixed order, both have one in common.)
    """
    keys = set(_first_pairs(plain_title(title))) if title else set()
    if investor:
        keys.add(crc32(f"investor {plain_name(investor['name'])}".encode()))
        if investor["uscc"]:
            keys.add(key_of_uscc(investor["uscc"]))
    return keys


def key_of_uscc(uscc: str) -> int:
    """What all leads of that company are found by."""
    return crc32(f"uscc {uscc}".encode())


def reasons(one: Lead, other: Lead) -> dict[str, float]:
    """Why two leads may be the same: each reason with its weight, the heaviest first."""
    found: dict[str, float] = {}
    mine, theirs = one["investor"], other["investor"]
    if mine and theirs:
        if mine["uscc"] and mine["uscc"] == theirs["uscc"]:
            found["uscc"] = WEIGHTS["uscc"]
        if plain_name(mine["name"]) == plain_name(theirs["name"]):
            found["investor"] = WEIGHTS["investor"]
    titles = plain_title(one["title"]), plain_title(other["title"])
    longest = max(map(len, titles))
    most = longest // NEAR
    apart = Levenshtein.distance(*titles, score_cutoff=most)
    if apart <= most:
        found["title"] = WEIGHTS["title"] * (1 - apart / longest)
    return found


def score(found: Mapping[str, float]) -> float:
    """0 to 1, two digits: how far all reasons together make two leads one."""
    doubt = 1.0
    for weight in found.values():
        doubt *= 1 - weight
    return round(1 - doubt, 2)


@lru_cache(maxsize=8192)
def plain_title(title: str) -> str:
    """A title as it is compared: without fillers, punctuation, widths and cases."""
    text = _squeezed(title)
    return _FILLERS.sub("", text) or text


@lru_cache(maxsize=8192)
def plain_name(name: str) -> str:
    """A company's name as it is compared: without form, region, brackets, widths and cases."""
    name = unicodedata.normalize("NFKC", name)
    text = _joined(_BRACKETS.sub("", name).casefold())
    text = _FORMS.sub("", _without_region(text))
    # What is too little to tell companies apart is no name.
    return text if len(text) > 1 else _squeezed(name)


def _squeezed(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    # Of what has no letter all is compared.
    return _joined(text) or text


def _joined(text: str) -> str:
    """``text`` without what stands between letters and digits."""
    return text if text.isalnum() else _APART.sub("", text)


def _first_pairs(text: str) -> list[int]:
    if len(text) < 2:
        return [_rank(text)]
    # A text that differs from this one in a fifth of the longer one's characters has at least
    # four fifths of this one's: k is a fourth of these.
    return sorted({_rank(a + b) for a, b in pairwise(text)})[: 2 * (len(text) // 4) + 1]


@lru_cache(maxsize=65536)
def _rank(pair: str) -> int:
    """The place of a pair in the order that is the same for all titles; also its key."""
    return crc32(f"title {pair}".encode()) + (2**32 if pair in COMMON else 0)


def _without_region(name: str) -> str:
    """``name`` without the provinces, cities and districts that it begins with."""
    regions = _regions()
    while (longest := regions.get(name[:2])) is not None:
        length = next((len(r) for r in longest if name.startswith(r)), 0)
        if not length or length > len(name) - 2:
            break
        name = name[length:]
    return name


@cache
def _regions() -> Mapping[str, list[str]]:
    """The names of GB/T 2260 by their first two characters, the longest first.

    Provinces and cities also without what they are, districts with it only: many a district is
    called like a company.
    """
    found = {"中国"}
    for _, _, _, about, counties in numdb.get("cn/loc").prefixes:
        found |= _with_bare(about["province"])
        for _, _, _, county, _ in counties:
            for name in _NAME.findall(county["county"]):
                found |= {name} if name[-1] in "区县旗" else _with_bare(name)
    regions: dict[str, list[str]] = {}
    for name in sorted(found, key=len, reverse=True):
        if len(name) > 1:
            regions.setdefault(name[:2], []).append(name)
    return regions


def _with_bare(name: str) -> set[str]:
    return {name, _LEVEL.sub("", name)}
