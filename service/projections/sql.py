"""What the two databases say otherwise: one name of it for both."""

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


@compiles(AsBytes, "sqlite")
def _cast(element: Any, compiler: Any, **how: Any) -> str:
    return f"CAST({compiler.process(element.clauses, **how)} AS BLOB)"


@compiles(AsBytes, "postgresql")
def _converted(element: Any, compiler: Any, **how: Any) -> str:
    return f"convert_to({compiler.process(element.clauses, **how)}, 'UTF8')"


@compiles(Joined, "sqlite")
def _grouped(element: Any, compiler: Any, **how: Any) -> str:
    return f"group_concat({compiler.process(element.clauses, **how)})"


@compiles(Joined, "postgresql")
def _strung(element: Any, compiler: Any, **how: Any) -> str:
    return f"string_agg({compiler.process(element.clauses, **how)})"


@compiles(Listed, "sqlite")
def _concatenated(element: Any, compiler: Any, **how: Any) -> str:
    return f"group_concat(DISTINCT {compiler.process(element.clauses, **how)})"


@compiles(Listed, "postgresql")
def _aggregated(element: Any, compiler: Any, **how: Any) -> str:
    text = compiler.process(element.clauses, **how)
    return f"string_agg(DISTINCT CAST({text} AS TEXT), ',')"


@compiles(NumbersOf, "sqlite")
def _each(element: Any, compiler: Any, **how: Any) -> str:
    given = compiler.process(element.clauses, **how)
    return f"(SELECT value FROM json_each({given}))"  # noqa: S608


@compiles(NumbersOf, "postgresql")
def _elements(element: Any, compiler: Any, **how: Any) -> str:
    given = f"CAST({compiler.process(element.clauses, **how)} AS JSON)"
    return f"(SELECT CAST(value AS BIGINT) FROM json_array_elements_text({given}))"  # noqa: S608
