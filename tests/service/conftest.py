"""What the tests of the command line share."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from service.cli import main


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment names a ledger with the year 2025."""
    monkeypatch.setenv("LEDGER_DATABASE", f"sqlite:///{tmp_path}/ledger.sqlite")
    assert CliRunner().invoke(main, ["demo"]).exit_code == 0
    return tmp_path
