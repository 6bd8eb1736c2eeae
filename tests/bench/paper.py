"""Paper ledgers of any size, in the 2025 ledger's headings: the same rows on every run."""

import csv
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from random import Random

from service.columns import HEADINGS

DISTRICTS = [f"32{city:02d}{district:02d}" for city in range(1, 11) for district in range(2, 6)]
SECTORS = ("工商联", "经济", "科技", "农业", "医药卫生", "特邀")
INDUSTRIES = ("C34", "C17", "C397", "C38", "G59", "C13", "I65", "C27", "F51")
UNITS = ("经济开发区", "黄码港片区", "高新区", "商务局")
MEMBERS = 250  # of each district
LAST = date(2025, 12, 29)
# What came of a lead by the end → of a hundred.
ENDS = {
    "tip": 24,
    "negotiating": 30,
    "about to sign": 7,
    "framework": 3,
    "signed": 10,
    "groundbroken": 14,
    "不予跟进": 4,
    "重复": 1,
    "流失": 5,
    "撤回": 1,
    "解约": 1,
}
# The steps that a row of each end has taken, the tip apart, and so its events.
STEPS = {
    "tip": "",
    "negotiating": "n",
    "about to sign": "np",
    "framework": "nf",
    "signed": "ns",
    "groundbroken": "nsg",
    "不予跟进": "c",
    "重复": "c",
    "流失": "nc",
    "撤回": "nc",
    "解约": "nsc",
}


def write_ledger(path: Path, *, rows: int | None = None, events: int | None = None) -> int:
    """A ledger of so many rows, or of at least so many events; how many rows it has."""
    written = seen = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, HEADINGS, restval="")
        writer.writeheader()
        for steps, row in islice(_rows(Random(2025)), rows):
            writer.writerow(row)
            written += 1
            seen += 1 + len(steps)
            if events is not None and seen >= events:
                break
    return written


def _rows(chance: Random) -> Iterator[tuple[str, dict[str, str]]]:
    ends, weights = list(ENDS), list(ENDS.values())
    number = 0
    while True:
        number += 1
        end = chance.choices(ends, weights)[0]
        yield STEPS[end], _row(chance, number, end)


def _row(chance: Random, number: int, end: str) -> dict[str, str]:
    district = chance.choice(DISTRICTS)
    day = date(2023, 1, 1) + timedelta(days=chance.randrange(3 * 365 - 1))
    member = chance.randrange(MEMBERS)
    members = [member, (member + 7) % MEMBERS] if chance.random() < 0.05 else [member]
    row = {
        "编号": str(number),
        "项目名称": f"示例项目{number}",
        "提供委员": ";".join(f"QJP-{m:03d}" for m in members),
        "委员界别": SECTORS[member % len(SECTORS)],
        "区划代码": district,
        "提供日期": f"{day}",
        "备注": "两名委员共同提供" if len(members) > 1 else "",
    }
    if chance.random() < 0.9:
        row |= {
            "投资方": f"示例投资方{number}",
            "产业代码": chance.choice(INDUSTRIES),
            "计划投资": f"{chance.randrange(1000, 90000)}",
            "单位": "万元" if chance.random() < 0.95 else "万美元",
        }
    for step in STEPS[end]:
        day = min(LAST, day + timedelta(days=chance.randrange(5, 150)))
        row |= _step(step, day, end, chance, number)
    return row


def _step(step: str, day: date, end: str, chance: Random, number: int) -> dict[str, str]:
    agreed = {"协议投资": f"{chance.randrange(1000, 90000)}", "协议单位": "万元"}
    cells = {
        "n": {"洽谈日期": f"{day}", "责任单位": chance.choice(UNITS)},
        "p": {"拟签约日期": f"{day + timedelta(days=chance.randrange(30, 200))}"},
        "f": {"签约日期": f"{day}", "协议类型": "框架"},
        "s": {"签约日期": f"{day}", "协议类型": "合同", **agreed},
        "g": {"开工日期": f"{day}", "开工佐证": f"permit:示例许可证{number}"},
        "c": {"终止日期": f"{day}", "终止结果": end, "终止原因": "示例原因"},
    }
    return cells[step]
