"""Paper ledgers for the tests: rows by heading, and files of them."""

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from domain.actor import acting
from service.application import Ledger
from service.columns import HEADINGS
from service.imports import Imported, import_paper
from tests.service.helpers import somebody

Row = dict[str, str]

# A lead from its tip to groundbreaking, in every heading that such a lead fills.
FULL: Row = {
    "编号": "1",
    "项目名称": "示例项目一",
    "提供委员": "QJP-001",
    "委员界别": "工商联",
    "区划代码": "320812",
    "提供日期": "2025-01-09",
    "投资方": "示例投资方一",
    "产业代码": "C34",
    "计划投资": "1.6",
    "单位": "亿元",
    "洽谈日期": "2025-01-20",
    "责任单位": "清江浦经济开发区",
    "责任人": "赵",
    "拟签约日期": "2025-05-01",
    "签约日期": "2025-04-11",
    "协议类型": "合同",
    "协议投资": "1.5",
    "协议单位": "亿元",
    "开工日期": "2025-09-26",
    "开工佐证": "permit:示例许可证一",
    "备注": "全年开工亿元项目",
}


def row(number: object = 1, **cells: str) -> Row:
    """A tip with nothing else known of it; ``cells`` by heading."""
    tip = {"编号": str(number), "项目名称": f"示例项目{number}", "提供委员": "QJP-001"}
    return {**tip, "区划代码": "320812", "提供日期": "2025-03-18", **cells}


def text(rows: Iterable[Row], headings: Iterable[str] = HEADINGS) -> str:
    """The rows as CSV under ``headings``."""
    out = io.StringIO(newline="")
    names = list(headings)
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([cells.get(name, "") for name in names] for cells in rows)
    return out.getvalue()


def sheet(path: Path, rows: Iterable[Row], encoding: str = "utf-8") -> Path:
    """The rows as a file at ``path``."""
    path.write_bytes(text(rows).encode(encoding))
    return path


def take_in(ledger: Ledger, path: Path, dry_run: bool = False) -> Imported:
    """Import the file, as an administrator at the command line does."""
    with acting(somebody(may_waive=True)):
        return import_paper(ledger, path, dry_run=dry_run)
