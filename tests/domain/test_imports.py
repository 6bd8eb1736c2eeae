"""What the domain is written in: Python, its own modules, and the library's aggregates."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import domain

FILES = sorted(Path(domain.__file__).parent.rglob("*.py"))


def imported(tree: ast.AST) -> Iterator[str]:
    """The modules that are named by a module's imports, wherever they stand."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def allowed(module: str) -> bool:
    """Whether the domain may know it."""
    top = module.partition(".")[0]
    return top in sys.stdlib_module_names or top == "domain" or module == "eventsourcing.domain"


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_the_domain_knows_nothing_else(file: Path) -> None:
    assert [
        name for name in imported(ast.parse(file.read_text("utf-8"))) if not allowed(name)
    ] == []


@pytest.mark.parametrize(
    "line",
    ["import orjson", "from eventsourcing import persistence", "from service import reads", ""],
)
def test_what_it_may_not_know_would_be_found(line: str) -> None:
    found = list(imported(ast.parse(f"def late():\n    {line}\n" if line else "import json")))
    assert found and all(map(allowed, found)) == (not line)
