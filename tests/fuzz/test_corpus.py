"""What the fuzzer ever found worth keeping goes through its door again."""

from pathlib import Path

import pytest

from tests.fuzz.doors import DOORS

CORPUS = Path(__file__).parent / "corpus"
KEPT = sorted(CORPUS.glob("*/*"))


def test_there_is_a_corpus_of_each_door() -> None:
    assert {path.parent.name for path in KEPT} == set(DOORS)


@pytest.mark.parametrize("door", sorted(DOORS))
def test_everything_that_was_kept_goes_through_its_door(door: str) -> None:
    for path in sorted((CORPUS / door).iterdir()):
        DOORS[door](path.read_bytes())
