"""Everything the ledger can say no with.

LedgerError
├── Invalid       a value is wrong in itself; names the field
├── Refused       the stage or a rule does not allow it; may list missing facts
├── Forbidden     this actor may not
├── NotFound      there is no such thing (or none that this actor may see)
├── Stale         somebody else changed it since; lists what happened
├── KeyReused     an idempotency key came again with another request
└── NotReady      the ledger cannot answer just now; nothing was recorded
"""

from collections.abc import Mapping, Sequence
from typing import Any


class LedgerError(Exception):
    """The root: ``str()`` of it is a whole sentence for the user."""


class Invalid(LedgerError):
    """``errors`` maps each wrong field to the reasons, each a sentence with the value in it."""

    def __init__(self, errors: Mapping[str, Sequence[str]]) -> None:
        self.errors = {_quoted(f): list(map(_quoted, reasons)) for f, reasons in errors.items()}
        super().__init__(" ".join(f"{f}: {' '.join(r)}" for f, r in self.errors.items()))


def _quoted(text: str) -> str:
    """``text`` with what no UTF-8 can hold, a lone surrogate, as its escape."""
    return text.encode("utf-8", "backslashreplace").decode()


class Refused(LedgerError):
    """``missing`` names the facts whose absence was the reason, if that was it."""

    def __init__(self, detail: str, missing: Sequence[str] = ()) -> None:
        self.missing = list(missing)
        super().__init__(detail)


class Forbidden(LedgerError):
    """The role, or the person, may not do this."""


class NotFound(LedgerError):
    """No such lead, member or version."""


class Stale(LedgerError):
    """The caller's version is not the present one; ``events`` is the history since then."""

    def __init__(self, detail: str, events: Sequence[Mapping[str, Any]]) -> None:
        self.events = list(events)
        super().__init__(detail)


class KeyReused(LedgerError):
    """The same idempotency key named a different request before."""


class NotReady(LedgerError):
    """Try again in ``retry_after`` seconds; nothing that was answered before is lost."""

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        self.retry_after = retry_after
        super().__init__(detail)
