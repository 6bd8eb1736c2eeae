"""Leads that may be the same, looked for among 100,000 with few words between them."""

import time
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import pytest

from domain.actor import acting
from domain.lead import Lead
from service.application import Ledger
from tests.bench.harness import Limit, Report, check
from tests.service.helpers import DISTRICT, ledger_in, register, somebody

pytestmark = pytest.mark.bench

LEADS, AT_ONCE, ASKED = 100_000, 10_000, 200
REGIONS = ["江苏", "苏州", "淮安", "上海", "深圳", "", "", ""]
NAMES = "清陶晶合集成宁德时代蔚来盛世华天新天合光能隆基绿能三一重工徐航长城海康大族先导"
TRADES = ["能源", "半导体", "食品", "物流", "新材料", "智能装备", "生物医药", "电子", "机械"]
PLACES = ["生产基地", "产业园", "研发中心", "总部", "二期", "制造", "加工", "数据中心"]


def facts(chance: Random) -> dict[str, Any]:
    """A title and an investor."""
    one, two = ("".join(chance.choices(NAMES, k=chance.randint(2, 4))) for _ in range(2))
    name = f"{chance.choice(REGIONS)}{one}{chance.choice(TRADES)}有限公司"
    return {
        "title": f"{two}{chance.choice(TRADES)}{chance.choice(PLACES)}项目",
        "investor": {"name": name, "uscc": None, "country": "CN"},
    }


def fill(ledger: Ledger, chance: Random) -> None:
    """So many leads."""
    member = str(register(ledger).subject)
    for _ in range(LEADS // AT_ONCE):
        stored: list[Any] = []
        with acting(somebody()):
            for _ in range(AT_ONCE):
                lead = Lead.tip(
                    id=UUID(int=chance.getrandbits(128)),
                    members=[member],
                    district=DISTRICT,
                    occurred_on="2025-03-18",
                    **facts(chance),
                )
                stored += map(ledger.mapper.to_stored_event, lead.collect_events())
        ledger.record_all(stored)
    ledger.reads.catch_up.rebuild()


def test_similar_leads_are_found_among_a_hundred_thousand_in_fifty_milliseconds(
    tmp_path: Path, report: Report
) -> None:
    chance = Random(7)
    with ledger_in(tmp_path) as ledger:
        fill(ledger, chance)
        ledger.reads.position()
        waits, found = [], 0
        for _ in range(ASKED):
            asked = facts(chance)
            began = time.perf_counter()
            shown = ledger.similar.to(asked)
            waits.append((time.perf_counter() - began) * 1e3)
            found += len(shown)
    assert found, "nothing was like anything"
    detail = f"{found / ASKED:.1f} found for each of {ASKED}, among {LEADS}"
    check(report.add("similar leads, wait", waits, Limit(at_most=50), detail, " ms"))
