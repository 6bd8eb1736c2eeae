"""An export's files say what the ledger says, and nothing that they should not."""

from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from domain.actor import acting, today_in_china
from service.application import Ledger
from service.columns import HEADINGS, LATER
from service.exports.columns import CHANGES, ENTRIES, LEADS, MOVEMENTS, PIPELINE
from service.exports.figures import year_of
from service.exports.safe import as_typed, neutral
from service.projections.cells import NAMES
from service.projections.choosing import EVERYTHING
from tests.exports.shelf import bytes_of, events, exported, manifest, parquet, rows
from tests.service.helpers import (
    call,
    journeys,
    keep_the_proof,
    ledger_in,
    register,
    somebody,
    tip,
    whole_log,
)

FILES = {
    "pipeline.csv",
    "movements.csv",
    "leads.csv",
    "leads.xlsx",
    "leads.parquet",
    "entries.parquet",
    "changes.csv",
    "events.jsonl",
    "manifest.json",
    "verify_ledger.py",
}
CONTACT = {"name": "李先生", "phone": "13800000001"}


def shown(ledger: Ledger, lead: str) -> dict[str, Any]:
    """A lead as the API shows it."""
    found: dict[str, Any] = orjson.loads(ledger.reads.lead(UUID(lead)).body)
    return found


def test_an_export_has_its_files_and_a_manifest_that_tells_of_each(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        done = exported(ledger)
        last = len(whole_log(ledger))
    told = manifest(done.folder)
    assert {file.name for file in done.folder.iterdir()} == FILES
    assert {one["name"] for one in told["files"]} == FILES - {"manifest.json"}
    assert (told["date"], told["position"], told["previous"]) == (f"{today_in_china()}", last, None)
    assert (told["personal_data"], told["rule"]) == ("masked", "1")
    digests = bytes_of(done.folder)
    for one in told["files"]:
        assert one["sha256"] == digests[one["name"]]
        assert one["bytes"] == (done.folder / one["name"]).stat().st_size
    counts = {one["name"]: one["rows"] for one in told["files"]}
    assert counts["leads.csv"] == counts["leads.parquet"] == counts["leads.xlsx"] == 4
    assert counts["events.jsonl"] == last
    assert counts["entries.parquet"] == len(parquet(done.folder / "entries.parquet"))


def test_the_files_have_the_documented_columns(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        folder = exported(ledger).folder
    csvs = {"leads.csv": LEADS, "pipeline.csv": PIPELINE, "movements.csv": MOVEMENTS}
    for name, columns in csvs.items():
        assert list(rows(folder / name)[0]) == [column.heading for column in columns]
    headings = (folder / "changes.csv").read_text("utf-8-sig").strip().split(",")
    assert headings == [column.heading for column in CHANGES]
    assert list(parquet(folder / "leads.parquet")[0]) == [column.name for column in LEADS]
    assert list(parquet(folder / "entries.parquet")[0]) == [column.name for column in ENTRIES]
    assert sorted(column.name for column in LEADS) == sorted(NAMES)
    # A course of many turns is written by hand only.
    assert set(HEADINGS) - LATER <= {column.heading for column in LEADS}


def test_csv_is_as_excel_wants_it(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        folder = exported(ledger).folder
    for path in folder.glob("*.csv"):
        assert path.read_bytes().startswith(b"\xef\xbb\xbf")
        assert path.read_bytes().endswith(b"\r\n")
    (summary,) = {row["项目简介"] for row in rows(folder / "leads.csv")} - {""}
    assert summary == "一期\n二期"


def test_each_row_says_what_its_lead_shows(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        folder = exported(ledger).folder
        told = zip(rows(folder / "leads.csv"), parquet(folder / "leads.parquet"), strict=True)
        for row, typed in told:
            lead = shown(ledger, typed["id"])
            assert (row["项目名称"], row["项目标识"]) == (lead["title"], lead["id"])
            assert row["版本"] == f"{lead['version']}" == f"{typed['version']}"
            assert typed["stage"] == lead["stage"]
            assert typed["about_to_sign"] is lead["about_to_sign"]
            cny = (lead["investment"] or {}).get("cny")
            assert typed["cny"] == (Decimal(cny) if cny else None)
            assert row["现投资额（元）"] == (cny or "")
            assert f"{typed['tip_on']}" == lead["dates"]["tip"] == row["提供日期"]
            assert row["登记时间"] == lead["recorded_at"]


def test_people_read_words_and_machines_the_api_s_values(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        folder = exported(ledger).folder
    first, typed = rows(folder / "leads.csv")[0], parquet(folder / "leads.parquet")[0]
    assert (first["阶段"], typed["stage"]) == ("开工", "groundbroken")
    assert (first["协议类型"], typed["agreement"]) == ("合同", "contract")
    assert (first["暂缓"], typed["suspended"]) == ("否", False)


def test_pipeline_leads_and_entries_agree_with_the_ledger_and_with_each_other(
    tmp_path: Path,
) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        folder = exported(ledger).folder
        asked = ledger.reads.pipeline(EVERYTHING, year_of(today_in_china()), today_in_china(), None)
    told = {row["代码"]: row for row in rows(folder / "pipeline.csv")}
    leads, entries = parquet(folder / "leads.parquet"), parquet(folder / "entries.parquet")
    for stage in asked["stages"]:
        row, standing = told[stage["stage"]], stage["standing"]
        assert (row["现有项目数"], row["现有金额（元）"]) == (
            f"{standing['count']}",
            standing["cny"],
        )
        here = [lead for lead in leads if lead["stage"] == stage["stage"]]
        assert len(here) == standing["count"]
        assert sum(lead["cny"] or 0 for lead in here) == Decimal(standing["cny"])
    moved = {
        account: sum(
            (e["target"] == account) * e["leads"] - (e["source"] == account) * e["leads"]
            for e in entries
            if e["by"] != "recognised"
        )
        for account in ("outside", "tip", "signed", "groundbroken", "closed/duplicate")
    }
    assert moved["outside"] == -len(leads)
    assert moved["groundbroken"] == asked["stages"][3]["standing"]["count"] == 1
    assert moved["closed/duplicate"] == 1


def test_events_are_cloud_events_and_all_there_are(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        journeys(ledger)
        keep_the_proof(ledger)
        ledger.published.check_quiet(ledger.reads.data_version())
        folder = exported(ledger).folder
        log = whole_log(ledger)
    told = events(folder)
    assert [event["position"] for event in told] == [stored.id for stored in log]
    for event, stored in zip(told, log, strict=True):
        assert event["specversion"] == "1.0"
        assert event["type"] == f"leadledger.{stored.topic}"
        assert event["id"] == f"{stored.originator_id}/{stored.originator_version}"
        assert event["subject"] == f"{stored.originator_id}"
        assert event["time"].endswith("Z")
        assert "timestamp" not in event["data"]
    assert len({(event["source"], event["id"]) for event in told}) == len(told)


def test_a_contact_is_masked_everywhere(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        lead = tip(ledger, member, contact=CONTACT).subject
        tip(ledger, member, contact={"name": "王", "phone": "86-1390"})
        revised = {"contact": {"name": "赵女士", "phone": "13900000002"}}
        with acting(somebody()):
            facts = {"facts": revised, "reason": None, "occurred_on": "2025-04-01"}
            ledger.revise(lead, call(), facts)
            right = {"version": 2, "facts": {"contact": CONTACT}, "reason": "录入有误"}
            ledger.correct(lead, call(), {**right, "occurred_on": "2025-04-02"})
        folder = exported(ledger).folder
        shown_to = exported(ledger, out=tmp_path / "ours", personal=True).folder
    told = parquet(folder / "leads.parquet")
    assert (told[0]["contact_name"], told[0]["contact_phone"]) == ("李**", "138****0001")
    assert (told[1]["contact_name"], told[1]["contact_phone"]) == ("王**", "****")
    assert rows(folder / "leads.csv")[0]["联系电话"] == "138****0001"
    kept = [
        e["data"].get("contact") or (e["data"].get("facts") or {}).get("contact")
        for e in events(folder)
    ]
    assert [set(one) for one in kept if one] == [{"subject", "alg", "sealed"}] * 4
    for path in folder.iterdir():
        for secret in ("13800000001", "13900000002", "先生", "女士"):
            assert secret.encode() not in path.read_bytes(), path.name
    assert rows(shown_to / "leads.csv")[0]["联系电话"] == "13800000001"
    assert manifest(shown_to)["personal_data"] == "shown"


@pytest.mark.parametrize(
    ("typed", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+86", "'+86"),
        ("-5", "'-5"),
        ("@sum", "'@sum"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("'=1", "''=1"),
        ("'quoted'", "'quoted'"),
        ("a=b", "a=b"),
    ],
)
def test_a_text_that_looks_like_a_formula_is_one_no_more(typed: str, cell: str) -> None:
    assert neutral(typed) == cell
    assert as_typed(cell) == typed


def test_no_cell_of_a_csv_runs(tmp_path: Path) -> None:
    with ledger_in(tmp_path) as ledger:
        member = register(ledger).subject
        tip(
            ledger,
            member,
            title="=cmd|'/c calc'!A1",
            contact={"name": "@x", "phone": "+8613800000001"},
        )
        folder = exported(ledger, out=tmp_path / "ours", personal=True).folder
    (row,) = rows(folder / "leads.csv")
    assert row["项目名称"] == "'=cmd|'/c calc'!A1"
    assert (row["联系人"], row["联系电话"]) == ("'@x", "'+8613800000001")
    assert parquet(folder / "leads.parquet")[0]["title"] == "=cmd|'/c calc'!A1"
