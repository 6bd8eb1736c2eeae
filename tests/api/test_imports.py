"""Imports over HTTP: a file uploaded, taken in whole or refused cell by cell."""

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from api.imports import MOST_BYTES
from api.printed import XLSX
from service.columns import HEADINGS
from tests.api.office import NOBODY, Caller, Office, send, send_parts
from tests.service.sheets import FULL, row, text
from tests.service.workbooks import values, workbook


@pytest.fixture
def book(tmp_path: Path) -> bytes:
    """A workbook of two leads."""
    return workbook(tmp_path / "a.xlsx", [values(FULL), values(row(2))]).read_bytes()


def test_a_workbook_is_taken_in_and_a_second_time_changes_nothing(
    officer: Caller, book: bytes
) -> None:
    first = send(officer, book)
    done = {"leads": 2, "members": 1, "unchanged": 0, "changed": 0, "events": 7, "extra": []}
    done |= {"dry_run": False, "similar": {"compared": 2, "alike": 0, "leads": []}}
    assert (first.status_code, first.json) == (200, done)
    assert len(officer.ok("/v1/leads")["items"]) == 2
    again = send(officer, book)
    done["similar"] = {"compared": 0, "alike": 0, "leads": []}
    assert again.json == {**done, "leads": 0, "members": 0, "unchanged": 2, "events": 0}


def test_whoever_imports_is_the_actor_of_each_event(officer: Caller, book: bytes) -> None:
    send(officer, book)
    lead = officer.ok("/v1/leads")["items"][0]
    mine = officer.tip(officer.ok("/v1/members")["items"][0]["id"], title="手工")
    histories = [officer.ok(f"/v1/leads/{its['id']}/history") for its in (lead, mine)]
    assert len({history["items"][0]["actor"] for history in histories}) == 1


def test_a_dry_run_records_nothing(officer: Caller, book: bytes) -> None:
    done = send(officer, book, dry_run="true").json
    assert done is not None and (done["leads"], done["dry_run"]) == (2, True)
    assert officer.ok("/v1/leads")["items"] == []


@pytest.mark.parametrize("dry_run", ["true", "false"])
def test_new_leads_that_may_be_the_same_as_another_are_named_with_why(
    officer: Caller, tmp_path: Path, dry_run: str
) -> None:
    send(officer, workbook(tmp_path / "a.xlsx", [values(FULL)]).read_bytes())
    (known,) = officer.ok("/v1/leads")["items"]
    rows = [row(7, 投资方="示例投资方一有限公司", 项目名称="晶圆厂"), row(8, 项目名称="晶圆厂二期")]
    rows.append(row(9, 项目名称="晶圆厂二期项目"))
    path = workbook(tmp_path / "b.xlsx", [values(cells) for cells in rows])
    answer = send(officer, path.read_bytes(), dry_run=dry_run)
    similar: Any = answer.json and answer.json["similar"]
    assert (similar["compared"], similar["alike"]) == (3, 2)
    first, second = similar["leads"]
    assert (first["row"], first["stage"]) == ("台账!2", "tip")
    (other,) = first["possible_duplicates"]
    assert (other["id"], other["reasons"]) == (known["id"], ["investor"])
    (other,) = second["possible_duplicates"]
    assert (second["row"], other["row"], other["reasons"]) == ("台账!4", "台账!3", ["title"])


def test_bad_cells_are_named_and_the_marked_copy_is_for_who_sent_the_file(
    office: Office, tmp_path: Path
) -> None:
    officer = office.officer
    rows = [values(row(1)), values(row(2, 区划代码="1")), values(row(3, 提供日期="明天"))]
    answer = send(officer, workbook(tmp_path / "a.xlsx", rows).read_bytes())
    problem: Any = answer.json
    assert answer.status_code == 422 and problem["errors"].keys() == {"台账!E3", "台账!F4"}
    assert officer.ok("/v1/leads")["items"] == []
    copy = officer.get(problem["marked"])
    assert copy.status_code == 200 and copy.content_type == XLSX
    page = openpyxl.load_workbook(io.BytesIO(copy.data))["台账"]
    after = len(HEADINGS) + 1
    assert "区划代码" in page.cell(3, after).value and "提供日期" in page.cell(4, after).value
    assert office.one("admin").get(problem["marked"]).status_code == 404
    assert officer.get(f"/v1/imports/{NOBODY}/marked.xlsx").status_code == 404


def test_the_template_is_a_workbook_with_the_headings(officer: Caller) -> None:
    answer = officer.get("/v1/imports/template.xlsx")
    assert answer.status_code == 200 and answer.content_type == XLSX
    assert "filename*=UTF-8''" in answer.headers["Content-Disposition"]
    page = openpyxl.load_workbook(io.BytesIO(answer.data))["台账"]
    assert [cell.value for cell in page[1]] == list(HEADINGS)
    done = send(officer, answer.data).json
    assert done is not None and (done["leads"], done["unchanged"]) == (0, 0)


def test_csv_is_taken_as_well(officer: Caller) -> None:
    done = send(officer, text([row(1)]).encode("gb18030")).json
    assert done is not None and done["leads"] == 1


@pytest.mark.parametrize(
    ("fields", "named"),
    [({"dry_run": "maybe"}, "dry_run"), ({"mode": "x"}, "mode")],
)
def test_a_wrong_field_is_refused_by_name(
    officer: Caller, book: bytes, fields: dict[str, str], named: str
) -> None:
    answer = send(officer, book, **fields)
    assert answer.status_code == 422 and (answer.json or {})["errors"].keys() == {named}


@pytest.mark.parametrize(
    "twice", [("dry_run", "true", "dry_run", "false"), ("dry_run", "true", "file", "")]
)
def test_a_field_that_comes_twice_is_refused(officer: Caller, twice: tuple[str, ...]) -> None:
    parts = zip(twice[::2], map(str.encode, twice[1::2]), strict=True)
    answer = send_parts(officer, ("file", text([row()]).encode()), *parts)
    assert answer.status_code == 422 and answer.json
    assert list(answer.json["errors"].values()) == [["It is given twice."]]
    assert officer.ok("/v1/leads")["items"] == []


def test_without_a_file_or_of_another_kind_nothing_is_read(officer: Caller) -> None:
    assert officer.post("/v1/imports", {}).status_code == 415
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    answer = officer.call("POST", "/v1/imports", b"--x--\r\n", headers)
    assert answer.status_code == 422 and (answer.json or {})["errors"].keys() == {"file"}


def test_a_part_without_a_name_is_refused_as_such(officer: Caller) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    part = b"--x\r\nContent-Disposition: form-data\r\n\r\n{}\r\n--x--\r\n"
    answer = officer.call("POST", "/v1/imports", part, headers)
    assert (answer.json or {})["errors"] == {"(no name)": ["Unknown field."]}


def test_a_file_may_be_large_but_not_over_the_limit(officer: Caller) -> None:
    large = text([row(1)]).encode() + b"\n" * (3 * 1024 * 1024)
    assert send(officer, large).status_code == 200
    assert send(officer, b"\n" * (MOST_BYTES + 1)).status_code == 413
