"""What a cell may not do to whoever opens it: run as a formula.

A spreadsheet takes a cell that begins with = + - @, a tab or a carriage return for a formula; one
' before it makes it a text. Cells that begin with ' and such a one get another, so that reading
can take exactly one away again.
"""

import re

# In the syntax that Python's re and Arrow's RE2 share.
FORMULA = r"^('*[=+\-@\t\r])"
QUOTED = r"'\1"
# What else need not be looked at: every such cell begins with one of these.
FIRST_OF_FORMULA = frozenset("'=+-@\t\r")
_FORMULA = re.compile(FORMULA)
_WAS_FORMULA = re.compile(r"^'('*[=+\-@\t\r])")


def neutral(text: str) -> str:
    """``text`` as a cell that no spreadsheet takes for a formula."""
    return _FORMULA.sub(QUOTED, text) if text[:1] in FIRST_OF_FORMULA else text


def as_typed(text: str) -> str:
    """What ``neutral`` was given."""
    return _WAS_FORMULA.sub(r"\1", text)
