"""From which numbers random histories are made: few in every run, many with the faults."""

from typing import Any

import pytest

MANY = 20


def seeds(few: int) -> list[Any]:
    """The first ``few`` in every run, which are the same each time; the others in `make faults`."""
    return [
        pytest.param(seed, marks=[pytest.mark.fault] if seed >= few else []) for seed in range(MANY)
    ]
