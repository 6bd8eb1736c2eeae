"""What a cell may not do to whoever opens it: run as a formula, or tell whom to call.

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

# pattern → what takes its place: of a telephone number, and of a name.
PHONE_MASKS = ((r"^(.{3}).{4,}(.{4})$", r"\1****\2"), (r"^(.{0,7})$", "****"))
NAME_MASKS = ((r"^(.).*$", r"\1**"),)
MASKS = {"contact_name": NAME_MASKS, "contact_phone": PHONE_MASKS}


def neutral(text: str) -> str:
    """``text`` as a cell that no spreadsheet takes for a formula."""
    return _FORMULA.sub(QUOTED, text) if text[:1] in FIRST_OF_FORMULA else text


def as_typed(text: str) -> str:
    """What ``neutral`` was given."""
    return _WAS_FORMULA.sub(r"\1", text)


def masked(column: str, text: str) -> str:
    """``text`` of ``contact_name`` or ``contact_phone`` so that it names nobody: 138****0001."""
    for pattern, mask in MASKS[column]:
        masked_text, found = re.subn(pattern, mask, text)
        if found:
            return masked_text
    return text
