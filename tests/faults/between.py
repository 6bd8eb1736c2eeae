"""What comes between a service and its machine: a small library in C, compiled where it is used."""

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
