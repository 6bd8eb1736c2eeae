"""What comes between a process and its machine: small libraries in C, compiled where used."""

import shutil
from pathlib import Path
from subprocess import run

import pytest


def compiled(name: str, folder: Path) -> Path:
    """The library of that name in a folder; the test is skipped where nothing compiles it."""
    if shutil.which("cc") is None:
        pytest.skip("there is no C compiler here")
    made = folder / f"{name}.so"
    source = Path(__file__).with_name(f"{name}.c")
    run(["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", made, source], check=True)
    return made


class Disk:
    """What stands between a process and its folder."""

    def __init__(self, folder: Path, library: Path) -> None:
        self.folder = folder
        self._said = folder / "disk-is"
        self.settings = {"LD_PRELOAD": str(library), "FAULT_DISK": str(self._said)}

    def turns(self, word: str) -> None:
        """From now on it is so: "slow 100", "read-only", "full"."""
        fresh = self._said.with_suffix(".new")
        fresh.write_text(word)
        fresh.replace(self._said)

    def recovers(self) -> None:
        """From now on it is as it was."""
        self._said.unlink(missing_ok=True)
