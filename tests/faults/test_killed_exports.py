"""Exports killed fifty times at random instants."""

from pathlib import Path

import pytest

from tests.exports.killing import check_kills

pytestmark = pytest.mark.fault


def test_an_export_killed_fifty_times_is_whole_or_not_there(tmp_path: Path) -> None:
    check_kills(tmp_path, times=50)
