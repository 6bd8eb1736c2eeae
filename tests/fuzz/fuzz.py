"""``python -m tests.fuzz.fuzz DOOR SECONDS``: whatever coverage leads to, through one door.

Inputs that reach something new are added to the door's corpus, which the tests replay.
"""

import sys
from pathlib import Path

import atheris

import service  # noqa: F401  (first: it puts a repaired SQLite under the name sqlite3)

with atheris.instrument_imports(include=["api", "domain", "service"]):
    from tests.fuzz.doors import DOORS, ground

CORPUS = Path(__file__).parent / "corpus"
# As much as tells a fault apart; longer inputs only take longer.
LONGEST = {"body": 2048, "paper": 16384, "sheet": 8192}


def main() -> None:
    """Fuzz one door."""
    door, seconds = sys.argv[1], sys.argv[2]
    ground()
    corpus = CORPUS / door
    corpus.mkdir(parents=True, exist_ok=True)
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST[door]}", "-timeout=30"]
    atheris.Setup([sys.argv[0], f"{corpus}", *options], DOORS[door])
    atheris.Fuzz()


if __name__ == "__main__":
    main()
