"""Reports as a page to print and as a document, by what the request accepts."""

import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from io import BytesIO

import pytest
from docx import Document
from openpyxl import load_workbook

from api.printed import DOCX, HTML, XLSX
from tests.api.office import Caller, Office

YEAR = "/v1/reports/annual/2025?to=2025-12-29"
MONTH = "/v1/reports/monthly/2025-04"
SENTENCE = "政协委员累计提供项目信息1条，跟踪洽谈1个。"
# What a browser sends when somebody types an address.
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"


@pytest.fixture
def lead(office: Office) -> str:
    """A lead in talks whose title would be a tag."""
    officer = office.officer
    tipped = officer.tip(officer.register()["id"], title="<script>晶圆</script>&项目")
    officer.command(tipped, "negotiation")
    return str(tipped["id"])


class Tags(HTMLParser):
    """The tags and attributes of a page, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        """Note it."""
        if data.strip():
            self.words.append(data.strip())


@pytest.mark.parametrize("path", [YEAR, MONTH, "/v1/reports/weekly/2025-W16"])
def test_a_report_is_a_page_without_script_that_loads_nothing(
    officer: Caller, lead: str, path: str
) -> None:
    assert lead
    answer = officer.get(path, Accept=BROWSER)
    assert answer.content_type == "text/html; charset=utf-8"
    page = Tags(answer.text)
    assert {"script", "link", "img", "iframe", "form", "object"}.isdisjoint(page.tags)
    assert {"src", "href", "style"}.isdisjoint(page.attributes)
    assert not [name for name in page.attributes if name.startswith("on")]
    assert "url(" not in answer.text and "@import" not in answer.text


def test_the_policy_allows_the_style_of_the_page_and_nothing_else(
    officer: Caller, lead: str
) -> None:
    assert lead
    answer = officer.get(YEAR, Accept=HTML)
    style = re.search("<style>(.*)</style>", answer.text, re.DOTALL)
    assert style is not None
    digest = b64encode(sha256(style[1].encode()).digest()).decode()
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy[:2] == ["default-src 'none'", f"style-src 'sha256-{digest}'"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Vary"] == "Accept"
    assert "@page" in style[1] and "A4" in style[1]


def test_the_page_says_what_the_report_says_and_titles_stay_text(
    officer: Caller, lead: str
) -> None:
    assert lead
    words = Tags(officer.get(YEAR, Accept=HTML).text).words
    assert SENTENCE in words
    assert "".join(words).count("<script>晶圆</script>&项目") == 2
    digest = officer.ok("/v1/reports/annual/2025?to=2025-12-29", {})["digest"]
    assert digest in "".join(words)
    assert "全部" in words[-2] and "第1号" in words[-2]


def test_a_report_is_a_document_to_edit(officer: Caller, lead: str) -> None:
    assert lead
    sealed = officer.ok(YEAR, {})
    for path, name in (
        (YEAR, "report-2025.docx"),
        (f"{YEAR}&district=32", "report-2025-32.docx"),
        (f"/v1/reports/{sealed['id']}", "report-2025.docx"),
        (MONTH, "report-2025-04.docx"),
    ):
        answer = officer.get(path, Accept=DOCX)
        assert answer.content_type == DOCX
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        texts = [p.text for p in Document(BytesIO(answer.data)).paragraphs]
        assert (SENTENCE in texts) == (path != MONTH)
    assert sealed["digest"] in "".join(
        p.text
        for p in Document(
            BytesIO(officer.get(f"/v1/reports/{sealed['id']}", Accept=DOCX).data)
        ).paragraphs
    )


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (MONTH, "report-2025-04"),
        (f"{MONTH}?district=32", "report-2025-04-32"),
        ("/v1/reports/weekly/2025-W16", "report-2025-W16"),
    ],
)
def test_a_month_or_week_is_a_workbook(officer: Caller, lead: str, path: str, name: str) -> None:
    assert lead
    answer = officer.get(path, Accept=XLSX)
    assert answer.content_type == XLSX
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.xlsx"'
    assert answer.headers["Vary"] == "Accept"
    (sheet,) = load_workbook(BytesIO(answer.data))
    standing = [cell.value for cell in sheet[3]].index("期末（个）")
    told = officer.ok(path)
    rows = list(sheet.iter_rows(min_row=4, max_row=8, values_only=True))
    assert [(row[2], row[standing]) for row in rows] == [
        (stage["label"], stage["standing"]["now"]["count"]) for stage in told["stages"]
    ]
    again = officer.get(path, Accept=XLSX, If_None_Match=answer.headers["ETag"])
    assert (again.status_code, again.data) == (304, b"")
    assert officer.get(path, Accept=DOCX).headers["ETag"] != answer.headers["ETag"]


def test_the_year_s_sentence_is_no_workbook(officer: Caller, lead: str) -> None:
    assert lead
    assert officer.get(YEAR, Accept=XLSX).status_code == 406


def test_each_form_has_an_etag_of_its_own_that_is_honoured(officer: Caller, lead: str) -> None:
    assert lead
    tags = {}
    for kind in ("application/json", HTML, DOCX):
        answer = officer.get(YEAR, Accept=kind)
        tag = tags[kind] = answer.headers["ETag"]
        again = officer.get(YEAR, Accept=kind, If_None_Match=tag)
        assert (again.status_code, again.data) == (304, b"")
    assert len(set(tags.values())) == 3


def test_json_is_what_is_answered_unless_something_else_is_asked_for(
    officer: Caller, lead: str
) -> None:
    assert lead
    for accept in ("*/*", "application/json", f"{HTML};q=0.5, application/json"):
        assert officer.get(YEAR, Accept=accept).content_type == "application/json"
    assert officer.get(YEAR, Accept="image/png").status_code == 406


def test_a_refusal_stays_a_problem_document(officer: Caller) -> None:
    answer = officer.get("/v1/reports/monthly/2025-13", Accept=BROWSER)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")
