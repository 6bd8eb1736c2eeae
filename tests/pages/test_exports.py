"""The pages of exports and reports: what is there, whether it is whole, and taking it away."""

import pytest

from domain.actor import today_in_china
from tests.api.office import Office
from tests.exports.shelf import exported
from tests.pages.visitor import Seen, Visitor

DAY = today_in_china()


@pytest.fixture
def officer(office: Office, visitor: Visitor) -> Visitor:
    """A browser in which an officer is signed in."""
    visitor.sign_in(office.ledger.tokens.issue("officer"))
    return visitor


def test_an_export_is_listed_and_its_files_are_told_with_their_sums(
    office: Office, officer: Visitor
) -> None:
    office.officer.tip(office.officer.register()["id"])
    made = exported(office.ledger, DAY)
    page = officer.see("/exports")
    assert f"{DAY.month}月{DAY.day}日" in page.text and "大小相符" in page.text
    assert page.all("a", href=f"/exports/{DAY}")
    page = officer.see(f"/exports/{DAY}")
    told = office.officer.ok(f"/v1/exports/{DAY}")
    assert all(file["sha256"] in page.text for file in told["files"])
    name = told["files"][0]["name"]
    answer = officer.get(f"/exports/{DAY}/{name}")
    assert answer.data == (made.folder / name).read_bytes()
    assert answer.headers["Content-Disposition"] == f"attachment; filename=leadledger-{DAY}-{name}"


def test_a_damaged_file_is_told_by_its_size_and_by_its_sum(
    office: Office, officer: Visitor
) -> None:
    office.officer.register()
    made = exported(office.ledger, DAY)
    path = made.folder / "leads.csv"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"?")
    assert "已损坏" not in officer.see("/exports").text
    assert "全部文件" not in officer.see(f"/exports/{DAY}?check=yes").text
    assert "请勿使用" in officer.see(f"/exports/{DAY}?check=yes").text
    path.write_bytes(whole[:-1])
    assert "已损坏" in officer.see("/exports").text
    officer.see(f"/exports/{DAY}/leads.csv", 503)
    path.write_bytes(whole)
    assert "全部文件与导出时逐字节一致" in officer.see(f"/exports/{DAY}?check=yes").text


def test_a_folder_that_is_no_export_is_told_as_one_that_is_damaged(
    office: Office, officer: Visitor
) -> None:
    (office.ledger.settings.exports / "2025-12-30").mkdir(parents=True)
    assert "已损坏" in officer.see("/exports").text


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("annual?period=2025&form=print", "text/html"),
        ("annual?period=2025&to=2025-12-29&form=document", "wordprocessingml"),
        ("monthly?period=2025-03&form=workbook", "spreadsheetml"),
        ("weekly?period=2025-W12&form=document", "wordprocessingml"),
    ],
)
def test_a_report_is_taken_away_in_each_form(officer: Visitor, path: str, kind: str) -> None:
    answer = officer.get(f"/reports/{path}")
    assert answer.status_code == 200 and kind in answer.content_type


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("monthly?period=2025-13", 404),
        ("annual?period=2025&form=workbook", 404),
        ("annual?period=MMXXV", 404),
        ("annual?form=print", 422),
    ],
)
def test_a_report_that_there_is_not_is_refused_beside_its_form(
    officer: Visitor, path: str, status: int
) -> None:
    answer = officer.get(f"/reports/{path}")
    assert answer.status_code == status
    assert 'role="alert"' in answer.text


def test_who_is_limited_to_a_district_has_reports_and_no_exports(
    office: Office, visitor: Visitor
) -> None:
    office.officer.register()
    exported(office.ledger, DAY)
    visitor.sign_in(office.ledger.tokens.issue("officer", district="320812"))
    page = visitor.see("/exports")
    assert not page.all("a", href=f"/exports/{DAY}")
    assert visitor.get(f"/exports/{DAY}").status_code == 403
    assert "320812" in Seen(visitor.get("/reports/monthly?period=2025-03").text).text
