"""``leadledger report``: the sentence alone on its line, sealing, wrong words."""

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result
from docx import Document
from openpyxl import load_workbook

from service.cli import main
from tests.service.test_annual import PUBLISHED


def report(*words: str, kind: str = "annual") -> Result:
    """What the command line answers."""
    return CliRunner().invoke(main, ["report", kind, *words])


@pytest.mark.usefixtures("demo")
def test_the_sentence_stands_alone_on_its_line() -> None:
    assert report("2025", "--to", "2025-12-29").output == f"{PUBLISHED}\n"


@pytest.mark.usefixtures("demo")
def test_a_report_is_sealed_and_its_digest_told() -> None:
    sealed = report("2025", "--to", "2025-12-29", "--seal")
    assert sealed.stdout == f"{PUBLISHED}\n"
    assert "SHA-256" in sealed.stderr
    told = orjson.loads(report("2025", "--to", "2025-12-29", "--json").stdout)
    assert told["claims"][0]["value"] == 11 and "digest" not in told


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("2025", "--to", "2024-12-29"), 1, "not in 2025"),
        (("2025", "--district", "99"), 1, "district"),
        (("2025", "--to", "2025-02-30"), 2, "--to"),
        (("2025", "--seal", "--known-at", "3"), 2, "without --known-at"),
        (("x",), 2, "YEAR"),
    ],
)
def test_wrong_words_are_refused_in_one_line(
    words: tuple[str, ...], status: int, says: str
) -> None:
    answer = report(*words)
    assert (answer.exit_code, says in answer.stderr) == (status, True), answer.output


@pytest.mark.usefixtures("demo")
def test_a_sealed_report_is_written_as_a_document(tmp_path: Path) -> None:
    file = tmp_path / "2025.docx"
    done = report("2025", "--to", "2025-12-29", "--seal", "--docx", f"{file}")
    assert done.stdout == f"{PUBLISHED}\n" and f"Written to {file}." in done.stderr
    texts = [paragraph.text for paragraph in Document(f"{file}").paragraphs]
    assert PUBLISHED in texts
    digest = done.stderr.split()[-1].rstrip(".")
    assert digest in texts[-1]


@pytest.mark.usefixtures("demo")
def test_a_month_and_a_week_are_told_by_stage(tmp_path: Path) -> None:
    told = orjson.loads(report("2025-04", "--json", kind="monthly").stdout)
    lines = [line.split("\t") for line in report("2025-04", kind="monthly").stdout.splitlines()]
    assert lines[0][:2] == ["阶段", "进入（个）"] and len(lines) == 6
    standing = lines[0].index("期末（个）")
    assert [int(line[standing]) for line in lines[1:]] == [
        stage["standing"]["now"]["count"] for stage in told["stages"]
    ]
    file = tmp_path / "week.docx"
    week = report("2025-W12", "--district", "11", "--docx", f"{file}", kind="weekly")
    assert week.exit_code == 0 and len(Document(f"{file}").tables) == 4
    refused = report("2025-13", kind="monthly")
    assert (refused.exit_code, "name it like 2025-03" in refused.stderr) == (1, True)


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize(("kind", "period"), [("monthly", "2025-04"), ("weekly", "2025-W12")])
def test_a_month_and_a_week_are_written_as_a_workbook(
    tmp_path: Path, kind: str, period: str
) -> None:
    file = tmp_path / "report.xlsx"
    done = report(period, "--json", "--xlsx", f"{file}", kind=kind)
    assert done.exit_code == 0 and f"Written to {file}." in done.stderr
    told = orjson.loads(done.stdout)
    (sheet,) = load_workbook(file)
    assert told["label"] in f"{sheet['A1'].value}"
    assert [sheet[f"D{row}"].value for row in range(4, 9)] == [
        stage["entered"]["now"]["count"] for stage in told["stages"]
    ]
    assert report("2025", "--xlsx", f"{file}").exit_code == 2


@pytest.mark.usefixtures("demo")
def test_a_document_that_cannot_be_written_is_refused_in_one_line(tmp_path: Path) -> None:
    done = report("2025", "--docx", f"{tmp_path}/nowhere/2025.docx")
    assert done.exit_code == 1 and "nowhere" in done.stderr and done.stderr.count("\n") == 1
