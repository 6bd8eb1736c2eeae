"""A form's fields as the body that the API takes: names with dots are parts of a thing."""

from collections.abc import Mapping
from typing import Any


def nested(words: Mapping[str, str]) -> dict[str, Any]:
    """``{"investment.amount": "30"}`` as ``{"investment": {"amount": "30"}}``."""
    found: dict[str, Any] = {}
    for name, value in words.items():
        *path, last = name.split(".")
        part = found
        for step in path:
            inner = part.setdefault(step, {})
            if not isinstance(inner, dict):
                # Given as a whole and in parts: the schema names it.
                part[name] = value
                break
            part = inner
        else:
            part[last] = value
    return found
