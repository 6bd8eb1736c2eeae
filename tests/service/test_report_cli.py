"""``leadledger report``: the sentence alone on its line, sealing, wrong words."""

import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli import main
from tests.service.test_annual import PUBLISHED


def report(*words: str) -> Result:
    """What the command line answers."""
    return CliRunner().invoke(main, ["report", "annual", *words])


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
