"""Tests of defects that are known and not yet mended are expected to fail, by their listed names."""  # noqa: E501

from pathlib import Path

import pytest

_KNOWN = frozenset(
    line.partition("::")[0] + "::" + line.partition("::")[2].partition("[")[0]
    for line in (Path(__file__).parent / "known_defects.txt").read_text("utf-8").splitlines()
    if line
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what ``known_defects.txt`` names; a mended one passes and is to be taken off it."""
    for item in items:
        if item.nodeid.partition("[")[0] in _KNOWN:
            item.add_marker(pytest.mark.xfail(reason="a known defect", strict=False))
