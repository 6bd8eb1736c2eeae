"""What the tests of the service share: an empty ledger, and one that the environment names."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from service.application import Ledger
from service.cli import main
from tests.databases import name_in_environment
from tests.service.helpers import ledger_in


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger."""
    with ledger_in(tmp_path / "ledger") as opened:
        yield opened


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The environment names a ledger with the year 2025."""
    name_in_environment(monkeypatch, tmp_path)
    assert CliRunner().invoke(main, ["demo"]).exit_code == 0
    return tmp_path
