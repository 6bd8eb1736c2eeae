"""What the two databases say otherwise: one name of it for both."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement


class AsBytes(FunctionElement[bytes]):
    """A text in UTF-8, for whom nobody need decode it."""

    type = sa.LargeBinary()
    inherit_cache = True


class Joined(FunctionElement[str]):
    """The texts of a group, as they come, with another (the second argument) between."""

    type = sa.Text()
    inherit_cache = True


class Listed(FunctionElement[str]):
    """The different whole numbers of a group, in decimal with commas between, in any order."""

    type = sa.Text()
    inherit_cache = True


class NumbersOf(FunctionElement[int]):
    """A SELECT of the whole numbers in a JSON list."""

    type = sa.BigInteger()
    inherit_cache = True


# How each is said, of its arguments.
_SAID: Mapping[type[FunctionElement[Any]], Mapping[str, str]] = {
    AsBytes: {
        "sqlite": "CAST({} AS BLOB)",
        "postgresql": "convert_to({}, 'UTF8')",
    },
    Joined: {
        "sqlite": "group_concat({})",
        "postgresql": "string_agg({})",
    },
    Listed: {
        "sqlite": "group_concat(DISTINCT {})",
        "postgresql": "string_agg(DISTINCT CAST({} AS TEXT), ',')",
    },
    NumbersOf: {
        "sqlite": "(SELECT value FROM json_each({}))",
        "postgresql": "(SELECT CAST(value AS BIGINT) "
        "FROM json_array_elements_text(CAST({} AS JSON)))",
    },
}


def _as_said(element: Any, compiler: Any, **how: Any) -> str:
    said = _SAID[type(element)][compiler.dialect.name]
    return said.format(compiler.process(element.clauses, **how))


for _element, _databases in _SAID.items():
    for _database in _databases:
        compiles(_element, _database)(_as_said)
