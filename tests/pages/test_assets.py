"""What pages load: ours or listed, kept for ever, small; and nothing from elsewhere."""

import gzip
import json
import re
from hashlib import sha256
from pathlib import Path

import pytest

from api.pages.assets import ASSETS, FOLDER, address
from service.settings import HOME
from tests.api.office import Office
from tests.pages.visitor import Seen, Visitor

LISTED = json.loads((HOME / "tools/vendored.json").read_text("utf-8"))
VENDORED = (FOLDER / "vendor", HOME / "tests/browser/vendor")
WITHOUT_CHARTS, WITH_CHARTS = 150_000, 700_000


def test_what_others_made_is_listed_and_as_it_was_copied() -> None:
    listed = {file["to"]: file["sha256"] for package in LISTED for file in package["files"]}
    kept = {
        path.relative_to(HOME).as_posix(): sha256(path.read_bytes()).hexdigest()
        for folder in VENDORED
        for path in folder.iterdir()
    }
    assert kept == listed


def test_each_package_is_of_one_version_under_a_licence_that_comes_with_it() -> None:
    for package in LISTED:
        assert re.fullmatch(r"\d+\.\d+\.\d+", package["version"])
        assert package["license"] in ("0BSD", "Apache-2.0", "MPL-2.0")
        assert any("LICENSE" in file["to"] for file in package["files"])


@pytest.mark.parametrize("name", sorted(ASSETS))
def test_a_file_is_kept_for_ever_under_an_address_that_says_what_is_in_it(
    visitor: Visitor, name: str
) -> None:
    answer = visitor.get(address(name), Accept_Encoding="gzip")
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    data = answer.data
    if answer.headers.get("Content-Encoding") == "gzip":
        data = gzip.decompress(data)
    assert data == (FOLDER / name).read_bytes()
    assert sha256(data).hexdigest().startswith(address(name).split("/")[2])
    assert visitor.get(address(name)).data == data


@pytest.mark.parametrize("path", ["0000000000000000/pages.css", "x/../../api/__init__.py", "x/y"])
def test_no_other_file_is_given_away(visitor: Visitor, path: str) -> None:
    assert visitor.get(f"/static/{path}").status_code == 404


def test_a_licence_is_no_part_of_a_page() -> None:
    assert {Path(name).suffix for name in ASSETS} == {".css", ".js", ".svg"}


def loads(page: Seen) -> list[str]:
    """The addresses that a page loads."""
    found = [one["src"] for tag in ("script", "img") for one in page.all(tag)]
    found += [one["href"] for one in page.all("link")]
    return sorted({one for one in found if one})


@pytest.mark.parametrize("path", ["/", "/behind/tips", "/leads", "/board", "/nothing"])
def test_a_page_loads_nothing_from_elsewhere_and_holds_no_script_or_style(
    office: Office, visitor: Visitor, path: str
) -> None:
    visitor.sign_in(office.ledger.tokens.issue("admin"))
    page = Seen(visitor.get(path).text)
    assert all(one.startswith("/static/") for one in loads(page))
    assert page.all("style") == []
    for tag, attributes in page.tags:
        assert "style" not in attributes and not any(name.startswith("on") for name in attributes)
        assert tag != "script" or attributes["src"]


@pytest.mark.parametrize("path", ["/", "/behind/tips", "/leads", "/board", "/signin", "/nothing"])
def test_a_page_is_light(office: Office, visitor: Visitor, path: str) -> None:
    if path != "/signin":
        visitor.sign_in(office.ledger.tokens.issue("admin"))
    answer = visitor.get(path, Accept_Encoding="gzip")
    page = gzip.decompress(answer.data).decode()
    sizes = [len(visitor.get(one, Accept_Encoding="gzip").data) for one in loads(Seen(page))]
    charts = "echarts" in page
    assert len(answer.data) + sum(sizes) < (WITH_CHARTS if charts else WITHOUT_CHARTS)


def test_the_dark_tokens_are_the_same_ones_wherever_they_come_from() -> None:
    sheet = ASSETS["pages.css"].data.decode()
    begun = sheet.split(":root {", 1)[1].split("}", 1)[0]
    asked, chosen = (
        sheet.split(mark, 1)[1].split("}", 1)[0].split()
        for mark in (':root:not([data-theme="light"]) {', '[data-theme="dark"] {')
    )
    assert asked == chosen
    for token in re.findall(r"(--[\w-]+):", " ".join(chosen)):
        assert f"{token}:" in begun
    # Browsers in offices may not know these yet.
    assert not re.search(r"light-dark\(#|color-mix\(|@layer|@container", sheet)
